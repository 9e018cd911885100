//! What the runbook shows of a symptom is what `check` says of facts in which it is there.

use crate::docs::{section, shown};
use crate::program::{Place, repository};

#[test]
fn a_symptom_is_found_by_the_checks_that_its_section_shows() {
    let symptoms = [
        ("New pods stay in ContainerCreating", "operator-restarted"),
        ("A node has no connectivity after a restart", "daemon-restarted"),
        ("The operator is down", "operator-gone"),
        ("Addresses are doubled", "duplicate-address"),
        ("A daemon does not come up", "daemon-crashing"),
        ("Deletions hang", "deletion-stuck"),
        ("Nodes stay cordoned", "restart-cut-off"),
    ];
    for (heading, facts) in symptoms {
        let text = std::fs::read(repository().join(format!("tests/fixtures/facts/{facts}.json"))).unwrap();
        let outcome = Place::with("facts.json", text).run(&["check", "--facts", "facts.json", "-o", "name"]);
        let found: Vec<&str> = outcome.stdout.lines().collect();
        let shown = shown(&section(repository(), heading), &['✗', '!']);
        assert!(!shown.is_empty(), "section {heading:?} shows no finding");
        for id in &shown {
            assert!(found.contains(&format!("check/{id}").as_str()), "{heading:?} shows {id}, {facts} has {found:?}");
        }
    }
}
