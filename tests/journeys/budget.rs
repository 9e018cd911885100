//! What install and check cost the API server, counted in its audit log and printed: the budgets of the design.

use std::collections::{BTreeMap, BTreeSet};

use mizar_bed::{AuditTrail, Bed};
use serde_json::Value;

use crate::cli::{Ended, Mizar};
use crate::cluster::{bed, phase};

/// Requests by phase, in the order of the phases' first requests.
fn by_phase(trail: &AuditTrail) -> Vec<(String, AuditTrail)> {
    let mut phases: Vec<String> = Vec::new();
    for entry in trail.entries() {
        let name = phase(&entry.user_agent).to_owned();
        if !phases.contains(&name) {
            phases.push(name);
        }
    }
    phases.into_iter().map(|name| (name.clone(), trail.filter(|entry| phase(&entry.user_agent) == name))).collect()
}

fn print_table(title: &str, trail: &AuditTrail) {
    println!("{title}: {} requests, {} of them writes", trail.count(), trail.writes().count());
    for (name, requests) in by_phase(trail) {
        println!("  {name:<22} {:>4}", requests.count());
        for line in requests.summary().lines() {
            println!("      {line}");
        }
    }
}

/// The requests of one phase.
fn of(trail: &AuditTrail, name: &str) -> AuditTrail {
    trail.filter(|entry| phase(&entry.user_agent) == name)
}

/// Runs a command and returns what it asked for.
async fn counted(bed: &Bed, title: &str, mizar: Mizar) -> (Ended, AuditTrail) {
    let mark = bed.mark().await.unwrap();
    let ended = mizar.run().await;
    ended.exits(0);
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    print_table(title, &trail);
    (ended, trail)
}

/// Asserts that no list is asked for twice; the pages of one list count once.
fn assert_no_list_twice(trail: &AuditTrail, what: &str) {
    let mut lists = BTreeMap::<(&str, &str, &str), usize>::new();
    let first_pages = trail.entries().iter().filter(|entry| entry.verb == "list" && !entry.uri.contains("continue="));
    for entry in first_pages {
        *lists.entry((&entry.group, &entry.resource, &entry.namespace)).or_default() += 1;
    }
    let twice: Vec<_> = lists.into_iter().filter(|(_, number)| *number > 1).collect();
    assert!(twice.is_empty(), "{what}: {twice:?}");
}

fn plan_of(install: &Ended) -> Value {
    let events = install.json_lines();
    events.iter().find(|event| event["type"] == "planMade").expect("a plan is made").clone()
}

#[tokio::test]
async fn a_first_install_a_rerun_and_a_check_keep_to_their_budgets() {
    let bed = bed().await;
    let (install, first) = counted(&bed, "first install", Mizar::install(&bed).args("-o json")).await;
    let plan = plan_of(&install);
    let stages: Vec<&Value> =
        plan["plan"]["stages"].as_array().unwrap().iter().filter(|stage| stage["release"].is_string()).collect();
    let objects: usize = stages.iter().map(|stage| stage["changes"].as_array().unwrap().len()).sum();
    let kinds: BTreeSet<String> = (plan["plan"]["stages"].as_array().unwrap().iter())
        .flat_map(|stage| stage["changes"].as_array().unwrap())
        .map(|change| change["object"]["kind"].to_string())
        .collect();

    // The wait for the definitions belongs to applying: what comes after needs them.
    let definitions = of(&first, "install/wait").resource("customresourcedefinitions").count();
    let apply = of(&first, "install/apply").count() + definitions;
    let budget = objects + 16 + stages.len();
    println!("apply: {apply} of at most {budget} requests ({objects} objects, {} stages)", stages.len());
    assert!(apply <= budget, "apply: {apply} requests, the budget is {budget}");

    let waits = of(&first, "install/wait");
    for verb in ["list", "watch"] {
        let mut seen = BTreeSet::new();
        // A server that has just been given a definition may ask for patience (429) before it serves a watch.
        for entry in waits.verb(verb).filter(|entry| entry.code == 200).entries() {
            assert!(seen.insert(&entry.resource), "one {verb} per kind waited on, but {} again", entry.resource);
        }
    }
    assert!(waits.writes().is_empty() && waits.resource("pods").is_empty(), "{}", waits.summary());
    assert!(of(&first, "install/look").is_empty(), "nothing stands still in a healthy install");
    for name in ["install/records", "install/preflight", "install/check"] {
        assert_no_list_twice(&of(&first, name), name);
    }

    let (_, rerun) = counted(&bed, "nothing changed", Mizar::on(&bed).args("install -y")).await;
    assert!(rerun.writes().is_empty(), "{}", rerun.writes().summary());
    assert!(of(&rerun, "install/lease").is_empty());
    let read = rerun.filter(|entry| phase(&entry.user_agent) != "install/check" && entry.verb != "create");
    // What preflight asks besides: these, the version and what is served say whether an install may start.
    let preflight: BTreeSet<&str> = ["nodes", "pods", "services", "networkpolicies", "configmaps", ""].into();
    let plan = read.filter(|entry| !preflight.contains(entry.resource.as_str()));
    println!("plan of a rerun: {} of at most {} requests ({} kinds)", plan.count(), kinds.len() + 4, kinds.len());
    assert!(plan.count() <= kinds.len() + 4, "{} requests, {} kinds:\n{}", plan.count(), kinds.len(), plan.summary());

    for (title, line) in [("check", "check"), ("check --pre", "check --pre")] {
        let (_, check) = counted(&bed, title, Mizar::on(&bed).args(line)).await;
        assert_no_list_twice(&check, title);
        assert!(check.verb("watch").is_empty(), "{}", check.summary());
    }
}
