//! The safe restart of the operator: `repair --restart-operator` on a network that is in use.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mizar_bed::{AuditTrail, Bed};
use serde_json::{Value, json};

use crate::cli::{Mizar, root};
use crate::cluster::{
    NAMESPACE, address_of_new_pod, assert_healthy_and_nothing_doubled, create, get, identities, installed, items,
    patch, send,
};
use crate::repair::restart_operator as restart_unsafely;

const PATIENCE: Duration = Duration::from_secs(60);
const ENDPOINTS: &str = "/apis/mizar.com/v1/namespaces/default/endpoints";
pub(crate) const OPERATOR: &str = "/apis/apps/v1/namespaces/mizar-system/deployments/mizar-operator";

pub(crate) fn restart(bed: &Bed) -> Mizar {
    Mizar::on(bed).args("repair --restart-operator -y")
}

/// Waits until something is true.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The addresses of the pods on the pod network, by name; those with the network of their node have its address.
pub(crate) async fn addresses(bed: &Bed) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pods = items(bed, "/api/v1/namespaces/default/pods").await;
    let on_network = pods.iter().filter(|pod| pod["spec"]["hostNetwork"] != true);
    on_network.map(|pod| (text(&pod["metadata"]["name"]), text(&pod["status"]["podIP"]))).collect()
}

pub(crate) async fn assert_all_addresses_differ(bed: &Bed) {
    let addresses = addresses(bed).await;
    let distinct: BTreeSet<&String> = addresses.iter().map(|(_, address)| address).collect();
    assert_eq!(distinct.len(), addresses.len(), "{addresses:?}");
}

/// Creates a service and waits until the operator has wired it.
pub(crate) async fn a_wired_service(bed: &Bed, name: &str) {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], "selector": {"app": name}}});
    create(bed, "/api/v1/namespaces/default/services", &service).await;
    until("the service is wired", async || {
        let endpoints = items(bed, ENDPOINTS).await;
        let name = format!("{name}-default");
        endpoints.iter().any(|it| it["metadata"]["name"] == name.as_str() && it["spec"]["status"] == "Provisioned")
    })
    .await;
}

pub(crate) async fn assert_no_handler_waits(bed: &Bed) {
    let waiting = waiting_handlers(bed).await;
    assert!(waiting.is_empty(), "{waiting:#?}");
}

/// Mizar's objects that are not Provisioned, or of which a handler of the operator has to be tried again.
pub(crate) async fn waiting_handlers(bed: &Bed) -> Vec<String> {
    let mut all = Vec::new();
    for kind in ["droplets", "vpcs", "dividers", "subnets", "bouncers", "endpoints"] {
        for object in items(bed, &format!("/apis/mizar.com/v1/{kind}")).await {
            let annotations = object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
            let known = ["kopf.zalando.org/last-handled-configuration"];
            let waiting: Vec<&String> = annotations.keys().filter(|key| !known.contains(&key.as_str())).collect();
            if !waiting.is_empty() || object["spec"]["status"] != "Provisioned" {
                all.push(format!("{kind} {}: {} {waiting:?}", object["metadata"]["name"], object["spec"]["status"]));
            }
        }
    }
    all
}

/// A Deployment of pods on the pod network.
pub(crate) async fn deploy(bed: &Bed, name: &str, replicas: usize) {
    let labels = json!({"app": name});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "registry.example/any:1"}]}}}});
    create(bed, "/apis/apps/v1/namespaces/default/deployments", &deployment).await;
}

/// The pods of a Deployment for which something is true.
pub(crate) async fn pods_of(bed: &Bed, name: &str, wanted: impl Fn(&Value) -> bool) -> usize {
    let pods = items(bed, &format!("/api/v1/namespaces/default/pods?labelSelector=app={name}")).await;
    pods.iter().filter(|pod| wanted(pod)).count()
}

pub(crate) fn runs(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
}

/// The pods that were bound to a node between our last cordon and our first uncordon.
fn bound_meanwhile(trail: &AuditTrail, nodes: usize) -> Vec<String> {
    let ours = |at: &usize| {
        let entry = &trail.entries()[*at];
        entry.user_agent.starts_with("kubectl-mizar/") && entry.resource == "nodes" && entry.verb == "patch"
    };
    let patches: Vec<usize> = (0..trail.count()).filter(ours).collect();
    assert_eq!(patches.len(), 2 * nodes, "one write cordons and marks a node, one undoes both");
    let between = &trail.entries()[patches[nodes - 1]..patches[nodes]];
    // The operator itself comes to a cordoned node: it tolerates that.
    let bound = between.iter().filter(|it| it.subresource == "binding" && it.code == 201 && it.namespace != NAMESPACE);
    bound.map(|entry| entry.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_their_addresses_and_new_ones_wait_and_get_others() {
    let bed = installed().await;
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    let before = addresses(&bed).await;
    let programmed = programmed(&bed, &["a", "b", "c"]).await;
    patch(&bed, "/api/v1/nodes/node-3", &json!({"spec": {"unschedulable": true}})).await;
    let mark = bed.mark().await.unwrap();
    let running = restart(&bed).start();
    until("the nodes are cordoned", async || {
        items(&bed, "/api/v1/nodes").await.iter().all(|node| node["spec"]["unschedulable"] == true)
    })
    .await;
    deploy(&bed, "late", 3).await;
    running.end().await.exits(0);
    let trail = bed.audit_since(mark).await.unwrap();
    assert_eq!(bound_meanwhile(&trail, 2), Vec::<String>::new(), "no pod came to a node");
    until("the pods that waited run", async || pods_of(&bed, "late", runs).await == 3).await;
    let now = addresses(&bed).await;
    assert!(before.iter().all(|pod| now.contains(pod)), "pods that ran keep what they have: {now:?}");
    assert_eq!(self::programmed(&bed, &["a", "b", "c"]).await, programmed, "and stay wired");
    for pod in ["d", "e"] {
        address_of_new_pod(&bed, pod).await;
    }
    assert_all_addresses_differ(&bed).await;
    a_wired_service(&bed, "web").await;
    assert_no_handler_waits(&bed).await;
    for (node, cordoned) in [("node-1", false), ("node-2", false), ("node-3", true)] {
        let node = get(&bed, &format!("/api/v1/nodes/{node}")).await;
        assert_eq!(node["spec"]["unschedulable"] == true, cordoned, "{}", node["metadata"]["name"]);
        assert!(node["metadata"]["annotations"]["mizar.dev/cordoned-by"].is_null());
    }
    assert_healthy_and_nothing_doubled(&bed).await;
    assert_install_and_helm_find_nothing_to_do(&bed).await;
}

/// What the daemons hold of these pods.
async fn programmed(bed: &Bed, pods: &[&str]) -> BTreeSet<String> {
    let state = bed.simulator_state().await.unwrap();
    let nodes = state["nodes"].as_object().unwrap().iter();
    let interfaces = nodes.flat_map(|(node, daemon)| {
        let of = daemon["interfaces"].as_object().unwrap().iter();
        of.map(move |(name, wiring)| (name.clone(), format!("{node} {name} {wiring}")))
    });
    let is_wanted = |name: &str| pods.iter().any(|pod| name == format!("{pod}-default--eth0"));
    interfaces.filter(|(name, _)| is_wanted(name)).map(|(_, line)| line).collect()
}

/// The operator was scaled down and up again past Helm: both must take that for what it was.
async fn assert_install_and_helm_find_nothing_to_do(bed: &Bed) {
    let before = identities(bed).await;
    Mizar::install(bed).run().await.exits(0).tells(&["nothing was written"]);
    let mut helm = bed.helm4().unwrap();
    let line = format!("upgrade mizar charts/mizar --reuse-values -n {NAMESPACE}");
    let output = helm.args(line.split_whitespace()).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(identities(bed).await, before, "nothing restarts");
    Mizar::on(bed).args("install -y").run().await.exits(0);
    assert_eq!(identities(bed).await, before, "nothing restarts");
}

/// Scales the operator to nothing and waits until it is gone.
async fn stop_the_operator(bed: &Bed) {
    patch(bed, OPERATOR, &json!({"spec": {"replicas": 0}})).await;
    until("the operator is gone", async || {
        items(bed, "/api/v1/namespaces/mizar-system/pods?labelSelector=app=mizar-operator").await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_operator_could_not_finish_is_finished_by_the_new_one() {
    let bed = installed().await;
    let address = address_of_new_pod(&bed, "a").await;
    restart_unsafely(&bed).await;
    until("the deadlock shows", async || Mizar::on(&bed).args("check").run().await.code == Some(1)).await;
    // The deadlock ends; what the operator has forgotten of the Subnet keeps the Droplets' handlers waiting.
    Mizar::on(&bed).args("repair -y --only deadlock").run().await.exits(0);
    let check = Mizar::on(&bed).args("check -o name").run().await;
    check.exits(0).prints(&["check/operator-memory"]);
    restart(&bed).run().await.exits(0);
    assert_no_handler_waits(&bed).await;
    let check = Mizar::on(&bed).args("check -o name").run().await;
    check.exits(0);
    assert!(!check.stdout.contains("operator-memory"), "{check}");
    assert_eq!(addresses(&bed).await, [("a".to_owned(), address)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_was_scaled_to_nothing_comes_back() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    stop_the_operator(&bed).await;
    deploy(&bed, "waits", 2).await;
    let waits = |pod: &Value| pod["spec"]["nodeName"].is_string() && pod["status"]["hostIP"].is_string();
    until("pods wait on nodes", async || pods_of(&bed, "waits", waits).await == 2).await;
    a_leak_with_the_address_of(&bed, "a").await;
    let before = programmed(&bed, &["a"]).await;
    Mizar::install(&bed).run().await.exits(3).tells(&["kubectl mizar repair --restart-operator"]);

    let plan = Mizar::on(&bed).args("repair --restart-operator --plan").run().await;
    plan.exits(0).prints(&[
        "none runs",
        "default/gone-default--eth0",
        "net0",
        "default/waits-",
        "node-1, node-2, node-3",
    ]);
    restart(&bed).run().await.exits(0);

    until("the pods that waited run", async || pods_of(&bed, "waits", runs).await == 2).await;
    assert_all_addresses_differ(&bed).await;
    assert_eq!(programmed(&bed, &["a"]).await, before, "the leak went without cutting the pod");
    let leak = send(&bed, "GET", &format!("{ENDPOINTS}/gone-default--eth0"), None).await;
    assert!(leak.is_err(), "the leak is still there");
    address_of_new_pod(&bed, "b").await;
    assert_all_addresses_differ(&bed).await;
    a_node_added_now_is_wired(&bed).await;
    assert_no_handler_waits(&bed).await;
    Mizar::on(&bed).args("check").run().await.exits(0);
}

/// An Endpoint as a deleted pod leaves it behind, with an address that a living pod has.
async fn a_leak_with_the_address_of(bed: &Bed, pod: &str) {
    let mut endpoint = get(bed, &format!("{ENDPOINTS}/{pod}-default--eth0")).await;
    endpoint["metadata"] = json!({"name": "gone-default--eth0", "namespace": "default",
        "finalizers": endpoint["metadata"]["finalizers"]});
    endpoint["spec"]["pod"] = json!("gone");
    create(bed, ENDPOINTS, &endpoint).await;
}

/// A starting operator that could not read its Subnet back would give it no host Endpoint.
async fn a_node_added_now_is_wired(bed: &Bed) {
    let mut node = get(bed, "/api/v1/nodes/node-1").await;
    let labels = node["metadata"]["labels"].to_string().replace("node-1", "node-4");
    node["metadata"] = json!({"name": "node-4", "labels": serde_json::from_str::<Value>(&labels).unwrap()});
    node["spec"] = json!({});
    node["status"] = json!({"addresses": [
        {"type": "InternalIP", "address": "127.1.0.4"}, {"type": "Hostname", "address": "node-4"}]});
    create(bed, "/api/v1/nodes", &node).await;
    until("node-4 has its host Endpoint", async || {
        let endpoint = send(bed, "GET", &format!("{ENDPOINTS}/node-4-default--hostep-1"), None).await;
        endpoint.is_ok_and(|endpoint| endpoint["spec"]["status"] == "Provisioned")
    })
    .await;
}
