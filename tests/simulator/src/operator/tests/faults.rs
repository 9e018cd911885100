//! What the operator does under faults.

use serde_json::json;

use super::{Trial, a_network, a_node, a_pending_pod, all_of, an_object, created, is_failure, is_retry};
use crate::{
    fault::{Fault, FaultOrder},
    object::{Kind, Object},
    operator::handling::{Outcome, Purpose},
};

fn order(trial: &Trial, fault: Fault, node: Option<&str>) {
    trial.faults.replace(vec![FaultOrder { fault, node: node.map(str::to_owned) }]);
}

#[test]
fn a_node_whose_droplet_is_missing_gets_none_and_is_not_tried_again() {
    let mut trial = Trial::with_nodes(2);
    order(&trial, Fault::DropletMissing, Some("n1"));
    let node = a_node("n1", "127.1.0.1");
    assert!(is_failure(&trial.look(&node, Purpose::Create)));
    assert_eq!(created(&trial.look(&a_node("n2", "127.1.0.2"), Purpose::Create)).len(), 1);
    trial.faults.replace(Vec::new());
    assert_eq!(created(&trial.look(&node, Purpose::Update)).len(), 1, "a label on the node brings it back");
}

#[test]
fn a_pod_on_a_node_whose_droplet_has_an_old_address_is_not_wired() {
    let (mut trial, objects) = a_network(1);
    let mut stale = all_of(&objects, Kind::Droplet)[0].value().clone();
    stale["spec"]["main_ip"] = json!("127.254.0.1");
    assert_eq!(trial.look(&Object::new(Kind::Droplet, stale), Purpose::Update).outcome, Outcome::Done);
    assert!(is_retry(&trial.look(&a_pending_pod("web", "127.1.0.1"), Purpose::Create)));
}

#[test]
fn what_is_new_stays_init_and_what_is_old_goes_on() {
    let (mut trial, objects) = a_network(2);
    order(&trial, Fault::StuckInit, Some("n1"));
    let endpoint = |droplet: &str| {
        let spec = json!({"type": "simple", "status": "Init", "net": "net0", "vni": "1", "droplet": droplet,
            "ip": "10.20.0.9"});
        an_object(Kind::Endpoint, "web-default--eth0", &spec)
    };
    let stuck = trial.look(&endpoint("n1"), Purpose::Create);
    assert!(is_retry(&stuck) && stuck.actions.is_empty());
    assert_eq!(trial.look(&endpoint("n2"), Purpose::Create).outcome, Outcome::Done);
    let mut deleting = endpoint("n1").value().clone();
    deleting["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let deleting = Object::new(Kind::Endpoint, deleting);
    assert_eq!(trial.look(&deleting, Purpose::Delete).outcome, Outcome::Done);
    assert_eq!(trial.look(all_of(&objects, Kind::Droplet)[0], Purpose::Update).outcome, Outcome::Done);
    order(&trial, Fault::StuckInit, None);
    assert!(is_retry(&trial.look(&endpoint("n2"), Purpose::Create)));
    trial.faults.replace(Vec::new());
    assert_eq!(trial.look(&endpoint("n1"), Purpose::Create).outcome, Outcome::Done);
}

#[test]
fn one_pod_gets_an_address_that_another_one_has() {
    let (mut trial, _) = a_network(1);
    order(&trial, Fault::DuplicateAddress, None);
    let mut ip_of = |name| created(&trial.look(&a_pending_pod(name, "127.1.0.1"), Purpose::Create))[0].2["ip"].clone();
    assert_eq!(ip_of("a"), "10.20.0.2", "there is nobody to share with");
    assert_eq!(ip_of("b"), "10.20.0.2");
    assert_eq!(ip_of("c"), "10.20.0.4", "it happens once");
}
