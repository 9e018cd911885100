//! Fifty nodes, from the install to the uninstall: what three nodes have shown holds, in a time that somebody waits for.

use std::time::Duration;

use mizar_bed::Bed;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::failure::MISSING;
use super::{OF_DAEMON, OF_OPERATOR, acts, mizar_pods, replaced, upgrading};
use crate::audit_oracle::Journey;
use crate::cli::{Ended, Mizar};
use crate::cluster::{NAMESPACE, bed_of, identities, requests};
use crate::order::{assert_in_order, watched};
use crate::repair::{SCALE, assert_programmed, check, deployment, prove};
use crate::restart::assert_all_addresses_differ;
use crate::uninstall::snapshot::Snapshot;

/// Fifty nodes, one after the other.
const DEADLINE: Duration = Duration::from_secs(600);

async fn upgrade(bed: &Bed, words: &str) -> Ended {
    watched(bed, upgrading(bed).args(words).within(DEADLINE).run()).await
}

async fn run(bed: &Bed, words: &str) -> Ended {
    watched(bed, Mizar::on(bed).args(words).impatient(SCALE).within(DEADLINE).run()).await
}

/// Kills an upgrade of the daemons when it is at its fourth node.
async fn killed_at_the_fourth_node(bed: &Bed) {
    let mut running = upgrading(bed).args(OF_DAEMON).within(DEADLINE).start();
    let deleted = async || acts(&requests(bed).await).iter().filter(|act| act.starts_with("delete")).count();
    while !running.is_over() && deleted().await < 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
}

fn helm(bed: &Bed, words: &str) -> String {
    let output = bed.helm4().unwrap().args(words.split_whitespace()).args(["-n", NAMESPACE]).output().unwrap();
    assert!(output.status.success(), "helm {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mizar_of_fifty_nodes_goes_forward_back_and_out() {
    let bed = bed_of(50).await;
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    deployment(&bed, "web", 10).await;

    let first = mizar_pods(&bed).await;
    let plan = Mizar::on(&bed).args("upgrade --plan").args(OF_DAEMON).run().await;
    plan.exits(0).prints(&["50 nodes get a new daemon", "and 42 more nodes"]);
    assert!(plan.stdout.lines().count() < 60, "{plan}");

    watched(&bed, killed_at_the_fourth_node(&bed)).await;
    run(&bed, "resume -y").await.exits(0).tells(&["Mizar is healthy on 50 nodes"]);
    let second = mizar_pods(&bed).await;
    assert_eq!(replaced(&first, &second).len(), 50);
    assert_in_order(&bed, &Journey::default()).await;
    assert_programmed(&bed).await;
    check(&bed).await.exits(0);

    let failed = upgrade(&bed, &format!("{MISSING} --timeout 6s --on-failure rollback")).await;
    failed.tells(&["everything that was changed is back at revision 2"]);
    let third = mizar_pods(&bed).await;
    assert_eq!(replaced(&second, &third).len(), 1, "the first node and nothing else");

    upgrade(&bed, OF_OPERATOR).await.exits(0).tells(&["no daemon is replaced"]);
    assert_eq!(replaced(&third, &mizar_pods(&bed).await), ["operator"]);
    run(&bed, "rollback -y").await.exits(0);
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "back").await;
    assert_all_addresses_differ(&bed).await;

    let identities_now = identities(&bed).await;
    let chart = crate::cli::root().join("charts/mizar");
    helm(&bed, &format!("upgrade mizar {} --reuse-values", chart.display()));
    assert_eq!(identities(&bed).await, identities_now, "Helm restarts nothing that is as it should be");
    let ours = Mizar::on(&bed).args("history --release mizar -o json").run().await;
    let ours: Value = serde_json::from_str(&ours.exits(0).stdout).unwrap();
    let theirs: Value = serde_json::from_str(&helm(&bed, "history mizar -o json")).unwrap();
    assert_eq!(ours["items"].as_array().unwrap().len(), theirs.as_array().unwrap().len());
    Mizar::on(&bed).args("status --drift").run().await.exits(0);
    let folder = TempDir::new().unwrap();
    Mizar::on(&bed).args("bundle -f").arg(folder.path().join("bundle.tar.gz")).run().await.exits(0);

    let out = Mizar::on(&bed).args("uninstall --yes --crds --export").arg(folder.path().join("mizar.yaml"));
    out.impatient(SCALE).within(DEADLINE).run().await.exits(0).tells(&["50 nodes clean", "nothing of Mizar is left"]);
    let journey = Journey { all_goes: true, definitions_go: true, ..Journey::default() };
    assert_in_order(&bed, &journey).await;
    Snapshot::of(&bed).await.assert_no_trace_of_mizar();
}
