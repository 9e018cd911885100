//! The lists that `check` needs, read without it.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use mizar_bed::bare_lists::{self, Amount, BareList};
use mizar_core::check::{Phase, sources_of};
use mizar_core::facts::Request;

use crate::failure::Failure;
use crate::report;

/// As many lists at once as the product reads.
const AT_ONCE: usize = 8;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Which cluster
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: std::path::PathBuf,
}

/// Reads them and prints how much it was.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let amount = read(&arguments.kubeconfig)?;
    report::data(&serde_json::json!({"requests": amount.requests, "bytes": amount.bytes}).to_string());
    Ok(ExitCode::SUCCESS)
}

fn read(kubeconfig: &Path) -> Result<Amount, Failure> {
    let lists: Vec<BareList> = sources_of(Phase::Health)
        .into_iter()
        .filter(|source| !source.is_arktos())
        .filter_map(|it| list(&it.request()))
        .collect();
    Ok(bare_lists::read(kubeconfig, &lists, AT_ONCE)?)
}

fn list(request: &Request) -> Option<BareList> {
    let Request::List { path, page_limit, label_selector, field_selector, metadata_only } = *request else {
        return None;
    };
    let selector = |key: &str, value: &str| {
        let escaped = value.replace('=', "%3D").replace(',', "%2C").replace(' ', "%20");
        if value.is_empty() { String::new() } else { format!("&{key}={escaped}") }
    };
    let labels = selector("labelSelector", label_selector);
    let fields = selector("fieldSelector", field_selector);
    Some(BareList { uri: format!("{path}?limit={page_limit}{labels}{fields}"), metadata_only })
}

/// Reads what a run printed.
pub(super) fn amount(printed: &str) -> Result<Amount, Failure> {
    serde_json::from_str(printed).map_err(|source| Failure::Garbled { program: "bench bare-lists".to_owned(), source })
}
