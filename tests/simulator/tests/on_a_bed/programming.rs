//! Holds what the daemons have programmed against what the objects say.

use mizar_bed::Bed;
use serde_json::{Value, json};

use crate::cluster::{endpoints, list, name_of, state, until};

/// Waits until each object is programmed where it says that it is, and each address has one holder.
pub(crate) async fn assert_all_programmed(bed: &Bed) {
    let mut missing = Vec::new();
    for _ in 0..50 {
        missing = differences(bed).await;
        if missing.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("objects and daemons differ: {missing:#?}");
}

async fn differences(bed: &Bed) -> Vec<String> {
    let state = state(bed).await;
    let on = |object: &Value| state["nodes"][object["spec"]["droplet"].as_str().unwrap_or_default()].clone();
    let mut found = Vec::new();
    let endpoints = endpoints(bed);
    for endpoint in &endpoints {
        let (place, wiring) = match endpoint["spec"]["type"].as_str() {
            Some("simple") => ("interfaces", "produced"),
            Some("host") => ("host_endpoints", "activated"),
            _ => continue,
        };
        if on(endpoint)[place][name_of(endpoint)] != wiring {
            found.push(format!("endpoint {} is not {wiring}", name_of(endpoint)));
        }
    }
    for divider in list(bed, "dividers") {
        if !on(&divider)["dividers"].as_array().is_some_and(|all| all.contains(&json!(name_of(&divider)))) {
            found.push(format!("divider {} is not placed", name_of(&divider)));
        }
    }
    for bouncer in list(bed, "bouncers") {
        let table = on(&bouncer)["tables"][name_of(&bouncer)].clone();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint["spec"]["type"] != "scaled") {
            let spec = &endpoint["spec"];
            let address =
                format!("{}/{}", spec["vni"].as_str().unwrap_or_default(), spec["ip"].as_str().unwrap_or_default());
            if table[&address] != name_of(endpoint) {
                found.push(format!("bouncer {} finds {} at {address}", name_of(&bouncer), table[&address]));
            }
        }
    }
    let addresses = state["addresses"].as_object().cloned().unwrap_or_default();
    let shared = addresses.iter().filter(|(_, holders)| holders.as_array().map_or(0, Vec::len) != 1);
    found.extend(shared.map(|(address, holders)| format!("{address} is held by {holders}")));
    found
}

/// Waits until no handler is put off for any of the objects.
pub(crate) async fn until_nothing_is_put_off(bed: &Bed) {
    until("no handler is put off", || {
        crate::cluster::all_objects(bed).iter().all(|object| crate::cluster::put_off(object).is_empty())
    })
    .await;
}
