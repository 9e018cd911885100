//! Faults that show in Mizar's objects.

use mizar_bed::Fault;
use serde_json::{Value, json};

use crate::cluster::{
    a_bed, apply, endpoints, install_with_pods, kubectl, list, name_of, object, order, pods, provisioned, put_off,
    running_on, state, until, until_provisioned,
};

#[tokio::test(flavor = "multi_thread")]
async fn droplets_get_lost_and_old_new_objects_stay_init_and_pods_share_addresses() {
    let bed = a_bed().await;
    install_with_pods(&bed, 1).await;

    order(&bed, Fault::DropletMissing, Some("node-1")).await;
    order(&bed, Fault::DropletStale, Some("node-2")).await;
    until("one droplet is lost", || list(&bed, "droplets").len() == 2).await;
    until("one droplet is old", || object(&bed, "droplets", "node-2")["spec"]["main_ip"] == "127.254.0.2").await;
    kubectl(&bed, &["label", "node", "node-1", "mizar.test/touched=1"], "");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(list(&bed, "droplets").len(), 2, "the node gets no other");
    bed.clear_faults().await.expect("the faults are lifted");
    kubectl(&bed, &["label", "node", "node-1", "mizar.test/touched=2", "--overwrite"], "");
    until("the droplet is back", || provisioned(&bed, "droplets") == 3).await;
    assert_eq!(object(&bed, "droplets", "node-2")["spec"]["main_ip"], "127.254.0.2", "nobody corrects it");
    kubectl(&bed, &["delete", "endpoints.mizar.com", "node-2-default--hostep-1"], "");
    kubectl(&bed, &["delete", "droplet", "node-2"], "");
    kubectl(&bed, &["label", "node", "node-2", "mizar.test/touched=1"], "");
    until_provisioned(&bed).await;
    assert_eq!(object(&bed, "droplets", "node-2")["spec"]["main_ip"], "127.1.0.2");

    order(&bed, Fault::StuckInit, None).await;
    order(&bed, Fault::DuplicateAddress, None).await;
    kubectl(&bed, &["scale", "deployment", "web", "--replicas=2"], "");
    let stuck = || endpoints(&bed).into_iter().find(|endpoint| endpoint["spec"]["status"] == "Init");
    until("the new endpoint is tried again and again", || {
        stuck().is_some_and(|endpoint| put_off(&endpoint).iter().any(|(_, note)| note["retries"].as_u64() >= Some(2)))
    })
    .await;
    assert_eq!(put_off(&stuck().expect("stuck"))[0].0, "endpoint_opr_on_endpoint_init");
    bed.clear_faults().await.expect("the faults are lifted");
    until("the second pod runs", || running_on(&bed, "web", "10.20.0.") == 2).await;
    let all = list(&bed, "pods");
    let addresses: Vec<&Value> = pods(&all, "web").map(|pod| &pod["status"]["podIP"]).collect();
    assert_eq!(addresses[0], addresses[1]);
    let held = state(&bed).await["addresses"][format!("1/{}", addresses[0].as_str().unwrap_or_default())].clone();
    assert_eq!(held.as_array().map(Vec::len), Some(2), "{held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_taken_to_exist() {
    let bed = a_bed().await;
    order(&bed, Fault::CreateRefused, Some("node-3")).await;
    apply(&bed);
    until("the other droplets are there", || provisioned(&bed, "droplets") == 2).await;
    until("the subnet is Provisioned", || provisioned(&bed, "subnets") == 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let names: Vec<String> = list(&bed, "droplets").iter().map(|droplet| name_of(droplet).to_owned()).collect();
    assert_eq!(names, ["node-1", "node-2"], "it is not tried again");
    let state = state(&bed).await;
    let log = state["operator"]["log"].to_string();
    assert!(log.contains("create Droplet default/node-3 was refused with 422"), "{log}");
    assert_eq!(state["operator"]["forbidden"], json!([]));
    bed.clear_faults().await.expect("the fault is lifted");
    kubectl(&bed, &["label", "node", "node-3", "mizar.test/touched=1"], "");
    until_provisioned(&bed).await;
}
