//! Helm and Mizar in turns on the same releases, with the real Helm 3 and Helm 4: what one has recorded and applied the other
//! lists, gets, changes, takes back and takes out, with the values and the history that were there.
//!
//! No line here says `--force-conflicts` or `--take-ownership`. What Helm cannot do safely is tried in `repair/helm.rs`.

use std::process::Command;
use std::time::Duration;

use mizar_bed::Bed;
use serde_json::Value;

use crate::audit_oracle::{Journey, assert_nothing_lost};
use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, assert_healthy_and_nothing_doubled, bed, get, identities, names};
use crate::repair::{SCALE, prove};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn output(mut command: Command, line: &str) -> String {
    let output = command.args(line.split_whitespace()).current_dir(root()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "helm {line}: {stderr}{stdout}");
    stdout.into_owned()
}

fn json(command: Command, line: &str) -> Value {
    serde_json::from_str(&output(command, &format!("{line} -o json"))).unwrap()
}

/// Installs with Mizar, looks and upgrades with Helm, runs Mizar again.
async fn assert_helm_goes_on(bed: &Bed, helm: impl Fn() -> Command) {
    Mizar::install(bed).args("--set resourceQuota.create=true --set vni=7").run().await.exits(0);
    let before = identities(bed).await;

    let list = json(helm(), "list --all-namespaces");
    let listed: Vec<(&str, &str, &str)> = (list.as_array().unwrap().iter())
        .map(|release| {
            let text = |key: &str| release[key].as_str().unwrap_or_default();
            (text("name"), text("revision"), text("status"))
        })
        .collect();
    assert_eq!(listed, [("mizar", "1", "deployed"), ("mizar-crds", "1", "deployed")]);
    let in_namespace = |line: &str| format!("{line} -n {NAMESPACE}");
    assert_eq!(json(helm(), &in_namespace("history mizar")).as_array().unwrap().len(), 1);
    assert_eq!(json(helm(), &in_namespace("status mizar"))["info"]["status"], "deployed");
    let values = json(helm(), &in_namespace("get values mizar"));
    assert_eq!((&values["vni"], &values["resourceQuota"]["create"]), (&Value::from(7), &Value::from(true)));
    let manifest = output(helm(), &in_namespace("get manifest mizar"));
    assert!(manifest.contains("name: mizar-daemon"), "{manifest}");
    let template =
        "template mizar charts/mizar -f charts/mizar/values-dev.yaml --set resourceQuota.create=true --set vni=7";
    let template = output(helm(), &in_namespace(template));
    // Helm 4 separates documents by one more newline than Helm 3 does.
    let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&manifest), lines(&template), "what is recorded is what Helm itself renders");
    for line in ["get notes mizar", "get hooks mizar", "get all mizar-crds"] {
        output(helm(), &in_namespace(line));
    }

    output(helm(), &in_namespace("upgrade mizar charts/mizar --reuse-values"));
    output(helm(), &in_namespace("upgrade mizar-crds charts/mizar-crds --reuse-values"));
    assert_eq!(identities(bed).await, before, "nothing restarts");
    assert_eq!(json(helm(), &in_namespace("get values mizar"))["vni"], 7);
    assert_healthy_and_nothing_doubled(bed).await;
    Mizar::on(bed).args("install -y").run().await.exits(0);
    assert_eq!(identities(bed).await, before, "nothing restarts");
    assert_healthy_and_nothing_doubled(bed).await;
}

/// The revisions of `mizar` as Helm lists them: status and description, oldest first.
fn revisions(command: Command) -> Vec<String> {
    let history = json(command, &format!("history mizar -n {NAMESPACE}"));
    let told = |it: &Value| format!("{} {}", it["status"], it["description"]).replace('"', "");
    history.as_array().unwrap().iter().map(told).collect()
}

/// The same as we list them.
async fn our_revisions(bed: &Bed) -> Vec<String> {
    let told = Mizar::on(bed).args("history --release mizar -o json").run().await;
    told.exits(0);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let of = |it: &Value| format!("{} {}", it["status"], it["description"]).replace('"', "");
    told["items"].as_array().unwrap().iter().map(of).collect()
}

/// The values as we tell them, which must be as Helm tells them.
async fn values(bed: &Bed, helm: Command) -> Value {
    let told = Mizar::on(bed).args("get values -o json").run().await;
    told.exits(0);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told, json(helm, &format!("get values mizar -n {NAMESPACE}")));
    told
}

/// Changes values with Helm, goes back with it, and takes the releases out with it.
async fn assert_helm_goes_back_and_out(bed: &Bed, helm: impl Fn() -> Command) {
    let before = identities(bed).await;
    let first = values(bed, helm()).await;
    let count = revisions(helm()).len();
    output(helm(), &format!("upgrade mizar charts/mizar --reuse-values --set resourceQuota.pods=50 -n {NAMESPACE}"));
    assert_eq!(values(bed, helm()).await["resourceQuota"], serde_json::json!({"create": true, "pods": 50}));
    output(helm(), &format!("rollback mizar {count} -n {NAMESPACE}"));
    assert_eq!(values(bed, helm()).await, first, "what was chosen before is chosen again");
    let told = our_revisions(bed).await;
    assert_eq!(told, revisions(helm()));
    assert_eq!(told.last().unwrap(), &format!("deployed Rollback to {count}"));
    assert_eq!(told.iter().filter(|it| it.starts_with("deployed")).count(), 1, "{told:?}");
    assert_eq!(identities(bed).await, before, "nothing restarts");
    Mizar::on(bed).args("status --drift").run().await.exits(0);
    assert_healthy_and_nothing_doubled(bed).await;

    let definitions = names(bed, DEFINITIONS).await;
    for release in ["mizar", "mizar-crds"] {
        output(helm(), &format!("uninstall {release} -n {NAMESPACE}"));
    }
    assert_eq!(json(helm(), "list --all-namespaces"), serde_json::json!([]));
    assert_eq!(names(bed, DEFINITIONS).await, definitions, "their policy keeps the definitions");
    assert_eq!(names(bed, "/apis/mizar.com/v1/vpcs").await, ["vpc0"], "and so the network's objects");
    assert_eq!(names(bed, "/apis/apps/v1/namespaces/mizar-system/daemonsets").await, Vec::<String>::new());
    Mizar::on(bed).args("history").run().await.exits(1).tells(&["no release of Mizar is recorded in the cluster"]);
}

#[tokio::test]
async fn helm_4_shows_upgrades_rolls_back_and_uninstalls_what_we_installed() {
    let bed = bed().await;
    assert_helm_goes_on(&bed, || bed.helm4().unwrap()).await;
    assert_helm_goes_back_and_out(&bed, || bed.helm4().unwrap()).await;
}

#[tokio::test]
async fn helm_3_shows_upgrades_rolls_back_and_uninstalls_what_we_installed() {
    let bed = bed().await;
    assert_helm_goes_on(&bed, || bed.helm3().unwrap()).await;
    assert_helm_goes_back_and_out(&bed, || bed.helm3().unwrap()).await;
}

/// Has Helm install with values, changes one with Mizar, and goes on, back and out with Helm.
async fn assert_helm_and_we_take_turns(bed: &Bed, helm: impl Fn() -> Command) {
    output(helm(), &format!("install mizar-crds charts/mizar-crds -n {NAMESPACE} --create-namespace"));
    let chosen = "-f charts/mizar/values-dev.yaml --set resourceQuota.create=true,vni=7";
    output(helm(), &format!("install mizar charts/mizar -n {NAMESPACE} {chosen}"));
    Mizar::on(bed).args("check --wait --timeout 60s").run().await.exits(0);
    let before = identities(bed).await;
    let first = values(bed, helm()).await;
    assert_eq!((&first["vni"], &first["resourceQuota"]["create"]), (&Value::from(7), &Value::from(true)));
    assert_eq!(our_revisions(bed).await, revisions(helm()));
    Mizar::on(bed).args("status").run().await.exits(0).prints(&["mizar revision 1 deployed"]);
    Mizar::on(bed).args("status --drift").run().await.exits(0);

    Mizar::on(bed).args("install -y --set resourceQuota.pods=40").run().await.exits(0);
    let second = values(bed, helm()).await;
    let mut wanted = first.clone();
    wanted["resourceQuota"]["pods"] = 40.into();
    assert_eq!(second, wanted, "values that Helm was given are kept");
    assert_eq!(revisions(helm()), ["superseded Install complete", "deployed Upgrade complete"]);
    assert_eq!(identities(bed).await, before, "nothing restarts");
    assert_healthy_and_nothing_doubled(bed).await;
    assert_helm_goes_back_and_out(bed, helm).await;
}

#[tokio::test]
async fn what_helm_4_installed_we_change_and_helm_goes_on() {
    let bed = bed().await;
    assert_helm_and_we_take_turns(&bed, || bed.helm4().unwrap()).await;
}

#[tokio::test]
async fn what_helm_3_installed_we_change_and_helm_goes_on() {
    let bed = bed().await;
    assert_helm_and_we_take_turns(&bed, || bed.helm3().unwrap()).await;
}

/// Every one of the three finds the fields and records of the two others and goes on, without being forced.
#[tokio::test]
async fn helm_3_helm_4_and_we_change_one_release_in_turns() {
    let bed = bed().await;
    Mizar::install(&bed).args("--set resourceQuota.create=true,vni=7").run().await.exits(0);
    let before = identities(&bed).await;
    let upgrade =
        |pods: u32| format!("upgrade mizar charts/mizar --reuse-values --set resourceQuota.pods={pods} -n {NAMESPACE}");
    let ours = |pods: u32| Mizar::on(&bed).args(&format!("install -y --set resourceQuota.pods={pods}"));
    let quota = "/api/v1/namespaces/mizar-system/resourcequotas/mizar-critical-pods";

    output(bed.helm3().unwrap(), &upgrade(2));
    ours(3).run().await.exits(0);
    output(bed.helm4().unwrap(), &upgrade(4));
    output(bed.helm3().unwrap(), &upgrade(5));
    output(bed.helm4().unwrap(), &format!("rollback mizar 2 -n {NAMESPACE}"));
    assert_eq!(get(&bed, quota).await["spec"]["hard"]["pods"], "2");
    ours(7).run().await.exits(0);
    output(bed.helm3().unwrap(), &format!("rollback mizar 3 -n {NAMESPACE}"));
    assert_eq!(get(&bed, quota).await["spec"]["hard"]["pods"], "3");
    ours(9).run().await.exits(0);
    output(bed.helm4().unwrap(), &upgrade(10));
    assert_eq!(get(&bed, quota).await["spec"]["hard"]["pods"], "10");

    let told = our_revisions(&bed).await;
    assert_eq!(told, revisions(bed.helm3().unwrap()));
    assert_eq!(told, revisions(bed.helm4().unwrap()));
    assert_eq!(told.len(), 10, "{told:?}");
    assert_eq!(values(&bed, bed.helm4().unwrap()).await["vni"], 7, "what was chosen first is chosen still");
    Mizar::on(&bed).args("status --drift").run().await.exits(0);
    Mizar::on(&bed).args("install -y").run().await.exits(0);
    assert_eq!(identities(&bed).await, before, "nothing restarts");
    assert_healthy_and_nothing_doubled(&bed).await;
    assert_nothing_lost(&bed.audit().await.unwrap(), &Journey::default());
    output(bed.helm3().unwrap(), &format!("uninstall mizar mizar-crds -n {NAMESPACE}"));
}

/// What makes every daemon and the operator old.
const OF_TEMPLATES: &str = "--set daemon.resources.requests.memory=96Mi,operator.resources.requests.memory=96Mi";

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_installed_we_upgrade_and_roll_back_and_both_helms_go_on() {
    let bed = bed().await;
    let ours = |line: &str| Mizar::on(&bed).args(line).args("-y").impatient(SCALE).within(Duration::from_secs(240));
    let quota = async || {
        get(&bed, "/api/v1/namespaces/mizar-system/resourcequotas/mizar-critical-pods").await["spec"]["hard"]["pods"]
            .clone()
    };
    output(bed.helm4().unwrap(), &format!("install mizar-crds charts/mizar-crds -n {NAMESPACE} --create-namespace"));
    let chosen = "-f charts/mizar/values-dev.yaml --set resourceQuota.create=true,vni=7";
    output(bed.helm4().unwrap(), &format!("install mizar charts/mizar -n {NAMESPACE} {chosen}"));
    Mizar::on(&bed).args("check --wait --timeout 60s").run().await.exits(0);
    ours("install --recreate-pods").run().await.exits(0);
    let before = identities(&bed).await;

    ours("upgrade --set resourceQuota.pods=40").run().await.exits(0);
    let ours_is = revisions(bed.helm3().unwrap()).len();
    output(
        bed.helm3().unwrap(),
        &format!("upgrade mizar charts/mizar --reuse-values --set resourceQuota.pods=50 -n {NAMESPACE}"),
    );
    assert_eq!(quota().await, "50");
    ours(&format!("rollback {ours_is}")).run().await.exits(0);
    assert_eq!(quota().await, "40", "back from what Helm 3 had made");
    output(bed.helm4().unwrap(), &format!("rollback mizar {} -n {NAMESPACE}", ours_is + 1));
    assert_eq!(quota().await, "50", "and Helm 4 takes that back");
    assert_eq!(identities(&bed).await, before, "nothing restarts");
    assert_eq!(our_revisions(&bed).await.last().unwrap(), &format!("deployed Rollback to {}", ours_is + 1));

    // Helm changes the daemons' template and replaces none of them; we go on with what it left.
    let template = "--set daemon.resources.requests.memory=128Mi";
    output(bed.helm4().unwrap(), &format!("upgrade mizar charts/mizar --reuse-values {template} -n {NAMESPACE}"));
    let pods = "/api/v1/namespaces/mizar-system/pods?labelSelector=job=mizar-daemon";
    let left = names(&bed, pods).await;
    ours("upgrade").run().await.exits(0).tells(&["node node-1", "node node-2", "node node-3"]);
    assert!(names(&bed, pods).await.iter().all(|pod| !left.contains(pod)), "every daemon is another one");

    ours("upgrade").args(OF_TEMPLATES).run().await.exits(0).tells(&["node node-1", "node node-2", "node node-3"]);
    let upgraded = identities(&bed).await;
    assert_ne!(upgraded, before);
    for helm in [bed.helm3().unwrap(), bed.helm4().unwrap()] {
        output(helm, &format!("upgrade mizar charts/mizar --reuse-values -n {NAMESPACE}"));
        assert_eq!(identities(&bed).await, upgraded, "what we upgraded Helm finds as it should be");
    }
    let values = values(&bed, bed.helm4().unwrap()).await;
    assert_eq!((&values["vni"], &values["resourceQuota"]["pods"]), (&Value::from(7), &Value::from(50)));
    assert_eq!(our_revisions(&bed).await, revisions(bed.helm4().unwrap()));
    Mizar::on(&bed).args("status --drift").run().await.exits(0);
    prove(&bed, "turns").await;
    assert_nothing_lost(&bed.audit().await.unwrap(), &Journey::default());
}
