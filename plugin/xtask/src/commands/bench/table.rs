//! The results as the table of `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::time::Duration;

use mizar_bed::bare_lists::Amount;
use mizar_bed::seed::PODS_PER_NODE;

use super::check::wait::Waited;
use super::measured::Run;

/// What was measured on a cluster of one size.
pub(super) struct Row {
    /// How many nodes it has.
    pub(super) nodes: usize,
    /// How many objects were made.
    pub(super) objects: usize,
    /// How long that took.
    pub(super) filled: Duration,
    /// The runs of the bare lists.
    pub(super) bare: Vec<Run>,
    /// The runs of `check`.
    pub(super) checks: Vec<Run>,
    /// What the bare lists are.
    pub(super) amount: Amount,
    /// How many requests `check` sent.
    pub(super) requests: usize,
    /// What `check --wait` took.
    pub(super) waited: Waited,
}

/// Returns the table.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| nodes | pods | objects made (in) | lists: pages, MB of JSON | bare lists | `check` | ratio | peak memory | requests |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let (bare, check) = (seconds(&row.bare), seconds(&row.checks));
        let memory = median(row.checks.iter().map(|run| run.megabytes).collect());
        let _infallible = writeln!(
            text,
            "| {} | {} | {} ({:.0} s) | {}, {:.1} | {bare:.2} s | {check:.2} s | {:.2} | {memory:.1} MB | {} |",
            row.nodes,
            row.nodes * PODS_PER_NODE,
            row.objects,
            row.filled.as_secs_f64(),
            row.amount.requests,
            megabytes(row.amount.bytes),
            check / bare,
            row.requests,
        );
    }
    text.trim_end().to_owned()
}

/// Returns the table of the waits.
pub(super) fn waits(rows: &[Row]) -> String {
    let mut text = String::from(
        "| nodes | pods that change a second | `check --wait`: peak memory | of a core |\n|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let Waited { changes, megabytes, core } = &row.waited;
        let _infallible =
            writeln!(text, "| {} | {changes:.0} | {megabytes:.1} MB | {:.0} % |", row.nodes, core * 100.0);
    }
    text.trim_end().to_owned()
}

fn seconds(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.elapsed.as_secs_f64()).collect())
}

#[expect(clippy::cast_precision_loss, reason = "a table shows one decimal")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// The middle value; of an even number, the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these are exact")]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
    }
}
