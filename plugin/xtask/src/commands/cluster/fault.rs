//! `cargo xtask cluster fault`

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use mizar_bed::control::{self, Request};
use mizar_bed::{Fault, FaultOrder, lifecycle};

use super::DEFAULT_NAME;
use crate::failure::Failure;
use crate::report;

#[derive(Args)]
#[group(skip)]
#[command(group = ArgGroup::new("what").required(true).args(["fault", "clear", "list"]))]
pub(crate) struct Arguments {
    /// Name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    #[arg(help = Fault::names())]
    fault: Option<Fault>,
    /// Only on this node
    #[arg(long, requires = "fault")]
    node: Option<String>,
    /// End all faults
    #[arg(long)]
    clear: bool,
    /// List the faults in force
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let bed = lifecycle::find_ready(&arguments.name)?;
    let socket = bed.layout.socket();
    if let Some(fault) = arguments.fault {
        let order = FaultOrder { fault, node: arguments.node.clone() };
        control::ask(&socket, &Request::SetFault { order })?;
        let place = arguments.node.as_deref().unwrap_or("every node");
        report::status(&format!("{fault} on {place}, until: cargo xtask cluster fault --name {} --clear", bed.name));
    } else if arguments.clear {
        control::ask(&socket, &Request::ClearFaults)?;
        report::status(&format!("no faults in bed {}", bed.name));
    } else {
        let answer = control::ask(&socket, &Request::ListFaults)?;
        let faults: Vec<FaultOrder> = serde_json::from_value(answer)
            .map_err(|source| Failure::Garbled { program: "the supervisor".to_owned(), source })?;
        let row = |order: &FaultOrder| [order.fault.to_string(), order.node.clone().unwrap_or_else(|| "every".into())];
        report::table(["FAULT", "NODE"], &faults.iter().map(row).collect::<Vec<_>>());
    }
    Ok(ExitCode::SUCCESS)
}
