//! Running install again: nothing to do, a value changed, a pod template changed, and releases that Helm made.

use mizar_bed::Bed;
use mizar_core::release::secret::{Writing, from_secret, to_secret};
use mizar_core::release::{Info, Release, Status};
use serde_json::json;

use crate::cli::{Mizar, root};
use crate::cluster::{
    assert_healthy_and_nothing_doubled, bed, changes, create, get, identities, installed, names, operation, patch,
};

/// Runs install and asserts that nothing is written, no claim either.
async fn assert_nothing_written(bed: &Bed, flags: &str) {
    let mark = bed.mark().await.unwrap();
    Mizar::on(bed).args("install -y").args(flags).run().await.exits(0).tells(&["nothing was written"]);
    let writes = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/").writes();
    assert!(writes.is_empty(), "{}", writes.summary());
}

#[tokio::test]
async fn a_rerun_writes_nothing_and_a_changed_value_makes_a_revision_that_touches_no_daemon() {
    let bed = installed().await;
    let before = identities(&bed).await;
    assert_nothing_written(&bed, "").await;
    assert_nothing_written(&bed, "--profile dev").await;

    Mizar::on(&bed).args("install -y --set resourceQuota.create=true").run().await.exits(0);
    assert_eq!(identities(&bed).await, before, "no daemon, no operator, no template changed");
    let quotas = "/api/v1/namespaces/mizar-system/resourcequotas";
    assert_eq!(names(&bed, quotas).await.len(), 1);
    assert_eq!(revisions(&bed, "mizar").await, ["sh.helm.release.v1.mizar.v1", "sh.helm.release.v1.mizar.v2"]);
    assert_eq!(revisions(&bed, "mizar-crds").await, ["sh.helm.release.v1.mizar-crds.v1"]);
    assert_healthy_and_nothing_doubled(&bed).await;

    // What was said at an earlier run still holds.
    assert_nothing_written(&bed, "").await;
    assert_eq!(names(&bed, quotas).await.len(), 1);
    assert_eq!(operation(&bed).await.intent.profile.as_deref(), Some("dev"));
}

#[tokio::test]
async fn no_operator_is_started_on_a_network_that_another_one_built() {
    let bed = installed().await;
    let operator = "/apis/apps/v1/namespaces/mizar-system/deployments/mizar-operator";
    patch(&bed, operator, &json!({"spec": {"replicas": 0}})).await;
    let mark = bed.mark().await.unwrap();
    let refused = Mizar::on(&bed).args("install -y").run().await;
    refused.exits(3).tells(&["would start an operator on a network that is built already", "nothing was changed"]);
    let writes = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(writes.is_empty(), "{}", writes.summary());
}

#[tokio::test]
async fn what_helm_is_at_work_on_is_left_alone_and_what_it_changed_stays() {
    let bed = installed().await;
    let charts = root().join("charts/mizar").display().to_string();
    let upgrade =
        ["upgrade", "mizar", &charts, "-n", "mizar-system", "--reuse-values", "--set", "resourceQuota.create=true"];
    let upgraded = bed.helm4().unwrap().args(upgrade).output().unwrap();
    assert!(upgraded.status.success(), "{}", String::from_utf8_lossy(&upgraded.stderr));
    assert_nothing_written(&bed, "").await;
    assert_eq!(names(&bed, "/api/v1/namespaces/mizar-system/resourcequotas").await.len(), 1);

    // As Helm leaves it while it works, or when it was killed.
    let secrets = "/api/v1/namespaces/mizar-system/secrets";
    let newest = from_secret(&get(&bed, &format!("{secrets}/sh.helm.release.v1.mizar.v2")).await).unwrap().release;
    let info = Info { status: Status::PendingUpgrade, ..newest.info.clone() };
    let pending = Release { revision: 3, info, ..newest };
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    create(&bed, secrets, to_secret(&pending, Writing::New, now).unwrap().value()).await;
    let refused = Mizar::on(&bed).args("install -y").run().await;
    refused.exits(3).tells(&["revision 3 of release mizar is pending-upgrade", "rollback mizar"]);
}

async fn revisions(bed: &Bed, release: &str) -> Vec<String> {
    names(bed, &format!("/api/v1/namespaces/mizar-system/secrets?labelSelector=owner=helm,name={release}")).await
}

#[tokio::test]
async fn a_changed_pod_template_is_refused_and_nothing_is_written() {
    let bed = installed().await;
    let mark = bed.mark().await.unwrap();
    for (flag, object) in [
        ("--set daemon.terminationGracePeriodSeconds=7", "DaemonSet mizar-system/mizar-daemon"),
        ("--set operator.terminationGracePeriodSeconds=11", "Deployment mizar-system/mizar-operator"),
    ] {
        let refused = Mizar::on(&bed).args("install -y").args(flag).run().await;
        refused.exits(3).tells(&[object, "terminationGracePeriodSeconds", "upgrade", "nothing was changed"]);
    }
    let changes = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(changes.is_empty(), "{}", changes.summary());
}

/// Has Helm install both charts, then lets mizar check and go on with them.
async fn assert_helms_releases_are_ours(bed: &Bed, helm: impl Fn() -> std::process::Command) {
    for chart in ["mizar-crds", "mizar"] {
        let mut command = helm();
        command.args(["install", chart]).arg(root().join("charts").join(chart));
        let output = command.args(["-n", "mizar-system", "--create-namespace"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Mizar::on(bed).args("check --wait --timeout 60s").run().await.exits(0);
    let before = identities(bed).await;
    // Without a profile: Helm was given none, so these are the chart's defaults.
    Mizar::on(bed).args("install -y").run().await.exits(0);
    assert_eq!(identities(bed).await, before, "what Helm installed goes on as it is");
    assert_healthy_and_nothing_doubled(bed).await;
    assert_nothing_written(bed, "").await;
}

#[tokio::test]
async fn what_helm_4_installed_is_checked_and_gone_on_with() {
    let bed = bed().await;
    assert_helms_releases_are_ours(&bed, || bed.helm4().unwrap()).await;
}

#[tokio::test]
async fn what_helm_3_installed_is_checked_and_gone_on_with() {
    let bed = bed().await;
    assert_helms_releases_are_ours(&bed, || bed.helm3().unwrap()).await;
}
