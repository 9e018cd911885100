//! An installation that the script of old or `kubectl apply` made, and that no release is recorded of, is taken out as it is.

use mizar_bed::Bed;
use tempfile::TempDir;

use super::snapshot::Snapshot;
use super::{Place, assert_orderly};
use crate::adopt::install_as_of_old;
use crate::cli::Mizar;
use crate::cluster::{bed, get, names};

impl Place {
    /// A bed with an old installation in namespace `default`.
    async fn of_old() -> Self {
        let bed: Bed = bed().await;
        let before = Snapshot::of(&bed).await;
        install_as_of_old(&bed).await;
        for pod in ["one", "two"] {
            crate::cluster::address_of_new_pod(&bed, pod).await;
        }
        Self { bed, before, folder: TempDir::new().unwrap() }
    }
}

const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_old_installation_is_left_and_its_namespace_stays() {
    let place = Place::of_old().await;
    assert!(names(&place.bed, BINDINGS).await.contains(&"mizar-operator".to_owned()));
    let plan = Mizar::on(&place.bed).args("uninstall --crds --plan").run().await;
    plan.exits(0).prints(&[
        "DaemonSet default/mizar-daemon",
        "Deployment default/mizar-operator",
        "ClusterRoleBinding mizar-operator",
        "ServiceAccount default/mizar-operator",
        "CustomResourceDefinition vpcs.mizar.com",
        "Cleaned: 3 nodes",
        "Stays: Namespace default",
    ]);
    place.uninstall().args("--crds").run().await.exits(0).tells(&["3 nodes clean", "Namespace default"]);
    place.is_as_before_but_for(&[]).await;
    place.nodes_are_clean(&[]).await;
    assert!(get(&place.bed, "/api/v1/namespaces/default").await["metadata"]["deletionTimestamp"].is_null());
    assert_orderly(&place, true).await;
    assert!(place.written("mizar.yaml").contains("kind: Vpc"));
    let again = place.uninstall().args("--crds").run().await;
    again.exits(0).tells(&["Nothing of Mizar is here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_crds_only_the_definitions_and_what_was_done_stay_and_an_install_may_follow() {
    let place = Place::of_old().await;
    place.uninstall().run().await.exits(0).tells(&["definitions stay without --crds"]);
    assert!(!names(&place.bed, BINDINGS).await.contains(&"mizar-operator".to_owned()));
    let secrets = names(&place.bed, "/api/v1/namespaces/default/secrets").await;
    assert!(secrets.contains(&"mizar-operation".to_owned()), "{secrets:?}");
    place.nodes_are_clean(&[]).await;
    place.uninstall().args("--crds").run().await.exits(0);
    place.is_as_before_but_for(&[]).await;
}
