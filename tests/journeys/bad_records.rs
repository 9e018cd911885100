//! Records that cannot be made out: whoever would change something names the Secret and the field, and changes nothing.
//! What only looks goes on, and says what it cannot know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mizar_bed::Bed;
use mizar_core::release::Status;
use mizar_core::release::secret::{from_secret, pack};
use serde_json::{Value, json};

use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, assert_healthy_and_nothing_doubled, changes, get, installed, patch};

const RELEASE: &str = "sh.helm.release.v1.mizar.v1";
const OPERATION: &str = "mizar-operation";

fn secret(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
}

/// Puts `data` into a Secret, has both commands that change things refuse it in these words, and puts back what was there.
async fn refused(bed: &Bed, name: &str, key: &str, data: &str, words: &[&str]) {
    let before = get(bed, &secret(name)).await["data"].clone();
    patch(bed, &secret(name), &json!({"data": {key: STANDARD.encode(data)}})).await;
    let mark = bed.mark().await.unwrap();
    for line in ["install --profile dev -y", "repair -y"] {
        Mizar::on(bed)
            .args(line)
            .run()
            .await
            .exits(3)
            .tells(&[name])
            .tells(words)
            .tells(&["nothing was changed", "hint: "]);
    }
    let written = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(written.is_empty(), "{}", written.summary());
    patch(bed, &secret(name), &json!({"data": before})).await;
}

#[tokio::test]
async fn a_release_record_that_cannot_be_read_is_named_with_its_field() {
    let bed = installed().await;
    let stored = from_secret(&get(&bed, &secret(RELEASE)).await).unwrap();
    let whole = pack(&stored.release).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut content = serde_json::to_value(&stored.release).unwrap();
        change(&mut content);
        STANDARD.encode(content.to_string())
    };
    let cut = STANDARD.encode(&STANDARD.decode(&whole).unwrap()[..2000]);
    for (data, words) in [
        ("\u{1}\u{2}".to_owned(), "the record's base64"),
        (cut, "gzip"),
        (STANDARD.encode("{\"name\": \"mizar\""), "JSON: EOF"),
        (with(&|content| content["info"]["last_deployed"] = json!("yesterday")), "field info.last_deployed"),
        (with(&|content| content["version"] = json!(1.5)), "field version"),
        (with(&|content| content["namespace"] = json!("other")), "field namespace is other"),
        (with(&|content| content["name"] = json!("other")), "sh.helm.release.v1.other.v1"),
    ] {
        refused(&bed, RELEASE, "release", &data, &[words, "kubectl get secrets -A -l owner=helm"]).await;
    }
    // Whoever only looks needs the labels and no more.
    patch(&bed, &secret(RELEASE), &json!({"data": {"release": STANDARD.encode("x")}})).await;
    Mizar::on(&bed).args("check").run().await.exits(0);
    Mizar::on(&bed).args("status").run().await.exits(0).prints(&["mizar"]);
    patch(&bed, &secret(RELEASE), &json!({"data": {"release": STANDARD.encode(&whole)}})).await;
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn a_release_in_a_state_that_only_helm_ends_is_left_to_it() {
    let bed = installed().await;
    let stored = from_secret(&get(&bed, &secret(RELEASE)).await).unwrap();
    for (status, words) in [
        (Status::Uninstalling, ["is uninstalling", "helm -n mizar-system uninstall mizar"]),
        (Status::PendingUpgrade, ["is pending-upgrade", "helm -n mizar-system rollback mizar"]),
        (
            Status::Unknown,
            ["has a status that this version of kubectl-mizar does not know", "helm -n mizar-system status mizar"],
        ),
    ] {
        let mut release = stored.release.clone();
        release.info.status = status;
        let data = STANDARD.encode(pack(&release).unwrap());
        patch(&bed, &secret(RELEASE), &json!({"data": {"release": data}, "metadata": {"labels": {"status": status}}}))
            .await;
        let mark = bed.mark().await.unwrap();
        let install = Mizar::install(&bed).run().await;
        install.exits(3).tells(&["revision 1 of release mizar", "nothing was changed"]).tells(&words);
        let written = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
        assert!(written.is_empty(), "{}", written.summary());
        Mizar::on(&bed).args("status").run().await.exits(0);
    }
}

#[tokio::test]
async fn a_record_of_a_change_that_cannot_be_read_is_named_with_its_field() {
    let bed = installed().await;
    let whole = get(&bed, &secret(OPERATION)).await["data"]["operation"].as_str().unwrap().to_owned();
    let content: Value = serde_json::from_slice(&STANDARD.decode(&whole).unwrap()).unwrap();
    let with = |key: &str, value: Value| {
        let mut content = content.clone();
        content[key] = value;
        content.to_string()
    };
    let delete = "kubectl -n mizar-system delete secret mizar-operation";
    for (data, words) in [
        ("not JSON".to_owned(), ["JSON: expected", delete]),
        (content.to_string()[..100].to_owned(), ["JSON: EOF", delete]),
        (with("startedAt", json!("noon")), ["field startedAt", delete]),
        (with("holder", json!({})), ["field holder", delete]),
        (with("format", json!(99)), ["format 99", "knows formats up to"]),
    ] {
        refused(&bed, OPERATION, "operation", &data, &words).await;
    }
    patch(&bed, &secret(OPERATION), &json!({"data": {"operation": STANDARD.encode("not JSON")}})).await;
    let status = Mizar::on(&bed).args("status").run().await;
    status.exits(0).prints(&["mizar-operation", "JSON: expected"]).prints(&["next: look at it", delete]);
    let check = Mizar::on(&bed).args("check --check unfinished-restart").run().await;
    check.exits(0).prints(&["?", "secret mizar-system/mizar-operation is damaged: JSON: expected", delete]);

    // What the hint says is enough.
    let deleted = bed.kubectl().unwrap().args(["-n", NAMESPACE, "delete", "secret", OPERATION]).output().unwrap();
    assert!(deleted.status.success());
    Mizar::install(&bed).run().await.exits(0);
}
