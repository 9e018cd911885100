//! Commands that only look make nothing but reads and questions about one's own rights, not even attempts.

use mizar_bed::{AuditTrail, Bed, Role};
use serde_json::Value;

use crate::cli::Mizar;
use crate::cluster::{bed, installed};

/// Everything that only looks, as one user.
async fn look_at_everything(bed: &Bed, role: Role) {
    for line in [
        "check",
        "check --pre",
        "check -o json",
        "env",
        "env -o json",
        "env -o yaml --environment kind",
        "status",
        "status -o json",
        "status -o yaml",
        "status --watch --timeout 2s",
        "status --drift",
        "history",
        "get values --all",
        "get plan -o json",
        "install --profile dev --plan",
        "install --profile dev --save-plan /dev/null",
        "diff --profile dev",
        "diff --profile dev -o json",
        "render --profile dev",
        "template --profile prod --set images.init.digest=x",
        "values --show-origin",
        "bundle -f /dev/null",
    ] {
        let ended = Mizar::by(bed, role).args(line).run().await;
        assert!(!matches!(ended.code, None | Some(2 | 70)), "{ended}");
    }
}

fn assert_only_reads_and_self_reviews(trail: &AuditTrail) {
    let ours = trail.agent("kubectl-mizar/");
    assert!(ours.count() > 10, "they did look");
    let allowed = |verb: &str, resource: &str| {
        matches!(verb, "get" | "list" | "watch")
            || verb == "create" && ["selfsubjectrulesreviews", "selfsubjectaccessreviews"].contains(&resource)
    };
    let other = ours.filter(|entry| !allowed(&entry.verb, &entry.resource));
    assert!(other.is_empty(), "{}", other.summary());
}

#[tokio::test]
async fn what_only_looks_makes_no_attempt_to_write() {
    let bed = bed().await;
    look_at_everything(&bed, Role::Checker).await;
    assert_only_reads_and_self_reviews(&bed.audit().await.unwrap().by(Role::Checker));
    drop(bed);

    let bed = installed().await;
    let mark = bed.mark().await.unwrap();
    Mizar::by(&bed, Role::Checker).args("check").run().await.exits(0);
    look_at_everything(&bed, Role::Checker).await;
    // As one who could write, too.
    look_at_everything(&bed, Role::Admin).await;
    assert_only_reads_and_self_reviews(&bed.audit_since(mark).await.unwrap());
}

#[tokio::test]
async fn without_rights_nothing_passes_and_each_missing_right_is_named() {
    let bed = installed().await;
    let mark = bed.mark().await.unwrap();
    let ended = Mizar::by(&bed, Role::Nobody).args("check -o json").run().await;
    ended.exits(1);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 5, "{ended}");
    for check in checks {
        assert!(check["status"] == "unknown" || check["status"] == "skipped", "{check:#}");
        if check["status"] == "unknown" {
            let message = check["message"].as_str().unwrap();
            assert!(message.contains("list") || message.contains("get"), "{check:#}");
        }
    }
    Mizar::by(&bed, Role::Nobody).args("check --pre").run().await.exits(1).prints(&["list nodes"]);
    assert_only_reads_and_self_reviews_of(&bed.audit_since(mark).await.unwrap());
}

fn assert_only_reads_and_self_reviews_of(trail: &AuditTrail) {
    assert!(trail.agent("kubectl-mizar/").writes().is_empty(), "{}", trail.summary());
}
