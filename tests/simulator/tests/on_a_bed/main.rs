//! The simulator on a real control plane: what the product sees of Mizar when it is installed by hand, with the least
//! rights that its operator needs.

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
fn kubectl(bed: &Bed, arguments: &[&str], input: &str) -> String {
    let mut command = bed.kubectl().expect("kubectl is built");
    command.args(arguments).arg("--request-timeout=20s");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn list(bed: &Bed, what: &str) -> Vec<Value> {
    let answer: Value = serde_json::from_str(&kubectl(bed, &["get", what, "-A", "-o", "json"], "")).expect("JSON");
    answer["items"].as_array().cloned().unwrap_or_default()
}

/// Waits until the cluster is as told; the test ends if it never is.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn definitions() -> String {
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

fn provisioned(bed: &Bed, what: &str) -> usize {
    list(bed, what).iter().filter(|object| object["spec"]["status"] == "Provisioned").count()
}

async fn install(bed: &Bed) {
    kubectl(bed, &["apply", "-f", "-"], &definitions());
    let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"];
    kubectl(bed, &wait, "");
    kubectl(bed, &["apply", "-f", "-"], MIZAR);
    until("every host endpoint is Provisioned", || {
        let hosts = list(bed, "endpoints.mizar.com");
        let hosts = hosts.iter().filter(|endpoint| endpoint["spec"]["type"] == "host");
        hosts.filter(|endpoint| endpoint["spec"]["status"] == "Provisioned").count() == 3
    })
    .await;
    for (kind, count) in [("droplets", 3), ("vpcs", 1), ("dividers", 1), ("subnets", 1), ("bouncers", 1)] {
        assert_eq!(provisioned(bed, kind), count, "{kind}");
    }
}

fn pods<'a>(all: &'a [Value], app: &'a str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |pod| pod["metadata"]["labels"]["app"] == app)
}

fn running_on(bed: &Bed, app: &str, prefix: &str) -> usize {
    let all = list(bed, "pods");
    pods(&all, app).filter(|pod| pod["status"]["podIP"].as_str().is_some_and(|ip| ip.starts_with(prefix))).count()
}

async fn forbidden(bed: &Bed) -> Value {
    bed.simulator_state().await.expect("the simulator answers")["operator"]["forbidden"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn mizar_comes_up_wires_pods_deadlocks_on_a_restart_and_heals() {
    let bed = Bed::acquire(BedOptions::default()).await.expect("a bed");
    kubectl(&bed, &["create", "deployment", "early", "--image=nginx:1"], "");
    until("a pod without Mizar has another network's address", || running_on(&bed, "early", "10.244.") == 1).await;

    install(&bed).await;
    kubectl(&bed, &["create", "deployment", "web", "--image=nginx:1", "--replicas=3"], "");
    until("pods have Mizar's addresses", || running_on(&bed, "web", "10.20.0.") == 3).await;
    assert_eq!(forbidden(&bed).await, json!([]), "the least rights are enough");

    let before = bed.simulator_state().await.expect("the simulator answers")["operator"]["generation"].clone();
    kubectl(&bed, &["-n", "mizar-system", "delete", "pod", "-l", "app=mizar-operator", "--wait=false"], "");
    let bouncer = list(&bed, "bouncers").remove(0)["metadata"]["name"].as_str().expect("a name").to_owned();
    until("the bouncer's handler is put off", || {
        !list(&bed, "bouncers")[0]["metadata"]["annotations"]["kopf.zalando.org/bouncer_opr_on_bouncer_provisioned"]
            .is_null()
    })
    .await;
    assert_ne!(bed.simulator_state().await.expect("the simulator answers")["operator"]["generation"], before);
    kubectl(&bed, &["scale", "deployment", "web", "--replicas=4"], "");
    until("the fourth pod's endpoint is there", || list(&bed, "endpoints.mizar.com").len() >= 8).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(running_on(&bed, "web", "10.20.0."), 3, "nothing new is wired after a restart");

    kubectl(&bed, &["patch", "bouncer", &bouncer, "--type=merge", "-p", r#"{"spec":{"status":"Init"}}"#], "");
    until("the fourth pod is wired", || running_on(&bed, "web", "10.20.0.") == 4).await;
    until("no handler is put off any more", || {
        let annotations = |object: &Value| object["metadata"]["annotations"].to_string();
        let all = [list(&bed, "bouncers"), list(&bed, "endpoints.mizar.com")].concat();
        !all.iter().any(|object| annotations(object).contains("_provisioned"))
    })
    .await;
    assert_eq!(forbidden(&bed).await, json!([]), "the least rights are enough for a restart too");
}

fn state_of(bed: &Bed, labels: (&str, &str), node: Option<&str>) -> Value {
    let all = list(bed, "pods");
    let found = all.iter().find(|pod| {
        pod["metadata"]["labels"][labels.0] == labels.1 && node.is_none_or(|node| pod["spec"]["nodeName"] == node)
    });
    found.map(|pod| pod["status"].clone()).unwrap_or_default()
}

fn ready(status: &Value) -> bool {
    status["containerStatuses"][0]["ready"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_shows_in_the_pod_and_is_gone_when_lifted() {
    let bed = Bed::acquire(BedOptions::default()).await.expect("a bed");
    install(&bed).await;
    let node = list(&bed, "nodes")[1]["metadata"]["name"].as_str().expect("a name").to_owned();
    let daemon = || state_of(&bed, ("job", "mizar-daemon"), Some(&node));
    let operator = || state_of(&bed, ("app", "mizar-operator"), None);
    let waits_for =
        |status: &Value, reason: &str| status["containerStatuses"][0]["state"]["waiting"]["reason"] == reason;

    let faults: [(Fault, &dyn Fn() -> bool); 3] = [
        (Fault::ImagePullError, &|| waits_for(&daemon(), "ImagePullBackOff")),
        (Fault::CrashLoop, &|| waits_for(&daemon(), "CrashLoopBackOff")),
        (Fault::DaemonNeverReady, &|| {
            !daemon()["containerStatuses"][0]["state"]["running"].is_null() && !ready(&daemon())
        }),
    ];
    for (fault, shows) in faults {
        bed.fault(FaultOrder { fault, node: Some(node.clone()) }).await.expect("the fault is set");
        until(&format!("{fault} shows"), shows).await;
        bed.clear_faults().await.expect("the fault is lifted");
        until(&format!("the daemon is ready after {fault}"), || ready(&daemon())).await;
    }

    bed.fault(FaultOrder { fault: Fault::OperatorCrashLoop, node: None }).await.expect("the fault is set");
    until("the operator's crash loop shows", || waits_for(&operator(), "CrashLoopBackOff")).await;
    bed.clear_faults().await.expect("the fault is lifted");
    until("the operator is ready", || ready(&operator())).await;
    let events = list(&bed, "events");
    for reason in ["Failed", "BackOff", "Unhealthy"] {
        assert!(events.iter().any(|event| event["reason"] == reason), "an event {reason}");
    }
}
