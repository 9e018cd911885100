//! `check --wait` while pods change all the time and something keeps it waiting: its memory, and how much of a core it
//! takes once everything has been listed.

use std::path::Path;
use std::time::Duration;

use mizar_bed::Role;
use mizar_bed::lifecycle::FoundBed;
use mizar_bed::seed::{Churn, PODS_PER_NODE};

use super::super::measured::{Ended, measure};
use crate::failure::Failure;
use crate::report;

/// As on a cluster where a thousand pods start within seconds.
const CHANGES_A_SECOND: u32 = 200;
/// Two waits that differ by nothing but how long they wait: what the longer one takes more is the waiting.
const SHORT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(100);
/// Time was up, as it must be.
const TIMED_OUT: i64 = 6;

/// What a wait took.
pub(in super::super) struct Waited {
    /// How many pods changed a second.
    pub(in super::super) changes: f64,
    /// The most memory that it had at once, in MB.
    pub(in super::super) megabytes: f64,
    /// How much of one core it took while it waited.
    pub(in super::super) core: f64,
}

pub(super) fn run(binary: &Path, bed: &FoundBed, nodes: usize) -> Result<Waited, Failure> {
    let kubeconfig = bed.layout.kubeconfig(Role::Admin);
    let churn = Churn::start(bed, nodes * PODS_PER_NODE, CHANGES_A_SECOND);
    let wait = |limit: Duration| {
        let limit = format!("{}s", limit.as_secs());
        measure(binary, &["check", "--wait", "--timeout", &limit, "-o", "name"], &kubeconfig, Ended::With(TIMED_OUT))
    };
    let (short, long) = (wait(SHORT)?, wait(LONG)?);
    let share = |more: Duration, of: Duration| more.as_secs_f64() / of.as_secs_f64();
    let waited = Waited {
        changes: churn.stop()?,
        megabytes: short.megabytes.max(long.megabytes),
        core: share(long.cpu.saturating_sub(short.cpu), long.elapsed.saturating_sub(short.elapsed)),
    };
    report::status(&format!(
        "{nodes} nodes, check --wait under {:.0} changes a second: {:.1} MB, {:.0} % of a core",
        waited.changes,
        waited.megabytes,
        waited.core * 100.0
    ));
    Ok(waited)
}
