//! The recorded facts, judged again: quickly, without a bed, and by the table of today.

use std::collections::BTreeSet;

use mizar_core::check::{CHECKS, Status};
use mizar_core::facts::Facts;
use serde_json::{Value, json};

use super::run::{judge, read};
use super::situation::{Origin, Situation, file_of, folder};
use super::situations;
use crate::cli::Mizar;

/// The facts of a situation: as recorded, or as recorded of another one and edited.
pub(crate) fn facts_of(situation: &Situation) -> Facts {
    match &situation.origin {
        Origin::Bed(_) => read(&situation.file()),
        Origin::Edited { of, edit } => {
            let mut facts = json!(read(&file_of(of)));
            edit(&mut facts);
            serde_json::from_value(facts).unwrap_or_else(|error| panic!("{}: {error}", situation.name))
        }
    }
}

#[test]
fn recorded_facts_are_judged_as_they_were() {
    let mut wrong = Vec::new();
    for situation in situations() {
        let objections = situation.objections(&judge(&facts_of(&situation), situation.phase));
        wrong.extend(objections.into_iter().map(|objection| format!("{}: {objection}", situation.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_check_passes_in_one_situation_and_does_not_in_another() {
    let mut passing = BTreeSet::new();
    let mut failing = BTreeSet::new();
    for situation in situations() {
        for result in judge(&facts_of(&situation), situation.phase).results {
            match result.status {
                Status::Pass => passing.insert(result.id),
                Status::Warn | Status::Fail => failing.insert(result.id),
                Status::Skipped | Status::Unknown => false,
            };
        }
    }
    let without = |seen: &BTreeSet<String>| -> Vec<&str> {
        CHECKS.iter().map(|check| check.id).filter(|id| !seen.contains(*id)).collect()
    };
    assert_eq!(
        (without(&passing), without(&failing)),
        (Vec::new(), Vec::new()),
        "a case is missing in tests/journeys/checks"
    );
}

#[test]
fn every_recorded_file_belongs_to_one_situation() {
    let mut recorded = BTreeSet::new();
    for situation in situations().iter().filter(|situation| matches!(situation.origin, Origin::Bed(_))) {
        assert!(recorded.insert(situation.file()), "{} is there twice", situation.name);
    }
    let files: BTreeSet<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, recorded);
}

#[tokio::test]
async fn the_program_judges_a_file_of_facts_as_it_judged_the_cluster() {
    for name in ["before", "reader", "healthy", "operator-restarted"] {
        let situations = situations();
        let situation = situations.iter().find(|situation| situation.name == name).unwrap();
        let flags = if situation.is_before() { "check --pre -o json --facts" } else { "check -o json --facts" };
        let ended = Mizar::nowhere().args(flags).arg(situation.file()).run().await;
        let said: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
        let report = judge(&facts_of(situation), situation.phase);
        assert_eq!(said["checks"], json!(report.results), "{name}");
        ended.exits(i32::from(!report.is_clear()));
    }
}
