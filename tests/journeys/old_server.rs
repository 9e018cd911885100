//! A server of the age of Kubernetes 1.15, as Arktos is: it knows no server-side apply and does not note who set which
//! field.

mod changes;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Uri, header};
use mizar_bed::Bed;
use mizar_core::release::History;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cli::{Mizar, root};
use crate::cluster::{
    NAMESPACE, address_of_new_pod, assert_healthy_and_nothing_doubled, bed, get, identities, items, names, patch,
};
use crate::proxy::{Asked, Manner, Proxy, Verdict, VersionInBody, is_write, page_not_found, status, take_one};

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";

/// The only version of budgets and evictions there.
const OLD_POLICY: &str = "policy/v1beta1";

/// Beyond what a double can hold exactly: whoever takes it for one changes it.
const HASH_KEY: i64 = 5_577_006_791_947_779_411;

/// An API server like that of Arktos, in what matters to whoever writes to it.
pub(crate) struct OldServer;

impl Manner for OldServer {
    fn receive(&self, request: &mut Parts) -> Verdict {
        let text = |name| request.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
        if text(header::CONTENT_TYPE) == APPLY {
            let message = "415: Unsupported Media Type";
            return Verdict::Answer(status(415, "UnsupportedMediaType", message));
        }
        let path = request.uri.path();
        let unknown =
            ["/apis/discovery.k8s.io", "/apis/flowcontrol.apiserver.k8s.io", "/apis/policy/v1/", "/openapi/v3"];
        if unknown.iter().any(|start| path.starts_with(start)) {
            return Verdict::Answer(page_not_found());
        }
        let version = request.extensions.get::<VersionInBody>().map(|version| version.0.as_str()).unwrap_or_default();
        if path.ends_with("/eviction") && version != OLD_POLICY {
            let message = format!(
                "Eviction in version \"v1\" cannot be handled as a Eviction: no kind \"Eviction\" is registered for version \"{version}\" in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\""
            );
            return Verdict::Answer(status(400, "BadRequest", &message));
        }
        if let Some(rest) = path.strip_prefix("/apis/policy/v1beta1/") {
            // The server behind knows it by its later name.
            let query = request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            request.uri = format!("/apis/policy/v1/{rest}{query}").parse().unwrap();
        }
        if text(header::ACCEPT).contains("APIGroupDiscoveryList") {
            request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        }
        without_streamed_lists(&mut request.uri);
        Verdict::Forward
    }

    fn rewrite(&self, path: &str, document: &mut Value) {
        if path.starts_with("/apis/policy/v1/") {
            document["apiVersion"] = json!(OLD_POLICY);
        }
        if path == "/version" {
            for (field, text) in [("major", ""), ("minor", ""), ("gitVersion", "v0.9.0")] {
                document[field] = json!(text);
            }
        } else if document["kind"] == "APIGroupList" {
            let groups = document["groups"].as_array_mut().unwrap();
            groups
                .retain(|group| group["name"] != "discovery.k8s.io" && group["name"] != "flowcontrol.apiserver.k8s.io");
        } else if document["object"].is_object() {
            age(&mut document["object"]);
        } else {
            age(document);
            let items = document.get_mut("items").and_then(Value::as_array_mut);
            items.into_iter().flatten().for_each(age);
        }
    }
}

/// Ignores what asks for a list within a watch: the events come, and no bookmark says that the list is over.
fn without_streamed_lists(uri: &mut Uri) {
    let query = uri.query().unwrap_or_default();
    if query.contains("sendInitialEvents=") {
        let unknown =
            |pair: &&str| !pair.starts_with("sendInitialEvents=") && !pair.starts_with("resourceVersionMatch=");
        let known: Vec<&str> = query.split('&').filter(unknown).collect();
        *uri = format!("{}?{}", uri.path(), known.join("&")).parse().unwrap();
    }
}

/// Makes an object look as the old server's do.
fn age(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if metadata.contains_key("uid") {
            metadata.insert("tenant".to_owned(), json!("system"));
            metadata.insert("hashKey".to_owned(), json!(HASH_KEY));
        }
    }
}

/// A bed behind an old server.
struct Old {
    bed: Bed,
    proxy: Proxy,
}

impl Old {
    async fn cluster() -> Self {
        Self::before(bed().await).await
    }

    async fn before(bed: Bed) -> Self {
        let proxy = Proxy::before(&bed, OldServer).await;
        Self { bed, proxy }
    }

    async fn installed() -> Self {
        let old = Self::cluster().await;
        old.install("--profile dev").run().await.exits(0);
        old.proxy.take_asked();
        old
    }

    fn mizar(&self) -> Mizar {
        Mizar::on(&self.bed).env("KUBECONFIG", self.proxy.kubeconfig())
    }

    fn install(&self, flags: &str) -> Mizar {
        self.mizar().args("install -y").args(flags)
    }

    /// The release's record at a revision, its status and how it says that its objects were written.
    async fn recorded(&self, release: &str) -> Vec<(u64, String, String)> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner=helm,name={release}");
        let history = History::from_secrets(release, &items(&self.bed, &path).await);
        let records = history.records.iter().map(|stored| &stored.release);
        records
            .map(|release| (release.revision, release.info.status.to_string(), release.apply_method.clone()))
            .collect()
    }

    /// The changes that were asked for, after asserting that none of them harms what only the old server knows.
    fn take_changes(&self) -> Vec<Asked> {
        let mut changes = self.proxy.take_asked();
        changes.retain(|asked| asked.method != "GET" && !asked.uri.contains("/selfsubject"));
        for asked in &changes {
            if let Some(sent) = asked.body["metadata"].get("hashKey") {
                assert_eq!(*sent, json!(HASH_KEY), "{} {}", asked.method, asked.uri);
            }
            assert_ne!(asked.body["metadata"].get("tenant"), Some(&Value::Null), "{} {}", asked.method, asked.uri);
        }
        changes
    }
}

/// Kind of request and path, without what belongs to the records of a change.
fn of_objects(changes: &[Asked]) -> BTreeSet<(String, String, String)> {
    (changes.iter())
        .filter(|asked| !asked.uri.contains("/secrets"))
        .map(|asked| {
            let path = asked.uri.split('?').next().unwrap_or_default().to_owned();
            (asked.method.clone(), path, asked.content_type.clone())
        })
        .collect()
}

fn is_apply(asked: &Asked) -> bool {
    asked.content_type == APPLY
}

#[tokio::test]
async fn an_install_is_made_of_plain_creations_and_a_rerun_writes_nothing() {
    let old = Old::cluster().await;
    let ended = old.install("--profile dev").run().await;
    ended.exits(0).tells(&["Sanity Check"]);
    assert!(!ended.stderr.contains("patch"), "how it is written is nobody's concern\n{ended}");
    assert_healthy_and_nothing_doubled(&old.bed).await;
    old.mizar().args("check").run().await.exits(0);
    let address = address_of_new_pod(&old.bed, "first").await;
    assert!(address.starts_with("10.20."), "{address}");

    let changes = old.take_changes();
    let refused = changes.iter().filter(|asked| is_apply(asked)).count();
    assert!((1..=8).contains(&refused), "the first answer decides, not one for each object: {refused} were refused");
    let got_through = old.bed.audit().await.unwrap().agent("kubectl-mizar/").verb("patch");
    assert!(got_through.is_empty(), "nothing existed that could be patched\n{}", got_through.summary());
    let csa = |revision| (revision, "deployed".to_owned(), "csa".to_owned());
    assert_eq!(old.recorded("mizar").await, [csa(1)]);
    assert_eq!(old.recorded("mizar-crds").await, [csa(1)]);

    old.install("").run().await.exits(0).tells(&["nothing was written"]);
    let changes = old.take_changes();
    assert!(changes.is_empty(), "{changes:#?}");
}

#[tokio::test]
async fn a_changed_value_makes_a_revision_that_creates_what_is_new_and_takes_away_what_is_not_wanted() {
    let old = Old::installed().await;
    let before = identities(&old.bed).await;
    old.install("--set resourceQuota.create=true").run().await.exits(0);
    let quotas = "/api/v1/namespaces/mizar-system/resourcequotas";
    let created = |asked: &&Asked| !is_apply(asked);
    let changes: Vec<Asked> = old.take_changes().iter().filter(created).cloned().collect();
    let post = ("POST".to_owned(), quotas.to_owned(), "application/json".to_owned());
    assert_eq!(of_objects(&changes), [post].into());
    assert_eq!(names(&old.bed, quotas).await.len(), 1);
    let (superseded, deployed) =
        ((1, "superseded".to_owned(), "csa".to_owned()), (2, "deployed".to_owned(), "csa".to_owned()));
    assert_eq!(old.recorded("mizar").await, [superseded, deployed]);

    old.install("--set resourceQuota.create=false").run().await.exits(0);
    assert!(names(&old.bed, quotas).await.is_empty());
    assert_eq!(identities(&old.bed).await, before, "no daemon, no operator, no template changed");
    assert_healthy_and_nothing_doubled(&old.bed).await;
}

#[tokio::test]
async fn what_somebody_changed_is_put_back_and_what_somebody_added_stays() {
    const ACCOUNT: &str = "/api/v1/namespaces/mizar-system/serviceaccounts/mizar-daemon";
    const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mizar:operator";
    let old = Old::installed().await;
    let rules = get(&old.bed, ROLE).await["rules"].clone();
    let wanted = get(&old.bed, ACCOUNT).await["automountServiceAccountToken"].clone();
    assert_eq!(wanted, json!(false));
    let foreign = json!({"labels": {"team": "edge"}, "annotations": {"example.com/seen": "yes"}});
    patch(&old.bed, ACCOUNT, &json!({"metadata": foreign, "automountServiceAccountToken": true})).await;
    patch(&old.bed, ROLE, &json!({"metadata": foreign, "rules": []})).await;

    let plan = old.mizar().args("install --plan").run().await;
    plan.exits(0).prints(&["ServiceAccount mizar-system/mizar-daemon", "ClusterRole mizar:operator"]);
    assert!(!plan.stdout.contains("edge") && !plan.stdout.contains("hashKey"), "{plan}");
    old.install("--dry-run=server").run().await.exits(0).tells(&["nothing was changed"]);
    let tried: Vec<Asked> = old.take_changes().into_iter().filter(|asked| !is_apply(asked)).collect();
    assert!(!tried.is_empty() && tried.iter().all(|asked| asked.uri.ends_with("?dryRun=All")), "{tried:#?}");

    old.install("").run().await.exits(0);
    let mended: Vec<Asked> = old.take_changes().iter().filter(|asked| !is_apply(asked)).cloned().collect();
    let merge = |path: &str| ("PATCH".to_owned(), path.to_owned(), MERGE.to_owned());
    assert_eq!(of_objects(&mended), [merge(ACCOUNT), merge(ROLE)].into());
    for asked in mended.iter().filter(|asked| asked.method == "PATCH") {
        let metadata = &asked.body["metadata"];
        assert!(metadata["uid"].is_string() && metadata["resourceVersion"].is_string(), "{asked:#?}");
    }
    let (account, role) = (get(&old.bed, ACCOUNT).await, get(&old.bed, ROLE).await);
    assert_eq!((&account["automountServiceAccountToken"], &role["rules"]), (&wanted, &rules));
    for object in [account, role] {
        assert_eq!(object["metadata"]["labels"]["team"], "edge");
        assert_eq!(object["metadata"]["annotations"]["example.com/seen"], "yes");
    }
    old.install("").run().await.exits(0).tells(&["nothing was written"]);
}

#[tokio::test]
async fn a_server_dry_run_tries_every_object_and_changes_nothing() {
    let old = Old::cluster().await;
    old.install("--profile dev --dry-run=server").run().await.exits(0).tells(&["nothing was changed"]);
    let stored = |asked: &Asked| !is_apply(asked) && !asked.uri.contains("dryRun=All");
    let stored: Vec<Asked> = old.take_changes().into_iter().filter(stored).collect();
    assert!(stored.is_empty(), "{stored:#?}");
    assert!(!names(&old.bed, "/api/v1/namespaces").await.contains(&NAMESPACE.to_owned()));
}

#[tokio::test]
async fn an_own_pod_network_is_created_once() {
    let old = Old::cluster().await;
    let own = "--set podNetwork.create=true --set podNetwork.cidr=10.77.0.0/16";
    old.install("--profile dev").args(own).run().await.exits(0);
    assert_healthy_and_nothing_doubled(&old.bed).await;
    let address = address_of_new_pod(&old.bed, "own").await;
    assert!(address.starts_with("10.77."), "{address}");
    old.take_changes();
    old.install("").run().await.exits(0).tells(&["nothing was written"]);
    let changes = old.take_changes();
    assert!(changes.is_empty(), "{changes:#?}");
}

/// An old server that says nothing any more after so many writes.
struct Stuck {
    writes_left: AtomicUsize,
}

impl Manner for Stuck {
    fn receive(&self, request: &mut Parts) -> Verdict {
        let is_write = is_write(request);
        match OldServer.receive(request) {
            Verdict::Forward if is_write && !take_one(&self.writes_left) => Verdict::Silence,
            verdict => verdict,
        }
    }

    fn rewrite(&self, path: &str, document: &mut Value) {
        OldServer.rewrite(path, document);
    }
}

#[tokio::test]
async fn a_run_that_was_killed_between_two_writes_is_gone_on_with() {
    let bed = bed().await;
    // Each goes on where the one before it was stopped.
    for writes in [2, 8, 6] {
        let stuck = Proxy::before(&bed, Stuck { writes_left: AtomicUsize::new(writes) }).await;
        let running = Mizar::install(&bed).env("KUBECONFIG", stuck.kubeconfig()).start();
        stuck.silence().await;
        running.signal(Signal::SIGKILL);
        assert_eq!(running.end().await.code, None, "it was killed");
    }
    let proxy = Proxy::before(&bed, OldServer).await;
    let old = Old { bed, proxy };
    old.install("--profile dev").run().await.exits(0);
    assert_healthy_and_nothing_doubled(&old.bed).await;
    let recorded = [(1, "deployed".to_owned(), "csa".to_owned())];
    for release in ["mizar", "mizar-crds"] {
        assert_eq!(old.recorded(release).await, recorded, "{release}");
    }
    old.install("").run().await.exits(0).tells(&["nothing was written"]);
}

#[tokio::test]
async fn helm_goes_on_with_what_was_installed_on_an_old_server() {
    let old = Old::installed().await;
    let before = identities(&old.bed).await;
    let helm = async |line: &str| {
        // Not the blocking kind: the proxy lives on this thread.
        let mut command = tokio::process::Command::from(old.bed.helm4().unwrap());
        command.args(line.split(' ')).env("KUBECONFIG", old.proxy.kubeconfig()).current_dir(root()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "helm {line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(helm("history mizar -n mizar-system -o json").await.as_array().unwrap().len(), 1);
    // Helm takes a record by its word: told of server-side apply, it would ask this server for it.
    helm("upgrade mizar charts/mizar -n mizar-system --reuse-values -o json").await;
    assert_eq!(identities(&old.bed).await, before, "nothing restarts");
    old.install("").run().await.exits(0);
    assert_healthy_and_nothing_doubled(&old.bed).await;
}
