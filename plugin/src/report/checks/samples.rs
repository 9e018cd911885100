//! Reports for the tests of all forms, with everything in a text that a form must not stumble over.

use mizar_core::check::{
    Baseline, CheckResult, Evidence, Filters, Heading, Phase, Report, Selection, Severity, Status, lookup,
};

use super::View;

pub(super) fn result(id: &str, status: Status, message: &str) -> CheckResult {
    let check = lookup(id).unwrap();
    CheckResult {
        id: id.to_owned(),
        category: check.category,
        severity: check.severity,
        status,
        title: check.title.to_owned(),
        message: message.to_owned(),
        hint: status.asks_for_action().then(|| format!("`look at {id}`")),
        remedy: None,
        settles: None,
        doc: check.doc(),
        evidence: Vec::new(),
    }
}

fn seen(object: &str, field: &str, seen: &str, wanted: &str) -> Evidence {
    Evidence {
        object: object.to_owned(),
        field: field.to_owned(),
        seen: seen.to_owned(),
        wanted: wanted.to_owned(),
        ..Evidence::default()
    }
}

fn mixed_report() -> Report {
    let passed = CheckResult {
        evidence: vec![Evidence {
            since: "2026-03-01T02:00:00Z".parse().ok(),
            ..seen("Node node-1", "status.conditions[Ready]", "True", "True")
        }],
        ..result("nodes-ready", Status::Pass, "all 3 nodes fine")
    };
    let failed = CheckResult {
        evidence: vec![Evidence {
            since: "2026-03-01T11:55:00Z".parse().ok(),
            ..seen("Node node-2", "Droplet", "", "<one> & \"Provisioned\"")
        }],
        ..result("droplets", Status::Fail, "2 of 3 nodes fine; node-2: has no Droplet <yet> & \"waits\"")
    };
    let stuck = result("stuck-objects", Status::Unknown, "you are not allowed to list vpcs.mizar.com");
    let stuck = CheckResult { severity: Severity::Warning, ..stuck };
    let leaks = CheckResult {
        evidence: (1..=7).map(|n| seen(&format!("Endpoint e-{n}"), "spec.pod", "gone", "one that exists")).collect(),
        ..result("leaked-endpoints", Status::Warn, "3 of 10 Endpoints fine; e-1, e-2 and 5 more: its pod is gone")
    };
    let skipped = result("pods-older-than-mizar", Status::Skipped, "there is no Subnet yet");
    Report { results: vec![passed, failed, stuck, leaks, skipped] }
}

fn show(report: &Report, filters: &Filters, baseline: Option<&Report>, look: impl Fn(&View<'_>)) {
    let selection = Selection::new(Phase::Health, filters).unwrap();
    let at = "2026-03-01T12:00:00Z".parse().unwrap();
    let heading = Heading { phase: Phase::Health, at, namespace: "mizar-system", node: selection.node() };
    let comparison = baseline.map(|earlier| {
        let saved = Heading { at: "2026-02-28T12:00:00Z".parse().unwrap(), ..heading };
        let saved = earlier.document(&saved, None).to_string();
        Baseline::read(&saved, Phase::Health).unwrap().compare(report, None)
    });
    look(&View { report, selection: &selection, heading, comparison: comparison.as_ref() });
}

/// One result of each status.
pub(super) fn mixed(look: impl Fn(&View<'_>)) {
    show(&mixed_report(), &Filters::default(), None, look);
}

/// The same, of checks that were chosen.
pub(super) fn chosen(look: impl Fn(&View<'_>)) {
    show(&mixed_report(), &Filters { severity: Some(Severity::Blocker), ..Filters::default() }, None, look);
}

/// All is well.
pub(super) fn healthy(look: impl Fn(&View<'_>)) {
    show(&Report { results: mixed_report().results.drain(..1).collect() }, &Filters::default(), None, look);
}

/// Mizar is not there, so that checks of several categories do not apply.
pub(super) fn not_installed(look: impl Fn(&View<'_>)) {
    let skipped = |id: &str| result(id, Status::Skipped, "Mizar is not installed here");
    let mut results: Vec<CheckResult> = mixed_report().results.drain(..1).collect();
    results.extend([skipped("droplets"), skipped("vpcs"), skipped("pod-endpoints")]);
    show(&Report { results }, &Filters::default(), None, look);
}

/// Compared with a report in which the leaks and another missing Droplet were known already.
pub(super) fn compared(look: impl Fn(&View<'_>)) {
    let mut earlier = mixed_report();
    earlier.results[1].evidence = vec![seen("Node node-3", "Droplet", "", "one")];
    show(&mixed_report(), &Filters::default(), Some(&earlier), look);
}
