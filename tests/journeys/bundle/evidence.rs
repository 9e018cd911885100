//! A change that fails leaves evidence, taken while what went wrong can still be seen; whoever does not want it gets none.

use std::path::{Path, PathBuf};

use mizar_bed::{Bed, Fault, FaultOrder};
use tempfile::TempDir;

use super::unpacked::Unpacked;
use crate::adopt::install_as_of_old;
use crate::cli::{Ended, Mizar};
use crate::cluster::{bed, installed, phase};

const SCALE: f64 = 0.1;

async fn a_daemon_is_never_ready(bed: &Bed) {
    let order = FaultOrder { fault: Fault::DaemonNeverReady, node: Some("node-2".to_owned()) };
    bed.fault(order).await.unwrap();
}

fn failing(bed: &Bed, flags: &str) -> Mizar {
    Mizar::install(bed).args("--timeout 4s").args(flags).impatient(SCALE)
}

fn bundles(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn named(ended: &Ended) -> PathBuf {
    let line = ended.stderr.lines().find_map(|line| line.trim().strip_prefix("evidence: "));
    PathBuf::from(line.unwrap_or_else(|| panic!("no evidence is named\n{ended}")))
}

#[tokio::test]
async fn an_install_that_fails_names_its_evidence_in_the_error_and_in_the_events() {
    let (bed, folder) = (bed().await, TempDir::new().unwrap());
    a_daemon_is_never_ready(&bed).await;
    let mark = bed.mark().await.unwrap();
    let ended = failing(&bed, "-o json").env("MIZAR_EVIDENCE", folder.path()).run().await;
    ended.exits(6);
    let path = named(&ended);
    assert_eq!(bundles(folder.path()), std::slice::from_ref(&path));
    let events = ended.json_lines();
    let place =
        |kind: &str| events.iter().position(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind}\n{ended}"));
    let collected = &events[place("evidenceCollected")];
    assert_eq!(collected["path"], path.display().to_string());
    assert_eq!(collected["missing"], 0, "{ended}");
    assert!(place("evidenceCollected") < place("finished") && place("finished") < place("failed"), "{ended}");
    let details = events[place("failed")]["details"].to_string();
    assert!(details.contains(&format!("evidence: {}", path.display())), "{details}");

    // It shows what was wrong, and why it was taken.
    let bundle = Unpacked::read(&path, ended.stderr.clone());
    let reason = bundle.index()["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("install failed: ") && reason.contains("node-2"), "{reason}");
    let report = bundle.json("check.json");
    let failed: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] == "fail")
        .filter_map(|check| check["id"].as_str())
        .collect();
    assert!(failed.contains(&"daemon"), "{failed:?}");
    assert_eq!(bundle.json("operation.json")["command"], "install");
    assert!(bundle.paths("logs/mizar-daemon-").len() >= 3, "{:?}", bundle.paths("logs/"));
    bundle.is_well_formed();

    // What was asked for it is told apart in the audit log, and was only read.
    let trail = bed.audit_since(mark).await.unwrap().filter(|entry| phase(&entry.user_agent) == "install/bundle");
    assert!(trail.count() > 30 && trail.writes().is_empty(), "{}", trail.summary());
    bed.clear_faults().await.unwrap();
    Mizar::install(&bed).impatient(SCALE).run().await.exits(0);
}

#[tokio::test]
async fn it_lies_where_the_command_was_started_unless_nobody_wants_it() {
    let (bed, folder) = (bed().await, TempDir::new().unwrap());
    a_daemon_is_never_ready(&bed).await;
    let here = |flags: &str, place: &str| failing(&bed, flags).inside(folder.path()).env("MIZAR_EVIDENCE", place);
    for (flags, place) in [("--evidence=false", ""), ("--evidence=false", "true"), ("", "false")] {
        let ended = here(flags, place).run().await;
        ended.exits(6);
        assert!(bundles(folder.path()).is_empty() && !ended.stderr.contains("evidence"), "{ended}");
    }
    // That it cannot be written changes nothing of how the install ends.
    let ended = here("", "/nowhere/at/all").run().await;
    ended.exits(6).tells(&["no evidence could be collected: cannot write the bundle to /nowhere/at/all/", "node-2"]);
    let ended = here("", "").run().await;
    ended.exits(6);
    assert_eq!(bundles(folder.path()), [named(&ended)]);
    // What is refused before anything is changed leaves none.
    let refused =
        Mizar::on(&bed).args("install --profile prod -y").inside(folder.path()).env("MIZAR_EVIDENCE", "").run().await;
    assert!(refused.code != Some(0) && bundles(folder.path()).len() == 1, "{refused}");
}

#[tokio::test]
async fn a_repair_that_fails_leaves_evidence_once() {
    let (bed, folder) = (installed().await, TempDir::new().unwrap());
    bed.fault(FaultOrder { fault: Fault::OperatorRestart, node: None }).await.unwrap();
    bed.fault(FaultOrder { fault: Fault::StuckInit, node: None }).await.unwrap();
    let repair = |flags: &str| {
        Mizar::on(&bed)
            .args("repair --restart-operator -y --timeout 3s")
            .args(flags)
            .impatient(SCALE)
            .env("MIZAR_EVIDENCE", folder.path())
    };
    let ended = repair("-o json").run().await;
    assert!(matches!(ended.code, Some(1 | 5 | 6)), "{ended}");
    assert_eq!(bundles(folder.path()), [named(&ended)], "{ended}");
    let told = ended.json_lines().iter().filter(|event| event["type"] == "evidenceCollected").count();
    assert_eq!(told, 1, "{ended}");
    let bundle = Unpacked::read(&named(&ended), ended.stderr.clone());
    assert!(bundle.index()["reason"].as_str().unwrap().starts_with("repair failed: "));
    assert_eq!(bundle.json("operation.json")["command"], "repair", "taken before the record was closed");
    // A plan changes nothing, and so leaves nothing.
    repair("--plan").run().await.exits(0);
    assert_eq!(bundles(folder.path()).len(), 1);
}

/// Asserts that a command that fails leaves one bundle, which it names and which says why it was taken.
async fn leaves_evidence(bed: &Bed, line: &str, command: &str) {
    let folder = TempDir::new().unwrap();
    let mizar = Mizar::on(bed).args(line).impatient(SCALE).env("MIZAR_EVIDENCE", folder.path());
    let ended = mizar.run().await;
    assert!(matches!(ended.code, Some(1 | 5 | 6)), "{ended}");
    let path = named(&ended);
    assert_eq!(bundles(folder.path()), std::slice::from_ref(&path), "{ended}");
    let events = ended.json_lines();
    let of = |kind: &str| events.iter().position(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind}"));
    assert_eq!(events[of("evidenceCollected")]["path"], path.display().to_string());
    assert!(of("evidenceCollected") < of("failed"), "{ended}");
    assert!(events[of("failed")]["details"].to_string().contains("evidence: "), "{ended}");
    let bundle = Unpacked::read(&path, ended.stderr.clone());
    let reason = bundle.index()["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with(&format!("{command} failed: ")), "{reason}");
    assert_ne!(bundle.json("operation.json")["outcome"]["outcome"], "done", "taken as long as it was half done");
    assert!(bundle.json("operation.json")["command"].is_string());
    bundle.is_well_formed();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_half_way_leaves_evidence() {
    let bed = installed().await;
    let other = "--set daemon.resources.requests.memory=96Mi";
    // Every daemon that starts anew is never ready.
    let never = FaultOrder { fault: Fault::DaemonNeverReady, node: None };
    bed.fault(never.clone()).await.unwrap();
    let upgrade = format!("upgrade -y {other} --force --timeout 3s -o json");
    leaves_evidence(&bed, &upgrade, "upgrade").await;
    leaves_evidence(&bed, "resume -y --timeout 3s -o json", "upgrade").await;
    leaves_evidence(&bed, "rollback -y --force --timeout 3s -o json", "rollback").await;
    // The daemon works again, and nothing can be programmed on its node, so that it cannot be opened.
    bed.clear_faults().await.unwrap();
    bed.fault(FaultOrder { fault: Fault::DropletMissing, node: None }).await.unwrap();
    leaves_evidence(&bed, "abort -y --timeout 3s -o json", "abort").await;
    bed.clear_faults().await.unwrap();
    bed.fault(FaultOrder { fault: Fault::CleanUpHangs, node: None }).await.unwrap();
    let folder = TempDir::new().unwrap();
    let uninstall = format!("uninstall --yes --crds --export {}/mizar.yaml", folder.path().display());
    leaves_evidence(&bed, &format!("{uninstall} --timeout 3s -o json"), "uninstall").await;
    bed.clear_faults().await.unwrap();
    Mizar::on(&bed).args(&uninstall).run().await.exits(0);
    install_as_of_old(&bed).await;
    bed.fault(never).await.unwrap();
    leaves_evidence(&bed, "install --adopt -y --timeout 3s -o json", "install --adopt").await;
}
