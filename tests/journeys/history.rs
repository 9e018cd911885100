//! What was installed when, of what it consisted and what it changed: the same as Helm tells of the same records, whoever
//! wrote them.

use mizar_bed::Bed;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit_oracle::{Journey, assert_nothing_lost};
use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, bed, changes, installed, names, send};

/// What Helm prints.
fn helm(bed: &Bed, line: &str) -> String {
    let arguments = line.split_whitespace().chain(["-n", NAMESPACE]);
    let output = bed.helm4().unwrap().args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "helm {line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What we print, as data.
async fn ours(bed: &Bed, line: &str) -> String {
    let ended = Mizar::on(bed).args(line).run().await;
    ended.exits(0);
    ended.stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Asserts that both tell the same of the revisions of `mizar`, and returns how many there are.
async fn same_history(bed: &Bed) -> usize {
    let told = json(&ours(bed, "history --release mizar -o json").await);
    let (told, helms) = (told["items"].as_array().unwrap(), json(&helm(bed, "history mizar -o json")));
    let fields = ["revision", "status", "chart", "description", "appVersion"];
    let helms_fields = ["revision", "status", "chart", "description", "app_version"];
    let of = |item: &Value, fields: [&str; 5]| fields.map(|field| item[field].clone());
    let told: Vec<_> = told.iter().map(|item| of(item, fields)).collect();
    let helms: Vec<_> = helms.as_array().unwrap().iter().map(|item| of(item, helms_fields)).collect();
    assert_eq!(told, helms);
    told.len()
}

#[tokio::test]
async fn history_and_its_parts_are_what_helm_tells_of_the_same_records() {
    let bed = bed().await;
    Mizar::install(&bed).args("--set vni=7").run().await.exits(0);
    Mizar::on(&bed).args("install -y --set resourceQuota.create=true").run().await.exits(0);
    helm(&bed, "upgrade mizar charts/mizar --reuse-values --set resourceQuota.pods=50");
    let mark = bed.mark().await.unwrap();

    assert_eq!(same_history(&bed).await, 3);
    let table = Mizar::on(&bed).args("history").run().await;
    table.exits(0).prints(&["RELEASE", "mizar-crds", "superseded", "Upgrade complete"]);
    let secrets = ours(&bed, "history -o name").await;
    assert!(secrets.contains("secret/sh.helm.release.v1.mizar.v3\n"), "{secrets}");
    assert_eq!(secrets.lines().count(), 4, "three of mizar and one of its definitions: {secrets}");

    for revision in ["", "1", "2", "3"] {
        let flag = if revision.is_empty() { String::new() } else { format!("--revision {revision}") };
        for all in ["", "--all"] {
            let values = json(&ours(&bed, &format!("get values {revision} {all} -o json")).await);
            assert_eq!(
                values,
                json(&helm(&bed, &format!("get values mizar {flag} {all} -o json"))),
                "{revision} {all}"
            );
        }
        for part in ["manifest", "hooks"] {
            let told = ours(&bed, &format!("get {part} {revision}")).await;
            assert_eq!(told, helm(&bed, &format!("get {part} mizar {flag}")), "{part} {revision}");
        }
        let notes = ours(&bed, &format!("get notes {revision}")).await;
        let helms = helm(&bed, &format!("get notes mizar {flag}"));
        assert_eq!(notes.trim(), helms.trim().trim_start_matches("NOTES:").trim());
    }
    let definitions = json(&ours(&bed, "get manifest --release mizar-crds -o json").await);
    assert_eq!(definitions["items"].as_array().unwrap().len(), 6);

    let missing = Mizar::on(&bed).args("get values 9").run().await;
    missing.exits(1).tells(&["release mizar has no revision 9; there are: 1, 2, 3", "kubectl mizar history"]);
    let elsewhere = Mizar::on(&bed).args("history -n default").run().await;
    elsewhere.exits(1).tells(&["no release of Mizar is recorded in namespace default", "leave out -n"]);
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    assert!(changes(&trail).is_empty(), "who looks writes nothing: {}", trail.summary());
}

#[tokio::test]
async fn each_revision_tells_what_it_changed_whoever_made_it() {
    let bed = installed().await;
    helm(&bed, "upgrade mizar charts/mizar --reuse-values --set resourceQuota.create=true,global.key=planted");
    Mizar::on(&bed).args("install -y --set resourceQuota.pods=50").run().await.exits(0);
    helm(&bed, "rollback mizar 1");

    let first = Mizar::on(&bed).args("get plan 1").run().await;
    first.exits(0).prints(&["nothing, since it was the first", "+ DaemonSet mizar-system/mizar-daemon", "to create"]);
    let second = Mizar::on(&bed).args("get plan 2").run().await;
    second.exits(0).prints(&[
        "Beside: revision 1",
        ".resourceQuota.create: false → true",
        ".global: added \"(masked)\"",
        "+ ResourceQuota mizar-system/mizar-critical-pods",
        "1 to create",
    ]);
    assert!(!second.stdout.contains("planted"), "{second}");
    let third = json(&ours(&bed, "get plan 3 -o json").await);
    let written: Vec<&Value> = third["plan"]["stages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|stage| stage["changes"].as_array().unwrap())
        .filter(|change| change["action"] != "unchanged")
        .collect();
    assert_eq!(written.len(), 1, "{third:#}");
    assert_eq!(
        written[0]["fields"],
        json!([{"path": ".spec.hard.pods", "before": "5000", "after": "50"}]),
        "{third:#}"
    );
    let back = Mizar::on(&bed).args("get plan").run().await;
    back.exits(0).prints(&["mizar 4, deployed", "Rollback to 1", "- ResourceQuota mizar-system/mizar-critical-pods"]);
    let definitions = Mizar::on(&bed).args("get plan --release mizar-crds").run().await;
    definitions.exits(0).prints(&["6 to create"]);
}

#[tokio::test]
async fn a_damaged_record_is_told_beside_those_that_can_be_read() {
    let bed = bed().await;
    Mizar::on(&bed).args("history").run().await.exits(1).tells(&["no release of Mizar is recorded in the cluster"]);
    Mizar::install(&bed).run().await.exits(0);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.mizar-crds.v1");
    let mut secret = send(&bed, "GET", &path, None).await.unwrap();
    secret["data"]["release"] = "bm90aGluZw==".into();
    send(&bed, "PUT", &path, Some(&secret)).await.unwrap();
    let damaged = "sh.helm.release.v1.mizar-crds.v1 is damaged";
    Mizar::on(&bed).args("history").run().await.exits(0).prints(&["Install complete"]).tells(&[damaged]);
    Mizar::on(&bed).args("get values --release mizar-crds").run().await.exits(1).tells(&[damaged]);
    Mizar::on(&bed).args("get values").run().await.exits(0);
}

/// The revisions of `mizar` for which there is a Secret.
async fn kept(bed: &Bed) -> Vec<String> {
    let secrets =
        names(bed, &format!("/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner=helm,name=mizar")).await;
    secrets.into_iter().map(|name| name.rsplit('v').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn no_more_revisions_are_kept_than_helm_would_keep() {
    let bed = installed().await;
    let change = |pods: u32| {
        Mizar::on(&bed).args(&format!("install -y --set resourceQuota.create=true,resourceQuota.pods={pods}"))
    };
    for pods in 1..=3 {
        change(pods).run().await.exits(0);
    }
    assert_eq!(kept(&bed).await, ["1", "2", "3", "4"]);
    change(4).args("--history-max 3").run().await.exits(0);
    assert_eq!(kept(&bed).await, ["3", "4", "5"]);
    helm(&bed, "upgrade mizar charts/mizar --reuse-values --history-max 3");
    assert_eq!(kept(&bed).await, ["4", "5", "6"], "as Helm does it");
    change(5).env("HELM_MAX_HISTORY", "2").run().await.exits(0);
    assert_eq!(kept(&bed).await, ["6", "7"]);
    change(6).args("--history-max 0").run().await.exits(0);
    assert_eq!(kept(&bed).await, ["6", "7", "8"]);
    assert_eq!(same_history(&bed).await, 3);

    Mizar::on(&bed).args("get plan 6").run().await.exits(1).tells(&["is not kept any more", "kubectl mizar history"]);
    let wrong = change(7).env("HELM_MAX_HISTORY", "ten").run().await;
    wrong.exits(2).tells(&["HELM_MAX_HISTORY is \"ten\"", "--history-max"]);
    assert_eq!(kept(&bed).await, ["6", "7", "8"]);
    assert_nothing_lost(&bed.audit().await.unwrap(), &Journey { history_max: 2, ..Journey::default() });
}

/// A copy of the chart with a file that gzip cannot shrink.
fn a_chart_too_large_to_be_recorded() -> TempDir {
    let folder = TempDir::new().unwrap();
    let copy = std::process::Command::new("cp").arg("-r").arg(root().join("charts/mizar")).arg(folder.path()).status();
    assert!(copy.unwrap().success());
    let mut seed = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    })
    .take(900_000)
    .collect();
    std::fs::write(folder.path().join("mizar/kernel.bin"), noise).unwrap();
    folder
}

#[tokio::test]
async fn what_could_not_be_recorded_is_refused_before_anything_is_changed() {
    let bed = bed().await;
    let folder = a_chart_too_large_to_be_recorded();
    let chart = folder.path().join("mizar");
    let mark = bed.mark().await.unwrap();
    let refused = Mizar::install(&bed).args("--chart").arg(&chart).run().await;
    refused.exits(3).tells(&[
        "the record of release mizar is too large for a Secret: ",
        "chart file kernel.bin (",
        "nothing was changed",
        ".helmignore",
    ]);
    let trail = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(trail.is_empty(), "{}", trail.summary());
    // Its own hint helps.
    std::fs::write(chart.join(".helmignore"), "kernel.bin\n").unwrap();
    Mizar::install(&bed).args("--chart").arg(&chart).run().await.exits(0);
}
