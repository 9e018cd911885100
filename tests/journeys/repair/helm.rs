//! What Helm cannot do safely: it replaces the operator's pod as that of any other Deployment. It is found and healed
//! afterwards.

use std::process::Command;

use mizar_bed::Bed;

use super::{SCALE, at_work, check, prove, repair};
use crate::audit_oracle::{Journey, assert_nothing_lost};
use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, address_of_new_pod, items};
use crate::restart::until;

fn run(mut helm: Command, line: &str) {
    let output = helm.args(line.split_whitespace()).args(["-n", NAMESPACE]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "helm {line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// UIDs of the pods with this label.
async fn pods(bed: &Bed, label: &str) -> Vec<String> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={label}");
    let pods = items(bed, &path).await;
    let ready = pods.iter().filter(|pod| pod["status"]["containerStatuses"][0]["ready"] == true);
    let mut uids: Vec<String> = ready.map(|pod| pod["metadata"]["uid"].to_string()).collect();
    uids.sort();
    uids
}

/// Has Helm change something by which the operator's pod is replaced; `check` names it, `repair` heals it.
async fn assert_found_and_healed(bed: &Bed, helm: Command, line: &str) {
    let (operator, daemons) = (pods(bed, "app=mizar-operator").await, pods(bed, "job=mizar-daemon").await);
    run(helm, line);
    until("another operator is ready", async || {
        let now = pods(bed, "app=mizar-operator").await;
        now.len() == 1 && now != operator
    })
    .await;
    until("check finds it", async || check(bed).await.code == Some(1)).await;
    check(bed).await.prints(&[
        "the operator was restarted on the finished network net0 and wires no new pod",
        "unfinished-handlers",
        "kubectl mizar repair",
    ]);
    let healing = pods(bed, "app=mizar-operator").await;
    repair(bed).await.exits(0);
    check(bed).await.exits(0);
    assert_eq!(pods(bed, "app=mizar-operator").await, healing, "it is healed without another restart");
    assert_eq!(pods(bed, "job=mizar-daemon").await, daemons, "no daemon was replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_helm_replaced_is_found_by_check_and_healed_by_repair() {
    let bed = at_work().await;
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    let upgrade = "upgrade mizar charts/mizar --reuse-values --set operator.terminationGracePeriodSeconds=11";
    assert_found_and_healed(&bed, bed.helm4().unwrap(), upgrade).await;
    prove(&bed, "upgraded").await;
    assert_found_and_healed(&bed, bed.helm3().unwrap(), "rollback mizar 1").await;
    prove(&bed, "back").await;
    // Neither has confused the records.
    let install = Mizar::on(&bed).args("install -y").impatient(SCALE).run().await;
    install.exits(0).tells(&["nothing was written"]);
    let history = Mizar::on(&bed).args("history --release mizar").run().await;
    history.exits(0).prints(&["Install complete", "Upgrade complete", "Rollback to 1"]);
    assert_nothing_lost(&bed.audit().await.unwrap(), &Journey::default());
}
