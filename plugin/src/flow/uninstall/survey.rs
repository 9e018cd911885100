//! Reading what there is: each kind once, page by page.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::kind::{self, KindInfo};
use mizar_core::object::{Object, ObjectRef};
use mizar_core::uninstall::{MARKED_KINDS, Survey, custom_kinds};
use serde_json::Value;

use super::Uninstall;
use crate::cluster::Cluster;
use crate::cluster::read::Listing;
use crate::failure::Failure;
use crate::flow::gather::CONCURRENCY;

/// Objects on a page.
const PAGE: u32 = 500;

/// Kinds of which more than the metadata is needed.
const WHOLE: [&str; 5] = ["Node", "Pod", "Service", "DaemonSet", "Deployment"];

impl Uninstall {
    /// Reads everything but the objects of the release.
    pub(super) async fn survey(&self) -> Result<Survey, Failure> {
        let cluster = self.run.cluster();
        let beside = [
            ("apps/v1", "DaemonSet"),
            ("apps/v1", "Deployment"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ];
        let built_in = MARKED_KINDS.iter().chain(&beside).filter_map(|(version, kind)| kind::lookup(version, kind));
        let kinds: Vec<KindInfo> = built_in.chain(custom_kinds()).collect();
        let lists: Vec<(KindInfo, Vec<Value>)> = stream::iter(kinds)
            .map(|kind| async move {
                let items = list(cluster, &kind, None, "", !WHOLE.contains(&kind.kind)).await?;
                Ok::<_, Failure>((kind, items))
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        let mut survey = Survey::default();
        for (kind, items) in &lists {
            for item in items {
                survey.absorb(kind, item);
            }
        }
        survey.namespaces.sort_by(|one, other| one.fact.name.cmp(&other.fact.name));
        survey.nodes.sort_by(|one, other| one.name.cmp(&other.name));
        survey.customs.sort_by_cached_key(Object::reference);
        Ok(survey)
    }

    /// Reads those of some objects that are there.
    pub(super) async fn read_objects(&self, wanted: &[ObjectRef]) -> Result<Vec<Object>, Failure> {
        let cluster = self.run.cluster();
        let known = wanted.iter().filter(|object| kind::lookup(&object.api_version, &object.kind).is_some());
        let read: Vec<Option<Object>> = stream::iter(known)
            .map(|object| async move {
                let live = cluster.get(object).await.map_err(Failure::from)?;
                Ok::<_, Failure>(live.and_then(|live| Object::new(live).ok()))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(read.into_iter().flatten().collect())
    }
}

/// Lists a kind; nothing where the server does not have it.
pub(super) async fn list(
    cluster: &Cluster,
    kind: &KindInfo,
    namespace: Option<&str>,
    labels: &str,
    metadata_only: bool,
) -> Result<Vec<Value>, Failure> {
    let path = kind.collection_path(namespace);
    let listing = Listing { path: &path, noun: kind.plural, labels, fields: "", page_limit: PAGE, metadata_only };
    let mut items = Vec::new();
    match cluster.items(&listing, |item| items.push(item)).await {
        Err(failure) if failure.is_not_found() => Ok(Vec::new()),
        listed => Ok(listed.map(|()| items)?),
    }
}

/// Returns the objects of a list as what a deletion must name.
pub(super) fn ids(kind: &KindInfo, items: &[Value]) -> Vec<mizar_core::object::ObjectId> {
    let text = |item: &Value, field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
    let id = |item: &Value| mizar_core::object::ObjectId {
        object: ObjectRef {
            api_version: kind.api_version(),
            kind: kind.kind.to_owned(),
            namespace: Some(text(item, "namespace")).filter(|_| kind.namespaced),
            name: text(item, "name"),
        },
        uid: text(item, "uid"),
    };
    items.iter().map(id).collect()
}

/// A kind of the built-in table.
pub(super) fn known(api_version: &str, kind: &str) -> Result<KindInfo, Failure> {
    let unknown = || Failure::new(crate::failure::Kind::Bug, format!("{kind} is in no table"));
    kind::lookup(api_version, kind).ok_or_else(unknown)
}
