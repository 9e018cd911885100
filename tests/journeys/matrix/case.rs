//! A case of the matrix: which command, what befalls it, and at which request. The requests are those of a run without faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::fault::{Fault, Place};
use super::request::Request;
use super::scenario::Scenario;

/// One request of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Point {
    /// The n-th request that says so: `apply:daemonsets/mizar-daemon#1`.
    Nth(String, usize),
    /// The first of its kind: `list:pods`.
    FirstOf(String),
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(key, nth) => write!(out, "{key}#{nth}"),
            Self::FirstOf(kind) => out.write_str(kind),
        }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('#') {
            Some((key, nth)) => {
                nth.parse().map(|nth| Self::Nth(key.to_owned(), nth)).map_err(|error| error.to_string())
            }
            None => Ok(Self::FirstOf(text.to_owned())),
        }
    }
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    /// Which command, on what.
    pub(crate) scenario: Scenario,
    /// What befalls it.
    pub(crate) fault: Fault,
    /// Where.
    pub(crate) point: Point,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}", self.scenario, self.fault, self.point)
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, '/');
        let mut next = || parts.next().ok_or_else(|| format!("{text} is no case: say COMMAND/FAULT/POINT"));
        Ok(Self { scenario: next()?.parse()?, fault: next()?.parse()?, point: next()?.parse()? })
    }
}

/// Every case of the commands, by what each asked for when nothing went wrong.
pub(crate) fn cases<'a>(runs: impl IntoIterator<Item = (Scenario, &'a [Request])>) -> Vec<Case> {
    let mut all = Vec::new();
    // Commands that are one flow ask alike: a kind of request is tried in the first that makes it, and so is a stage of a long one.
    let mut tried = BTreeSet::new();
    for (scenario, run) in runs {
        for fault in Fault::ALL {
            let is_long = scenario.is_of_the_lifecycle();
            let places = if is_long { fault.places_in_long_runs() } else { fault.places() };
            for point in places.iter().flat_map(|place| points(*place, run, is_long)) {
                let is_new = match &point {
                    Point::Nth(..) if fault.kills() || !is_long => true,
                    Point::Nth(..) | Point::FirstOf(_) => tried.insert((scenario.flow(), fault, point.clone())),
                };
                if is_new {
                    all.push(Case { scenario, fault, point });
                }
            }
        }
    }
    all
}

/// How many objects alike a kind of write is tried on: the first, and one before which another one is done.
const ALIKE: usize = 2;

/// The points of a run. A long one writes the same to one object after the other: then it is tried on the first two.
fn points(place: Place, run: &[Request], is_long: bool) -> Vec<Point> {
    let kinds = |is_meant: fn(&Request) -> bool| {
        let mut seen = BTreeSet::new();
        let kinds = run.iter().filter(|request| is_meant(request)).map(Request::kind);
        kinds.filter(|kind| seen.insert(kind.clone())).map(Point::FirstOf).collect()
    };
    match place {
        Place::Read => kinds(|request| !request.is_write()),
        Place::KindOfWrite => kinds(Request::is_write),
        Place::Watch => kinds(|request| request.verb == "watch"),
        Place::Write => {
            let mut alike = Alike::default();
            numbered(run)
                // How often a lease is renewed depends on how long a run takes.
                .filter(|(request, nth)| request.is_write() && (request.verb != "renew" || *nth == 1))
                .filter(|(request, nth)| !is_long || alike.is_one_of_the_first(request, *nth))
                .map(|(request, nth)| Point::Nth(request.key(), nth))
                .collect()
        }
        Place::Stage => stages(run),
        Place::Phase => phases(run),
    }
}

/// The objects to which a kind of write was made so far.
#[derive(Default)]
struct Alike(BTreeMap<String, BTreeSet<String>>);

impl Alike {
    /// Whether a write is to one of the first objects of its kind. Records are not alike: each says something else.
    fn is_one_of_the_first(&mut self, request: &Request, nth: usize) -> bool {
        if request.resource == "secrets" {
            return true;
        }
        // Of names that are made up nobody knows which is which.
        let object = if request.name == "*" { nth.to_string() } else { request.name.clone() };
        let objects = self.0.entry(request.kind()).or_default();
        objects.contains(&object) || objects.len() < ALIKE && objects.insert(object)
    }
}

/// Each request with how often it has been asked for by then.
fn numbered(run: &[Request]) -> impl Iterator<Item = (&Request, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    run.iter().map(move |request| {
        let nth = counts.entry(request.key()).or_default();
        *nth += 1;
        (request, *nth)
    })
}

/// Where something new begins: the first request of each phase of the program, each step in the record (which may take two
/// writes of it), the first watch after it.
fn stages(run: &[Request]) -> Vec<Point> {
    let mut points = Vec::new();
    let mut phases = BTreeSet::new();
    let (mut in_step, mut in_wait) = (false, false);
    for (request, nth) in numbered(run).filter(|(request, _)| request.verb != "renew") {
        let begins_step = request.key() == "update:secrets/mizar-operation";
        let begins_wait = request.verb == "watch" && !in_wait;
        if phases.insert(request.phase.clone()) || begins_step && !in_step || begins_wait {
            points.push(Point::Nth(request.key(), nth));
        }
        in_step = begins_step;
        in_wait = (in_wait || begins_wait) && !begins_step;
    }
    points
}

/// The first request of each phase of the program.
fn phases(run: &[Request]) -> Vec<Point> {
    let mut seen = BTreeSet::new();
    let firsts = numbered(run).filter(|(request, _)| request.verb != "renew" && seen.insert(request.phase.clone()));
    firsts.map(|(request, nth)| Point::Nth(request.key(), nth)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, resource: &str, name: &str, phase: &str) -> Request {
        let [verb, resource, name, phase] = [verb, resource, name, phase].map(str::to_owned);
        Request { verb, resource, name, phase }
    }

    fn a_run() -> Vec<Request> {
        vec![
            request("list", "pods", "", "look"),
            request("list", "pods", "", "look"),
            request("create", "secrets", "mizar-operation", "apply"),
            request("update", "secrets", "mizar-operation", "apply"),
            request("apply", "daemonsets", "mizar-daemon", "apply"),
            request("watch", "pods", "", "wait"),
            request("watch", "daemonsets", "", "wait"),
            request("renew", "secrets", "mizar-operation", "lease"),
            request("renew", "secrets", "mizar-operation", "lease"),
            request("update", "secrets", "mizar-operation", "apply"),
        ]
    }

    fn told(place: Place) -> Vec<String> {
        points(place, &a_run(), false).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_write_each_kind_of_read_and_every_stage_is_a_point() {
        let operation = "secrets/mizar-operation";
        assert_eq!(told(Place::Read), ["list:pods", "watch:pods", "watch:daemonsets"]);
        assert_eq!(told(Place::Watch), ["watch:pods", "watch:daemonsets"]);
        assert_eq!(
            told(Place::Write),
            [
                format!("create:{operation}#1"),
                format!("update:{operation}#1"),
                "apply:daemonsets/mizar-daemon#1".to_owned(),
                format!("renew:{operation}#1"),
                format!("update:{operation}#2"),
            ]
        );
        assert_eq!(
            told(Place::Stage),
            [
                "list:pods#1".to_owned(),
                format!("create:{operation}#1"),
                format!("update:{operation}#1"),
                "watch:pods#1".to_owned(),
                format!("update:{operation}#2"),
            ]
        );
    }

    #[test]
    fn of_writes_to_many_objects_alike_those_to_the_first_two_are_tried() {
        let mut run = Vec::new();
        for node in ["node-1", "node-2", "node-3"] {
            run.push(request("merge", "nodes", node, "apply"));
            run.push(request("create", "pods.eviction", "*", "apply"));
            run.push(request("update", "secrets", "mizar-operation", "apply"));
            run.push(request("merge", "nodes", node, "apply"));
        }
        let told: Vec<String> = points(Place::Write, &run, true).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "merge:nodes/node-1#1",
                "create:pods.eviction/*#1",
                "update:secrets/mizar-operation#1",
                "merge:nodes/node-1#2",
                "merge:nodes/node-2#1",
                "create:pods.eviction/*#2",
                "update:secrets/mizar-operation#2",
                "merge:nodes/node-2#2",
                "update:secrets/mizar-operation#3",
            ]
        );
    }

    #[test]
    fn a_long_run_is_killed_at_every_write_and_else_disturbed_once_per_kind() {
        let run = a_run();
        let of = |scenario, fault: Fault| -> Vec<String> {
            let all = cases([(scenario, run.as_slice())]);
            all.iter().filter(|case| case.fault == fault).map(|case| case.point.to_string()).collect()
        };
        let count = |scenario, fault| of(scenario, fault).len();
        assert_eq!((count(Scenario::Install, Fault::KillAfter), count(Scenario::Upgrade, Fault::KillAfter)), (5, 5));
        assert_eq!((count(Scenario::Install, Fault::KillBefore), count(Scenario::Upgrade, Fault::KillBefore)), (8, 5));
        let kinds = ["create:secrets", "update:secrets", "apply:daemonsets", "renew:secrets"];
        assert_eq!(of(Scenario::Upgrade, Fault::Reset), kinds);
        assert_eq!(count(Scenario::Upgrade, Fault::Lost), kinds.len() + 3);
        let phases = ["list:pods#1", "create:secrets/mizar-operation#1", "watch:pods#1"];
        assert_eq!(of(Scenario::Upgrade, Fault::Stall), phases);
        assert_eq!(count(Scenario::Upgrade, Fault::Stale), count(Scenario::Install, Fault::Stale));
    }

    #[test]
    fn what_is_one_flow_is_disturbed_once_and_killed_each_time() {
        let run = a_run();
        let all = cases([(Scenario::Upgrade, run.as_slice()), (Scenario::Rollback, run.as_slice())]);
        let of_rollback: Vec<&Case> = all.iter().filter(|case| case.scenario == Scenario::Rollback).collect();
        assert_eq!(of_rollback.len(), 10);
        assert!(of_rollback.iter().all(|case| case.fault.kills()));
    }

    #[test]
    fn a_kind_of_read_is_tried_once_a_flow() {
        let run = a_run();
        let all = cases([(Scenario::Restart, run.as_slice()), (Scenario::Deadlock, run.as_slice())]);
        let of = |scenario| all.iter().filter(move |case| case.scenario == scenario);
        assert!(of(Scenario::Restart).any(|case| matches!(case.point, Point::FirstOf(_))));
        assert!(of(Scenario::Deadlock).all(|case| matches!(case.point, Point::Nth(..))));
    }

    #[test]
    fn a_case_is_found_again_by_what_it_is_called() {
        let run = a_run();
        let all = cases([(Scenario::Install, run.as_slice())]);
        assert!(all.len() > 40);
        for case in all {
            assert_eq!(case.to_string().parse::<Case>(), Ok(case));
        }
        assert!("install/kill-before".parse::<Case>().is_err());
        assert!("install/hiccup/list:pods".parse::<Case>().unwrap_err().contains("kill-after"));
    }
}
