//! Situations of Arktos, as far as a bed can be one: its definition of networks, the ConfigMap that switches Mizar, and
//! the simulator in the part of its controllers.

use mizar_core::yaml::{self, DuplicateKeys};
use serde_json::{Value, json};

use super::components::image;
use super::server::Answering;
use super::situation::Situation;
use super::stage::{Stage, node};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const NETWORKS: &str = "/apis/arktos.futurewei.com/v1/networks";
const SERVICES: &str = "/api/v1/namespaces/kube-system/services";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// How an Arktos node's own build of containerd calls itself.
const RUNTIME: &str = "containerd://1.4.0-beta.1-29-g70b0d3cf";

/// Before an install.
pub(crate) fn before() -> Vec<Situation> {
    vec![
        Situation::before(
            "arktos-before",
            "an Arktos with the nodes that it wants, and a plan with the usual priority classes",
        )
        .fails("priority-classes", "DaemonSet mizar-daemon")
        .made_by(arktos),
        Situation::before("arktos-stock-runtime", "an Arktos whose nodes run the usual containerd")
            .warns("arktos-runtime", "Node node-1")
            .fails("priority-classes", "DaemonSet mizar-daemon")
            .made_by(async |stage: &mut Stage<'_>| stage.create(DEFINITIONS, definition()).await),
        Situation::before("arktos-old", "an Arktos 0.9, which tells the operator of no network")
            .warns("arktos-versions", "v0.9.0")
            .fails("priority-classes", "DaemonSet mizar-daemon")
            .made_by(async |stage: &mut Stage<'_>| {
                arktos(stage).await;
                stage.behind(Answering(of_0_9)).await;
            }),
        Situation::before("arktos-old-operator", "an operator 0.9, which misreads what Arktos sends")
            .fails("arktos-versions", "endpointopr:0.9")
            .fails("priority-classes", "DaemonSet mizar-daemon")
            .edited("arktos-before", |facts| {
                facts["plan"]["operatorImage"] = json!("docker.io/mizarnet/endpointopr:0.9");
            }),
    ]
}

/// Of a network that was installed there, with network `default` and its name servers.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("arktos", "a network on Arktos, in use, and nothing wrong").lasting(30),
        Situation::after("arktos-network-pending", "the network of a tenant is not Ready")
            .fails("arktos-networks", "Network system/default")
            .made_by(async |stage: &mut Stage<'_>| {
                stage.edit_status(&format!("{NETWORKS}/default"), json!({"phase": "Pending"})).await;
            }),
        Situation::after("arktos-network-flat", "a network is not Mizar's")
            .warns("arktos-networks", "Network system/flat")
            .made_by(async |stage: &mut Stage<'_>| {
                stage
                    .create(
                        NETWORKS,
                        json!({"apiVersion": "arktos.futurewei.com/v1", "kind": "Network",
                    "metadata": {"name": "flat"}, "spec": {"type": "flat"}}),
                    )
                    .await;
            }),
        Situation::after("arktos-network-without-dns", "the name service of a network has no address")
            .fails("arktos-network-dns", "Service kube-system/kube-dns-default")
            .made_by(async |stage: &mut Stage<'_>| stage.delete(&format!("{SERVICES}/kube-dns-default")).await),
        Situation::after("arktos-operator-moved", "Arktos calls the operator at the node on which it was before")
            .fails("arktos-operator-address", "127.1.0.99")
            .made_by(async |stage: &mut Stage<'_>| {
                stage.edit(&format!("{MAPS}/mizar-grpc-service"), json!({"data": {"host": "127.1.0.99"}})).await;
            }),
        Situation::after("arktos-switched-off", "ConfigMap system-source does not say that this is Arktos")
            .fails("arktos-mode", "ConfigMap kube-system/system-source")
            .made_by(async |stage: &mut Stage<'_>| {
                let source = "/api/v1/namespaces/kube-system/configmaps/system-source";
                stage.edit(source, json!({"data": {"name": "kubernetes"}})).await;
            }),
        Situation::after("arktos-other-operator", "the operator is to be an old one")
            .fails("arktos-versions", "endpointopr:0.9")
            .warns("image-versions", "0.9")
            .made_by(async |stage: &mut Stage<'_>| {
                stage.pause_operator().await;
                image(stage, "deployments/mizar-operator", "endpointopr:0.9").await;
            }),
    ]
}

/// Makes a bed an Arktos.
pub(crate) async fn arktos(stage: &mut Stage<'_>) {
    stage.create(DEFINITIONS, definition()).await;
    for name in ["node-1", "node-2", "node-3"] {
        stage.edit_status(&node(name), json!({"nodeInfo": {"containerRuntimeVersion": RUNTIME}})).await;
    }
}

/// Makes the network that every tenant has, and its name servers.
pub(crate) async fn default_network(stage: &mut Stage<'_>) {
    let network = json!({"apiVersion": "arktos.futurewei.com/v1", "kind": "Network", "metadata": {"name": "default"},
        "spec": {"type": "mizar", "vpcID": "vpc0"}});
    stage.create(NETWORKS, network).await;
    stage.edit_status(&format!("{NETWORKS}/default"), json!({"phase": "Ready"})).await;
    let labels = json!({"k8s-app": "kube-dns", "network": "default"});
    let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "coredns", "image": "registry.example/coredns:1"}]}});
    let server = json!({"metadata": {"name": "coredns-default", "labels": labels}, "spec": {"replicas": 1,
        "selector": {"matchLabels": labels}, "template": pod}});
    stage.create("/apis/apps/v1/namespaces/kube-system/deployments", server).await;
    let service = json!({"metadata": {"name": "kube-dns-default"}, "spec": {"selector": labels, "ports": [{"port": 53, "protocol": "UDP"}]}});
    stage.create(SERVICES, service).await;
}

fn definition() -> Value {
    let text = include_str!("../../simulator/arktos/networks-crd.yaml");
    yaml::read(text, DuplicateKeys::Refuse).unwrap()
}

fn of_0_9(path: &str, document: &mut Value) {
    if path == "/version" {
        for (field, says) in [("major", ""), ("minor", ""), ("gitVersion", "v0.9.0")] {
            document[field] = json!(says);
        }
    }
}
