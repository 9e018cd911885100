//! Which objects are read for a bundle, where they lie in it, and which of those that are read are Mizar's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{file_name, place};
use crate::check::{Report, Status};
use crate::kind::{KINDS, KindInfo, MIZAR_GROUP, lookup};
use crate::object::ObjectRef;

/// Where the objects of a collection are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the whole cluster.
    Everywhere,
    /// In the namespace of the release.
    Home,
}

/// Which of the objects that are read are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    All,
    /// What the charts or an old manifest made.
    Mizars,
    /// Definitions of Mizar's kinds.
    Definitions,
    /// The release's, `default`, and those that are being deleted.
    Namespaces,
}

/// One list to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// What it is a list of.
    pub kind: KindInfo,
    /// Where.
    pub reach: Reach,
    /// The label selector, blank for all.
    pub labels: &'static str,
    /// How many objects come at once: one definition alone may have half a megabyte.
    pub page_limit: u32,
    kept: Kept,
}

const fn core(kind: &'static str, plural: &'static str, namespaced: bool) -> KindInfo {
    KindInfo { group: "", version: "v1", kind, plural, namespaced }
}

const fn apps(kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group: "apps", version: "v1", kind, plural, namespaced: true }
}

const POD: KindInfo = core("Pod", "pods", true);
const DEFINITION: KindInfo = KindInfo {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
};
const JOB: KindInfo = KindInfo { group: "batch", version: "v1", kind: "Job", plural: "jobs", namespaced: true };
const NETWORK: KindInfo =
    KindInfo { group: "arktos.futurewei.com", version: "v1", kind: "Network", plural: "networks", namespaced: true };

const fn list(kind: KindInfo, reach: Reach, kept: Kept) -> Collection {
    Collection { kind, reach, labels: "", page_limit: 250, kept }
}

/// Mizar's pods: wherever its daemons and operator are, and what else the charts make. Read before all else, since the logs
/// wait for them.
pub const PODS: [Collection; 3] = [
    Collection { labels: "app=mizar-operator", ..list(POD, Reach::Everywhere, Kept::All) },
    Collection { labels: "job=mizar-daemon", ..list(POD, Reach::Everywhere, Kept::All) },
    list(POD, Reach::Home, Kept::Mizars),
];

const BUILT_IN: [Collection; 9] = [
    list(apps("DaemonSet", "daemonsets"), Reach::Everywhere, Kept::Mizars),
    list(apps("Deployment", "deployments"), Reach::Everywhere, Kept::Mizars),
    list(apps("ReplicaSet", "replicasets"), Reach::Home, Kept::Mizars),
    list(apps("ControllerRevision", "controllerrevisions"), Reach::Home, Kept::Mizars),
    list(JOB, Reach::Home, Kept::Mizars),
    list(core("ServiceAccount", "serviceaccounts", true), Reach::Home, Kept::Mizars),
    list(core("Namespace", "namespaces", false), Reach::Everywhere, Kept::Namespaces),
    list(core("Node", "nodes", false), Reach::Everywhere, Kept::All),
    Collection { page_limit: 20, ..list(DEFINITION, Reach::Everywhere, Kept::Definitions) },
];

/// Returns all other lists: workloads, nodes, definitions, the network's own objects, and those of Arktos where it is one.
#[must_use]
pub fn collections(is_arktos: bool) -> Vec<Collection> {
    let own = KINDS.iter().filter(|kind| kind.group == MIZAR_GROUP);
    let own = own.map(|kind| list(*kind, Reach::Everywhere, Kept::All));
    let arktos = is_arktos.then(|| list(NETWORK, Reach::Everywhere, Kept::All));
    BUILT_IN.into_iter().chain(own).chain(arktos).collect()
}

/// Returns the single objects that are read by their names: what the operator may do, and what it finds its way by.
#[must_use]
pub fn singles() -> Vec<ObjectRef> {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    [
        (RBAC, "ClusterRole", "", "mizar:operator"),
        (RBAC, "ClusterRoleBinding", "", "mizar:operator"),
        (RBAC, "ClusterRoleBinding", "", "mizar-operator"),
        ("v1", "ConfigMap", "kube-system", "system-source"),
        ("v1", "ConfigMap", "default", "mizar-grpc-service"),
        ("v1", "Endpoints", "default", "kubernetes"),
        ("v1", "Endpoints", "kube-system", "kube-dns"),
        ("v1", "Service", "default", "kubernetes"),
        ("v1", "Service", "kube-system", "kube-dns"),
    ]
    .map(|(api_version, kind, namespace, name)| reference(api_version, kind, namespace, name))
    .into()
}

fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
    ObjectRef { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name: name.to_owned() }
}

/// How many of the objects that checks complain about are read.
pub const MOST_IN_QUESTION: usize = 50;

/// Returns the pods and services that a check complains about: somebody else's, on Mizar's network.
#[must_use]
pub fn in_question(report: &Report) -> Vec<ObjectRef> {
    let complaints = report.results.iter().filter(|result| matches!(result.status, Status::Warn | Status::Fail));
    let objects: BTreeSet<ObjectRef> =
        complaints.flat_map(|result| &result.evidence).filter_map(|evidence| named(&evidence.object)).collect();
    objects.into_iter().collect()
}

/// Reads `Pod default/web`.
fn named(object: &str) -> Option<ObjectRef> {
    let (kind, rest) = object.split_once(' ')?;
    let (namespace, name) = rest.split_once('/')?;
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    let is_meant = matches!(kind, "Pod" | "Service") && is_name(namespace) && is_name(name);
    is_meant.then(|| reference("v1", kind, namespace, name))
}

impl Collection {
    /// Whether an object of the list is kept; `home` is the namespace of the release.
    #[must_use]
    pub fn keeps(&self, object: &Value, home: &str) -> bool {
        match self.kept {
            Kept::All => true,
            Kept::Mizars => is_mizars(object),
            Kept::Definitions => object.pointer("/spec/group").is_some_and(|group| group == MIZAR_GROUP),
            Kept::Namespaces => {
                let name = text(object, "/metadata/name");
                name == home || name == "default" || !text(object, "/metadata/deletionTimestamp").is_empty()
            }
        }
    }

    /// Says what the object is, which lists leave out, and takes off what is long and tells nothing of Mizar.
    pub fn complete(&self, object: &mut Value) {
        complete(object, self.kind);
    }

    /// The folder of its objects.
    #[must_use]
    pub fn folder(&self) -> String {
        folder(self.kind)
    }
}

/// Whether the charts, or a manifest of old, made an object.
fn is_mizars(object: &Value) -> bool {
    let label = |name: &str| object.pointer("/metadata/labels").and_then(|labels| labels.get(name)?.as_str());
    label("job") == Some("mizar-daemon")
        || label("app") == Some("mizar-operator")
        || text(object, "/metadata/name").starts_with("mizar")
}

/// Says what an object is, and takes off what is long: the images that a node holds.
fn complete(object: &mut Value, kind: KindInfo) {
    if kind.plural == "nodes"
        && let Some(Value::Object(status)) = object.get_mut("status")
    {
        status.shift_remove("images");
    }
    if let Value::Object(fields) = object {
        fields.insert("apiVersion".to_owned(), Value::from(kind.api_version()));
        fields.insert("kind".to_owned(), Value::from(kind.kind));
    }
}

/// The folder of the objects of a kind: `objects/vpcs.mizar.com`.
#[must_use]
pub fn folder(kind: KindInfo) -> String {
    let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
    format!("{}/{}{group}", place::OBJECTS, kind.plural)
}

/// The place of an object in the archive: `objects/pods/default/web.yaml`.
#[must_use]
pub fn path_of(kind: KindInfo, object: &Value) -> String {
    let (namespace, name) = (text(object, "/metadata/namespace"), file_name(text(object, "/metadata/name")));
    match namespace {
        "" => format!("{}/{name}.yaml", folder(kind)),
        namespace => format!("{}/{}/{name}.yaml", folder(kind), file_name(namespace)),
    }
}

/// The place of an object that is read by its name; none for a kind that nobody knows.
#[must_use]
pub fn path_of_single(reference: &ObjectRef) -> Option<String> {
    let kind = lookup(&reference.api_version, &reference.kind)?;
    let name = file_name(&reference.name);
    Some(match &reference.namespace {
        None => format!("{}/{name}.yaml", folder(kind)),
        Some(namespace) => format!("{}/{}/{name}.yaml", folder(kind), file_name(namespace)),
    })
}

/// Whether an event is about Mizar: in the namespace of the release all are that are about its own; elsewhere those about nodes,
/// the network's objects, and what is in question.
#[must_use]
pub fn is_event_of_mizar(event: &Value, in_question: &[ObjectRef]) -> bool {
    let about =
        |field: &str| event.pointer("/involvedObject").and_then(|about| about.get(field)?.as_str()).unwrap_or_default();
    let (kind, name, namespace) = (about("kind"), about("name"), about("namespace"));
    name.starts_with("mizar")
        || kind == "Node"
        || about("apiVersion").starts_with(MIZAR_GROUP)
        || in_question
            .iter()
            .any(|object| object.kind == kind && object.name == name && object.namespace.as_deref() == Some(namespace))
}

fn text<'object>(object: &'object Value, pointer: &str) -> &'object str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{self, Options, Phase};
    use crate::facts::samples::{a_cluster_before, a_healthy_cluster};

    #[test]
    fn no_list_is_read_twice_and_every_kind_of_mizar_is_read() {
        let mut all: Vec<Collection> = collections(true);
        all.extend(PODS);
        let mut seen: Vec<(String, &str)> =
            all.iter().map(|one| (one.folder() + one.labels, one.kind.version)).collect();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        for kind in ["bouncers", "dividers", "droplets", "endpoints", "subnets", "vpcs"] {
            assert!(all.iter().any(|one| one.folder() == format!("objects/{kind}.mizar.com")), "{kind}");
        }
        assert_eq!(collections(false).len() + 1, collections(true).len(), "only Arktos has networks");
        assert!(all.iter().all(|one| one.kind.kind != "Secret") && singles().iter().all(|one| one.kind != "Secret"));
        assert!(singles().iter().all(|one| path_of_single(one).is_some()));
    }

    #[test]
    fn what_is_kept_is_mizars() {
        let keeps = |plural: &str, object: Value| {
            let all: Vec<Collection> = collections(false).into_iter().chain(PODS).collect();
            all.iter().rfind(|one| one.kind.plural == plural).unwrap().keeps(&object, "home")
        };
        let named = |name: &str| json!({"metadata": {"name": name}});
        assert!(keeps("deployments", named("mizar-operator")));
        assert!(!keeps("deployments", named("web")));
        assert!(keeps("pods", json!({"metadata": {"name": "x", "labels": {"job": "mizar-daemon"}}})));
        assert!(!keeps("pods", json!({"metadata": {"name": "x", "labels": {"app": "web"}}})));
        assert!(keeps("customresourcedefinitions", json!({"spec": {"group": "mizar.com"}})));
        assert!(!keeps("customresourcedefinitions", json!({"spec": {"group": "example.com"}})));
        assert!(keeps("namespaces", named("home")) && keeps("namespaces", named("default")));
        assert!(!keeps("namespaces", named("other")));
        assert!(keeps(
            "namespaces",
            json!({"metadata": {"name": "other", "deletionTimestamp": "2026-03-01T12:00:00Z"}})
        ));
        assert!(keeps("nodes", named("any")));
    }

    #[test]
    fn objects_say_what_they_are_and_lie_where_they_are_looked_for() {
        let node = collections(false).into_iter().find(|one| one.kind.plural == "nodes").unwrap();
        let mut object = json!({"metadata": {"name": "n1"}, "status": {"images": [{}], "phase": "x"}});
        node.complete(&mut object);
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"phase": "x"}})
        );
        assert_eq!(path_of(node.kind, &object), "objects/nodes/n1.yaml");
        let pod = json!({"metadata": {"name": "web", "namespace": "default"}});
        assert_eq!(path_of(POD, &pod), "objects/pods/default/web.yaml");
        assert_eq!(
            path_of_single(&singles()[0]).unwrap(),
            "objects/clusterroles.rbac.authorization.k8s.io/mizar_operator.yaml"
        );
    }

    #[test]
    fn what_a_check_complains_about_is_in_question() {
        let report =
            |facts: &crate::facts::Facts| check::evaluate(Phase::Health, facts, &Options::at(facts.gathered_at));
        assert_eq!(in_question(&report(&a_healthy_cluster())), []);
        let mut broken = report(&a_cluster_before());
        let result = broken.results.iter_mut().find(|result| result.status == Status::Pass).unwrap();
        result.status = Status::Fail;
        for object in
            ["Pod default/web", "Pod default/web", "Node n1", "Service kube-system/dns", "Pod ../x", "Pod a/b/c"]
        {
            result.evidence.push(check::Evidence { object: object.into(), ..check::Evidence::default() });
        }
        let names: Vec<String> = in_question(&broken).iter().map(ToString::to_string).collect();
        assert!(
            names.contains(&"Pod default/web".to_owned()) && names.iter().all(|name| !name.contains("..")),
            "{names:?}"
        );
        assert_eq!(names.iter().filter(|name| name.contains("web") || name.contains("dns")).count(), 2, "{names:?}");
    }

    #[test]
    fn events_are_of_mizar_or_of_what_is_in_question() {
        let event = |api: &str, kind: &str, name: &str| json!({"involvedObject": {"apiVersion": api, "kind": kind, "name": name, "namespace": "default"}});
        let web = reference("v1", "Pod", "default", "web");
        for (event, is_ours) in [
            (event("v1", "Pod", "mizar-daemon-x"), true),
            (event("v1", "Node", "n1"), true),
            (event("mizar.com/v1", "Subnet", "net0"), true),
            (event("v1", "Pod", "web"), true),
            (event("v1", "Pod", "db"), false),
            (event("v1", "Service", "web"), false),
            (json!({}), false),
        ] {
            assert_eq!(is_event_of_mizar(&event, std::slice::from_ref(&web)), is_ours, "{event}");
        }
    }
}
