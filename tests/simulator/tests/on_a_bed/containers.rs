//! Faults that show in the pods of Mizar.

use mizar_bed::{Bed, Fault, FaultOrder};
use serde_json::{Value, json};

use crate::{
    cluster::{a_bed, all_objects, install, install_with_pods, kubectl, list, name_of, order, put_off, state, until},
    programming::assert_all_programmed,
};

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
    let bed = a_bed().await;
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

fn restarts(status: &Value) -> u64 {
    status["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_daemon_has_lost_all_and_its_node_comes_back_with_a_new_droplet() {
    let bed = a_bed().await;
    install_with_pods(&bed, 3).await;
    assert_all_programmed(&bed).await;
    let node = list(&bed, "bouncers").remove(0)["spec"]["droplet"].as_str().expect("placed").to_owned();
    let pod = || {
        let mut all = list(&bed, "pods").into_iter();
        all.find(|pod| pod["metadata"]["labels"]["job"] == "mizar-daemon" && pod["spec"]["nodeName"] == *node)
    };
    let before = pod().expect("a daemon");
    order(&bed, Fault::DaemonRestart, Some(&node)).await;
    until("the daemon's container started anew", || {
        pod().is_some_and(|pod| ready(&pod["status"]) && restarts(&pod["status"]) == 1)
    })
    .await;
    let after = pod().expect("a daemon");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    let container = |pod: &Value| pod["status"]["containerStatuses"][0].clone();
    assert_eq!(container(&after)["lastState"]["terminated"]["exitCode"], 137);
    let started = |pod: &Value| container(pod)["state"]["running"]["startedAt"].as_str().map(str::to_owned);
    assert!(started(&after) > started(&before));
    let programmed = state(&bed).await["nodes"][&node].clone();
    for what in ["interfaces", "host_endpoints", "addresses", "tables"] {
        assert_eq!(programmed[what], json!({}), "{what}");
    }
    assert_eq!(programmed["bouncers"], json!([]));
    assert!(all_objects(&bed).iter().all(|object| object["spec"]["status"] == "Provisioned"), "nobody notices");
    assert!(all_objects(&bed).iter().all(|object| put_off(object).is_empty()), "nobody tries anything");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(restarts(&pod().expect("a daemon")["status"]), 1, "it happens once");

    let host = format!("{node}-default--hostep-1");
    let uid = |kind: &str, name: &str| crate::cluster::object(&bed, kind, name)["metadata"]["uid"].clone();
    let uids = [uid("endpoints.mizar.com", &host), uid("droplets", &node)];
    kubectl(&bed, &["delete", "endpoints.mizar.com", &host], "");
    kubectl(&bed, &["delete", "droplet", &node], "");
    kubectl(&bed, &["label", "node", &node, "mizar.test/touched=1"], "");
    until("droplet and host endpoint are back", || {
        let back = [
            crate::cluster::object(&bed, "endpoints.mizar.com", &host),
            crate::cluster::object(&bed, "droplets", &node),
        ];
        back.iter().all(|object| object["spec"]["status"] == "Provisioned")
    })
    .await;
    let news = [uid("endpoints.mizar.com", &host), uid("droplets", &node)];
    assert!(news[0] != uids[0] && news[1] != uids[1]);
    for kind in ["bouncers", "dividers"] {
        for object in list(&bed, kind).iter().filter(|object| object["spec"]["droplet"] == *node) {
            crate::cluster::set(&bed, kind, name_of(object), &json!({"status": "Init"}));
        }
    }
    let of_the_node = format!("--field-selector=spec.nodeName={node}");
    kubectl(&bed, &["delete", "pods", "-l", "app=web", &of_the_node], "");
    until("the pods are back", || crate::cluster::running_on(&bed, "web", "10.20.0.") == 3).await;
    assert_all_programmed(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_operator_is_deadlocked_in_the_same_pod() {
    let bed = a_bed().await;
    install(&bed).await;
    order(&bed, Fault::OperatorRestart, None).await;
    until("the operator's container started anew", || {
        let status = state_of(&bed, ("app", "mizar-operator"), None);
        ready(&status) && restarts(&status) == 1
    })
    .await;
    until("the bouncer's handler is put off", || !put_off(&list(&bed, "bouncers")[0]).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_handler_lets_the_operator_end_by_force_only() {
    let bed = a_bed().await;
    install(&bed).await;
    kubectl(&bed, &["delete", "subnet", "net0", "--wait=false"], "");
    until("the subnet is being deleted", || !list(&bed, "subnets")[0]["metadata"]["deletionTimestamp"].is_null()).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let began = std::time::Instant::now();
    kubectl(&bed, &["-n", "mizar-system", "delete", "pod", "-l", "app=mizar-operator"], "");
    let took = began.elapsed();
    // Thirty seconds of grace, in the bed's rounds of one second instead of fifteen.
    assert!(took >= std::time::Duration::from_millis(1900), "{took:?}");
    let log = state(&bed).await["operator"]["log"].to_string();
    assert!(log.contains("SIGTERM") && log.contains("ended with 137"), "{log}");
    assert_eq!(list(&bed, "subnets").len(), 1, "it hangs");
}
