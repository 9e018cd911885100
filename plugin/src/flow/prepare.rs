//! From charts and values to what should be: the objects of each release, its record's content, the images.

use std::fmt::Write as _;

use mizar_core::chart::render::{Hook, ReleaseInfo, Rendered, render};
use mizar_core::chart::{Chart, RenderError};
use mizar_core::chart::{Merged, ValueLayers};
use mizar_core::check::access;
use mizar_core::facts::{self, Placement};
use mizar_core::image::{self, Image};
use mizar_core::kind;
use mizar_core::network::built_in_range;
use mizar_core::object::{Object, ObjectRef};
use mizar_core::operation::{Intent, ValueLayer};
use mizar_core::plan::{OwnObject, PlanInput, StagedObject};
use mizar_core::release::{ChartRecord, FileRecord, HookRecord, NewRelease, Release};
use mizar_core::site::Site;
use mizar_core::yaml::{self, DuplicateKeys, with_plain_numbers};
use serde_json::{Map, Value, json};

use super::consent::Consent;
use super::records::NAMES;
use super::value_sources::ValueSources;
use crate::assets;
use crate::failure::{Failure, Kind};
use crate::report::prompt;

/// One release as it should be.
#[derive(Debug, Clone)]
pub(crate) struct PreparedRelease {
    /// Its name.
    pub name: String,
    /// What its record will hold.
    pub content: NewRelease,
    /// Its objects, by stage.
    pub objects: Vec<StagedObject>,
    /// What is created once and then left alone.
    pub hooks: Vec<StagedObject>,
    /// The revision that this returns to, if it does.
    pub returns_to: Option<u64>,
}

/// Everything that should be.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// `mizar-crds`, then `mizar`.
    pub releases: Vec<PreparedRelease>,
    /// The images of all pods.
    pub images: Vec<Image>,
    /// The profile, if one was named now or before.
    pub profile: Option<String>,
    /// What the person said, now and before, files and flags merged.
    pub user: Value,
    /// All values of the chart mizar.
    pub values: Value,
}

/// The two charts: built in, but for the one that `--chart` replaces.
pub(crate) fn charts(replacement: Option<&Chart>) -> Result<[Chart; 2], Failure> {
    let mut charts = assets::built_in()?;
    if let Some(chart) = replacement {
        let name = &chart.metadata.name;
        match charts.iter_mut().find(|built_in| built_in.metadata.name == *name) {
            Some(built_in) => *built_in = chart.clone(),
            None => {
                return Err(Failure::new(
                    Kind::Failed,
                    format!("--chart: this is the chart {name}, not {}", NAMES.join(" or ")),
                )
                .hint("any chart can be rendered: kubectl mizar render --chart DIR"));
            }
        }
    }
    Ok(charts)
}

/// Renders both charts with all layers of values.
///
/// `recorded` is the intent of an earlier change by us, `helm_values` are those of a release that Helm made.
pub(crate) fn prepare(
    sources: &ValueSources,
    recorded: Option<&Intent>,
    helm_values: Option<Value>,
    namespace: &str,
    consent: Consent,
) -> Result<Prepared, Failure> {
    let [definitions, mizar] = charts(sources.chart.as_ref())?;
    let profile = profile(sources, recorded, helm_values.as_ref(), consent)?;
    let kept = match recorded {
        Some(intent) => user_layer(intent),
        None => helm_values.unwrap_or(Value::Null),
    };
    let (all, user) = merge(&mizar, profile.as_deref(), &kept, sources)?;
    let nothing = ValueLayers::new().merge(&definitions)?;
    let releases = vec![release(&definitions, &nothing, namespace)?, release(&mizar, &all, namespace)?];
    let images = images_of(&releases)?;
    Ok(Prepared { releases, images, profile, user, values: all.values })
}

fn images_of(releases: &[PreparedRelease]) -> Result<Vec<Image>, Failure> {
    let objects = releases.iter().flat_map(|release| release.objects.iter().map(|staged| &staged.object));
    image::images(objects).map_err(|errors| {
        let failure = Failure::new(Kind::Failed, "the charts name images that are no image names");
        errors.into_iter().fold(failure, |failure, error| failure.detail(error.to_string()))
    })
}

/// What recorded revisions hold, to go back to them: definitions as they are now, Mizar as it was then.
pub(crate) fn recorded(definitions: &Release, mizar: &Release) -> Result<Prepared, Failure> {
    let releases = vec![recorded_release(definitions)?, recorded_release(mizar)?];
    let images = images_of(&releases)?;
    let user = Value::Object(mizar.config.clone());
    let mut values = mizar.chart.values.clone();
    overlay(&mut values, &user);
    Ok(Prepared { releases, images, profile: None, user, values })
}

fn recorded_release(release: &Release) -> Result<PreparedRelease, Failure> {
    let content = NewRelease {
        name: release.name.clone(),
        namespace: release.namespace.clone(),
        chart: release.chart.clone(),
        config: release.config.clone(),
        manifest: release.manifest.clone(),
        hooks: release.hooks.clone(),
        notes: release.info.notes.clone(),
        labels: release.labels.clone(),
    };
    let objects = objects_of(&release.manifest)?.into_iter().map(|object| StagedObject::new(None, object)).collect();
    // What is created at an installation only is there since then.
    Ok(PreparedRelease {
        name: release.name.clone(),
        content,
        objects,
        hooks: Vec::new(),
        returns_to: Some(release.revision),
    })
}

/// Lays values over others, as Helm does: maps are joined, all else is replaced.
pub(crate) fn overlay(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                overlay(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => below.clone_from(above),
    }
}

/// The layer of an intent that holds what the person said; chart and profile are read anew, so that new defaults count.
pub(crate) const USER: &str = "user";

fn user_layer(intent: &Intent) -> Value {
    intent.values.iter().find(|layer| layer.origin == USER).map_or(Value::Null, |layer| layer.values.clone())
}

/// The rendered charts without any cluster, for `--dry-run=client`.
pub(crate) fn offline(sources: &ValueSources, namespace: &str) -> Result<String, Failure> {
    let [definitions, mizar] = charts(sources.chart.as_ref())?;
    let mut text = rendered(&definitions, &ValueLayers::new().merge(&definitions)?, namespace)?.template_output();
    let (all, _) = merge(&mizar, sources.profile.as_deref(), &Value::Null, sources)?;
    text += &rendered(&mizar, &all, namespace)?.template_output();
    Ok(text)
}

/// What the built-in charts would bring with their default values, for a preflight before anything is chosen.
pub(crate) fn built_in_plan(namespace: &str) -> Result<facts::Plan, Failure> {
    let sources = ValueSources::of_profile("dev");
    Ok(prepare(&sources, None, None, namespace, Consent::CannotAsk)?.bring(namespace))
}

/// All values of a chart, and of them what the user said, now and before.
pub(crate) fn merge(
    chart: &Chart,
    profile: Option<&str>,
    kept: &Value,
    sources: &ValueSources,
) -> Result<(Merged, Value), Failure> {
    let mut all = ValueLayers::new();
    let mut user = ValueLayers::new();
    if let Some(profile) = profile {
        all.add_profile(chart, profile)?;
    }
    for layers in [&mut all, &mut user] {
        if let Some(kept) = kept.as_object() {
            layers.add_recorded(kept.clone());
        }
        sources.layers(layers)?;
    }
    let user = user.merge_unchecked(chart)?.config;
    Ok((all.merge(chart)?, user))
}

/// The profile that is named now or was named before; asked for where somebody can be asked.
fn profile(
    sources: &ValueSources,
    recorded: Option<&Intent>,
    helm_values: Option<&Value>,
    consent: Consent,
) -> Result<Option<String>, Failure> {
    if let Some(profile) = sources.profile.clone().or_else(|| recorded.and_then(|intent| intent.profile.clone())) {
        return Ok(Some(profile));
    }
    // What Helm installed has its values as they are: one layer, no profile.
    if recorded.is_some() || helm_values.is_some() {
        return Ok(None);
    }
    let asked = match consent {
        Consent::Ask => prompt::choose("Which profile? dev takes any image, prod demands digests", &["dev", "prod"]),
        Consent::Given | Consent::CannotAsk => None,
    };
    match asked {
        Some(profile) => Ok(Some(profile.to_owned())),
        None => Err(Failure::new(Kind::Usage, "the first install must name its profile")
            .hint("for trying out and development: --profile dev")
            .hint("for production, images by digest: --profile prod")),
    }
}

fn rendered(chart: &Chart, values: &Merged, namespace: &str) -> Result<Rendered, RenderError> {
    let info = ReleaseInfo {
        name: chart.metadata.name.clone(),
        namespace: namespace.to_owned(),
        revision: 1,
        is_install: true,
    };
    render(chart, &values.values, &info)
}

fn release(chart: &Chart, values: &Merged, namespace: &str) -> Result<PreparedRelease, Failure> {
    let rendered = rendered(chart, values, namespace)?;
    let content = content(chart, values, &rendered, namespace);
    let staged = |document: mizar_core::chart::render::Document| -> Result<Option<StagedObject>, Failure> {
        let Some(value) = document.value else { return Ok(None) };
        let object =
            Object::new(value).map_err(|error| Failure::new(Kind::Failed, format!("{}: {error}", document.path)))?;
        Ok(Some(StagedObject::new(document.stage.as_deref(), object)))
    };
    let mut objects = Vec::new();
    for document in rendered.documents {
        objects.extend(staged(document)?);
    }
    let mut hooks = Vec::new();
    let is_wanted = |hook: &Hook| hook.events.iter().any(|event| event.as_str() == "pre-install");
    for hook in rendered.hooks.into_iter().filter(is_wanted) {
        hooks.extend(staged(hook.document)?);
    }
    Ok(PreparedRelease { name: chart.metadata.name.clone(), content, objects, hooks, returns_to: None })
}

fn content(chart: &Chart, values: &Merged, rendered: &Rendered, namespace: &str) -> NewRelease {
    let files = |files: &[mizar_core::chart::File]| {
        files.iter().map(|file| FileRecord::new(file.path.clone(), file.data.clone())).collect()
    };
    let hooks = rendered.hooks.iter().map(|hook| HookRecord {
        name: hook.name.clone(),
        kind: hook.kind.clone(),
        path: hook.document.path.clone(),
        manifest: hook.document.text.clone(),
        events: hook.events.iter().map(|event| event.as_str().to_owned()).collect(),
        weight: hook.weight.into(),
        delete_policies: hook.delete_policies.clone(),
        ..HookRecord::default()
    });
    NewRelease {
        name: chart.metadata.name.clone(),
        namespace: namespace.to_owned(),
        chart: ChartRecord {
            metadata: Value::Object(chart.metadata.raw.clone()),
            values: with_plain_numbers(chart.values.clone()),
            templates: files(&chart.templates),
            files: files(&chart.files),
            schema: chart.schema.clone().map(String::into_bytes),
            ..ChartRecord::default()
        },
        config: values.config.as_object().cloned().unwrap_or_default(),
        manifest: rendered.manifest(),
        hooks: hooks.collect(),
        notes: rendered.notes.clone().unwrap_or_default(),
        ..NewRelease::default()
    }
}

/// The objects of a recorded manifest, which Helm may have written.
pub(crate) fn objects_of(manifest: &str) -> Result<Vec<Object>, Failure> {
    let damaged =
        |reason: String| Failure::new(Kind::Refused, format!("the recorded manifest cannot be read: {reason}"));
    let documents = yaml::read_all(manifest, DuplicateKeys::TakeLast).map_err(|error| damaged(error.to_string()))?;
    documents
        .into_iter()
        .filter(|(value, _)| !value.is_null())
        .map(|(value, _)| Object::new(value).map_err(|error| damaged(error.to_string())))
        .collect()
}

/// The objects of a chart without any value of a person.
pub(crate) fn objects_by_default(chart: &Chart, namespace: &str) -> Result<Vec<Object>, Failure> {
    let values = ValueLayers::new().merge(chart)?;
    Ok(release(chart, &values, namespace)?.objects.into_iter().map(|staged| staged.object).collect())
}

/// The namespace of the release, which no chart holds: privileged pods must be allowed in it.
pub(crate) fn own_objects(namespace: &str) -> Vec<OwnObject> {
    let mut labels = Map::new();
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), json!("privileged"));
    }
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
    let object = Object::new(object).expect("a Namespace that we made has kind and name");
    vec![OwnObject { site: Site::Management, object }]
}

/// Every object that the plan must know: wanted now, or recorded last time.
pub(crate) fn interest(input: &PlanInput) -> Vec<ObjectRef> {
    let mut references: Vec<ObjectRef> = input.own.iter().map(|own| own.object.reference()).collect();
    for release in &input.releases {
        let wanted = release.objects.iter().chain(&release.hooks).map(|staged| &staged.object);
        for object in wanted.chain(&release.recorded) {
            let namespaced = kind::lookup(object.api_version(), object.kind()).is_some_and(|kind| kind.namespaced);
            let mut reference = object.reference();
            if namespaced && reference.namespace.is_none() {
                reference.namespace = Some(release.namespace.clone());
            }
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
    }
    references
}

impl Prepared {
    /// The values as our own record keeps them.
    pub(crate) fn value_layers(&self) -> Vec<ValueLayer> {
        vec![ValueLayer { origin: USER.to_owned(), values: self.user.clone() }]
    }

    /// One line about charts and images.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for release in &self.releases {
            let version = release.content.chart.metadata["version"].as_str().unwrap_or_default();
            let _infallible = write!(text, "{} {version}, ", release.name);
        }
        let images: Vec<&str> = self.images.iter().map(|image| image.name.as_str()).collect();
        let _infallible = write!(text, "images {}", images.join(", "));
        text
    }

    /// What an install would bring, for the preflight.
    pub(crate) fn bring(&self, namespace: &str) -> facts::Plan {
        let objects = self.releases.iter().flat_map(|release| release.objects.iter().chain(&release.hooks));
        let objects: Vec<&Value> = objects.map(|staged| staged.object.value()).collect();
        facts::Plan {
            pod_network: self.pod_network(),
            placement: self.placement(),
            needs: access::needs_of(objects.iter().copied(), namespace),
            ..facts::Plan::of_objects(objects, namespace)
        }
    }

    /// The range of the pod network: chosen, or built into the operator's image.
    fn pod_network(&self) -> Option<String> {
        let chosen = &self.values["podNetwork"];
        if chosen["create"] == true {
            return chosen["cidr"].as_str().map(ToOwned::to_owned);
        }
        let operator =
            self.images.iter().find(|image| image.used_by.iter().any(|user| user.object.kind == "Deployment"))?;
        built_in_range(operator.reference.tag.as_deref()?).map(ToOwned::to_owned)
    }

    /// Which nodes get a daemon.
    pub(crate) fn placement(&self) -> Placement {
        let objects = self.releases.iter().flat_map(|release| &release.objects);
        let daemon = objects.map(|staged| &staged.object).find(|object| object.kind() == "DaemonSet");
        daemon.map(|daemon| Placement::from_object(daemon.value())).unwrap_or_default()
    }
}
