//! What is not fine, one line each: for a phone at night, and for `grep`.

use super::View;
use crate::report::style::{GOOD, mark};

/// Lays out what asks for action; one line says so when nothing does.
pub(crate) fn short(view: &View<'_>) -> String {
    let wrong: Vec<_> = view.report.results.iter().filter(|result| result.status.asks_for_action()).collect();
    if wrong.is_empty() {
        return format!("{GOOD}OK{GOOD:#}: {}\n", view.report.summary());
    }
    let line = |result: &&mizar_core::check::CheckResult| {
        let (_, style) = mark(result.status);
        let status = result.status.to_string().to_uppercase();
        let new = if view.is_new(result) { " (new)" } else { "" };
        format!("{style}{status}{style:#} {}: {}{new}\n", result.id, result.message)
    };
    wrong.iter().map(line).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn plain(view: &View<'_>) -> String {
        anstream::adapter::strip_str(&short(view)).to_string()
    }

    #[test]
    fn each_line_is_one_check_that_is_not_fine() {
        samples::compared(|view| {
            assert_eq!(
                plain(view),
                "\
FAIL droplets: 2 of 3 nodes fine; node-2: has no Droplet <yet> & \"waits\" (new)
UNKNOWN stuck-objects: you are not allowed to list vpcs.mizar.com
WARN leaked-endpoints: 3 of 10 Endpoints fine; e-1, e-2 and 5 more: its pod is gone
"
            );
        });
    }

    #[test]
    fn one_line_says_that_all_is_well() {
        samples::healthy(|view| assert_eq!(plain(view), "OK: 1 passed\n"));
    }
}
