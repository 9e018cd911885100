//! What does not move: objects that stay Init, and handlers of the operator that never end although the object they
//! belong to says Provisioned.

use super::Options;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, reasons};
use crate::facts::{Facts, MizarObject, Retry};

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
    let objects = objects(facts);
    let mut problems = Vec::new();
    let mut kinds = Vec::new();
    let mut worst = Status::Warn;
    for (kind, object) in objects.iter().filter(|(_, object)| object.is_provisioned() && object.deleting.is_none()) {
        for retry in &object.retries {
            let since = retry.started.or(object.created);
            if !options.is_older(since, options.thresholds.unfinished_handler) {
                continue;
            }
            if options.is_older(since, options.thresholds.stuck_failure) {
                worst = Status::Fail;
            }
            kinds.push(*kind);
            problems.push(unfinished(kind, object, retry));
        }
    }
    // After a restart on a finished network the operator's Bouncers wait for Endpoints and its Endpoints for Bouncers.
    if kinds.contains(&"Bouncer") && kinds.contains(&"Endpoint") {
        let message =
            format!("the operator was restarted on a finished network and wires no new pod: {}", reasons(&problems));
        return Verdict::fail(message).with(problems.into_iter().map(|problem| problem.evidence).collect());
    }
    grouped("objects", objects.len(), problems, worst)
}

fn unfinished(kind: &str, object: &MizarObject, retry: &Retry) -> Problem {
    let name = format!("{kind} {}", object.name);
    let reason = retry.message.as_deref().unwrap_or("the operator tries again and again").trim_end_matches('.');
    let field = format!("metadata.annotations[kopf.zalando.org/{}]", retry.handler);
    let seen = format!("{} tries: {reason}", retry.retries);
    let evidence = Evidence::new(&name, field, seen, "not there").since(retry.started.or(object.created));
    Problem::new(name, reason, evidence)
}
