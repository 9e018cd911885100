//! What is refused before anything is changed: no way to the cluster, no right, bad values, a cluster that is not ready
//! for Mizar, objects of others. The audit log proves that nothing was written.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use mizar_bed::{Bed, Role};
use serde_json::{Value, json};

use crate::cli::{Ended, Mizar, root};
use crate::cluster::{
    assert_healthy_and_nothing_doubled, bed, bed_of, changes, create, identities, installed, names, patch, requests,
};

/// Asserts that kubectl-mizar has written nothing since the bed was taken.
async fn assert_nothing_changed(bed: &Bed) {
    let changes = changes(&requests(bed).await);
    assert!(changes.is_empty(), "{}", changes.summary());
    assert!(!names(bed, "/api/v1/namespaces").await.contains(&"mizar-system".to_owned()));
}

#[tokio::test]
async fn without_a_way_to_the_cluster_it_says_what_is_missing() {
    let install = |mizar: Mizar| mizar.args("install --profile dev -y").run();
    install(Mizar::nowhere()).await.exits(4).tells(&["no kubeconfig found", "hint: "]);
    let lost = install(Mizar::nowhere().args("--kubeconfig /no/such/file")).await;
    lost.exits(4).tells(&["/no/such/file"]);

    let bed = bed().await;
    let context = format!("mizar-{}", bed.name());
    install(Mizar::on(&bed).args("--context nope")).await.exits(4).tells(&["\"nope\"", &context]);
    let stranger = install(Mizar::by(&bed, Role::Stranger)).await;
    stranger.exits(4).tells(&["logged in", bed.api_server(), "token"]);

    let closed = install(Mizar::on(&bed).args("--server https://127.0.0.1:1")).await;
    closed.exits(4).tells(&["The connection to the server 127.0.0.1:1 was refused"]);
    // Accepts connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", silent.local_addr().unwrap());
    let ended = install(Mizar::on(&bed).arg("--server").arg(&address)).await;
    ended.exits(4).tells(&[&address]);
    assert!(ended.took < Duration::from_secs(11), "{ended}");
    assert_nothing_changed(&bed).await;
}

/// Lets a spare user do everything, apart from what `limited` says about one group.
async fn allow_all_but(bed: &Bed, role: Role, limited: Value) {
    let groups = ["apps", "rbac.authorization.k8s.io", "mizar.com", "batch", "coordination.k8s.io", "events.k8s.io"];
    let mut rules = vec![json!({"apiGroups": groups, "resources": ["*"], "verbs": ["*"]})];
    rules.extend(limited.as_array().unwrap().iter().cloned());
    let name = format!("limited-{role}");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    create(bed, &format!("{rbac}/clusterroles"), &json!({"metadata": {"name": name}, "rules": rules})).await;
    let binding = json!({"metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role.name()}]});
    create(bed, &format!("{rbac}/clusterrolebindings"), &binding).await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let bed = bed().await;
    let reads = json!(["get", "list", "watch"]);
    // Everything but writing definitions.
    let core = json!({"apiGroups": [""], "resources": ["*"], "verbs": ["*"]});
    let definitions = json!({"apiGroups": ["apiextensions.k8s.io"], "resources": ["*"], "verbs": reads});
    allow_all_but(&bed, Role::Spare1, json!([core, definitions])).await;
    // Everything but reading nodes.
    let resources =
        ["namespaces", "secrets", "pods", "serviceaccounts", "configmaps", "services", "events", "resourcequotas"];
    let core = json!({"apiGroups": [""], "resources": resources, "verbs": ["*"]});
    let definitions = json!({"apiGroups": ["apiextensions.k8s.io"], "resources": ["*"], "verbs": ["*"]});
    allow_all_but(&bed, Role::Spare2, json!([core, definitions])).await;
    // Everything but reading secrets: no record can be seen.
    let core =
        json!({"apiGroups": [""], "resources": ["namespaces", "pods", "nodes", "serviceaccounts"], "verbs": ["*"]});
    let definitions = json!({"apiGroups": ["apiextensions.k8s.io"], "resources": ["*"], "verbs": ["*"]});
    allow_all_but(&bed, Role::Spare3, json!([core, definitions])).await;

    let install = |role| Mizar::by(&bed, role).args("install --profile dev -y").run();
    install(Role::Spare1).await.exits(3).tells(&["customresourcedefinitions", "create", "nothing was changed"]);
    install(Role::Spare2).await.exits(3).tells(&["nodes", "list", "nothing was changed"]);
    install(Role::Spare3).await.exits(4).tells(&["secrets", "list"]);
    assert_nothing_changed(&bed).await;
}

#[tokio::test]
async fn a_field_that_another_manager_holds_is_named_with_it() {
    let bed = installed().await;
    let before = identities(&bed).await;
    let mark = bed.mark().await.unwrap();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "mizar:operator"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mizar:operator?fieldManager=somebody&force=true";
    patch(&bed, path, &role).await;
    let refused = Mizar::install(&bed).run().await;
    refused.exits(3).tells(&["ClusterRole mizar:operator", ".rules", "somebody", "nothing was changed"]);
    let changes = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(changes.is_empty(), "{}", changes.summary());
    assert_eq!(identities(&bed).await, before);
}

#[tokio::test]
async fn an_object_of_ours_that_belongs_to_somebody_else_is_named() {
    let bed = bed().await;
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    create(&bed, path, &json!({"metadata": {"name": "mizar:operator"}, "rules": []})).await;
    let refused = Mizar::install(&bed).run().await;
    refused.exits(3).tells(&["ClusterRole mizar:operator", "not part of release mizar", "nothing was changed"]);
    assert_nothing_changed(&bed).await;
}

#[tokio::test]
async fn another_pod_network_is_replaced_only_on_request() {
    let bed = bed().await;
    create(&bed, "/api/v1/namespaces", &json!({"metadata": {"name": "kube-flannel"}})).await;
    let labels = json!({"app": "flannel"});
    let flannel = json!({"metadata": {"name": "kube-flannel-ds"}, "spec": {"selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"hostNetwork": true,
            "containers": [{"name": "kube-flannel", "image": "docker.io/flannel/flannel:v0.25.1"}]}}}});
    create(&bed, "/apis/apps/v1/namespaces/kube-flannel/daemonsets", &flannel).await;
    let refused = Mizar::install(&bed).run().await;
    refused.exits(3).tells(&["kube-flannel", "--take-over-cni", "nothing was changed"]);
    assert_nothing_changed(&bed).await;

    Mizar::install(&bed).args("--take-over-cni").run().await.exits(0).tells(&["kube-flannel"]);
    // Two networks on one node work against each other: that is only well once the old one is gone.
    Mizar::on(&bed).args("check").run().await.exits(1).prints(&["kube-flannel"]);
    let deleted =
        bed.kubectl().unwrap().args(["delete", "daemonset", "-n", "kube-flannel", "kube-flannel-ds"]).output();
    assert!(deleted.unwrap().status.success());
    assert_healthy_and_nothing_doubled(&bed).await;
    Mizar::on(&bed).args("install -y").run().await.exits(0).tells(&["nothing was written"]);
}

#[tokio::test]
async fn a_pod_network_that_overlaps_the_nodes_is_named_with_one_of_them() {
    let bed = bed().await;
    let overlapping = "--set podNetwork.create=true --set podNetwork.cidr=127.1.0.0/16";
    let refused = Mizar::install(&bed).args(overlapping).run().await;
    refused.exits(3).tells(&["127.1.0.0/16", "node-1", "nothing was changed"]);

    assert_nothing_changed(&bed).await;
}

#[tokio::test]
async fn a_cluster_without_a_node_for_the_daemon_is_refused() {
    let bed = bed_of(2).await;
    // Nobody waits half an hour for a daemon that no node will get.
    let install = || Mizar::install(&bed).within(Duration::from_secs(15));
    let elsewhere = "--set daemon.nodeSelector.disktype=nowhere";
    install().args(elsewhere).run().await.exits(3).tells(&["eligible-nodes", "nothing was changed"]);
    for node in ["node-1", "node-2"] {
        let hollow = json!({"metadata": {"labels": {"hollow-node": "true"}}});
        patch(&bed, &format!("/api/v1/nodes/{node}"), &hollow).await;
    }
    // The chart's own affinity keeps daemons from such nodes.
    let refused = install().run().await;
    refused.exits(3).tells(&["eligible-nodes", "nothing was changed"]);
    assert_nothing_changed(&bed).await;
}

#[tokio::test]
async fn bad_values_are_named_with_file_and_line_or_flag() {
    let bed = bed().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let with_file = async |path: &Path| -> Ended { Mizar::install(&bed).arg("-f").arg(path).run().await };
    let unknown = file("unknown.yaml", "vni: 2\n\ndaemon:\n  nodeSelectr: {}\n");
    with_file(&unknown).await.exits(1).tells(&["unknown.yaml:4", "nodeSelectr", "nodeSelector"]);
    let mistyped = file("mistyped.yaml", "podNetwork:\n  bouncers: many\n");
    with_file(&mistyped).await.exits(1).tells(&["mistyped.yaml:2", "podNetwork.bouncers", "integer"]);
    let broken = file("broken.yaml", "vni: 2\ndaemon: {\n");
    with_file(&broken).await.exits(1).tells(&["broken.yaml"]);
    with_file(&folder.path().join("missing.yaml")).await.exits(1).tells(&["missing.yaml"]);

    for (flag, words) in [
        ("nosuch=1", ["--set", "nosuch"]),
        ("podNetwork.bouncers=many", ["--set", "podNetwork.bouncers"]),
        ("daemon.tolerations[x]=1", ["--set", "daemon.tolerations[x]"]),
    ] {
        Mizar::install(&bed).arg("--set").arg(flag).run().await.exits(1).tells(&words);
    }
    let undigested = Mizar::on(&bed).args("install --profile prod -y").run().await;
    undigested.exits(1).tells(&["images.init.digest", "images.daemon.digest", "images.operator.digest"]);

    let chart = folder.path().join("mizar");
    copy(&root().join("charts/mizar"), &chart);
    fs::write(chart.join("templates/access/broken.yaml"), "kind: ServiceAccount\nname: {{ nosuchfunction 1 }}\n")
        .unwrap();
    let template = Mizar::install(&bed).arg("--chart").arg(&chart).run().await;
    template.exits(1).tells(&["templates/access/broken.yaml:2", "nosuchfunction"]);
    fs::write(chart.join("templates/access/broken.yaml"), "kind: ServiceAccount\nname: {{ fail \"no such luck\" }}\n")
        .unwrap();
    let template = Mizar::install(&bed).arg("--chart").arg(&chart).run().await;
    template.exits(1).tells(&["templates/access/broken.yaml:2", "no such luck"]);
    assert_nothing_changed(&bed).await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
