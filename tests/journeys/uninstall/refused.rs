//! Refusals: nothing is changed by them.

use mizar_bed::Role;

use super::Place;
use crate::cli::Mizar;
use crate::cluster::{changes, requests};
use crate::killed::Writes;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_without_a_yes_by_a_plan_or_with_a_place_that_cannot_be_written() {
    let place = Place::installed().await;
    let mark = place.bed.mark().await.unwrap();
    let on = || Mizar::on(&place.bed);
    let plan = on().args("uninstall --plan").run().await;
    plan.exits(0).prints(&[
        "Deployment mizar-system/mizar-operator",
        "default/one",
        "node-1, node-2, node-3",
        "Stays:",
    ]);
    on().args("uninstall --crds --dry-run=client").run().await.exits(0).tells(&["nothing was changed"]);
    let names = on().args("uninstall --plan -o name").run().await;
    names.exits(0).prints(&["deployment.apps/mizar-operator", "vpc.mizar.com/vpc0"]);
    let json = on().args("uninstall --plan -o json").run().await;
    let planned = json.exits(0).json_lines();
    let planned = planned.iter().find(|event| event["type"] == "uninstallPlanned").unwrap();
    assert_eq!(planned["plan"]["nodes"].as_array().unwrap().len(), 3, "{planned:#}");
    on().args("uninstall").run().await.exits(3).tells(&["needs --yes", "nothing was changed", "Deployment"]);
    on().args("uninstall --dry-run=server").run().await.exits(2).tells(&["--plan"]);
    on().args("uninstall --yes --export /nowhere/at/all.yaml").run().await.exits(3).tells(&["nothing was changed"]);
    let theirs = place.folder.path().join("theirs.yaml");
    std::fs::write(&theirs, "kind: Other\n").unwrap();
    let refused = on().args("uninstall --yes --export").arg(&theirs).run().await;
    refused.exits(3).tells(&["theirs.yaml is there already", "no export of this program"]);
    on().args("uninstall --yes --skip-node node-9")
        .run()
        .await
        .exits(3)
        .tells(&["no node node-9", "kubectl get nodes"]);
    on().args("uninstall --yes -n elsewhere").run().await.exits(3).tells(&["namespace mizar-system", "elsewhere"]);
    let changed = changes(&place.bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(changed.is_empty(), "{}", changed.summary());
    Mizar::on(&place.bed).args("check").run().await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_every_missing_right() {
    let place = Place::installed().await;
    let mark = place.bed.mark().await.unwrap();
    let refused = Mizar::by(&place.bed, Role::Checker).args("uninstall --yes").run().await;
    refused.exits(4).tells(&[
        "you are not allowed to do what an uninstall does; nothing was changed",
        "you may not patch nodes, which is needed to take off what the operator left on it",
        "you may not create jobs.batch in namespace mizar-system, which is needed to clean the nodes",
        "docs/rbac/uninstaller.yaml",
    ]);
    let trail = place.bed.audit_since(mark).await.unwrap().by(Role::Checker);
    assert!(changes(&trail).is_empty(), "{}", trail.summary());
    Mizar::by(&place.bed, Role::Checker).args("uninstall --plan").run().await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_the_second_is_told_who_and_an_install_waits_for_the_end() {
    let place = Place::installed().await;
    place.bed.fault(mizar_bed::FaultOrder { fault: mizar_bed::Fault::CleanUpHangs, node: None }).await.unwrap();
    let mut writes = Writes::of(&place.bed);
    let mut first = place.uninstall().env("USER", "ann").start();
    writes.until(&mut first, 3).await;
    let second = Mizar::on(&place.bed).args("uninstall --yes").env("USER", "bob").run().await;
    second.exits(3).tells(&["ann on ", "uninstall since", "nothing was changed"]);
    first.signal(nix::sys::signal::Signal::SIGKILL);
    first.end().await;
    place.bed.clear_faults().await.unwrap();
    Mizar::install(&place.bed).run().await.exits(3).tells(&["half done", "kubectl mizar uninstall"]);
    place.uninstall().run().await.exits(0);
    println!("{} requests", requests(&place.bed).await.count());
}
