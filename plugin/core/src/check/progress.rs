//! What does not move: objects that stay Init, and handlers of the operator that never end although the object they
//! belong to says Provisioned.

use jiff::Timestamp;

use super::Options;
use super::parts::kind_and_name;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, reasons, some_of};
use crate::diagnosis::{
    Deadlock, DoubtfulNode, Misplaced, Missing, Sign, deadlocks, displaced, doubtful_nodes, forgotten_message,
    forgotten_subnets, unprogrammed_nodes as unprogrammed_nodes_of,
};
use crate::facts::{Facts, MizarObject, Retry, Text};
use crate::words::counted;

/// Returns every object of Mizar with its kind.
fn objects(facts: &Facts) -> Vec<(&'static str, &MizarObject)> {
    let mut all: Vec<(&'static str, &MizarObject)> = Vec::new();
    all.extend(facts.droplets.items().iter().map(|fact| ("Droplet", &fact.object)));
    all.extend(facts.vpcs.items().iter().map(|fact| ("Vpc", &fact.object)));
    all.extend(facts.dividers.items().iter().map(|fact| ("Divider", &fact.object)));
    all.extend(facts.subnets.items().iter().map(|fact| ("Subnet", &fact.object)));
    all.extend(facts.bouncers.items().iter().map(|fact| ("Bouncer", &fact.object)));
    all.extend(facts.endpoints.items().iter().map(|fact| ("Endpoint", &fact.object)));
    all
}

pub(super) fn stuck(facts: &Facts, options: &Options) -> Verdict {
    let objects = objects(facts);
    let mut worst = Status::Warn;
    let mut problems = Vec::new();
    for (kind, object) in &objects {
        let name = format!("{kind} {}", object.name);
        if object.deleting.is_some() {
            if options.is_older(object.deleting, options.thresholds.stuck_warning) {
                let evidence = Evidence::new(&name, "metadata.deletionTimestamp", "set", "gone").since(object.deleting);
                problems.push(Problem::new(name, "is being deleted and does not go", evidence));
            }
            continue;
        }
        if object.is_provisioned() || !options.is_older(object.created, options.thresholds.stuck_warning) {
            continue;
        }
        let given_up = options.is_older(object.created, options.thresholds.stuck_failure);
        if given_up {
            worst = Status::Fail;
        }
        let seen = if object.status.is_empty() { "blank" } else { &object.status };
        let reason = if given_up {
            format!("is {seen} for so long that the operator has given up")
        } else {
            format!("is {seen} for longer than usual")
        };
        problems.push(Problem::new(
            &name,
            reason,
            Evidence::new(&name, "spec.status", seen, "Provisioned").since(object.created),
        ));
    }
    grouped("objects", objects.len(), problems, worst)
}

pub(super) fn unfinished_handlers(facts: &Facts, options: &Options) -> Verdict {
    let deadlocks = deadlocks(facts, &options.moment());
    if !deadlocks.is_empty() {
        return deadlocked(&deadlocks);
    }
    let objects = objects(facts);
    let built = last_built(facts);
    let mut worst = Status::Warn;
    let mut problems = Vec::new();
    let mut ends: Vec<Option<Timestamp>> = Vec::new();
    for (kind, object) in objects.iter().filter(|(_, object)| object.is_provisioned() && object.deleting.is_none()) {
        // What a Droplet says of a Subnet that the operator forgot is told by another check.
        for retry in object.retries.iter().filter(|retry| !forgotten_message(retry)) {
            let since = retry.started.or(object.created);
            if !options.is_older(since, options.thresholds.unfinished_handler) {
                continue;
            }
            // It is not tried again, whatever has come since.
            let given_up = options.is_older(since, options.thresholds.stuck_failure);
            if given_up {
                worst = Status::Fail;
            }
            problems.push(unfinished(kind, object, retry));
            ends.push(patience_ends(since.max(built), options).filter(|_| !given_up));
        }
    }
    let verdict = grouped("objects", objects.len(), problems, worst);
    let all: Option<Vec<Timestamp>> = ends.into_iter().collect();
    match all.and_then(|ends| ends.into_iter().max()) {
        Some(until) => verdict.settling(until),
        None => verdict,
    }
}

/// Returns until when a handler may still end by itself, if that is not over.
fn patience_ends(since: Option<Timestamp>, options: &Options) -> Option<Timestamp> {
    let until = since?.checked_add(options.thresholds.unfinished_handler).ok()?;
    (until > options.now).then_some(until)
}

/// Returns when the last part of the network was finished: what waited for it has its time from then on.
fn last_built(facts: &Facts) -> Option<Timestamp> {
    let dividers = facts.dividers.items().iter().map(|fact| &fact.object);
    let bouncers = facts.bouncers.items().iter().map(|fact| &fact.object);
    dividers.chain(bouncers).filter_map(|object| object.provisioned.filter(|_| object.is_provisioned())).max()
}

/// After a restart on a finished network the operator's Bouncers wait for Endpoints and its Endpoints for Bouncers. It is
/// certain once an object shows it, and to be expected from the start.
fn deadlocked(deadlocks: &[Deadlock]) -> Verdict {
    let nets: Vec<&str> = deadlocks.iter().map(|deadlock| deadlock.net.as_str()).collect();
    let nets = some_of(&nets);
    let signs: Vec<&Sign> = deadlocks.iter().flat_map(|deadlock| &deadlock.signs).collect();
    if signs.is_empty() {
        let evidence = deadlocks.iter().map(|deadlock| {
            let started = deadlock.since.map_or_else(String::new, |since| since.to_string());
            let wanted = "before the Bouncers were provisioned";
            Evidence::new("the operator's container", "state.running.startedAt", started, wanted).since(deadlock.since)
        });
        let message = format!("the operator has just started on the finished network {nets} and will wire no new pod");
        return Verdict::warn(message).with(evidence.collect());
    }
    let problems = signs.into_iter().map(|sign| {
        let name = format!("{} {}", sign.kind, sign.name);
        let (field, wanted) = match sign.handler {
            Some(handler) => (format!("metadata.annotations[kopf.zalando.org/{handler}]"), "not there"),
            None => ("spec.status".to_owned(), "Provisioned"),
        };
        let message = if sign.message.is_empty() { "tried again and again" } else { &sign.message };
        let evidence = Evidence::new(&name, field, message, wanted).since(sign.since);
        Problem::new(name, message.trim_end_matches('.'), evidence)
    });
    let problems: Vec<Problem> = problems.collect();
    let message = format!(
        "the operator was restarted on the finished network {nets} and wires no new pod: {}",
        reasons(&problems)
    );
    Verdict::fail(message).with(problems.into_iter().map(|problem| problem.evidence).collect())
}

pub(super) fn operator_memory(facts: &Facts, options: &Options) -> Verdict {
    let subnets = facts.subnets.items().len();
    let forgotten = forgotten_subnets(facts, &options.moment());
    let worst = if forgotten.iter().any(|subnet| !subnet.unconnected.is_empty()) { Status::Fail } else { Status::Warn };
    let problems = forgotten.into_iter().map(|subnet| {
        let name = format!("Subnet {}", subnet.net);
        let unconnected: Vec<&str> = subnet.unconnected.iter().map(Text::as_str).collect();
        let reason = match (unconnected.as_slice(), subnet.waiting.first()) {
            ([], None) => "finished before the operator started, so that it seems to have forgotten it".to_owned(),
            ([], Some(droplet)) => format!("the operator has forgotten it, as Droplet {droplet} says"),
            (droplets, _) => format!("the operator has forgotten it and connects no {}", some_of(droplets)),
        };
        let evidence = Evidence::new(&name, "spec.type", "not Provisioned", "Provisioned before the operator started");
        Problem::new(name, reason, evidence.since(subnet.since))
    });
    grouped("Subnets", subnets, problems.collect(), worst)
}

const CLOCK_AHEAD: &str = "its clock is ahead, so that nobody can tell whether its daemon was restarted before or after things were programmed";
const PROGRAMMING_LOST: &str = "its daemon was restarted and has lost what was programmed before";

pub(super) fn unprogrammed_nodes(facts: &Facts, options: &Options) -> Verdict {
    let nodes = facts.nodes.items().iter().filter(|node| !node.is_hollow()).count();
    let mut problems = Vec::new();
    for node in unprogrammed_nodes_of(facts, &options.moment()) {
        if let Missing::Programming { since, lost } = node.missing {
            let name = &node.node.object.name;
            let lost: Vec<&str> = lost.iter().map(Text::as_str).collect();
            let seen = format!("provisioned before the daemon started at {since}");
            let evidence =
                Evidence::new(format!("Endpoint {}", some_of(&lost)), "spec.provisiondelay", seen, "after it");
            let evidence = evidence.on(name).since(Some(since));
            problems.push(Problem::new(name, PROGRAMMING_LOST, evidence));
        }
    }
    for displaced in displaced(facts) {
        if let Misplaced::ProgrammingLost { node, since } = displaced.misplaced {
            let name = kind_and_name(&displaced.object);
            let seen = format!("provisioned before the daemon started at {since}");
            let evidence = Evidence::new(&name, "spec.provisiondelay", seen, "after it").since(Some(since));
            problems.push(Problem::new(node.as_str(), PROGRAMMING_LOST, evidence.on(&node)));
        }
    }
    let doubtful = doubtful_nodes(facts);
    if problems.is_empty() && !doubtful.is_empty() {
        return in_doubt(nodes, &doubtful);
    }
    problems.extend(doubtful.iter().map(doubt));
    grouped("nodes", nodes, problems, Status::Fail)
}

/// What seems to be lost by a clock that is wrong is no failure, and no remedy is taken for it.
fn in_doubt(nodes: usize, doubtful: &[DoubtfulNode]) -> Verdict {
    grouped("nodes", nodes, doubtful.iter().map(doubt).collect(), Status::Warn).hinting(|_| {
        let (namespace, name) = doubtful.first().map(|node| node.daemon).unwrap_or_default();
        format!(
            "set the clock right; where pods do not reach their node, have its daemon lose everything for certain with \
             `kubectl delete pod {name} -n {namespace}`, then `kubectl mizar repair` programs the node anew"
        )
    })
}

fn doubt(node: &DoubtfulNode) -> Problem {
    let objects: Vec<String> = node.objects.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
    let objects = some_of(&objects.iter().map(String::as_str).collect::<Vec<_>>());
    let seen = format!(
        "provisioned before the daemon started at {}, by a clock that seems to be {} s ahead",
        node.since, node.seconds_ahead
    );
    let evidence = Evidence::new(objects, "spec.provisiondelay", seen, "after it");
    Problem::new(&*node.node, CLOCK_AHEAD, evidence.on(&node.node).since(Some(node.since)))
}

fn unfinished(kind: &str, object: &MizarObject, retry: &Retry) -> Problem {
    let name = format!("{kind} {}", object.name);
    let reason = retry.message.as_deref().unwrap_or("the operator tries again and again").trim_end_matches('.');
    let field = format!("metadata.annotations[kopf.zalando.org/{}]", retry.handler);
    let seen = format!("{}: {reason}", counted(retry.retries as usize, "try"));
    let evidence = Evidence::new(&name, field, seen, "not there").since(retry.started.or(object.created));
    Problem::new(name, reason, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::{a_healthy_cluster, a_retry, minutes_ago, now};

    fn judged(change: impl FnOnce(&mut Facts)) -> Verdict {
        let mut facts = a_healthy_cluster();
        change(&mut facts);
        unfinished_handlers(&facts, &Options::at(now()))
    }

    fn endpoint_tried_since(facts: &mut Facts, minutes: i64) {
        facts.endpoints.edit()[0].object.retries = Box::new([a_retry("handler", minutes_ago(minutes))]);
    }

    #[test]
    fn a_handler_may_still_end_in_its_first_minute_and_in_the_first_one_of_the_network_that_it_waits_for() {
        let young = judged(|facts| endpoint_tried_since(facts, 0));
        assert_eq!((young.status, young.settles), (Status::Pass, None));
        let late = judged(|facts| endpoint_tried_since(facts, 2));
        assert_eq!((late.status, late.settles), (Status::Warn, None));
        let unlocked = judged(|facts| {
            endpoint_tried_since(facts, 2);
            facts.bouncers.edit()[0].object.provisioned = minutes_ago(0);
        });
        assert_eq!((unlocked.status, unlocked.settles), (Status::Warn, minutes_ago(-1)));
        let given_up = judged(|facts| endpoint_tried_since(facts, 90));
        assert_eq!((given_up.status, given_up.settles), (Status::Fail, None));
        let given_up_before = judged(|facts| {
            endpoint_tried_since(facts, 90);
            facts.bouncers.edit()[0].object.provisioned = minutes_ago(0);
        });
        assert_eq!((given_up_before.status, given_up_before.settles), (Status::Fail, None));
    }
}
