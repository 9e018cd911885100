//! What is left of pods and nodes that are gone.

use std::time::Duration;

use super::{SCALE, check, mizar, prove, repair, restart_operator};
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, address_of_new_pod, get, installed, items, names, send};
use crate::restart::until;

#[tokio::test(flavor = "multi_thread")]
async fn what_restarts_left_over_is_deleted_and_live_pods_keep_their_network() {
    let bed = installed().await;
    // Without the name servers no pod but ours stands on the node that goes.
    for path in
        ["/apis/apps/v1/namespaces/kube-system/deployments/coredns", "/api/v1/namespaces/kube-system/services/kube-dns"]
    {
        send(&bed, "DELETE", path, None).await.unwrap();
    }
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    restart_operator(&bed).await;
    repair(&bed).await.exits(0);
    // Wired by the first run of the operator: their Endpoints stay, and so do the placeholders.
    for pod in ["a", "b"] {
        send(&bed, "DELETE", &format!("/api/v1/namespaces/default/pods/{pod}"), None).await.unwrap();
    }
    // Pod c and the operator stay, and their nodes with them.
    let host = get(&bed, "/api/v1/namespaces/default/pods/c").await["spec"]["nodeName"].clone();
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app=mizar-operator");
    let operator = items(&bed, &pods).await[0]["spec"]["nodeName"].clone();
    let stays = |node: &str| host == node || operator == node;
    let doomed = ["node-1", "node-2", "node-3"].into_iter().find(|node| !stays(node)).unwrap();
    send(&bed, "DELETE", &format!("/api/v1/nodes/{doomed}"), None).await.unwrap();
    // The controllers of a real cluster remove what was there.
    for pod in items(&bed, "/api/v1/pods").await.iter().filter(|pod| pod["spec"]["nodeName"] == doomed) {
        let (namespace, name) = (&pod["metadata"]["namespace"], &pod["metadata"]["name"]);
        let path = format!("/api/v1/namespaces/{}/pods/{}", namespace.as_str().unwrap(), name.as_str().unwrap());
        if let Err(error) = send(&bed, "DELETE", &format!("{path}?gracePeriodSeconds=0"), None).await {
            // The one of a or b that was here may have gone meanwhile.
            assert!(error.to_string().contains("not found"), "{error}");
        }
    }
    until("they are gone", async || {
        let pods = names(&bed, "/api/v1/namespaces/default/pods").await;
        !names(&bed, "/api/v1/nodes").await.contains(&doomed.to_owned()) && pods == ["c"]
    })
    .await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    check(&bed).await.prints(&[
        "leaked-endpoints",
        "a-default--eth0",
        &format!("{doomed}-default--hostep-1"),
        "idle-placeholders",
    ]);
    let only = Mizar::on(&bed).args("repair -y --only placeholders").impatient(SCALE).run().await;
    only.exits(0).tells(&["Left alone", "leaks"]);
    let left = names(&bed, &mizar("endpoints")).await;
    assert!(left.contains(&"a-default--eth0".to_owned()), "{left:?}");
    let c = get(&bed, "/api/v1/namespaces/default/pods/c").await["metadata"]["uid"].clone();
    for held in items(&bed, &format!("{}?labelSelector=mizar.dev/holds-for", mizar("endpoints"))).await {
        let pods = items(&bed, "/api/v1/pods").await;
        let pod = &held["metadata"]["labels"]["mizar.dev/holds-for"];
        assert!(pods.iter().any(|it| it["metadata"]["uid"] == *pod), "{held}; c is {c}");
    }
    repair(&bed).await.exits(0);
    let left = names(&bed, &mizar("endpoints")).await;
    for gone in ["a-default--eth0", "b-default--eth0", &format!("{doomed}-default--hostep-1")] {
        assert!(!left.contains(&gone.to_owned()), "{left:?}");
    }
    assert!(left.contains(&"c-default--eth0".to_owned()), "{left:?}");
    prove(&bed, "leaks").await;
}
