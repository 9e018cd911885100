//! How the tests talk to their cluster, and what they ask of it.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use mizar_bed::{Bed, BedOptions, Fault, FaultOrder};
use serde_json::{Value, json};

const MIZAR: &str = include_str!("mizar.yaml");
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs kubectl and returns what it says; the test ends if it fails.
pub(crate) fn kubectl(bed: &Bed, arguments: &[&str], input: &str) -> String {
    let mut command = bed.kubectl().expect("kubectl is built");
    command.args(arguments).arg("--request-timeout=20s");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

pub(crate) fn list(bed: &Bed, what: &str) -> Vec<Value> {
    let answer: Value = serde_json::from_str(&kubectl(bed, &["get", what, "-A", "-o", "json"], "")).expect("JSON");
    answer["items"].as_array().cloned().unwrap_or_default()
}

/// Returns one object; null if there is none of that name.
pub(crate) fn object(bed: &Bed, what: &str, name: &str) -> Value {
    list(bed, what).into_iter().find(|object| name_of(object) == name).unwrap_or_default()
}

pub(crate) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub(crate) fn endpoints(bed: &Bed) -> Vec<Value> {
    list(bed, "endpoints.mizar.com")
}

/// Changes the specification of one of Mizar's objects.
pub(crate) fn set(bed: &Bed, kind: &str, name: &str, spec: &Value) {
    kubectl(bed, &["patch", kind, name, "--type=merge", "-p", &json!({"spec": spec}).to_string()], "");
}

/// Whether the operator has left its finalizer or its notes on an object.
pub(crate) fn is_marked(object: &Value) -> bool {
    object["metadata"].to_string().contains("kopf.zalando.org/")
}

/// Returns the handlers that are put off for an object, with kopf's notes.
pub(crate) fn put_off(object: &Value) -> Vec<(&str, Value)> {
    let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
    let handlers = annotations.filter_map(|(name, note)| {
        let handler = name.strip_prefix("kopf.zalando.org/")?;
        let note = serde_json::from_str(note.as_str()?).ok()?;
        (handler != "last-handled-configuration" && handler != "touch-dummy").then_some((handler, note))
    });
    handlers.collect()
}

/// Returns all of Mizar's objects.
pub(crate) fn all_objects(bed: &Bed) -> Vec<Value> {
    list(bed, "droplets,vpcs,dividers,subnets,bouncers,endpoints.mizar.com")
}

pub(crate) async fn state(bed: &Bed) -> Value {
    bed.simulator_state().await.expect("the simulator answers")
}

pub(crate) async fn a_bed() -> Bed {
    Bed::acquire(BedOptions::default()).await.expect("a bed")
}

pub(crate) async fn order(bed: &Bed, fault: Fault, node: Option<&str>) {
    bed.fault(FaultOrder { fault, node: node.map(str::to_owned) }).await.expect("the fault is ordered");
}

/// Stops or starts the operator, and waits until a stopped one is gone.
pub(crate) async fn scale_operator(bed: &Bed, replicas: u8) {
    let replicas = format!("--replicas={replicas}");
    kubectl(bed, &["-n", "mizar-system", "scale", "deployment", "mizar-operator", &replicas], "");
    if replicas.ends_with('0') {
        until("the operator is gone", || pods(&list(bed, "pods"), "mizar-operator").next().is_none()).await;
    }
}

/// Waits until the cluster is as told; the test ends if it never is.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) fn definitions() -> String {
    let kinds = [
        ("Droplet", "droplets"),
        ("Vpc", "vpcs"),
        ("Divider", "dividers"),
        ("Subnet", "subnets"),
        ("Bouncer", "bouncers"),
        ("Endpoint", "endpoints"),
    ];
    let items = kinds.map(|(kind, plural)| {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.mizar.com")},
            "spec": {
                "group": "mizar.com",
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
            },
        })
    });
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

pub(crate) fn provisioned(bed: &Bed, what: &str) -> usize {
    list(bed, what).iter().filter(|object| object["spec"]["status"] == "Provisioned").count()
}

/// Applies Mizar's manifests and waits for nothing.
pub(crate) fn apply(bed: &Bed) {
    apply_with_operators(bed, 1);
}

/// Applies Mizar's manifests with so many operators.
pub(crate) fn apply_with_operators(bed: &Bed, replicas: u8) {
    kubectl(bed, &["apply", "-f", "-"], &definitions());
    let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"];
    kubectl(bed, &wait, "");
    kubectl(bed, &["apply", "-f", "-"], &MIZAR.replace("replicas: 1", &format!("replicas: {replicas}")));
}

pub(crate) async fn until_provisioned(bed: &Bed) {
    until("every host endpoint is Provisioned", || {
        let hosts = endpoints(bed);
        let hosts = hosts.iter().filter(|endpoint| endpoint["spec"]["type"] == "host");
        hosts.filter(|endpoint| endpoint["spec"]["status"] == "Provisioned").count() == 3
    })
    .await;
    for (kind, count) in [("droplets", 3), ("vpcs", 1), ("dividers", 1), ("subnets", 1), ("bouncers", 1)] {
        assert_eq!(provisioned(bed, kind), count, "{kind}");
    }
}

pub(crate) async fn install(bed: &Bed) {
    apply(bed);
    until_provisioned(bed).await;
}

/// Installs, and starts so many pods on the pod network.
pub(crate) async fn install_with_pods(bed: &Bed, count: usize) {
    install(bed).await;
    kubectl(bed, &["create", "deployment", "web", "--image=nginx:1", &format!("--replicas={count}")], "");
    until("pods have Mizar's addresses", || running_on(bed, "web", "10.20.0.") == count).await;
}

pub(crate) fn pods<'a>(all: &'a [Value], app: &'a str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |pod| pod["metadata"]["labels"]["app"] == app)
}

pub(crate) fn running_on(bed: &Bed, app: &str, prefix: &str) -> usize {
    let all = list(bed, "pods");
    pods(&all, app).filter(|pod| pod["status"]["podIP"].as_str().is_some_and(|ip| ip.starts_with(prefix))).count()
}

pub(crate) async fn forbidden(bed: &Bed) -> Value {
    bed.simulator_state().await.expect("the simulator answers")["operator"]["forbidden"].clone()
}
