//! Helm on top of our install: what we recorded is Helm's own record.

use std::process::Command;

use mizar_bed::Bed;
use serde_json::Value;

use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, assert_healthy_and_nothing_doubled, bed, identities};

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

#[tokio::test]
async fn helm_4_shows_and_upgrades_what_we_installed() {
    let bed = bed().await;
    assert_helm_goes_on(&bed, || bed.helm4().unwrap()).await;
}

#[tokio::test]
async fn helm_3_shows_and_upgrades_what_we_installed() {
    let bed = bed().await;
    assert_helm_goes_on(&bed, || bed.helm3().unwrap()).await;
}
