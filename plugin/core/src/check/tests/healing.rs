//! Cases of the checks that tell of what `repair` heals.

use super::*;
use crate::diagnosis::operator_run;

/// The operator's container was started so many seconds ago, long after the network was finished.
fn restarted(facts: &mut Facts, seconds: i64) {
    let started = now().checked_sub(jiff::SignedDuration::from_secs(seconds)).ok();
    let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).expect("an operator");
    pod.created = started;
    pod.containers[0].started = started;
}

fn endpoint_waits(facts: &mut Facts, minutes: i64) {
    pod_endpoint(facts).object.retries =
        Box::new([a_retry("endpoint_opr_on_endpoint_provisioned", minutes_ago(minutes))]);
}

fn bouncer_waits(facts: &mut Facts, minutes: i64) {
    facts.bouncers.edit()[0].object.retries =
        Box::new([a_retry("bouncer_opr_on_bouncer_provisioned", minutes_ago(minutes))]);
}

/// The daemon of node 1 was started anew in its pod.
fn daemon_restarted(facts: &mut Facts) {
    let container = &mut daemon_pod(facts, 0).containers[0];
    (container.restarts, container.started) = (1, minutes_ago(5));
}

/// The daemon of node 1 ended and was started anew at these times, by the clock of its node.
fn restarted_daemon(facts: &mut Facts, ended: Option<jiff::Timestamp>, started: Option<jiff::Timestamp>) {
    let daemon = daemon_pod(facts, 0);
    daemon.restarted = ended;
    (daemon.containers[0].restarts, daemon.containers[0].started) = (1, started);
}

/// The kubelet of node 1 saw its pods so many minutes after they were placed there, by its own clock.
fn clock_ahead(facts: &mut Facts, minutes: i64) {
    for pod in facts.pods.edit().iter_mut().filter(|pod| pod.node == "node-1") {
        pod.placed = minutes_ago(60);
        pod.acknowledged = minutes_ago(60 - minutes);
    }
}

fn placeholder(ip: &str, pod: &str) -> EndpointFact {
    let mut endpoint = a_pod_endpoint("hold", ip);
    (endpoint.kind, endpoint.pod) = ("scaled".into(), Text::default());
    // The operator writes no time on what it did not make itself.
    endpoint.object.provisioned = None;
    endpoint.object.name = format!("mizar-hold-1-{}", ip.replace('.', "-")).as_str().into();
    endpoint.object.holds_for = Some(pod.into());
    endpoint
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    use Status::{Fail, Pass, Skipped, Warn};
    vec![
        case("unfinished-handlers", Warn, "Endpoint web-default--eth0: Bouncers not yet ready!", |facts| {
            endpoint_waits(facts, 2);
        }),
        case("unfinished-handlers", Fail, "Endpoint web-default--eth0: Bouncers not yet ready!", |facts| {
            endpoint_waits(facts, 90);
        }),
        case("unfinished-handlers", Fail, "was restarted on the finished network net0", |facts| {
            restarted(facts, 300);
            endpoint_waits(facts, 2);
            bouncer_waits(facts, 2);
        }),
        case("unfinished-handlers", Fail, "was restarted on the finished network net0", |facts| {
            // Within a second: nobody has to wait for a minute to be told.
            restarted(facts, 3);
            endpoint_waits(facts, 0);
            bouncer_waits(facts, 0);
        }),
        case("unfinished-handlers", Fail, "Endpoint web-default--eth0: is Init", |facts| {
            restarted(facts, 300);
            bouncer_waits(facts, 0);
            pod_endpoint(facts).object.status = "Init".into();
        }),
        case("unfinished-handlers", Warn, "has just started on the finished network net0", |facts| {
            restarted(facts, 3);
        }),
        case("unfinished-handlers", Pass, "fine", |facts| restarted(facts, 300)),
        case("unfinished-handlers", Pass, "fine", |facts| {
            // Set back after the restart: what still waits goes on in the next round.
            restarted(facts, 10);
            endpoint_waits(facts, 0);
            bouncer_waits(facts, 0);
            facts.bouncers.edit()[0].object.provisioned = minutes_ago(0);
        }),
        case("unfinished-handlers", Pass, "fine", |facts| endpoint_waits(facts, 0)),
        case("operator-memory", Warn, "finished before the operator started", |facts| restarted(facts, 300)),
        case("operator-memory", Warn, "finished before the operator started", |facts| {
            // A Subnet of the charts has no times of its own.
            restarted(facts, 300);
            facts.subnets.edit()[0].object.provisioned = None;
            for endpoint in facts.endpoints.edit() {
                endpoint.object.provisioned = minutes_ago(29);
            }
        }),
        case("operator-memory", Warn, "as Droplet host-1 says", |facts| {
            restarted(facts, 300);
            let mut retry = a_retry("droplet_opr_on_droplet_provisioned", minutes_ago(4));
            retry.message = Some("Subnet net0 not yet provisioned!".into());
            facts.droplets.edit()[0].object.retries = Box::new([retry]);
        }),
        case("operator-memory", Fail, "connects no host-3", |facts| {
            restarted(facts, 300);
            facts.endpoints.edit().retain(|endpoint| endpoint.droplet != "host-3");
        }),
        case("operator-memory", Pass, "1 Subnet fine", |facts| {
            restarted(facts, 300);
            facts.subnets.edit()[0].kind = "Provisioned".into();
        }),
        case("unprogrammed-nodes", Fail, "2 of 3 nodes fine; node-1: its daemon was restarted", daemon_restarted),
        case("unprogrammed-nodes", Fail, "2 of 3 nodes fine; node-1: its daemon was restarted", |facts| {
            daemon_restarted(facts);
            facts.endpoints.edit()[0].object.provisioned = minutes_ago(4);
        }),
        case("unprogrammed-nodes", Pass, "all 3 nodes fine", |facts| {
            daemon_restarted(facts);
            facts.endpoints.edit()[0].object.provisioned = minutes_ago(4);
            facts.dividers.edit()[0].object.provisioned = minutes_ago(4);
        }),
        case("unprogrammed-nodes", Fail, "2 of 3 nodes fine; node-1: its daemon was restarted", |facts| {
            // In the second in which its host Endpoint was programmed.
            facts.dividers.edit()[0].droplet = "host-2".into();
            facts.bouncers.edit()[0].droplet = "host-2".into();
            restarted_daemon(facts, minutes_ago(30), minutes_ago(30));
        }),
        case("unprogrammed-nodes", Pass, "all 3 nodes fine", |facts| {
            // It had crashed long before, so that it can only have been programmed by this run.
            restarted_daemon(facts, minutes_ago(31), minutes_ago(30));
        }),
        case("unprogrammed-nodes", Warn, "2 of 3 nodes fine; node-1: its clock is ahead", |facts| {
            // All was programmed half an hour ago, after the restart; the node's clock is ten minutes ahead.
            restarted_daemon(facts, minutes_ago(26), minutes_ago(25));
            clock_ahead(facts, 10);
        }),
        case("unprogrammed-nodes", Fail, "2 of 3 nodes fine; node-1: its daemon was restarted", |facts| {
            restarted_daemon(facts, minutes_ago(5), minutes_ago(4));
            clock_ahead(facts, 10);
        }),
        case("unprogrammed-nodes", Pass, "all 3 nodes fine", |facts| {
            restarted_daemon(facts, minutes_ago(36), minutes_ago(35));
            clock_ahead(facts, 1);
        }),
        case("dividers", Fail, "is on Droplet \"host-1\", which does not exist", |facts| {
            facts.nodes.edit().retain(|node| node.name != "node-1");
        }),
        case("duplicate-addresses", Fail, "10.20.0.2: held by api-default--eth0 and web-default--eth0", |facts| {
            facts.endpoints.edit().push(a_pod_endpoint("api", "10.20.0.2"));
            facts.pods.edit().push(a_pod("api", "10.20.0.2"));
        }),
        case("duplicate-addresses", Pass, "fine", |facts| {
            // A pod that has ended uses no address.
            let over = PodFact { phase: "Succeeded".into(), created: minutes_ago(90), ..a_pod("job", "10.20.0.2") };
            facts.pods.edit().push(over);
            facts.endpoints.edit().push(a_pod_endpoint("job", "10.20.0.2"));
        }),
        case("duplicate-addresses", Pass, "fine", |facts| {
            // What is only left over uses nothing.
            facts.endpoints.edit().push(a_pod_endpoint("gone", "10.20.0.2"));
        }),
        case("leaked-endpoints", Warn, "gone-default--eth0: its pod is gone", |facts| {
            facts.endpoints.edit().push(a_pod_endpoint("gone", "10.20.0.7"));
        }),
        case("leaked-endpoints", Warn, "and web-default--eth0 uses its address", |facts| {
            facts.endpoints.edit().push(a_pod_endpoint("gone", "10.20.0.2"));
        }),
        case("leaked-endpoints", Warn, "web-default--eth0: it is older than its pod", |facts| {
            facts.pods.edit().iter_mut().filter(|pod| pod.name == "web").for_each(|pod| pod.created = minutes_ago(5));
        }),
        case("leaked-endpoints", Warn, "host-9-default--hostep-1: its node is gone", |facts| {
            facts.endpoints.edit().push(a_host_endpoint(9));
        }),
        case("leaked-endpoints", Pass, "fine", |facts| {
            // A Droplet that is gone is no node that is gone.
            facts.droplets.edit().remove(0);
        }),
        case("idle-placeholders", Warn, "it keeps the address of a pod that is gone", |facts| {
            facts.endpoints.edit().push(placeholder("10.20.0.7", "uid-gone"));
        }),
        case("idle-placeholders", Pass, "1 placeholder fine", |facts| {
            facts.pods.edit().iter_mut().filter(|pod| pod.name == "web").for_each(|pod| pod.uid = "uid-web".into());
            facts.endpoints.edit().push(placeholder("10.20.0.2", "uid-web"));
        }),
        case("unknown-addresses", Warn, "10.20.0.2: in use, and the operator may give it", |facts| {
            restarted(facts, 300);
        }),
        case("unknown-addresses", Warn, "10.20.0.2: in use", |facts| {
            // An earlier run knew the placeholder; this one does not.
            restarted(facts, 300);
            facts.endpoints.edit().push(placeholder("10.20.0.2", "uid-web"));
        }),
        case("unknown-addresses", Pass, "fine", |facts| {
            restarted(facts, 300);
            let mut held = placeholder("10.20.0.2", "uid-web");
            held.object.created = minutes_ago(4);
            facts.endpoints.edit().push(held);
        }),
        case("unknown-addresses", Pass, "fine", |facts| {
            // It is older than this run of the operator, which was made to learn of it.
            restarted(facts, 300);
            let mut held = placeholder("10.20.0.2", "uid-web");
            held.object.known_to = operator_run(facts).map(|run| run.mark().as_str().into());
            facts.endpoints.edit().push(held);
        }),
        case("pods-older-than-mizar", Warn, "kube-system/coredns: still on the network from before", |facts| {
            let old = PodFact { namespace: "kube-system".into(), ..a_pod("coredns", "10.244.0.3") };
            facts.pods.edit().push(old);
        }),
        case("pods-older-than-mizar", Pass, "fine", |facts| {
            // Where there is no daemon another network may serve the pod.
            facts.pods.edit().push(PodFact { node: "node-9".into(), ..a_pod("elsewhere", "10.244.1.7") });
        }),
        case("pods-older-than-mizar", Warn, "nobody would create it again", |facts| {
            facts.pods.edit().push(PodFact { owner: None, ..a_pod("lonely", "10.244.0.3") });
        }),
        case("pods-older-than-mizar", Warn, "default/web: cut off when the daemon", daemon_restarted),
        case("pods-older-than-mizar", Warn, "never began", |facts| {
            restarted(facts, 300);
            let waits = PodFact { phase: "Pending".into(), ready: false, ..a_pod("late", "") };
            facts.pods.edit().push(waits);
        }),
        case("pods-older-than-mizar", Pass, "fine", |facts| {
            daemon_restarted(facts);
            pod_endpoint(facts).object.provisioned = minutes_ago(4);
        }),
        case("pods-older-than-mizar", Skipped, "no Subnet yet", |facts| facts.subnets.edit().clear()),
    ]
}
