//! Plans of an uninstall, an adoption and a rollback that one person saves and another carries out: refused when the cluster has
//! moved, with the plan as it is now, and carried out when it is the same.

use std::path::Path;

use mizar_bed::Bed;
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::{DEADLINE, ROLE, assert_nothing_was_changed_since, label};
use crate::adopt::old_installation;
use crate::cli::{Ended, Mizar};
use crate::cluster::{address_of_new_pod, bed, create, get, names, requests};
use crate::killed::Writes;
use crate::repair::{SCALE, mizar};

fn command(bed: &Bed, line: &str) -> Mizar {
    Mizar::on(bed).args(line).impatient(SCALE).within(DEADLINE)
}

async fn save(bed: &Bed, line: &str, file: &Path) -> Ended {
    let saved = command(bed, line).arg("--save-plan").arg(file).run().await;
    saved.exits(0).tells(&[&format!("kubectl mizar {} --use-plan FILE", line.replace(" --crds", ""))]);
    saved
}

async fn carry_out(bed: &Bed, line: &str, file: &Path) -> Ended {
    command(bed, line).arg("--use-plan").arg(file).run().await
}

/// Asserts that a plan is refused for what moved, and that nothing was changed.
async fn is_refused(bed: &Bed, line: &str, file: &Path, moved: &[&str]) {
    let mark = bed.mark().await.unwrap();
    let refused = carry_out(bed, line, file).await;
    refused.exits(3).tells(moved).tells(&["is not carried out", "nothing was changed", "--save-plan FILE"]);
    assert_nothing_was_changed_since(bed, mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_an_uninstall_is_refused_when_the_cluster_moved_and_a_fresh_one_is_carried_out() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plan.json");
    let bed = bed().await;
    let before = names(&bed, "/api/v1/namespaces").await;
    Mizar::install(&bed).run().await.exits(0);
    address_of_new_pod(&bed, "one").await;
    let mark = bed.mark().await.unwrap();
    let events = command(&bed, "uninstall --crds --plan -o json").run().await.exits(0).json_lines();
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind}"));
    let (made, planned) = (of("planMade"), of("uninstallPlanned"));
    assert_eq!((&made["impact"]["operator"], &made["plan"]), (&json!("stops"), &planned["plan"]["objects"]));
    assert_eq!(made["impact"]["nodesLosingDaemon"], json!(["node-1", "node-2", "node-3"]));
    assert_eq!(made["impact"]["podsLosingNetwork"], planned["plan"]["podsLosingNetwork"]);

    let saved = save(&bed, "uninstall --crds", &file).await;
    saved.prints(&["DaemonSet mizar-system/mizar-daemon", "Cleaned: 3 nodes", "Expected duration"]);
    assert_nothing_was_changed_since(&bed, mark).await;
    for flag in ["--crds", "--keep-node-state", "--skip-node node-1", "--keep-history"] {
        let twice = carry_out(&bed, &format!("uninstall {flag}"), &file).await;
        twice.exits(2).tells(&[flag.split(' ').next().unwrap(), "--use-plan"]);
    }

    // Another role, and a Vpc that would go too.
    label(&bed, ROLE, "one").await;
    let vpc = json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {"name": "vpc9"},
        "spec": {"ip": "10.99.0.0", "prefix": "16", "dividers": 1, "status": "Init"}});
    create(&bed, &mizar("vpcs"), &vpc).await;
    let moved = [
        "ClusterRole mizar:operator was changed (resourceVersion",
        "last by somebody",
        "Vpc default/vpc9 did not exist, and does now",
        "+  - Vpc default/vpc9",
    ];
    is_refused(&bed, "uninstall", &file, &moved).await;
    assert!(names(&bed, "/apis/apps/v1/namespaces/mizar-system/daemonsets").await.contains(&"mizar-daemon".to_owned()));

    // A fresh one; that pods come meanwhile, with what is theirs, is told and stops nothing.
    save(&bed, "uninstall --crds", &file).await;
    address_of_new_pod(&bed, "two").await;
    let export = folder.path().join("mizar.yaml");
    let done = command(&bed, "uninstall --use-plan").arg(&file).arg("--export").arg(&export).run().await;
    done.exits(0).tells(&["default/two", "3 nodes clean", "nothing of Mizar is left"]);
    assert_eq!(names(&bed, "/api/v1/namespaces").await, before, "with the definitions and the namespace");
    assert!(std::fs::read_to_string(&export).unwrap().contains("vpc9"));
    println!("{} requests", requests(&bed).await.count());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_in_the_middle_of_a_saved_plan_is_finished_without_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plan.json");
    let bed = bed().await;
    Mizar::install(&bed).run().await.exits(0);
    let export = folder.path().join("mizar.yaml");
    let line = format!("uninstall --crds --export {}", export.display());
    command(&bed, &line).arg("--save-plan").arg(&file).run().await.exits(0);
    let mut writes = Writes::of(&bed);
    let mut running = command(&bed, "uninstall --use-plan").arg(&file).start();
    writes.until(&mut running, 12).await;
    running.signal(Signal::SIGKILL);
    running.end().await;
    let hint = "what has stopped in the middle is finished by: kubectl mizar uninstall";
    is_refused(&bed, "uninstall", &file, &[hint]).await;
    command(&bed, "uninstall --crds --yes").run().await.exits(0).tells(&["going on", "nothing of Mizar is left"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plans_of_an_adoption_and_of_a_rollback_are_refused_when_the_cluster_moved_and_fresh_ones_carried_out() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plan.json");
    let bed = old_installation().await;
    let adopt = "install --adopt";
    let mark = bed.mark().await.unwrap();
    save(&bed, adopt, &file).await.prints(&["DaemonSet default/mizar-daemon (taken over", "Expected duration"]);
    assert_nothing_was_changed_since(&bed, mark).await;
    // It is no plan of an install.
    carry_out(&bed, "install", &file).await.exits(2).tells(&["kubectl mizar install --adopt --use-plan"]);
    carry_out(&bed, "install --adopt --accept-outage", &file).await.exits(2).tells(&["--accept-outage"]);
    let account = "/api/v1/namespaces/default/serviceaccounts/mizar-operator";
    label(&bed, account, "one").await;
    let moved = ["ServiceAccount default/mizar-operator was changed (resourceVersion", "last by somebody"];
    is_refused(&bed, adopt, &file, &moved).await;
    assert!(get(&bed, account).await["metadata"]["annotations"]["meta.helm.sh/release-name"].is_null());
    save(&bed, adopt, &file).await;
    carry_out(&bed, adopt, &file).await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    assert_eq!(get(&bed, account).await["metadata"]["annotations"]["meta.helm.sh/release-name"], "mizar");

    // And back from what restarts nothing.
    command(&bed, "upgrade -y --set resourceQuota.create=true").run().await.exits(0);
    let quota = "/api/v1/namespaces/default/resourcequotas/mizar-critical-pods";
    save(&bed, "rollback", &file).await.prints(&["- ResourceQuota default/mizar-critical-pods"]);
    carry_out(&bed, "rollback 1", &file).await.exits(2).tells(&["REVISION"]);
    label(&bed, quota, "two").await;
    let moved = ["ResourceQuota default/mizar-critical-pods was changed (resourceVersion", "last by somebody"];
    is_refused(&bed, "rollback", &file, &moved).await;
    save(&bed, "rollback", &file).await;
    carry_out(&bed, "rollback", &file).await.exits(0);
    assert!(crate::cluster::send(&bed, "GET", quota, None).await.is_err(), "it is gone");
    // A second time it would not do the same.
    is_refused(&bed, "rollback", &file, &["release mizar is at revision 3, and was at 2"]).await;
}
