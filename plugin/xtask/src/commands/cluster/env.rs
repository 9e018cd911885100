//! `cargo xtask cluster env`

use std::process::ExitCode;

use clap::Args;
use mizar_bed::{cargo, commands, lifecycle};

use super::DEFAULT_NAME;
use crate::failure::Failure;
use crate::report;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// Whose kubeconfig: admin, checker, installer, nobody, spare-1 to spare-3, stranger
    #[arg(long, default_value_t = mizar_bed::Role::Admin)]
    role: mizar_bed::Role,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let bed = lifecycle::find_ready(&arguments.name)?;
    cargo::build("kubectl-mizar")?;
    report::data(&format!("export KUBECONFIG={}", commands::quoted(&bed.layout.kubeconfig(arguments.role))));
    report::data(&format!("export MIZAR_BED={}", commands::quoted(bed.layout.folder())));
    report::data(&format!("export PATH={}:\"$PATH\"", commands::quoted(&bed.layout.commands())));
    Ok(ExitCode::SUCCESS)
}
