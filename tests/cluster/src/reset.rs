//! Brings a used cluster back to its baseline without restarting it.
//!
//! Everything that is not in the baseline is deleted, finalizers first; the nodes are made exactly those asked for; what
//! others wrote on baseline objects is taken back. Surveys are repeated until one finds nothing, because controllers may
//! answer a deletion with a new object before they notice that its owner is gone. Marks come last, when nobody is left to
//! write new ones: as long as the operator's pod is there, so is the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::baseline::{self, Baseline, BaselineError, Marks};
use crate::client::{self, ClientError};
use crate::nodes::{self, NodeError};

const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(45);

/// Why a cluster could not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The server said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The nodes.
    #[error(transparent)]
    Nodes(#[from] NodeError),
    /// CoreDNS.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Something cannot be deleted.
    #[error("still there after {} s: {}", PATIENCE.as_secs(), paths.join(", "))]
    Leftovers {
        /// What.
        paths: Vec<String>,
    },
    /// Somebody writes again what is taken back.
    #[error("still marked after {} s: {}", PATIENCE.as_secs(), paths.join(", "))]
    Marked {
        /// What.
        paths: Vec<String>,
    },
}

/// The collections that a test or an installation may put something into, nodes and events apart.
const COLLECTIONS: [(&str, &[&str]); 13] = [
    (
        "/api/v1",
        &[
            "namespaces",
            "pods",
            "services",
            "endpoints",
            "configmaps",
            "secrets",
            "serviceaccounts",
            "persistentvolumes",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "podtemplates",
            "resourcequotas",
            "limitranges",
        ],
    ),
    ("/apis/apps/v1", &["deployments", "daemonsets", "statefulsets", "replicasets", "controllerrevisions"]),
    ("/apis/batch/v1", &["jobs", "cronjobs"]),
    ("/apis/rbac.authorization.k8s.io/v1", &["clusterroles", "clusterrolebindings", "roles", "rolebindings"]),
    ("/apis/policy/v1", &["poddisruptionbudgets"]),
    ("/apis/networking.k8s.io/v1", &["networkpolicies", "ingresses", "ingressclasses"]),
    ("/apis/discovery.k8s.io/v1", &["endpointslices"]),
    ("/apis/coordination.k8s.io/v1", &["leases"]),
    ("/apis/autoscaling/v2", &["horizontalpodautoscalers"]),
    ("/apis/scheduling.k8s.io/v1", &["priorityclasses"]),
    ("/apis/storage.k8s.io/v1", &["storageclasses"]),
    (
        "/apis/admissionregistration.k8s.io/v1",
        &[
            "validatingwebhookconfigurations",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ],
    ),
    ("/apis/flowcontrol.apiserver.k8s.io/v1", &["flowschemas", "prioritylevelconfigurations"]),
];
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Baseline objects on which Mizar and Helm leave their marks; nodes are made as they were with everything else of them.
const MARKED: [&str; 4] = [NAMESPACES, "/api/v1/services", "/api/v1/endpoints", "/apis/apps/v1/deployments"];
/// Labels and annotations that controllers keep by themselves, at times of their own.
const AUTOMATIC_MARKS: [&str; 2] = ["endpoints.kubernetes.io/", "deployment.kubernetes.io/"];
const NAMESPACES: &str = "/api/v1/namespaces";
const PODS: &str = "/api/v1/pods";

/// One object that was found.
#[derive(Debug)]
struct Found {
    collection: String,
    namespace: Option<String>,
    name: String,
    metadata: Value,
}

impl Found {
    fn new(collection: &str, mut object: Value) -> Self {
        let metadata = object["metadata"].take();
        let text = |field: &str| metadata[field].as_str().map(str::to_owned);
        Self {
            collection: collection.to_owned(),
            namespace: text("namespace"),
            name: text("name").unwrap_or_default(),
            metadata,
        }
    }

    fn key(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    fn path(&self) -> String {
        match (&self.namespace, self.collection.rsplit_once('/')) {
            (Some(namespace), Some((prefix, plural))) => {
                format!("{prefix}/namespaces/{namespace}/{plural}/{}", self.name)
            }
            _ => format!("{}/{}", self.collection, self.name),
        }
    }

    /// Its path, with a made-up name up to where it was made up; none for what only follows from something else.
    fn origin(&self) -> Option<String> {
        let plural = self.collection.rsplit_once('/').map_or("", |(_, plural)| plural);
        // Those of a workload that was changed and changed back stay for a while.
        if matches!(plural, "replicasets" | "controllerrevisions" | "endpointslices" | "leases") {
            return None;
        }
        let path = self.path();
        Some(match self.metadata["generateName"].as_str() {
            Some(prefix) => format!("{}{prefix}*", path.strip_suffix(&self.name).unwrap_or(&path)),
            None => path,
        })
    }

    fn marks(&self) -> Marks {
        let mut marks: Marks = serde_json::from_value(self.metadata.clone()).unwrap_or_default();
        let is_foreign = |name: &String| !AUTOMATIC_MARKS.iter().any(|prefix| name.starts_with(prefix));
        marks.labels.retain(|name, _| is_foreign(name));
        marks.annotations.retain(|name, _| is_foreign(name));
        marks
    }

    fn has_finalizers(&self) -> bool {
        self.metadata["finalizers"].as_array().is_some_and(|it| !it.is_empty())
    }

    fn is_terminating(&self) -> bool {
        self.metadata["deletionTimestamp"].is_string()
    }

    /// Objects that controllers keep by themselves, at times of their own.
    fn is_automatic(&self) -> bool {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        match self.collection.rsplit_once('/').map_or("", |(_, plural)| plural) {
            "configmaps" => {
                self.name == "kube-root-ca.crt"
                    || (namespace == "kube-system"
                        && matches!(
                            self.name.as_str(),
                            "extension-apiserver-authentication"
                                | "kube-apiserver-legacy-service-account-token-tracking"
                        ))
            }
            // The controller manager makes an account for each of its controllers when that first runs.
            "serviceaccounts" => {
                self.name == "default" || (namespace == "kube-system" && !self.name.starts_with("mizar"))
            }
            "leases" => namespace == "kube-node-lease" || self.name.starts_with("apiserver-"),
            _ => false,
        }
    }

    fn is_core_dns_pod(&self) -> bool {
        self.collection == PODS
            && self.namespace.as_deref() == Some("kube-system")
            && self.metadata["labels"]["k8s-app"] == "kube-dns"
    }
}

/// Writes down everything that exists now.
pub(crate) async fn record(client: &kube::Client) -> Result<Baseline, ClientError> {
    let mut objects: BTreeMap<String, BTreeMap<String, Marks>> = BTreeMap::new();
    for found in survey(client).await? {
        // Pods never survive a reset: they carry what the network of a test left in them.
        if found.collection != PODS {
            objects.entry(found.collection.clone()).or_default().insert(found.key(), found.marks());
        }
    }
    Ok(Baseline { objects })
}

/// The paths of everything there is, sorted. What controllers name or keep by themselves is told by its origin, or not at all,
/// so that two clusters with the same in them have the same census.
pub(crate) async fn census(client: &kube::Client) -> Result<Vec<String>, ClientError> {
    let found = survey(client).await?;
    let mut paths: Vec<String> = found.iter().filter(|found| !found.is_automatic()).filter_map(Found::origin).collect();
    paths.sort();
    Ok(paths)
}

/// Removes everything that is not in the baseline, pods of CoreDNS apart: see [`rebuild`].
pub(crate) async fn clean(client: &kube::Client, baseline: &Baseline) -> Result<(), ResetError> {
    let namespaces = baseline.objects.get(NAMESPACES).into_iter().flatten().map(|(name, _)| name.as_str());
    let namespaces: BTreeSet<&str> = namespaces.collect();
    let started = Instant::now();
    loop {
        let superfluous = survey(client).await?.into_iter().filter(|found| {
            let in_baseline = baseline.objects.get(&found.collection).is_some_and(|it| it.contains_key(&found.key()));
            let in_kept_namespace = found.namespace.as_deref().is_none_or(|it| namespaces.contains(it));
            !(in_baseline || in_kept_namespace && found.is_automatic() || found.is_core_dns_pod())
        });
        let superfluous: Vec<Found> = superfluous.collect();
        if superfluous.is_empty() {
            return Ok(());
        }
        if started.elapsed() >= PATIENCE {
            return Err(ResetError::Leftovers { paths: superfluous.iter().map(Found::path).collect() });
        }
        remove(client, &superfluous).await?;
    }
}

/// Brings back nodes, marks and CoreDNS, and forgets the events. To be called when nobody is left who writes marks.
///
/// The pods of CoreDNS are made anew only now: those of before have what the network of a test left in them, and any that
/// came while there still was an operator would have it too.
pub(crate) async fn rebuild(
    client: &kube::Client,
    baseline: &Baseline,
    nodes: usize,
    api_server_port: &str,
) -> Result<(), ResetError> {
    nodes::converge(client, nodes).await?;
    restore_marks(client, baseline).await?;
    let pods = list(client, PODS).await?;
    remove(client, &pods.into_iter().filter(Found::is_core_dns_pod).collect::<Vec<_>>()).await?;
    baseline::apply(client, api_server_port).await?;
    nodes::until_ready(client, nodes).await?;
    baseline::until_core_dns_runs(client).await?;
    for namespace in ["default", "kube-system"] {
        client::delete(client, &format!("/api/v1/namespaces/{namespace}/events")).await?;
    }
    Ok(())
}

/// Lists everything, custom resources and their definitions included.
async fn survey(client: &kube::Client) -> Result<Vec<Found>, ClientError> {
    let definitions = client::get(client, DEFINITIONS).await?;
    let definitions = definitions["items"].as_array().map_or(&[][..], Vec::as_slice);
    let built_in =
        COLLECTIONS.iter().flat_map(|(prefix, plurals)| plurals.iter().map(move |it| format!("{prefix}/{it}")));
    let collections = built_in.chain(definitions.iter().filter_map(custom_collection));
    let lists = stream::iter(collections)
        .map(|collection| async move { list(client, &collection).await })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<Vec<Found>>>()
        .await?;
    let definitions = definitions.iter().map(|it| Found::new(DEFINITIONS, json!({"metadata": it["metadata"]})));
    Ok(lists.into_iter().flatten().chain(definitions).collect())
}

async fn list(client: &kube::Client, collection: &str) -> Result<Vec<Found>, ClientError> {
    match client::list_metadata(client, collection).await {
        Ok(items) => Ok(items.into_iter().map(|item| Found::new(collection, item)).collect()),
        // A definition that is not established yet, or going.
        Err(error) if error.code() == Some(404) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn custom_collection(definition: &Value) -> Option<String> {
    let spec = &definition["spec"];
    let served = spec["versions"].as_array()?.iter().find(|version| version["served"] == true)?;
    let (group, plural) = (spec["group"].as_str()?, spec["names"]["plural"].as_str()?);
    Some(format!("/apis/{group}/{}/{plural}", served["name"].as_str()?))
}

async fn remove(client: &kube::Client, superfluous: &[Found]) -> Result<(), ClientError> {
    let occupied: BTreeSet<&str> = superfluous.iter().filter_map(|found| found.namespace.as_deref()).collect();
    let groups: BTreeSet<&str> = superfluous.iter().filter_map(|found| custom_group(&found.collection)).collect();
    stream::iter(superfluous.iter().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |found| {
            let (occupied, groups) = (&occupied, &groups);
            async move {
                let gone = if found.collection == NAMESPACES {
                    remove_namespace(client, found, occupied.contains(found.name.as_str())).await
                } else if found.collection == DEFINITIONS {
                    // Its own finalizer would look for custom resources again, five seconds later.
                    let group = found.name.split_once('.').map_or("", |(_, group)| group);
                    if groups.contains(group) { Ok(()) } else { remove_object(client, found).await }
                } else {
                    remove_object(client, found).await
                };
                match gone {
                    // Gone already, or changed in between: the next survey tells.
                    Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
                    other => other,
                }
            }
        })
        .await
}

/// The group of a custom resource's collection; none for what is built in.
fn custom_group(collection: &str) -> Option<&str> {
    let group = collection.strip_prefix("/apis/")?.split('/').next()?;
    let built_in = COLLECTIONS.iter().any(|(prefix, _)| collection.starts_with(prefix)) || collection == DEFINITIONS;
    (!built_in).then_some(group)
}

async fn remove_object(client: &kube::Client, found: &Found) -> Result<(), ClientError> {
    let path = found.path();
    let without_finalizers = json!({"metadata": {"finalizers": null}});
    if !found.is_terminating() {
        client::delete(client, &path).await?;
    }
    // After the delete: stripped before, a controller would put them back.
    if found.has_finalizers() || found.collection == DEFINITIONS {
        client::merge(client, &path, &without_finalizers).await?;
    }
    Ok(())
}

/// Deletes a namespace, and once it is empty ends the wait for its controller, which comes seconds later.
async fn remove_namespace(client: &kube::Client, found: &Found, occupied: bool) -> Result<(), ClientError> {
    let path = found.path();
    if !found.is_terminating() {
        return client::delete(client, &path).await;
    }
    if occupied {
        return Ok(());
    }
    if found.has_finalizers() {
        client::merge(client, &path, &json!({"metadata": {"finalizers": null}})).await?;
    }
    let finalized = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.name}, "spec": {"finalizers": []},
    });
    client::replace(client, &format!("{path}/finalize"), &finalized).await.map(drop)
}

/// Takes back what was written on baseline objects, until a look at all of them finds nothing: the last write of somebody
/// who is gone may arrive after the first look.
async fn restore_marks(client: &kube::Client, baseline: &Baseline) -> Result<(), ResetError> {
    let started = Instant::now();
    loop {
        let lists = stream::iter(MARKED).map(|collection| list(client, collection)).buffer_unordered(MARKED.len());
        let found = lists.try_collect::<Vec<Vec<Found>>>().await?;
        let changed = found.into_iter().flatten().filter_map(|found| {
            let wanted = baseline.objects.get(&found.collection)?.get(&found.key())?;
            let patch = mark_patch(&found.marks(), wanted)?;
            Some((found.path(), patch))
        });
        let changed: Vec<(String, Value)> = changed.collect();
        if changed.is_empty() {
            return Ok(());
        }
        if started.elapsed() >= PATIENCE {
            return Err(ResetError::Marked { paths: changed.into_iter().map(|(path, _)| path).collect() });
        }
        stream::iter(changed.iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |(path, patch)| async move {
                client::merge(client, path, patch).await.map(drop)
            })
            .await?;
    }
}

/// The merge patch that turns the marks `now` into those `wanted`; none if they are the same.
fn mark_patch(now: &Marks, wanted: &Marks) -> Option<Value> {
    if now == wanted {
        return None;
    }
    let difference = |now: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        let gone = now.keys().filter(|name| !wanted.contains_key(*name)).map(|name| (name.clone(), Value::Null));
        let back = wanted.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Value::Object(gone.chain(back).collect())
    };
    Some(json!({"metadata": {
        "labels": difference(&now.labels, &wanted.labels),
        "annotations": difference(&now.annotations, &wanted.annotations),
        "finalizers": wanted.finalizers,
    }}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(collection: &str, metadata: &Value) -> Found {
        Found::new(collection, json!({ "metadata": metadata }))
    }

    #[test]
    fn an_object_is_found_again_by_its_path() {
        let pod = found("/api/v1/pods", &json!({"name": "a", "namespace": "b"}));
        assert_eq!(pod.path(), "/api/v1/namespaces/b/pods/a");
        let role = found("/apis/rbac.authorization.k8s.io/v1/clusterroles", &json!({"name": "mizar:operator"}));
        assert_eq!(role.path(), "/apis/rbac.authorization.k8s.io/v1/clusterroles/mizar:operator");
    }

    #[test]
    fn marks_of_mizar_are_taken_back_and_those_of_the_baseline_kept() {
        let wanted = Marks { labels: BTreeMap::from([("keep".into(), "1".into())]), ..Marks::default() };
        let mut now = wanted.clone();
        assert_eq!(mark_patch(&now, &wanted), None);
        now.annotations.insert("mizar.com/net".into(), "net0".into());
        now.finalizers.push("kopf.zalando.org/KopfFinalizerMarker".into());
        let patch = mark_patch(&now, &wanted).unwrap();
        assert_eq!(patch["metadata"]["annotations"], json!({"mizar.com/net": null}));
        assert_eq!(patch["metadata"]["labels"], json!({"keep": "1"}));
        assert_eq!(patch["metadata"]["finalizers"], json!([]));
    }

    #[test]
    fn what_controllers_write_by_themselves_is_no_mark() {
        let annotations =
            json!({"endpoints.kubernetes.io/last-change-trigger-time": "x", "kopf.zalando.org/last": "y"});
        let labels = json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller", "k8s-app": "kube-dns"});
        let marks = found("/api/v1/endpoints", &json!({"annotations": annotations, "labels": labels})).marks();
        assert_eq!(marks.annotations.keys().collect::<Vec<_>>(), ["kopf.zalando.org/last"]);
        assert_eq!(marks.labels.keys().collect::<Vec<_>>(), ["k8s-app"]);
    }

    #[test]
    fn accounts_of_the_controller_manager_are_left_alone_and_those_of_mizar_are_not() {
        let account = |name| found("/api/v1/serviceaccounts", &json!({"name": name, "namespace": "kube-system"}));
        assert!(account("node-controller").is_automatic());
        assert!(!account("mizar-operator").is_automatic());
    }

    #[test]
    fn only_custom_resources_have_a_custom_group() {
        assert_eq!(custom_group("/apis/mizar.com/v1/vpcs"), Some("mizar.com"));
        assert_eq!(custom_group("/apis/apps/v1/deployments"), None);
        assert_eq!(custom_group("/api/v1/pods"), None);
        assert_eq!(custom_group(DEFINITIONS), None);
    }
}
