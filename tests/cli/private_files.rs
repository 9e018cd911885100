//! What is read of a cluster is written for its owner alone, whatever was there and whatever the umask says.

#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Place, repository};

/// A place with facts in which all is well.
fn with_facts() -> Place {
    Place::with("facts.json", std::fs::read(repository().join("tests/fixtures/facts/healthy.json")).unwrap())
}

/// Judges the facts and writes a report, under this umask.
fn check(place: &Place, umask: &str, report: &str) {
    let line = format!("umask {umask}; exec \"$0\" check --facts facts.json --save {report}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_kubectl-mizar")]).env_clear().env("HOME", place.path("."));
    let output = command.current_dir(place.path(".")).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_report_is_readable_for_its_owner_alone_under_any_umask() {
    for umask in ["000", "022", "077"] {
        let place = with_facts();
        check(&place, umask, "report.json");
        assert_eq!(mode(&place.path("report.json")), 0o600, "umask {umask}");
    }
}

#[test]
fn a_file_that_all_could_read_is_replaced_by_one_that_they_cannot() {
    let place = with_facts().and("report.json", "old");
    std::fs::set_permissions(place.path("report.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    check(&place, "022", "report.json");
    assert_eq!(mode(&place.path("report.json")), 0o600);
    assert!(std::fs::read_to_string(place.path("report.json")).unwrap().contains("CheckReport"));
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_is_as_it_was() {
    let place = with_facts().and("theirs", "theirs");
    symlink(place.path("theirs"), place.path("report.json")).unwrap();
    check(&place, "022", "report.json");
    assert_eq!(mode(&place.path("report.json")), 0o600);
    assert_eq!(std::fs::read_to_string(place.path("theirs")).unwrap(), "theirs");
}

#[test]
fn nothing_is_left_where_the_report_cannot_be_written() {
    let place = with_facts();
    let outcome = place.run(&["check", "--facts", "facts.json", "--save", "none/report.json"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("cannot write the report to none/report.json: No such file"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_dir(place.path(".")).unwrap().count(), 1);
}
