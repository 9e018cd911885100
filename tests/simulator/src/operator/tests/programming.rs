//! What the daemons have programmed, and what becomes of it.

use serde_json::{Value, json};

use super::{Trial, a_network, a_pending_pod, all_of, an_object, restarted};
use crate::{
    object::{Kind, Object},
    operator::handling::{Action, Handled, Outcome, Purpose},
};

const POD: &str = "web-default--eth0";

/// A network of so many nodes with one wired pod.
fn with_a_pod(nodes: u8) -> (Trial, Vec<Object>) {
    let (mut trial, mut objects) = a_network(nodes);
    objects.extend(trial.settle(vec![a_pending_pod("web", "127.1.0.1")]));
    (trial, objects)
}

/// What the only bouncer knows, on the node where its object says that it is.
fn table(trial: &Trial, bouncer: &Object) -> Value {
    trial.daemons.state()[bouncer.spec("droplet")]["tables"][bouncer.name()].clone()
}

fn set_to_init(object: &Object) -> Object {
    let mut value = object.value().clone();
    value["spec"]["status"] = json!("Init");
    Object::new(object.kind(), value)
}

/// The object as a handler's patch leaves it.
fn patched(object: &Object, handled: &Handled) -> Object {
    let Some(Action::Patch { spec, .. }) = handled.actions.first() else { panic!("{handled:?}") };
    let mut value = object.value().clone();
    for (field, text) in spec {
        value["spec"][field] = text.clone();
    }
    Object::new(object.kind(), value)
}

#[test]
fn a_bouncer_knows_all_endpoints_of_its_subnet() {
    let (trial, objects) = with_a_pod(2);
    let known = table(&trial, all_of(&objects, Kind::Bouncer)[0]);
    assert_eq!(
        known,
        json!({"1/10.20.0.2": POD, "1/127.1.0.1": "n1-default--hostep-1", "1/127.1.0.2": "n2-default--hostep-1"})
    );
    assert_eq!(trial.daemons.addresses()["1/10.20.0.2"], json!([POD]));
}

#[test]
fn a_bouncer_that_is_placed_anew_knows_all_endpoints_again_and_its_delay_counts_from_its_creation() {
    let (mut trial, objects) = with_a_pod(2);
    let bouncer = all_of(&objects, Kind::Bouncer)[0];
    for node in ["n1", "n2"] {
        trial.daemons.wipe(node);
    }
    trial.now += 600;
    let handled = trial.look(&set_to_init(bouncer), Purpose::Update);
    let placed = patched(bouncer, &handled);
    assert_eq!(placed.spec("provisiondelay"), "600.000000");
    assert_eq!(placed.spec("createtime"), bouncer.spec("createtime"));
    assert_eq!(table(&trial, &placed), json!({}));
    assert_eq!(trial.look(&placed, Purpose::Update).outcome, Outcome::Done);
    assert_eq!(table(&trial, &placed).as_object().map(serde_json::Map::len), Some(3));
}

#[test]
fn a_divider_that_is_placed_anew_is_programmed_where_its_object_says() {
    let (mut trial, objects) = a_network(2);
    let divider = all_of(&objects, Kind::Divider)[0];
    trial.daemons.wipe(&divider.spec("droplet"));
    trial.now += 60;
    let handled = trial.look(&set_to_init(divider), Purpose::Update);
    let placed = patched(divider, &handled);
    assert_eq!(placed.spec("provisiondelay"), "60.000000");
    assert_eq!(trial.daemons.state()[placed.spec("droplet")]["dividers"], json!([divider.name()]));
}

#[test]
fn a_placeholder_takes_no_place_of_a_pod() {
    let (mut trial, mut objects) = with_a_pod(1);
    restarted(&mut trial, &objects);
    let spec = json!({"type": "scaled", "status": "Init", "net": "net0", "vpc": "vpc0", "vni": "1", "ip": "10.20.0.2"});
    let bouncer = all_of(&objects, Kind::Bouncer)[0].clone();
    trial.look(all_of(&objects, Kind::Divider)[0], Purpose::Resume);
    trial.look(&set_to_init(&bouncer), Purpose::Update);
    objects.extend(trial.settle(vec![an_object(Kind::Endpoint, "mizar-hold-1-10.20.0.2", &spec)]));
    for endpoint in all_of(&objects, Kind::Endpoint) {
        assert_eq!(trial.look(endpoint, Purpose::Resume).outcome, Outcome::Done);
    }
    assert_eq!(table(&trial, &bouncer)["1/10.20.0.2"], POD);
    assert_eq!(trial.daemons.addresses()["1/10.20.0.2"], json!([POD]), "a placeholder is no holder");
}

#[test]
fn a_leaked_endpoint_that_is_deleted_cuts_off_the_pod_with_its_address() {
    let (mut trial, objects) = with_a_pod(1);
    let bouncer = all_of(&objects, Kind::Bouncer)[0];
    let leaked = json!({"type": "simple", "status": "Provisioned", "net": "net0", "vni": "1", "droplet": "n1",
        "ip": "10.20.0.2"});
    let leaked = an_object(Kind::Endpoint, "gone-default--eth0", &leaked);
    trial.memory.store_endpoint(&leaked);
    assert_eq!(table(&trial, bouncer)["1/10.20.0.2"], POD);
    trial.look(&leaked, Purpose::Delete);
    assert_eq!(table(&trial, bouncer)["1/10.20.0.2"], Value::Null);
}

#[test]
fn a_deleted_pod_leaves_nothing_behind() {
    let (mut trial, objects) = with_a_pod(1);
    trial.look(&a_pending_pod("web", "127.1.0.1"), Purpose::Delete);
    let endpoint = all_of(&objects, Kind::Endpoint).into_iter().find(|endpoint| endpoint.name() == POD);
    trial.look(endpoint.expect("the pod has one"), Purpose::Delete);
    assert_eq!(table(&trial, all_of(&objects, Kind::Bouncer)[0])["1/10.20.0.2"], Value::Null);
    assert_eq!(trial.daemons.addresses()["1/10.20.0.2"], Value::Null);
    assert_eq!(trial.daemons.state()["n1"]["interfaces"], json!({}));
}
