//! Mizar is taken out: nothing of it is left anywhere, nothing of anybody else is touched, and whatever stops it is finished
//! by the next run.

mod after_helm;
mod broken;
mod everything;
mod old;
mod refused;
pub(crate) mod snapshot;
mod stopped;
mod undone;

use mizar_bed::Bed;
use serde_json::Value;
use tempfile::TempDir;

use self::snapshot::Snapshot;
use crate::audit_oracle::Journey;
use crate::cli::Mizar;
use crate::cluster::{address_of_new_pod, bed_of};
use crate::order::assert_in_order;

/// The program is as impatient as the bed's operator, whose rounds take a second instead of fifteen.
const SCALE: f64 = 0.1;

/// A bed on which Mizar works, with pods on its network; what was there before; and a folder for what is written.
struct Place {
    bed: Bed,
    before: Snapshot,
    folder: TempDir,
}

impl Place {
    async fn installed() -> Self {
        Self::of(3).await
    }

    async fn of(nodes: usize) -> Self {
        let bed = bed_of(nodes).await;
        let before = Snapshot::of(&bed).await;
        Mizar::install(&bed).run().await.exits(0);
        for pod in ["one", "two"] {
            address_of_new_pod(&bed, pod).await;
        }
        Self { bed, before, folder: TempDir::new().unwrap() }
    }

    /// `uninstall --yes` with a file in the folder.
    fn uninstall(&self) -> Mizar {
        let export = self.folder.path().join("mizar.yaml");
        Mizar::on(&self.bed).args("uninstall --yes --export").arg(export)
    }

    fn written(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn result(&self) -> Value {
        serde_json::from_str(&self.written("mizar-result.json")).unwrap()
    }

    /// Asserts that every object, finalizer, label and annotation of the cluster is as before the install, but for these.
    async fn is_as_before_but_for(&self, added: &[&str]) {
        self.before
            .assert_now(
                &self.bed,
                &["/api/v1/namespaces/default/pods/one", "/api/v1/namespaces/default/pods/two"],
                added,
            )
            .await;
    }

    async fn nodes_are_clean(&self, but: &[&str]) {
        assert_nodes_are_clean(&self.bed, but).await;
    }
}

/// Asserts that every node is as it was before Mizar, but for these.
pub(crate) async fn assert_nodes_are_clean(bed: &Bed, but: &[&str]) {
    let state = bed.simulator_state().await.unwrap();
    for (name, node) in state["nodes"].as_object().unwrap() {
        let host = &node["host"];
        let is_clean = host["mtu"] == 1500
            && host["offloads"] == true
            && host["transitd"] == false
            && host["links"].as_array().unwrap().is_empty()
            && host["cni_files"] == serde_json::json!(["10-flannel.conflist"])
            && host["saved"].is_null();
        assert_eq!(is_clean, !but.contains(&name.as_str()), "{name}: {host:#}");
    }
}

/// What stays without `--crds`, beside the namespace itself.
const STAYS: [&str; 12] = [
    "/api/v1/namespaces/mizar-system",
    "/api/v1/namespaces/mizar-system/configmaps/kube-root-ca.crt",
    "/api/v1/namespaces/mizar-system/secrets/mizar-operation",
    "/api/v1/namespaces/mizar-system/secrets/sh.helm.release.v1.mizar-crds.v1",
    "/api/v1/namespaces/mizar-system/serviceaccounts/default",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bouncers.mizar.com",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/dividers.mizar.com",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/droplets.mizar.com",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/endpoints.mizar.com",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/subnets.mizar.com",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vpcs.mizar.com",
    "/apis/apiregistration.k8s.io/v1/apiservices/v1.mizar.com",
];

/// Asserts that nothing was lost but what was to go, and that no custom resource was deleted while an operator could do
/// anything: not even a word of it comes after the first deletion.
async fn assert_orderly(place: &Place, definitions_go: bool) {
    assert_in_order(&place.bed, &Journey { all_goes: true, definitions_go, ..Journey::default() }).await;
    let trail = place.bed.audit().await.unwrap();
    let entries = trail.entries();
    let first = entries.iter().position(|entry| {
        entry.verb == "delete" && entry.group == "mizar.com" && entry.user_agent.contains(" uninstall/")
    });
    let is_operators = |user: &str| user.starts_with("system:serviceaccount:") && user.ends_with(":mizar-operator");
    let last = entries.iter().rposition(|entry| is_operators(&entry.user));
    let (Some(first), Some(last)) = (first, last) else { panic!("{}", trail.summary()) };
    assert!(last < first, "an operator asked for {} after a custom resource was deleted", entries[last].uri);
}
