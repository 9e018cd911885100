//! Plans: what `diff` shows, what a plan tells of conflicts and of what it cuts, and plans that are saved by one person and
//! carried out by another, or by nobody when the cluster moved.

mod handed_on;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use mizar_bed::{AuditMark, Bed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Ended, Mizar};
use crate::cluster::{
    NAMESPACE, assert_healthy_and_nothing_doubled, bed, changes, create, get, identities, installed, names, patch,
    requests, send,
};
use crate::repair::{SCALE, at_work};

/// The operator is restarted by its own rounds.
const DEADLINE: Duration = Duration::from_secs(240);

/// Another image of the daemon: an install refuses it, and shows it all the same.
const OTHER_DAEMON: &str = "--set-string images.daemon.tag=other";

async fn assert_nothing_was_changed_since(bed: &Bed, mark: AuditMark) {
    let changes = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(changes.is_empty(), "{}", changes.summary());
}

/// Labels an object as somebody else.
async fn label(bed: &Bed, path: &str, value: &str) {
    let object = get(bed, path).await;
    let labels = json!({"apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {"name": object["metadata"]["name"], "labels": {"by": value}}});
    patch(bed, &format!("{path}?fieldManager=somebody"), &labels).await;
}

const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mizar:operator";

#[tokio::test]
async fn diff_tells_by_its_exit_code_whether_anything_would_change_and_never_writes() {
    let bed = bed().await;
    let diff = |line: &str| Mizar::on(&bed).args("diff").args(line).run();
    let before = diff("--profile dev").await;
    before.exits(10).prints(&[
        "Namespace mizar-system is new (namespace)",
        "DaemonSet mizar-system/mizar-daemon is new (daemon, release mizar)",
        "--- /dev/null\n+++ planned/mizar-system/daemonset.apps/mizar-daemon",
        "+kind: DaemonSet",
    ]);
    let named = diff("--profile dev -o name").await;
    named.exits(10).prints(&["namespace/mizar-system\n", "daemonset.apps/mizar-daemon\n"]);
    diff("").await.exits(2).tells(&["--profile"]);
    let trail = requests(&bed).await;
    assert!(changes(&trail).is_empty() && trail.writes().is_empty(), "{}", trail.summary());

    Mizar::install(&bed).run().await.exits(0);
    let mark = bed.mark().await.unwrap();
    let same = diff("").await;
    assert_eq!(same.stdout, "", "{same}");
    same.exits(0);
    let document: Value = serde_json::from_str(&diff("-o json").await.exits(0).stdout).unwrap();
    assert_eq!((&document["kind"], &document["changes"]), (&json!("Diff"), &json!([])));

    let other = diff("--set resourceQuota.create=true").await;
    other.exits(10).prints(&[
        "Values that you chose",
        "resourceQuota.create: false → true",
        "ResourceQuota mizar-system/",
    ]);
    let daemon = diff(OTHER_DAEMON).await;
    daemon.exits(10).prints(&["-        image: ", "+        image: ", ":other"]);
    assert!(!daemon.stdout.contains("In the way"), "an upgrade may do that: {daemon}");
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    assert!(trail.count() > 10 && trail.writes().is_empty(), "{}", trail.summary());
}

/// A chart of ours with a Secret in it.
fn chart_with_a_secret(folder: &Path) {
    let root = crate::cli::root().join("charts/mizar");
    copy(&root, folder);
    std::fs::create_dir_all(folder.join("templates/configuration")).unwrap();
    std::fs::write(
        folder.join("templates/configuration/login.yaml"),
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\nstringData:\n  password: {{ .Values.global.password }}\n",
    )
    .unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_secret_is_masked_wherever_a_change_is_shown_and_a_saved_plan_is_for_its_owner_alone() {
    let folder = TempDir::new().unwrap();
    let (chart, saved) = (folder.path().join("mizar"), folder.path().join("plan.json"));
    chart_with_a_secret(&chart);
    let bed = bed().await;
    let with = |mizar: Mizar, password: &str| {
        mizar.arg("--chart").arg(&chart).args(&format!("--set global.password={password}"))
    };
    let shows_nothing = |ended: &Ended| {
        for secret in ["hunter2", "hunter3", "aHVudGVyMg==", "aHVudGVyMw=="] {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret}: {ended}");
        }
    };
    with(Mizar::install(&bed), "hunter2").run().await.exits(0);
    for line in ["diff", "diff -o json", "diff -o yaml", "install --plan", "install --plan -o json"] {
        let ended = with(Mizar::on(&bed).args(line), "hunter3").run().await;
        ended.exits(if line.starts_with("diff") { 10 } else { 0 }).prints(&["(masked)"]);
        shows_nothing(&ended);
    }
    let ended = with(Mizar::on(&bed).args("install --save-plan").arg(&saved), "hunter3").run().await;
    ended.exits(0);
    shows_nothing(&ended);
    let mode = std::fs::metadata(&saved).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&saved).unwrap()).unwrap();
    assert!(!file["plan"]["shown"].as_str().unwrap().contains("hunter"), "{file:#}");
    // The chart is named again: the plan holds its number, and another one is not carried out.
    Mizar::on(&bed).args("install --use-plan").arg(&saved).run().await.exits(2).tells(&["--chart DIR"]);
    let carried = Mizar::on(&bed).args("install --use-plan").arg(&saved).arg("--chart").arg(&chart).run().await;
    carried.exits(0);
    let secret = get(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/secrets/login")).await;
    assert_eq!(secret["data"]["password"], "aHVudGVyMw==");
}

#[tokio::test]
async fn a_saved_plan_is_carried_out_by_somebody_else_without_asking_and_does_what_an_install_does() {
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("plan.json");
    let bed = bed().await;
    let planned = Mizar::on(&bed).args("install --profile dev --save-plan").arg(&saved).run().await;
    planned.exits(0).prints(&["DaemonSet mizar-system/mizar-daemon", "Expected duration"]).tells(&["--use-plan"]);
    assert!(requests(&bed).await.writes().is_empty(), "nothing is changed");
    assert!(!names(&bed, "/api/v1/namespaces").await.contains(&NAMESPACE.to_owned()));
    // Whoever carries it out has nothing but the file; nobody is asked.
    let carried = Mizar::on(&bed).args("install --use-plan").arg(&saved).run().await;
    carried.exits(0).tells(&["DaemonSet mizar-system/mizar-daemon", "Sanity Check"]);
    assert_healthy_and_nothing_doubled(&bed).await;
    Mizar::on(&bed).args("diff").run().await.exits(0);
    Mizar::install(&bed).run().await.exits(0).tells(&["nothing was written"]);
    // A second time it would not do the same.
    let mark = bed.mark().await.unwrap();
    let again = Mizar::on(&bed).args("install --use-plan").arg(&saved).run().await;
    again.exits(3).tells(&["release mizar was not recorded, and is at revision 1", "nothing was changed"]);
    assert_nothing_was_changed_since(&bed, mark).await;
}

#[tokio::test]
async fn a_saved_plan_is_refused_with_what_moved_and_only_a_status_may_move() {
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("plan.json");
    let bed = installed().await;
    let quota = "--set resourceQuota.create=true";
    // Drift that the plan then mends: a label that nobody owns any more.
    patch(&bed, ROLE, &json!({"metadata": {"labels": {"app.kubernetes.io/part-of": null}}})).await;
    let save = || Mizar::on(&bed).args("install").args(quota).args("--save-plan").arg(&saved).run();
    let carry_out = || Mizar::on(&bed).args("install --use-plan").arg(&saved).run();
    save().await.exits(0).prints(&["ClusterRole mizar:operator", "ResourceQuota"]);

    // Changed in between: the object, both versions, and who did it; then the plan as it is now.
    let before = get(&bed, ROLE).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    label(&bed, ROLE, "one").await;
    let after = get(&bed, ROLE).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mark = bed.mark().await.unwrap();
    carry_out().await.exits(3).tells(&[
        &format!("ClusterRole mizar:operator was changed (resourceVersion {before} → {after}), last by somebody"),
        "ResourceQuota mizar-system/mizar-critical-pods is new",
        "nothing was changed",
        "--save-plan FILE",
    ]);
    assert_nothing_was_changed_since(&bed, mark).await;

    // Appeared in between.
    save().await.exits(0);
    let hard = json!({"metadata": {"name": "mizar-critical-pods"}, "spec": {"hard": {"pods": "5"}}});
    let quotas = format!("/api/v1/namespaces/{NAMESPACE}/resourcequotas");
    create(&bed, &quotas, &hard).await;
    carry_out().await.exits(3).tells(&["ResourceQuota mizar-system/mizar-critical-pods did not exist, and does now"]);
    send(&bed, "DELETE", &format!("{quotas}/mizar-critical-pods"), None).await.unwrap();

    // Deleted and made anew in between.
    save().await.exits(0);
    let role = get(&bed, ROLE).await;
    send(&bed, "DELETE", ROLE, None).await.unwrap();
    carry_out().await.exits(3).tells(&["ClusterRole mizar:operator is gone"]);
    let copy = json!({"metadata": {"name": "mizar:operator", "labels": role["metadata"]["labels"],
        "annotations": role["metadata"]["annotations"]}, "rules": role["rules"]});
    create(&bed, "/apis/rbac.authorization.k8s.io/v1/clusterroles", &copy).await;
    carry_out().await.exits(3).tells(&["ClusterRole mizar:operator was deleted and made anew"]);

    // What the plan leaves alone may move.
    save().await.exits(0);
    label(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/mizar-daemon"), "two").await;
    carry_out().await.exits(0).tells(&["1 to create"]);
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn a_plan_of_another_cluster_or_one_that_somebody_changed_is_refused() {
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("plan.json");
    let bed = bed().await;
    Mizar::on(&bed).args("install --profile dev --save-plan").arg(&saved).run().await.exits(0);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&saved).unwrap()).unwrap();
    let with = async |change: &dyn Fn(&mut Value)| {
        let mut changed = file.clone();
        change(&mut changed["plan"]);
        std::fs::write(&saved, changed.to_string()).unwrap();
        Mizar::on(&bed).args("install --use-plan").arg(&saved).run().await
    };
    let other = with(&|plan| plan["binding"]["cluster"] = json!("another")).await;
    other.exits(3).tells(&["another cluster", "nothing was changed"]);
    let values = with(&|plan| plan["inputs"]["values"]["sets"] = json!([{"flag": "--set", "text": "vni=7"}])).await;
    values.exits(3).tells(&["something else would be done now", "nothing was changed"]);
    let chart = with(&|plan| plan["binding"]["charts"]["mizar"] = json!("sha256:0")).await;
    chart.exits(3).tells(&["the chart mizar is another one"]);
    let option = with(&|plan| plan["inputs"]["options"] = json!({"force": true})).await;
    option.exits(2).tells(&["plan.inputs.options", "--save-plan FILE"]);
    assert!(requests(&bed).await.writes().is_empty());
}

#[tokio::test]
async fn a_field_that_another_manager_holds_is_part_of_the_plan_that_is_shown() {
    let bed = installed().await;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "mizar:operator"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    patch(&bed, &format!("{ROLE}?fieldManager=somebody&force=true"), &role).await;
    let before = identities(&bed).await;
    let mark = bed.mark().await.unwrap();
    let words = [
        "In the way",
        "ClusterRole mizar:operator has fields that another manager owns",
        ".rules is owned by somebody",
    ];
    Mizar::on(&bed).args("diff").run().await.exits(10).prints(&words).prints(&["--show-managed-fields"]);
    Mizar::on(&bed).args("install --plan").run().await.exits(3).prints(&words).tells(&["nothing was changed"]);
    let document = Mizar::on(&bed).args("diff -o json").run().await;
    let document: Value = serde_json::from_str(&document.exits(10).stdout).unwrap();
    assert_eq!(document["conflicts"][0]["fields"], json!([{"path": ".rules", "manager": "somebody"}]), "{document:#}");
    // The server, asked by who means it, says the same.
    Mizar::install(&bed).run().await.exits(3).tells(&[
        "In the way",
        ".rules is owned by somebody",
        "nothing was changed",
    ]);
    let file = TempDir::new().unwrap();
    let path = file.path().join("plan.json");
    Mizar::on(&bed).args("install --save-plan").arg(&path).run().await.exits(3);
    assert!(!path.exists(), "what must not be done is not saved to be done");
    assert_nothing_was_changed_since(&bed, mark).await;
    assert_eq!(identities(&bed).await, before);
}

#[tokio::test]
async fn a_plan_that_restarts_daemons_names_what_each_node_loses_and_the_budgets_in_the_way() {
    let bed = installed().await;
    let labels = json!({"app": "web"});
    let spec = json!({"replicas": 3, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]}}});
    create(&bed, "/apis/apps/v1/namespaces/default/deployments", &json!({"metadata": {"name": "web"}, "spec": spec}))
        .await;
    let budget = json!({"metadata": {"name": "web"}, "spec": {"minAvailable": 3, "selector": {"matchLabels": labels}}});
    create(&bed, "/apis/policy/v1/namespaces/default/poddisruptionbudgets", &budget).await;
    until_running(&bed).await;
    let mark = bed.mark().await.unwrap();
    let shown = Mizar::on(&bed).args("install --plan").args(OTHER_DAEMON).run().await;
    shown.exits(3).prints(&[
        "Daemon: restarts, one after the other, on 3 nodes",
        "Bouncers: 1 Bouncer on node-",
        "Dividers: 1 Divider on node-",
        "In the way of evictions: 1 PodDisruptionBudget",
        "default/web allows no disruption now: 3 pods on node-",
    ]);
    let json = Mizar::on(&bed).args("install --plan -o json").args(OTHER_DAEMON).run().await;
    let events = json.exits(3).json_lines();
    let planned = events.iter().find(|event| event["type"] == "planMade").unwrap();
    let restarts = planned["impact"]["daemonRestarts"].as_array().unwrap();
    assert_eq!(restarts.len(), 3, "{planned:#}");
    let held: usize = restarts
        .iter()
        .flat_map(|node| node["budgets"].as_array().unwrap())
        .map(|budget| budget["pods"].as_array().unwrap().len())
        .sum();
    assert_eq!(held, 3, "{planned:#}");
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    assert!(trail.writes().is_empty(), "{}", trail.summary());

    // A plan that restarts nothing asks for no budgets.
    let mark = bed.mark().await.unwrap();
    Mizar::on(&bed).args("install --plan").run().await.exits(0);
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    let asked = trail.filter(|entry| entry.uri.contains("poddisruptionbudgets"));
    assert!(trail.count() > 10 && asked.is_empty(), "{}", asked.summary());
}

/// Waits until the pods run and the controller has looked at their budget.
async fn until_running(bed: &Bed) {
    for _ in 0..200 {
        let budget = get(bed, "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web").await;
        if budget["status"]["currentHealthy"] == 3 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the pods of web do not get healthy");
}

#[tokio::test]
async fn the_plan_of_an_upgrade_and_of_a_rollback_is_carried_out_by_somebody_else() {
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("plan.json");
    let bed = at_work().await;
    let by_file = |command: &str, flag: &str| {
        Mizar::on(&bed).args(command).arg(flag).arg(&saved).impatient(SCALE).within(DEADLINE)
    };
    // Another operator: no daemon is touched.
    let memory = "operator.resources.requests.memory=96Mi";
    let planned = by_file("upgrade", "--save-plan").args("--set").args(memory).run().await;
    planned
        .exits(0)
        .prints(&["Values that you chose", "Operator: restarted"])
        .tells(&["kubectl mizar upgrade --use-plan FILE"]);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&saved).unwrap()).unwrap();
    assert_eq!(file["plan"]["inputs"]["options"]["keep"], "chosen");
    // What was agreed to about nodes is part of the plan; another command has other plans.
    by_file("upgrade", "--use-plan").args("--accept-outage").run().await.exits(2).tells(&["--accept-outage"]);
    by_file("install", "--use-plan").run().await.exits(2).tells(&["kubectl mizar upgrade --use-plan"]);
    by_file("upgrade", "--use-plan").run().await.exits(0);
    assert_eq!(memory_of_the_operator(&bed).await, "96Mi");
    by_file("upgrade", "--use-plan").run().await.exits(3).tells(&["release mizar is at revision 2, and was at 1"]);

    by_file("rollback", "--save-plan").run().await.exits(0);
    by_file("rollback 1", "--use-plan").run().await.exits(2).tells(&["REVISION"]);
    by_file("rollback", "--use-plan").run().await.exits(0);
    assert_ne!(memory_of_the_operator(&bed).await, "96Mi");
    assert_healthy_and_nothing_doubled(&bed).await;
}

async fn memory_of_the_operator(bed: &Bed) -> String {
    let operator = get(bed, &format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator")).await;
    let container = &operator["spec"]["template"]["spec"]["containers"][0];
    container["resources"]["requests"]["memory"].as_str().unwrap_or_default().to_owned()
}
