//! Every check is made to pass and not to pass, on a bed where a bed can be like that; the facts of each situation are
//! recorded in `tests/fixtures/facts`, where they are judged again without a bed.
//!
//! `MIZAR_BLESS=1 cargo test -p kubectl-mizar --test journeys checks::found` records the facts anew, and after it the same
//! with `checks::page` writes `docs/check-cases.md`. `MIZAR_SITUATIONS=name,name` plays only these.

mod arktos;
mod broken;
mod components;
mod found;
mod machines;
mod network;
mod page;
mod pods;
mod replay;
mod run;
mod server;
mod situation;
mod stage;
mod surroundings;

use situation::Situation;

/// What is tried on a cluster without Mizar, each taken back before the next.
fn before() -> Vec<Situation> {
    let first = Situation::before("before", "three nodes without a pod network, and somebody who may do everything");
    let absent = Situation::after("not-installed", "Mizar is not installed")
        .fails("definitions", "not installed")
        .fails("daemon", "not installed")
        .fails("operator", "not installed");
    let parts = [server::before(), machines::before(), surroundings::before(), arktos::before()];
    [first, absent].into_iter().chain(parts.into_iter().flatten()).collect()
}

/// What is tried on an installed network, each taken back before the next.
fn after() -> Vec<Situation> {
    let first = Situation::after("healthy", "three nodes, a network in use, and nothing wrong").lasting(30);
    let parts = [
        server::after(),
        machines::after(),
        surroundings::after(),
        components::after(),
        network::after(),
        pods::after(),
    ];
    [first].into_iter().chain(parts.into_iter().flatten()).collect()
}

/// What is seen between an install and the moment at which the pods are recreated.
fn not_recreated() -> Vec<Situation> {
    vec![
        Situation::after(
            "pods-not-recreated",
            "Mizar was installed, and the name servers still use the network before it",
        )
        .warns("pods-older-than-mizar", "Pod kube-system/coredns")
        .lasting(5),
    ]
}

/// All situations, in the order of the page.
fn situations() -> Vec<Situation> {
    let parts =
        [before(), not_recreated(), after(), broken::daemon(), broken::operator(), broken::removal(), arktos::after()];
    parts.into_iter().flatten().collect()
}
