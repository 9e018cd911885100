//! `docs/check-cases.md`: for every check, where it is seen to pass and where not to. Made from the situations and from
//! what the table makes of their facts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mizar_core::check::{CHECKS, Phase, Status};

use super::replay::facts_of;
use super::run::{is_blessing, judge};
use super::situation::{Origin, Situation};
use super::situations;
use crate::cli::root;

/// How many situations a cell of the table names.
const NAMED: usize = 3;

const HEAD: &str = "# Check cases

For every check of [checks.md](checks.md), a situation in which it passes and those in which it does not. The situations
stand in `tests/journeys/checks`; each is made on a test bed (a real control plane with a simulated Mizar), judged there by
`kubectl mizar check`, recorded in `tests/fixtures/facts`, and taken back. The recorded facts are judged again by every run
of the tests, without a bed, and by anybody:

```console
kubectl mizar check --facts tests/fixtures/facts/other-network-beside.json
```

What no bed can be like is made from recorded facts with one field edited; the list below says so. This page is made from
the situations and their facts; how both are made anew is told at the top of `tests/journeys/checks.rs`.
";

#[test]
fn the_written_page_is_that_of_the_situations() {
    let file = root().join("docs/check-cases.md");
    let page = page();
    if is_blessing() {
        std::fs::write(&file, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), page, "docs/check-cases.md is out of date: bless it");
}

fn page() -> String {
    let situations = situations();
    // What each check came to, and in which situations.
    let mut results: BTreeMap<String, Vec<(Status, &Situation)>> = BTreeMap::new();
    for situation in &situations {
        for result in judge(&facts_of(situation), situation.phase).results {
            results.entry(result.id).or_default().push((result.status, situation));
        }
    }
    let mut page = HEAD.to_owned();
    page.push_str("\n## Checks\n\n| check | passes in | does not pass in |\n|---|---|---|\n");
    for check in CHECKS {
        let results = results.get(check.id).map_or(&[][..], Vec::as_slice);
        let mut passing = results.iter().filter(|(status, _)| *status == Status::Pass);
        // Where nothing is wrong at all it passes for the best reason.
        let passing = passing.clone().find(|(_, situation)| situation.expected.is_empty()).or_else(|| passing.next());
        let passing = passing.map_or_else(String::new, |(_, situation)| link(situation));
        let mut failing: Vec<_> = results.iter().filter(|(status, _)| status.asks_for_action()).collect();
        // Those that were made for this check come first.
        failing.sort_by_key(|(_, situation)| situation.expected.first().is_none_or(|first| first.id != check.id));
        let told: Vec<String> =
            failing.iter().take(NAMED).map(|(status, situation)| format!("{} ({status})", link(situation))).collect();
        let id = check.id;
        writeln!(page, "| [{id}](checks.md#{id}) | {passing} | {} |", told.join(", ")).unwrap();
    }
    for (phase, title) in [(Phase::Preflight, "Before an install"), (Phase::Health, "Of an installation")] {
        write!(page, "\n## {title}\n\n| situation | what is so | facts |\n|---|---|---|\n").unwrap();
        for situation in situations.iter().filter(|situation| situation.phase == phase) {
            writeln!(page, "| {} | {} | {} |", link(situation), situation.story, origin(situation)).unwrap();
        }
    }
    page
}

/// The name, which leads to the facts where they are recorded.
fn link(situation: &Situation) -> String {
    let name = situation.name;
    match situation.origin {
        Origin::Bed(_) => format!("[{name}](../tests/fixtures/facts/{name}.json)"),
        Origin::Edited { .. } => name.to_owned(),
    }
}

fn origin(situation: &Situation) -> String {
    match &situation.origin {
        Origin::Edited { of, .. } => format!("those of {of}, edited"),
        Origin::Bed(_) if situation.lasting.is_zero() => "recorded on a bed".to_owned(),
        Origin::Bed(_) => format!("recorded on a bed, judged {} min later", situation.lasting.as_mins()),
    }
}
