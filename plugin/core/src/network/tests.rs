use super::*;
use crate::facts::samples::*;
use crate::facts::{MizarObject, PodFact, PodRole, Readiness};

fn part(facts: &Facts, part: Part) -> PartState {
    let nodes = eligible_nodes(facts.nodes.items(), &Placement::default());
    Network::of(facts, &nodes).part(part)
}

fn waits(state: &PartState) -> Vec<String> {
    state.waiting_for.iter().map(ToString::to_string).collect()
}

fn init(object: &mut MizarObject) {
    object.status = "Init".into();
}

#[test]
fn a_finished_network_is_done_in_every_part() {
    let facts = a_healthy_cluster();
    let nodes = eligible_nodes(facts.nodes.items(), &Placement::default());
    for state in Network::of(&facts, &nodes).converge() {
        assert!(state.is_done(), "{state:?}");
    }
}

#[test]
fn an_empty_network_is_done_in_no_part_and_says_what_each_waits_for() {
    let facts = a_cluster_before();
    let nodes = eligible_nodes(facts.nodes.items(), &Placement::default());
    let states = Network::of(&facts, &nodes).converge();
    assert!(states.iter().all(|state| !state.is_done() && state.failed.is_none()), "{states:?}");
    let first: Vec<String> = states.iter().map(|state| waits(state)[0].clone()).collect();
    assert_eq!(
        first,
        [
            "node node-1 has no Droplet yet (192.168.0.1)",
            "Vpc vpc0 does not exist yet",
            "Dividers wait for Vpc vpc0",
            "Subnet net0 does not exist yet",
            "Bouncers wait for Subnet net0",
            "host endpoints wait for Droplets and Subnets",
        ]
    );
}

#[test]
fn droplets_are_counted_by_address_and_not_by_name() {
    let mut facts = a_healthy_cluster();
    facts.droplets.edit()[0].object.name = "some-other-host-name".into();
    assert!(part(&facts, Part::Droplets).is_done());
    facts.droplets.edit()[0].main_ip = "192.168.0.99".into();
    let state = part(&facts, Part::Droplets);
    assert_eq!((state.done, state.total), (2, 3));
    assert_eq!(waits(&state), ["node node-1 has no Droplet yet (192.168.0.1)"]);
}

#[test]
fn a_droplet_counts_once_it_is_provisioned_and_has_its_interface() {
    let mut facts = a_healthy_cluster();
    init(&mut facts.droplets.edit()[0].object);
    facts.droplets.edit()[1].itf = crate::facts::Text::default();
    facts.droplets.edit()[1].mac = crate::facts::Text::default();
    assert_eq!(
        waits(&part(&facts, Part::Droplets)),
        [
            "node node-1 waits for Droplet host-1, which is Init",
            "node node-2 waits for Droplet host-2, whose mac and itf is blank",
        ]
    );
}

#[test]
fn waiting_is_in_vain_for_nodes_without_an_address_and_for_no_nodes() {
    let mut facts = a_healthy_cluster();
    facts.nodes.edit()[2].internal_ips.clear();
    let failed = part(&facts, Part::Droplets).failed;
    assert_eq!(failed.as_deref(), Some("node node-3 has no InternalIP, so that it never gets a Droplet"));
    facts.nodes.edit().clear();
    assert_eq!(part(&facts, Part::Droplets).failed.as_deref(), Some("no node can run Mizar"));
}

#[test]
fn every_vpc_is_waited_for_and_not_only_the_first() {
    let mut facts = a_healthy_cluster();
    let mut second = a_vpc();
    second.object.name = "vpc1".into();
    init(&mut second.object);
    facts.vpcs.edit().push(second);
    let state = part(&facts, Part::Vpcs);
    assert_eq!((state.done, state.total), (1, 2));
    assert_eq!(waits(&state), ["Vpc vpc1 is Init"]);
    assert_eq!(waits(&part(&facts, Part::Dividers)), ["Vpc vpc1 has 0 of 1 Dividers"]);
}

#[test]
fn dividers_are_counted_against_what_the_vpc_wants() {
    let mut facts = a_healthy_cluster();
    facts.vpcs.edit()[0].dividers = Some(3);
    let mut second = a_divider("vpc0-d-2");
    init(&mut second.object);
    facts.dividers.edit().push(second);
    let state = part(&facts, Part::Dividers);
    assert_eq!((state.done, state.total), (1, 3));
    assert_eq!(waits(&state), ["Divider vpc0-d-2 is Init", "Vpc vpc0 has 2 of 3 Dividers"]);
}

#[test]
fn a_vpc_that_does_not_say_how_many_dividers_it_wants_wants_one() {
    let mut facts = a_healthy_cluster();
    facts.vpcs.edit()[0].dividers = None;
    assert!(part(&facts, Part::Dividers).is_done());
}

#[test]
fn what_is_being_deleted_does_not_count() {
    let mut facts = a_healthy_cluster();
    facts.bouncers.edit()[0].object.deleting = minutes_ago(1);
    assert_eq!(waits(&part(&facts, Part::Bouncers)), ["Bouncer net0-b-1 is being deleted"]);
}

#[test]
fn a_subnet_that_the_operator_never_looks_at_fails_at_once() {
    let mut facts = a_healthy_cluster();
    facts.subnets.edit()[0].object.status = crate::facts::Text::default();
    assert!(part(&facts, Part::Subnets).failed.unwrap().contains("until its spec.status is Init"));
    facts.subnets.edit()[0].kind = "Provisioned".into();
    assert_eq!(part(&facts, Part::Subnets).failed, None);
}

#[test]
fn host_endpoints_are_one_for_each_droplet_and_vpc_with_subnets() {
    let mut facts = a_healthy_cluster();
    let mut second = a_vpc();
    second.object.name = "vpc1".into();
    facts.vpcs.edit().push(second);
    assert_eq!(part(&facts, Part::HostEndpoints).total, 3, "a Vpc without subnets needs none");
    let mut net1 = a_subnet();
    (net1.object.name, net1.vpc) = ("net1".into(), "vpc1".into());
    facts.subnets.edit().push(net1);
    let state = part(&facts, Part::HostEndpoints);
    assert_eq!((state.done, state.total), (3, 6));
    assert_eq!(waits(&state)[0], "Droplet host-1 has no host endpoint in Vpc vpc1 yet");
}

#[test]
fn host_endpoints_of_nodes_that_are_gone_do_not_count() {
    let mut facts = a_healthy_cluster();
    facts.endpoints.edit().push(a_host_endpoint(9));
    facts.droplets.edit().push(a_droplet(9));
    assert_eq!(part(&facts, Part::HostEndpoints).total, 3);
}

#[test]
fn only_a_provisioned_divider_tells_that_something_is_built() {
    let mut dividers = vec![a_divider("vpc0-d-1")];
    assert!(anything_provisioned(&dividers));
    init(&mut dividers[0].object);
    assert!(!anything_provisioned(&dividers));
    assert!(!anything_provisioned(&[]));
}

#[test]
fn nodes_are_eligible_when_they_run_linux_are_real_report_and_are_selected() {
    let mut nodes: Vec<NodeFact> = (1..=6).map(a_node).collect();
    nodes[0].labels.insert("kubernetes.io/os".into(), "windows".into());
    nodes[1].provider_id = "kubemark://hollow".into();
    nodes[2].readiness = Readiness::Lost;
    nodes[3].readiness = Readiness::NotReady;
    nodes[4].labels.insert("network".into(), "mizar".into());
    let names = |selector: &[(&str, &str)]| {
        let selector = selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let placement = Placement { selector, ..Placement::default() };
        eligible_nodes(&nodes, &placement).iter().map(|node| node.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["node-4", "node-5", "node-6"]);
    assert_eq!(names(&[("network", "mizar")]), ["node-5"]);
}

#[test]
fn pods_older_than_mizar_come_in_the_order_in_which_to_recreate_them() {
    let dns = |name: &str| PodFact { namespace: "kube-system".into(), role: PodRole::Dns, ..a_pod(name, "10.244.0.3") };
    let of_host = PodFact { host_network: true, ..a_pod("proxy", "192.168.0.1") };
    let ended = PodFact { phase: "Succeeded".into(), ..a_pod("job", "10.244.0.8") };
    let going = PodFact { deleting: minutes_ago(0), ..a_pod("going", "10.244.0.9") };
    let lonely = PodFact { owner: None, ..a_pod("lonely", "10.244.0.4") };
    let elsewhere = PodFact { node: "node-9".into(), ..a_pod("on-another-network", "10.244.0.5") };
    let pods = [
        PodFact { created: minutes_ago(90), ..a_daemon_pod(1) },
        elsewhere,
        a_pod("web", "10.244.0.2"),
        dns("coredns-b"),
        of_host,
        ended,
        going,
        lonely,
        dns("coredns-a"),
        a_pod("new", "10.20.0.2"),
    ];
    let found = pods_that_predate_mizar(&pods, &[a_subnet()]);
    let names: Vec<&str> = found.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["coredns-a", "coredns-b", "lonely", "web"]);
    assert_eq!(found.iter().map(PodOnNetwork::is_created_again).collect::<Vec<_>>(), [true, true, false, true]);
}

#[test]
fn a_pod_older_than_the_daemon_of_its_node_was_cut_off_by_it() {
    let pod = |name: &str, minutes: i64| PodFact { created: minutes_ago(minutes), ..a_pod(name, "10.20.0.5") };
    let (old, young) = (pod("old", 10), pod("young", 1));
    let daemon = PodFact { node: old.node, created: minutes_ago(5), ..a_daemon_pod(1) };
    let found = pods_that_predate_mizar(&[old, young, daemon], &[a_subnet()]);
    let names: Vec<(&str, bool)> = found.iter().map(|pod| (pod.name.as_str(), pod.cut_off)).collect();
    assert_eq!(names, [("old", true)]);
}
