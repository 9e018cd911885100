//! Mizar on Arktos: its controllers call the operator, which looks at nothing but its own objects.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    cluster::{
        a_bed, all_objects, apply, endpoints, forbidden, is_marked, kubectl, list, object, pods, put_off, running_on,
        state, until, until_provisioned,
    },
    programming::assert_all_programmed,
};

const NETWORKS: &str = include_str!("../../arktos/networks-crd.yaml");
const SYSTEM_SOURCE: [&str; 7] = [
    "-n",
    "kube-system",
    "create",
    "configmap",
    "system-source",
    "--from-literal=name=arktos",
    "--from-literal=company=futurewei",
];

#[tokio::test(flavor = "multi_thread")]
async fn arktos_calls_the_operator_and_nothing_but_its_own_objects_is_marked() {
    let bed = a_bed().await;
    kubectl(&bed, &SYSTEM_SOURCE, "");
    apply(&bed);
    let service = || object(&bed, "configmaps", "mizar-grpc-service");
    until("the operator publishes its address", || !service().is_null()).await;
    let all = list(&bed, "pods");
    let operator = pods(&all, "mizar-operator").next().cloned().unwrap_or_default();
    assert_eq!(service()["data"], json!({"host": operator["status"]["hostIP"]}));
    assert_eq!(service()["metadata"]["labels"]["service"], "mizar");
    until("the built-in network is there", || list(&bed, "subnets").len() == 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(list(&bed, "droplets").len(), 0, "nobody calls: these are not Arktos' controllers");

    kubectl(&bed, &["apply", "-f", "-"], NETWORKS);
    until_provisioned(&bed).await;
    kubectl(&bed, &["create", "deployment", "web", "--image=nginx:1", "--replicas=2"], "");
    until("pods have Mizar's addresses", || running_on(&bed, "web", "10.20.0.") == 2).await;
    assert!(endpoints(&bed).iter().any(|endpoint| endpoint["spec"]["type"] == "scaled"), "services are told too");
    assert_all_programmed(&bed).await;
    assert!(all_objects(&bed).iter().all(|object| is_marked(object) && put_off(object).is_empty()));
    let others = list(&bed, "nodes,namespaces,services,pods,endpoints");
    assert!(!others.iter().any(is_marked), "these carry no finalizer and no annotation");
    kubectl(&bed, &["scale", "deployment", "web", "--replicas=1"], "");
    let simple = |all: &[Value]| {
        all.iter().filter(|endpoint| endpoint["spec"]["pod"].as_str().is_some_and(|pod| pod.starts_with("web"))).count()
    };
    until("the endpoint of a deleted pod goes", || simple(&endpoints(&bed)) == 1).await;
    assert_eq!(forbidden(&bed).await, json!([]));

    let began = Instant::now();
    kubectl(&bed, &["-n", "mizar-system", "delete", "pod", "-l", "app=mizar-operator"], "");
    assert!(began.elapsed() >= Duration::from_millis(1900), "SIGTERM does not end it");
    assert!(state(&bed).await["operator"]["log"].to_string().contains("ended with 137"));
}
