//! `cargo xtask cluster list`

use std::process::ExitCode;
use std::time::SystemTime;

use mizar_bed::lifecycle::{self, FoundBed};
use mizar_bed::state::Phase;

use crate::failure::Failure;
use crate::report;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let beds = lifecycle::list()?;
    if beds.is_empty() {
        report::status("no clusters; start one: cargo xtask cluster up");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 7]> = beds.iter().map(row).collect();
    report::table(["NAME", "STATE", "NODES", "VERSION", "AGE", "SERVER", "FOLDER"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn row(bed: &FoundBed) -> [String; 7] {
    let folder = bed.layout.folder().display().to_string();
    let Some(state) = &bed.state else {
        return [
            bed.name.clone(),
            "starting".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            folder,
        ];
    };
    let phase = match &state.phase {
        Phase::Failed(_) => "failed",
        _ if !bed.is_alive() => "dead",
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Stopping => "stopping",
    };
    [
        bed.name.clone(),
        phase.to_owned(),
        state.nodes.to_string(),
        state.version.to_string(),
        age(SystemTime::now().duration_since(state.started).unwrap_or_default().as_secs()),
        state.api_server.clone(),
        folder,
    ]
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        _ => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
    }
}
