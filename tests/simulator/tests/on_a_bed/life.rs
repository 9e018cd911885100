//! From the first start over a restart of the operator to the way out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{
    a_bed, forbidden, install, install_with_pods, is_marked, kubectl, list, put_off, running_on, state, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn mizar_comes_up_wires_pods_deadlocks_on_a_restart_and_heals() {
    let bed = a_bed().await;
    kubectl(&bed, &["create", "deployment", "early", "--image=nginx:1"], "");
    until("a pod without Mizar has another network's address", || running_on(&bed, "early", "10.244.") == 1).await;

    install(&bed).await;
    kubectl(&bed, &["create", "deployment", "web", "--image=nginx:1", "--replicas=3"], "");
    until("pods have Mizar's addresses", || running_on(&bed, "web", "10.20.0.") == 3).await;
    assert_eq!(forbidden(&bed).await, json!([]), "the least rights are enough");

    let before = state(&bed).await["operator"]["generation"].clone();
    kubectl(&bed, &["-n", "mizar-system", "delete", "pod", "-l", "app=mizar-operator", "--wait=false"], "");
    let bouncer = list(&bed, "bouncers").remove(0)["metadata"]["name"].as_str().expect("a name").to_owned();
    until("the bouncer's handler is put off", || !put_off(&list(&bed, "bouncers")[0]).is_empty()).await;
    let stuck = list(&bed, "bouncers").remove(0);
    let (handler, note) = put_off(&stuck).remove(0);
    assert_eq!(handler, "bouncer_opr_on_bouncer_provisioned");
    assert!(note["started"].is_string() && note["retries"].as_u64() >= Some(1), "{note}");
    assert_eq!((&note["message"], &note["purpose"]), (&json!("Droplet Object not ready"), &json!("resume")));
    assert_eq!(stuck["spec"]["status"], "Provisioned", "the specification tells nothing");
    assert_ne!(state(&bed).await["operator"]["generation"], before);
    kubectl(&bed, &["scale", "deployment", "web", "--replicas=4"], "");
    until("the fourth pod's endpoint is there", || list(&bed, "endpoints.mizar.com").len() >= 8).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(running_on(&bed, "web", "10.20.0."), 3, "nothing new is wired after a restart");
    let delay_before = stuck["spec"]["provisiondelay"].as_str().and_then(|text| text.parse::<f64>().ok());

    kubectl(&bed, &["patch", "bouncer", &bouncer, "--type=merge", "-p", r#"{"spec":{"status":"Init"}}"#], "");
    until("the fourth pod is wired", || running_on(&bed, "web", "10.20.0.") == 4).await;
    until("no handler of a bouncer or endpoint is put off any more", || {
        list(&bed, "bouncers,endpoints.mizar.com").iter().all(|object| put_off(object).is_empty())
    })
    .await;
    let healed = list(&bed, "bouncers").remove(0);
    assert_eq!(healed["spec"]["createtime"], stuck["spec"]["createtime"]);
    let delay = healed["spec"]["provisiondelay"].as_str().and_then(|text| text.parse::<f64>().ok());
    assert!(delay > delay_before, "counted anew from the creation: {delay:?} after {delay_before:?}");
    let is_blank = |droplet: &Value| {
        put_off(droplet).iter().any(|(_, note)| note["message"] == "Subnet net0 not yet provisioned!")
    };
    assert!(list(&bed, "droplets").iter().all(is_blank), "subnets stay blank");
    let addresses = state(&bed).await["addresses"].clone();
    let holders =
        addresses.as_object().into_iter().flatten().map(|(_, holders)| holders.as_array().map_or(0, Vec::len));
    assert_eq!(holders.max(), Some(2), "an address is given out twice: {addresses}");
    assert_eq!(forbidden(&bed).await, json!([]), "the least rights are enough for a restart too");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_test_finds_no_mark_of_the_operator_of_this_one() {
    const OUTLIVING: &str = "nodes,namespaces,services,pods,endpoints,deployments";
    for pods in 1..=3 {
        let bed = a_bed().await;
        let marked: Vec<Value> = list(&bed, OUTLIVING).into_iter().filter(is_marked).collect();
        assert!(marked.is_empty(), "{marked:#?}");
        // Pods that are still being wired when the test ends keep the operator writing.
        install_with_pods(&bed, pods).await;
        kubectl(&bed, &["scale", "deployment", "web", "--replicas=6"], "");
        assert!(list(&bed, OUTLIVING).iter().any(is_marked), "there is something to take back");
    }
}
