//! `cargo xtask cluster down`

use std::process::ExitCode;

use clap::Args;
use mizar_bed::lifecycle::{self, LifecycleError};

use super::DEFAULT_NAME;
use crate::failure::Failure;
use crate::report;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// Stop every cluster, those of the tests included
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !arguments.all {
        stop(&arguments.name)?;
        return Ok(ExitCode::SUCCESS);
    }
    for bed in lifecycle::list()? {
        stop(&bed.name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Stops a cluster and says so.
pub(crate) fn stop(name: &str) -> Result<(), Failure> {
    let lock = lifecycle::lock(name)?;
    let Some(bed) = lifecycle::find(name)? else {
        let known = lifecycle::list()?.into_iter().map(|bed| bed.name).collect();
        return Err(LifecycleError::Unknown { name: name.to_owned(), known }.into());
    };
    lifecycle::stop(&bed, &lock)?;
    report::status(&format!("stopped bed {name}"));
    Ok(())
}
