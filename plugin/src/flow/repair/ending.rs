//! How a repair ends: what was applied, what is left and why, and what a person does next.

use std::collections::BTreeMap;

use mizar_core::check::Report;
use mizar_core::repair::{Agreement, Remedy, RepairPlan};

use crate::failure::{Failure, Kind};

/// Says which remedies were applied.
pub(super) fn summary_of(turns: &BTreeMap<Remedy, usize>) -> String {
    if turns.is_empty() {
        return "nothing was left to do".to_owned();
    }
    let applied = turns.iter().map(|(remedy, times)| match times {
        1 => remedy.id().to_owned(),
        _ => format!("{} ({times} times)", remedy.id()),
    });
    format!("applied: {}", applied.collect::<Vec<_>>().join(", "))
}

/// Names what no remedy heals, what was not healed by the one that there is, and what has come up since a person agreed:
/// that is not done without another yes.
pub(super) fn unhealed(left: &RepairPlan, agreement: &Agreement) -> Failure {
    let mut failure = Failure::new(Kind::Failed, "not everything could be repaired");
    for beyond in &left.beyond {
        failure = failure.detail(&beyond.what).hint(&beyond.advice);
    }
    for (remedy, act) in left.acts() {
        let since = if agreement.allows(remedy, act) { "" } else { " (new since you agreed)" };
        failure = failure.detail(format!("{remedy}: still to {act}: {}{since}", act.reason()));
    }
    if !left.steps.is_empty() {
        failure = failure.hint("see what that takes, and agree to it: kubectl mizar repair");
    }
    failure
}

/// Says that all is well, but for what may still come by itself.
pub(super) fn repaired(report: &Report) -> String {
    let settling = report.settling().filter_map(|result| result.settles).max();
    let summary = report.summary();
    match settling {
        None => format!("repaired: {summary}"),
        Some(until) => format!("repaired: {summary}; parts may still come by themselves until {until:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use mizar_core::repair::Step;

    use super::*;

    #[test]
    fn the_summary_names_what_was_applied_and_how_often() {
        assert_eq!(summary_of(&BTreeMap::new()), "nothing was left to do");
        let turns = BTreeMap::from([(Remedy::Leaks, 1), (Remedy::DuplicateAddresses, 2)]);
        assert_eq!(summary_of(&turns), "applied: leaks, duplicate-addresses (2 times)");
    }

    #[test]
    fn what_nobody_agreed_to_is_named_as_new_with_the_command_that_shows_it() {
        let restart = mizar_core::repair::Act::RestartOperator { reason: "it forgot a Subnet".to_owned() };
        let step = Step { remedy: Remedy::OperatorMemory, acts: vec![restart], cuts: Vec::new() };
        let left = RepairPlan { steps: vec![step], ..RepairPlan::default() };
        let told = unhealed(&left, &Agreement::default());
        let news = "operator-memory: still to restart the operator: it forgot a Subnet (new since you agreed)";
        assert_eq!(told.details, [news]);
        assert_eq!(told.hints, ["see what that takes, and agree to it: kubectl mizar repair"]);
        let agreed = unhealed(&left, &Agreement::to(&left));
        assert_eq!(agreed.details, ["operator-memory: still to restart the operator: it forgot a Subnet"]);
    }
}
