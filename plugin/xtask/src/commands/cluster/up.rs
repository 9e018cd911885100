//! `cargo xtask cluster up`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_bed::KubernetesVersion;
use mizar_bed::lifecycle::{self, StartOptions};

use super::DEFAULT_NAME;
use crate::failure::Failure;
use crate::report;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// How many nodes to simulate
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=2000))]
    nodes: u16,
    /// Minor version of Kubernetes to behave as, 1.33 to 1.36
    #[arg(long, default_value_t = KubernetesVersion::NATIVE)]
    version: KubernetesVersion,
    /// Seconds between two rounds of Mizar's operator
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0, value_parser = seconds)]
    round: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.05..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("must be from 0.05 to 3600".to_owned()) }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let options = StartOptions {
        nodes: arguments.nodes.into(),
        version: arguments.version,
        round: Duration::from_secs_f64(arguments.round),
        ..StartOptions::named(&arguments.name)
    };
    let lock = lifecycle::lock(&options.name)?;
    lifecycle::start(&options, &lock)?;
    report::status(&format!("use it:   eval \"$(cargo xtask cluster env --name {})\"", options.name));
    report::status(&format!("stop it:  cargo xtask cluster down --name {}", options.name));
    Ok(ExitCode::SUCCESS)
}
