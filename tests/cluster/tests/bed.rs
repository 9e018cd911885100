//! The test bed itself, on real control planes: taking, resetting, roles, audit log, logs of pods.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its builders too")]

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use mizar_bed::{Bed, BedOptions, Fault, FaultOrder, Role};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const ENDPOINTS_OF_THE_SERVER: &str = "/api/v1/namespaces/default/endpoints/kubernetes";
const CORE_DNS_PODS: &str = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns";

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn acquire() -> Bed {
    Bed::acquire(BedOptions::default()).await.unwrap()
}

async fn names<K>(api: Api<K>) -> Vec<String>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    api.list(&ListParams::default()).await.unwrap().into_iter().map(|it| it.meta().name.clone().unwrap()).collect()
}

fn host_network_pod(name: &str) -> Pod {
    object(json!({
        "metadata": {"name": name},
        "spec": {"hostNetwork": true, "containers": [{"name": "main", "image": "registry.example/any:1"}]},
    }))
}

async fn until_running(pods: &Api<Pod>, name: &str) -> Pod {
    let started = Instant::now();
    loop {
        let pod = pods.get(name).await.unwrap();
        if pod.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running") {
            return pod;
        }
        assert!(started.elapsed() < PATIENCE, "pod {name} does not run: {:?}", pod.status);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Leaves what a test of Mizar may leave: an own kind with a stuck object, a namespace, marks on baseline objects.
async fn litter(client: &kube::Client) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "vpcs.mizar.com"},
        "spec": {
            "group": "mizar.com", "scope": "Namespaced", "names": {"plural": "vpcs", "singular": "vpc", "kind": "Vpc"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    send(client, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await.unwrap();
    let vpc = json!({"apiVersion": "mizar.com/v1", "kind": "Vpc",
        "metadata": {"name": "vpc0", "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}});
    let started = Instant::now();
    // The kind is served a moment after it was made.
    while send(client, "POST", "/apis/mizar.com/v1/namespaces/default/vpcs", &vpc).await.is_err() {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &object(json!({"metadata": {"name": "mizar-system"}}))).await.unwrap();
    let configuration = json!({"metadata": {"name": "left", "finalizers": ["example.com/stuck"]}});
    for namespace in ["mizar-system", "default"] {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        api.create(&PostParams::default(), &object(configuration.clone())).await.unwrap();
    }
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mizar-operator"}});
    send(client, "POST", "/api/v1/namespaces/mizar-system/serviceaccounts", &account).await.unwrap();
    let daemons = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "other"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"hostNetwork": true,
            "containers": [{"name": "main", "image": "registry.example/any:1"}]}}}});
    send(client, "POST", "/apis/apps/v1/namespaces/mizar-system/daemonsets", &daemons).await.unwrap();
    let marks = json!({"metadata": {"annotations": {"kopf.zalando.org/last": "x"}, "labels": {"left": "yes"},
        "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}});
    let patch = Patch::Merge(&marks);
    namespaces.patch("default", &PatchParams::default(), &patch).await.unwrap();
    let nodes: Api<Node> = Api::all(client.clone());
    nodes.patch("node-1", &PatchParams::default(), &patch).await.unwrap();
    nodes.cordon("node-2").await.unwrap();
    for path in [ENDPOINTS_OF_THE_SERVER, "/api/v1/namespaces/kube-system/services/kube-dns"] {
        merge(client, path, &marks).await;
    }
    for pod in get(client, CORE_DNS_PODS).await.unwrap()["items"].as_array().unwrap() {
        let name = pod["metadata"]["name"].as_str().unwrap();
        merge(client, &format!("/api/v1/namespaces/kube-system/pods/{name}"), &marks).await;
    }
}

async fn merge(client: &kube::Client, path: &str, changes: &Value) {
    let request = http::Request::patch(path).header("Content-Type", "application/merge-patch+json");
    client.request::<Value>(request.body(serde_json::to_vec(changes).unwrap()).unwrap()).await.unwrap();
}

async fn send(client: &kube::Client, method: &str, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let request = http::Request::builder().method(method).uri(path).header("Content-Type", "application/json");
    client.request(request.body(serde_json::to_vec(body).unwrap()).unwrap()).await
}

async fn get(client: &kube::Client, path: &str) -> Result<Value, kube::Error> {
    client.request(http::Request::get(path).body(Vec::new()).unwrap()).await
}

#[tokio::test]
async fn a_bed_has_ready_nodes_with_addresses_core_dns_and_the_endpoints_of_the_server() {
    let bed = Bed::acquire(BedOptions { nodes: 4, ..BedOptions::default() }).await.unwrap();
    let nodes = get(&bed.admin(), "/api/v1/nodes").await.unwrap();
    let nodes = nodes["items"].as_array().unwrap();
    assert_eq!(nodes.len(), 4);
    for node in nodes {
        let address = node["status"]["addresses"][0]["address"].as_str().unwrap();
        assert!(address.starts_with("127.1.0."), "{address}");
    }
    let service = get(&bed.admin(), "/api/v1/namespaces/kube-system/services/kube-dns").await.unwrap();
    assert_eq!(service["spec"]["clusterIP"], "10.0.0.10");
    let endpoints = get(&bed.admin(), "/api/v1/namespaces/default/endpoints/kubernetes").await.unwrap();
    let port = endpoints["subsets"][0]["ports"][0]["port"].to_string();
    assert!(bed.api_server().ends_with(&port), "{port}");
}

#[tokio::test]
async fn a_reset_leaves_nothing_of_the_test_before() {
    let bed = acquire().await;
    let name = bed.name().to_owned();
    let supervisor = bed.supervisor().clone();
    litter(&bed.admin()).await;
    drop(bed);

    // Another test may take that bed, or this one another: each bed that comes must be clean.
    let started = Instant::now();
    let bed = acquire().await;
    println!("taken and reset in {:.2} s", started.elapsed().as_secs_f64());
    let client = bed.admin();
    let namespaces = names::<Namespace>(Api::all(client.clone())).await;
    assert_eq!(namespaces, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert_eq!(names::<ConfigMap>(Api::namespaced(client.clone(), "default")).await, ["kube-root-ca.crt"]);
    let definitions = get(&client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await.unwrap();
    assert_eq!(definitions["items"], json!([]));
    get(&client, "/apis/mizar.com/v1/vpcs").await.unwrap_err();
    let default = get(&client, "/api/v1/namespaces/default").await.unwrap();
    assert_eq!(default["metadata"]["annotations"], Value::Null);
    assert_eq!(default["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "default"}));
    assert_eq!(default["metadata"]["finalizers"], Value::Null);
    let nodes = get(&client, "/api/v1/nodes").await.unwrap();
    for node in nodes["items"].as_array().unwrap() {
        assert_eq!(node["metadata"]["finalizers"], Value::Null);
        assert_eq!(node["metadata"]["labels"]["left"], Value::Null);
        assert_eq!(node["spec"]["unschedulable"], Value::Null);
        assert_eq!(node["spec"]["taints"], Value::Null);
    }
    let pods = get(&client, "/api/v1/pods").await.unwrap();
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 2, "only CoreDNS");
    let service = get(&client, "/api/v1/namespaces/kube-system/services/kube-dns").await.unwrap();
    let endpoints = get(&client, ENDPOINTS_OF_THE_SERVER).await.unwrap();
    for object in pods.iter().chain([&service, &endpoints]) {
        let metadata = &object["metadata"];
        assert_eq!((&metadata["annotations"], &metadata["finalizers"]), (&Value::Null, &Value::Null), "{metadata}");
        assert_eq!(metadata["labels"]["left"], Value::Null);
    }
    if bed.name() == name {
        assert_eq!(bed.supervisor(), &supervisor, "reset, not restarted");
    }
}

#[tokio::test]
async fn the_number_of_nodes_follows_each_test() {
    for nodes in [5, 2, 3] {
        let bed = Bed::acquire(BedOptions { nodes, ..BedOptions::default() }).await.unwrap();
        assert_eq!(names::<Node>(Api::all(bed.admin())).await.len(), nodes);
    }
}

#[tokio::test]
async fn every_role_may_do_what_its_name_says() {
    let bed = acquire().await;
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "made-"}});
    let code = |answer: Result<Value, kube::Error>| match answer {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    };
    for (role, read, write) in [
        (Role::Admin, 200, 200),
        (Role::Installer, 200, 200),
        (Role::Checker, 200, 403),
        (Role::Nobody, 403, 403),
        (Role::Spare1, 403, 403),
        (Role::Stranger, 401, 401),
    ] {
        let client = bed.client(role).await.unwrap();
        assert_eq!(code(get(&client, secrets).await), read, "{role} reads");
        assert_eq!(code(send(&client, "POST", secrets, &secret).await), write, "{role} writes");
    }
}

#[tokio::test]
async fn the_audit_log_tells_who_asked_for_what_and_what_was_refused() {
    let bed = acquire().await;
    let nobody = bed.client(Role::Nobody).await.unwrap();
    get(&nobody, "/api/v1/namespaces/default/secrets/none").await.unwrap_err();
    let mark = bed.mark().await.unwrap();
    let checker = bed.client(Role::Checker).await.unwrap();
    get(&checker, "/api/v1/pods?limit=1").await.unwrap();
    let pods: Api<Pod> = Api::namespaced(checker, "default");
    pods.delete("none", &DeleteParams::default()).await.unwrap_err();

    let all = bed.audit().await.unwrap();
    let refused = all.by(Role::Nobody);
    assert_eq!(refused.count(), 1, "{}", refused.summary());
    assert_eq!((refused.entries()[0].code, refused.entries()[0].name.as_str()), (403, "none"));

    let since = bed.audit_since(mark).await.unwrap();
    assert!(since.by(Role::Nobody).is_empty());
    let checker = since.by(Role::Checker).agent("mizar-bed");
    assert_eq!(checker.count(), 2, "{}", checker.summary());
    assert_eq!(checker.verb("list").resource("pods").count(), 1);
    assert_eq!(checker.writes().entries()[0].verb, "delete");
}

#[tokio::test]
async fn a_foreign_pod_of_the_host_network_runs_and_kubectl_reads_its_log() {
    let bed = acquire().await;
    let pods: Api<Pod> = Api::namespaced(bed.admin(), "default");
    pods.create(&PostParams::default(), &host_network_pod("host")).await.unwrap();
    let pod = until_running(&pods, "host").await;
    assert!(pod.status.unwrap().pod_ip.unwrap().starts_with("127.1."));
    let output = bed.kubectl().unwrap().args(["logs", "host"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("played by KWOK"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_job_on_the_pod_network_comes_to_its_end() {
    let bed = acquire().await;
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example/any:1"}]}}}});
    send(&bed.admin(), "POST", "/apis/batch/v1/namespaces/default/jobs", &job).await.unwrap();
    let started = Instant::now();
    loop {
        let job = get(&bed.admin(), "/apis/batch/v1/namespaces/default/jobs/once").await.unwrap();
        if job["status"]["succeeded"] == 1 {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{}", job["status"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_fault_is_in_force_until_the_next_test() {
    let bed = acquire().await;
    bed.fault(FaultOrder { fault: Fault::CrashLoop, node: Some("node-1".into()) }).await.unwrap();
    assert_eq!(bed.simulator_state().await.unwrap()["faults"], json!([{"fault": "crash-loop", "node": "node-1"}]));
    bed.clear_faults().await.unwrap();
    assert_eq!(bed.simulator_state().await.unwrap()["faults"], json!([]));
    bed.fault(FaultOrder { fault: Fault::ImagePullError, node: None }).await.unwrap();
    drop(bed);
    let bed = acquire().await;
    assert_eq!(bed.simulator_state().await.unwrap()["faults"], json!([]));
}

#[tokio::test]
async fn the_tools_of_a_bed_talk_to_it() {
    let bed = acquire().await;
    let mut kubectl = bed.kubectl().unwrap();
    let output = kubectl.args(["version", "-o", "json"]).output().unwrap();
    let versions: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(versions["serverVersion"]["minor"], "36");
    for (mut helm, version) in [(bed.helm4().unwrap(), "v4."), (bed.helm3().unwrap(), "v3.")] {
        assert!(helm.get_program().to_string_lossy().ends_with("/helm"));
        let output = helm.args(["version", "--template", "{{.Version}}"]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(version));
    }
}
