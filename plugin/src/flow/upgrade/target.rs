//! Where what should be comes from: charts and values, or an earlier revision.

use mizar_core::adoption::{COMMAND, FIRST_LOOK};
use mizar_core::facts::PodRole;
use mizar_core::image::ImageReference;
use mizar_core::network::daemon_set;
use mizar_core::operation::{Intent, ValueLayer};
use mizar_core::release::{History, Status, StoredRelease};
use mizar_core::upgrade::interface::is_known;
use mizar_core::upgrade::{Pair, ValueChanges};
use mizar_core::yaml::with_plain_numbers;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Request, adoption};
use crate::failure::{Failure, Kind};
use crate::flow::ground::{Found, Ground, Wish, find, is_unfinished};
use crate::flow::install::Extent;
use crate::flow::prepare::{self, Prepared};
use crate::flow::records::DEFAULT_NAMESPACE;
use crate::flow::run::Run;
use crate::flow::value_sources::ValueSources;

/// What should be.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// These charts with these values.
    Charts {
        /// Where values come from, and which chart.
        values: Box<ValueSources>,
        /// Which values of before are kept.
        keep: Keep,
    },
    /// The same, for an installation that no release is recorded of.
    Adoption {
        /// Where values come from, and which chart.
        values: Box<ValueSources>,
    },
    /// What a revision holds; the one before if none is named.
    Revision(Option<u64>),
}

/// Which values of before are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Keep {
    /// What a person chose; new defaults count.
    Chosen,
    /// All, defaults included: only what is said now changes.
    Everything,
    /// None.
    Nothing,
}

impl Target {
    /// The command that asks for it.
    pub(crate) fn command(&self) -> &'static str {
        match self {
            Self::Charts { .. } => "upgrade",
            Self::Adoption { .. } => COMMAND,
            Self::Revision(_) => "rollback",
        }
    }
}

/// Reads the records and renders what should be; also says what becomes of values. Settles which revision is gone back to, so that
/// a rerun goes there too, whatever revisions there are by then.
pub(super) async fn wish(run: &mut Run, request: &mut Request) -> Result<(Wish, ValueChanges), Failure> {
    let means_it = request.extent == Extent::Everything;
    if let Target::Adoption { values } = &request.target {
        return adoption::wish(run, values, request, means_it).await;
    }
    let found = find(run, request.namespace.as_deref(), DEFAULT_NAMESPACE, means_it).await?;
    let Some(base) = found.records.histories[1].base().cloned() else { return Err(not_installed(&request.target)) };
    if let Target::Revision(revision @ None) = &mut request.target {
        *revision = begun_rollback(&found);
    }
    let prepared = match &mut request.target {
        Target::Charts { values, keep } => {
            let (intent, helm_values) = kept(&found, &base, *keep);
            prepare::prepare(values, intent.as_ref(), helm_values, run.namespace(), request.consent)?
        }
        Target::Revision(revision) => {
            let (target, prepared) = recorded(&found, *revision)?;
            *revision = Some(target);
            prepared
        }
        // It has no base, and was answered above.
        Target::Adoption { .. } => return Err(not_installed(&request.target)),
    };
    let changes = values_between(&base, &prepared);
    Ok((found.wishing(prepared)?, changes))
}

/// What of before goes on: as our own record says it, or as Helm's does.
fn kept(found: &Found, base: &StoredRelease, keep: Keep) -> (Option<Intent>, Option<Value>) {
    let recorded = found.intent();
    let profile = recorded.and_then(|intent| intent.profile.clone());
    match keep {
        Keep::Chosen => (recorded.cloned(), found.helm_values()),
        Keep::Nothing => (Some(Intent { profile, ..Intent::default() }), None),
        Keep::Everything => {
            let mut all = base.release.chart.values.clone();
            prepare::overlay(&mut all, &Value::Object(base.release.config.clone()));
            let values = vec![ValueLayer { origin: prepare::USER.to_owned(), values: all }];
            (Some(Intent { values, ..Intent::default() }), None)
        }
    }
}

/// What becomes of the values of a recorded release.
pub(crate) fn values_between(base: &StoredRelease, prepared: &Prepared) -> ValueChanges {
    let config = Value::Object(base.release.config.clone());
    let mut before = base.release.chart.values.clone();
    prepare::overlay(&mut before, &config);
    // What is rendered has its numbers as templates see them, what is recorded as they were written.
    let now = with_plain_numbers(prepared.values.clone());
    ValueChanges::between(&with_plain_numbers(before), &now, &[&config, &prepared.user])
}

/// Where a rollback goes that has stopped in the middle: to whoever types it again, the revision before is another one by now.
fn begun_rollback(found: &Found) -> Option<u64> {
    let operation = &found.stored.as_ref()?.operation;
    let goes_on = operation.command == "rollback" && is_unfinished(operation);
    operation.intent.options.get("revision").filter(|_| goes_on)?.as_u64()
}

/// The revision that is gone back to, and what it holds.
fn recorded(found: &Found, revision: Option<u64>) -> Result<(u64, Prepared), Failure> {
    let [definitions, mizar] = &found.records.histories;
    let target = revision_to_return_to(mizar, revision)?;
    let definitions = definitions.base().ok_or_else(|| {
        Failure::new(
            Kind::Refused,
            "release mizar-crds is not recorded, and Mizar needs its definitions; nothing was changed",
        )
        .hint("bring it back: kubectl mizar install")
    })?;
    Ok((target.release.revision, prepare::recorded(&definitions.release, &target.release)?))
}

/// The revision that is named; else, as Helm has it, the one before, or what is deployed when a later change did not come to its
/// end.
fn revision_to_return_to(history: &History, asked: Option<u64>) -> Result<&StoredRelease, Failure> {
    let revision = |stored: &&StoredRelease| stored.release.revision;
    let was_complete =
        |stored: &&StoredRelease| matches!(stored.release.info.status, Status::Deployed | Status::Superseded);
    let last = history.last().map_or(0, |last| last.release.revision);
    let found = match asked {
        Some(asked) => history.records.iter().find(|stored| revision(stored) == asked),
        None => history.records.iter().filter(was_complete).rfind(|stored| revision(stored) < last),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let known: Vec<String> = history.records.iter().map(|stored| stored.release.revision.to_string()).collect();
    let message = match asked {
        Some(asked) => {
            format!("release mizar has no revision {asked} (it has {}); nothing was changed", known.join(", "))
        }
        None => "release mizar has no earlier revision to go back to; nothing was changed".to_owned(),
    };
    Err(Failure::new(Kind::Refused, message).hint("see all of them: kubectl mizar history"))
}

fn not_installed(target: &Target) -> Failure {
    Failure::new(Kind::Refused, format!("Mizar is not installed here: there is nothing to {}", target.command()))
        .hint("install it: kubectl mizar install --profile dev")
        .hint(format!("if the old script or kubectl apply has installed it: {FIRST_LOOK}"))
        .hint("if it is in a namespace that you may not list, name that: -n NAMESPACE")
}

/// How what runs and what should run go together. What runs may be of several versions, when an earlier change did not come to
/// its end.
pub(super) fn pair(ground: &Ground) -> Pair {
    let releases = &ground.prepared.releases;
    let wanted = releases.last().and_then(|release| app_version(&release.content.chart.metadata));
    let wanted_images: Vec<&str> = ground.prepared.images.iter().map(|image| image.name.as_str()).collect();
    let wanted = wanted_images.iter().find_map(|image| known_version(image)).or(wanted).unwrap_or_default();
    let base = ground.records.histories[1].base();
    let recorded = base.and_then(|stored| app_version(&stored.release.chart.metadata)).unwrap_or_default();
    let facts = &ground.facts;
    let mut running: Vec<String> = facts
        .pods
        .items()
        .iter()
        .filter(|pod| pod.role == PodRole::Daemon && pod.deleting.is_none())
        .filter_map(|pod| pod.containers.iter().find(|container| !container.init))
        .map(|container| container.image.clone())
        .collect();
    running.extend(daemon_set(facts.daemon_sets.items()).and_then(|set| set.images.first().cloned()));
    running.extend(
        facts
            .deployments
            .items()
            .iter()
            .filter(|it| it.name == "mizar-operator")
            .filter_map(|it| it.images.first().cloned()),
    );
    running.sort();
    running.dedup();
    let versions = running.iter().map(|image| known_version(image).unwrap_or_else(|| recorded.clone()));
    versions
        .map(|version| Pair::of(&version, &wanted))
        .find(|pair| *pair != Pair::Compatible)
        .unwrap_or(Pair::Compatible)
}

/// The version that an image's tag names, if that is one of Mizar's.
fn known_version(image: &str) -> Option<String> {
    ImageReference::parse(image).ok()?.tag.filter(|tag| is_known(tag))
}

fn app_version(chart: &Value) -> Option<String> {
    Some(chart["appVersion"].as_str()?.to_owned())
}
