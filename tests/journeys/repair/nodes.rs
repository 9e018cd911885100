//! Nodes that lack what Mizar must have programmed there.

use std::time::Duration;

use mizar_bed::Fault;

use super::{
    SETTLING, assert_named_without_droplet_until_it_is_mended, at_work, check, deployment, fault, mizar, prove, repair,
};
use crate::cluster::{NAMESPACE, get, installed, items, names, send};
use crate::restart::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_daemon_was_restarted_is_programmed_anew() {
    let bed = installed().await;
    deployment(&bed, "web", 3).await;
    // Times are cut to the second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let uid = async || get(&bed, &format!("{}/node-2", mizar("droplets"))).await["metadata"]["uid"].clone();
    let before = uid().await;
    fault(&bed, Fault::DaemonRestart, Some("node-2")).await;
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job=mizar-daemon");
    until("the daemon is back", async || {
        items(&bed, &path).await.iter().any(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            pod["spec"]["nodeName"] == "node-2" && status["restartCount"] == 1 && status["ready"] == true
        })
    })
    .await;
    check(&bed).await.exits(1).prints(&["unprogrammed-nodes", "node-2"]);
    repair(&bed).await.exits(0);
    assert_ne!(uid().await, before, "it has a new Droplet");
    prove(&bed, "daemon").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_droplet_is_missing_is_named_until_the_operator_makes_one_and_then_it_is_connected() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    fault(&bed, Fault::DropletMissing, Some("node-2")).await;
    until("the Droplet is gone", async || !names(&bed, &mizar("droplets")).await.contains(&"node-2".to_owned())).await;
    tokio::time::sleep(SETTLING).await;
    check(&bed).await.exits(1).prints(&["node node-2: has no Droplet yet", "kubectl mizar repair --plan"]);
    assert_named_without_droplet_until_it_is_mended(&bed).await;
    prove(&bed, "missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_droplet_without_host_endpoint_gets_one() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    send(&bed, "DELETE", &mizar("endpoints/node-2-default--hostep-1"), None).await.unwrap();
    tokio::time::sleep(SETTLING).await;
    check(&bed).await.exits(1).prints(&["host-endpoints", "Droplet node-2", "kubectl mizar repair --plan"]);
    repair(&bed).await.exits(0).tells(&["(it has no host Endpoint in vpc0)"]);
    prove(&bed, "host").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_droplet_with_an_address_that_its_node_has_no_more_is_replaced() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    // Where Bouncer and Divider may stand, too.
    let node = items(&bed, &mizar("bouncers")).await.remove(0)["spec"]["droplet"].as_str().unwrap().to_owned();
    let path = mizar(&format!("droplets/{node}"));
    let before = get(&bed, &path).await;
    fault(&bed, Fault::DropletStale, Some(&node)).await;
    until("the Droplet is old", async || get(&bed, &path).await["spec"]["main_ip"] != before["spec"]["main_ip"]).await;
    tokio::time::sleep(SETTLING).await;
    check(&bed).await.exits(1).prints(&["droplets", &node, "bouncers", "which does not exist"]);
    repair(&bed).await.exits(0).tells(&[&format!("delete Droplet default/{node}")]);
    let after = get(&bed, &path).await;
    assert_eq!(after["spec"]["main_ip"], before["spec"]["main_ip"]);
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    prove(&bed, "stale").await;
}
