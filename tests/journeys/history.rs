//! What was installed when, and of what it consisted: the same as Helm tells of the same records, whoever wrote them.

use mizar_bed::Bed;
use serde_json::Value;

use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, bed, changes, send};

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

#[tokio::test]
async fn history_and_its_parts_are_what_helm_tells_of_the_same_records() {
    let bed = bed().await;
    Mizar::install(&bed).args("--set vni=7").run().await.exits(0);
    Mizar::on(&bed).args("install -y --set resourceQuota.create=true").run().await.exits(0);
    helm(&bed, "upgrade mizar charts/mizar --reuse-values --set resourceQuota.pods=50");
    let mark = bed.mark().await.unwrap();

    let told = json(&ours(&bed, "history -o json").await);
    let items = told["items"].as_array().unwrap();
    let of_mizar: Vec<&Value> = items.iter().filter(|item| item["release"] == "mizar").collect();
    let helms = json(&helm(&bed, "history mizar -o json"));
    assert_eq!(helms.as_array().unwrap().len(), 3, "{helms}");
    for (ours, helms) in of_mizar.iter().zip(helms.as_array().unwrap()) {
        for (field, helms_field) in
            [("revision", "revision"), ("status", "status"), ("chart", "chart"), ("description", "description"), ("appVersion", "app_version")]
        {
            assert_eq!(ours[field], helms[helms_field], "{field}: {ours} {helms}");
        }
    }
    assert_eq!((of_mizar.len(), items.len()), (3, 4), "three of mizar and one of its definitions: {told}");
    Mizar::on(&bed).args("history").run().await.exits(0).prints(&["RELEASE", "mizar-crds", "superseded", "Upgrade complete"]);
    let names = ours(&bed, "history -o name").await;
    assert!(names.contains("secret/sh.helm.release.v1.mizar.v3\n"), "{names}");

    for revision in ["", "1", "2", "3"] {
        let flag = if revision.is_empty() { String::new() } else { format!("--revision {revision}") };
        for all in ["", "--all"] {
            let values = json(&ours(&bed, &format!("get values {revision} {all} -o json")).await);
            assert_eq!(values, json(&helm(&bed, &format!("get values mizar {flag} {all} -o json"))), "{revision} {all}");
        }
        let manifest = ours(&bed, &format!("get manifest {revision}")).await;
        assert_eq!(manifest.trim(), helm(&bed, &format!("get manifest mizar {flag}")).trim());
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
async fn a_damaged_record_is_told_beside_those_that_can_be_read() {
    let bed = bed().await;
    Mizar::on(&bed).args("history").run().await.exits(1).tells(&["no release of Mizar is recorded in the cluster"]);
    Mizar::install(&bed).run().await.exits(0);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.mizar-crds.v1");
    let mut secret = send(&bed, "GET", &path, None).await.unwrap();
    secret["data"]["release"] = "bm90aGluZw==".into();
    send(&bed, "PUT", &path, Some(&secret)).await.unwrap();
    let told = Mizar::on(&bed).args("history").run().await;
    told.exits(0).prints(&["Install complete"]).tells(&["sh.helm.release.v1.mizar-crds.v1 is damaged"]);
}
