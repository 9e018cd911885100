//! The ways out of a restart of the operator, as they were found on the real one.

use std::time::Duration;

use mizar_bed::Bed;
use serde_json::{Value, json};

use crate::{
    cluster::{
        a_bed, endpoints, forbidden, install, install_with_pods, kubectl, list, name_of, object, put_off, running_on,
        scale_operator, set, state, until,
    },
    programming::{assert_all_programmed, until_nothing_is_put_off},
};

/// From the operator's start to the moment when a bouncer may be placed again: 7 s in reality.
const BEFORE_BOUNCERS: Duration = Duration::from_millis(700);

fn endpoint(name: &str, spec: &Value) -> String {
    let metadata = json!({"name": name, "namespace": "default"});
    json!({"apiVersion": "mizar.com/v1", "kind": "Endpoint", "metadata": metadata, "spec": spec}).to_string()
}

fn used_addresses(bed: &Bed) -> Vec<String> {
    let all = endpoints(bed);
    let simple = all.iter().filter(|endpoint| endpoint["spec"]["type"] == "simple");
    simple.filter_map(|endpoint| endpoint["spec"]["ip"].as_str().map(str::to_owned)).collect()
}

async fn until_the_operator_watches(bed: &Bed, runs: usize) {
    for _ in 0..100 {
        let log = state(bed).await["operator"]["log"].to_string();
        if log.matches("started; watching").count() >= runs {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the operator does not start");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_sequence_of_a_restart_gives_no_address_twice() {
    let bed = a_bed().await;
    install_with_pods(&bed, 3).await;
    let used = used_addresses(&bed);
    assert!(used.len() >= 3, "{used:?}");
    scale_operator(&bed, 0).await;
    set(&bed, "subnet", "net0", &json!({"type": "Provisioned"}));
    for ip in &used {
        let spec = json!({"type": "scaled", "status": "Init", "vpc": "vpc0", "net": "net0", "vni": "1", "ip": ip});
        kubectl(&bed, &["create", "-f", "-"], &endpoint(&format!("mizar-hold-1-{ip}"), &spec));
    }
    scale_operator(&bed, 1).await;
    until_the_operator_watches(&bed, 2).await;
    tokio::time::sleep(BEFORE_BOUNCERS).await;
    for bouncer in list(&bed, "bouncers") {
        set(&bed, "bouncer", name_of(&bouncer), &json!({"status": "Init"}));
    }
    until("the placeholders are Provisioned", || {
        endpoints(&bed).iter().all(|endpoint| endpoint["spec"]["status"] == "Provisioned")
    })
    .await;
    until_nothing_is_put_off(&bed).await;
    kubectl(&bed, &["scale", "deployment", "web", "--replicas=7"], "");
    until("all pods run", || running_on(&bed, "web", "10.20.0.") == 7).await;
    let mut addresses = used_addresses(&bed);
    assert!(addresses.len() >= 7, "{addresses:?}");
    addresses.sort();
    let count = addresses.len();
    addresses.dedup();
    assert_eq!(addresses.len(), count, "{addresses:?}");
    assert_all_programmed(&bed).await;
    assert_eq!(forbidden(&bed).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bouncer_that_is_init_too_early_fails_and_a_leaked_host_endpoint_keeps_it_failing() {
    let bed = a_bed().await;
    install(&bed).await;
    let bouncer = name_of(&list(&bed, "bouncers")[0]).to_owned();
    let present = || object(&bed, "bouncers", &bouncer);
    scale_operator(&bed, 0).await;
    let host = endpoints(&bed).into_iter().find(|endpoint| endpoint["spec"]["type"] == "host");
    let mut leaked = host.expect("each node has one")["spec"].clone();
    for (field, value) in [("droplet", "gone"), ("ip", "127.1.0.99"), ("hostip", "127.1.0.99")] {
        leaked[field] = json!(value);
    }
    kubectl(&bed, &["create", "-f", "-"], &endpoint("gone-default--hostep-1", &leaked));
    set(&bed, "bouncer", &bouncer, &json!({"status": "Init"}));
    scale_operator(&bed, 1).await;
    until_the_operator_watches(&bed, 2).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!((present()["spec"]["status"].as_str(), put_off(&present()).len()), (Some("Init"), 0), "it is given up");
    let log = state(&bed).await["operator"]["log"].to_string();
    assert!(log.contains("AttributeError: 'NoneType' object has no attribute 'ip'"), "{log}");

    kubectl(&bed, &["label", "bouncer", &bouncer, "mizar.test/touched=1"], "");
    until("the bouncer is placed", || present()["spec"]["status"] == "Provisioned").await;
    let living = || endpoints(&bed).into_iter().filter(|endpoint| name_of(endpoint) != "gone-default--hostep-1");
    until("the living endpoints resume", || living().all(|endpoint| put_off(&endpoint).is_empty())).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!put_off(&present()).is_empty(), "the leaked endpoint holds up the bouncer");
    kubectl(&bed, &["delete", "endpoints.mizar.com", "gone-default--hostep-1"], "");
    until("the bouncer's handler succeeds", || put_off(&present()).is_empty()).await;
}
