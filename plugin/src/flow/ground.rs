//! Finding out where an install starts from: what is recorded, what should be, what is there, and the plan between them.
//! Nothing here changes anything.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mizar_core::check::{self, Options, Phase, Report, access};
use mizar_core::facts::{self, Facts, NodeFact, Right, Source};
use mizar_core::network::eligible_nodes;
use mizar_core::object::Object;
use mizar_core::operation::StoredOperation;
use mizar_core::plan::{Impact, Plan, PlanInput, ReleaseInput, decide};
use mizar_core::release::History;
use mizar_core::site::Site;
use serde_json::{Value, json};

use super::gather::{Gathered, Wanted, gather};
use super::prepare::{self, Consent, Prepared, ValueSources};
use super::records::{self, DEFAULT_NAMESPACE, Records};
use super::run::Run;
use super::{judge, operation};
use crate::failure::{Failure, Kind};

/// What was found before anything is changed.
pub(crate) struct Ground {
    /// What should be.
    pub(crate) prepared: Prepared,
    /// Helm's records.
    pub(crate) records: Records,
    /// Our own record.
    pub(crate) stored: Option<StoredOperation>,
    /// What was read of the cluster.
    pub(crate) facts: Facts,
    /// What has to be done.
    pub(crate) plan: Plan,
    /// The nodes that get a daemon.
    pub(crate) nodes: Vec<NodeFact>,
}

/// What is recorded, and what should be.
pub(crate) struct Wish {
    records: Records,
    stored: Option<StoredOperation>,
    /// What should be.
    pub(crate) prepared: Prepared,
}

/// Binary Ready: reads the records, which may hold values to keep, and renders the charts. Settles the run's namespace.
pub(crate) async fn wish(
    run: &mut Run,
    asked: Option<&str>,
    values: &ValueSources,
    consent: Consent,
) -> Result<Wish, Failure> {
    run.enter("records");
    let records = records::read(run.cluster(), asked.unwrap_or(DEFAULT_NAMESPACE)).await?;
    run.namespace = match (asked, &records.namespace) {
        (Some(asked), Some(found)) if asked != found => {
            let message =
                format!("Mizar is already recorded in namespace {found}, not {asked}; a cluster has one Mizar");
            return Err(Failure::new(Kind::Refused, message).hint(format!("leave out -n, or use -n {found}")));
        }
        (_, Some(found)) => found.clone(),
        (asked, None) => asked.unwrap_or(DEFAULT_NAMESPACE).to_owned(),
    };
    let stored = operation::read(run.cluster(), run.namespace()).await?;
    let recorded = stored.as_ref().map(|stored| &stored.operation.intent);
    let base = records.histories[1].base();
    let helm_values = base.map(|stored| Value::Object(stored.release.config.clone()));
    // It may ask for the profile, which a line that moves would overwrite.
    run.reporter().pause();
    let prepared = prepare::prepare(values, recorded, helm_values, run.namespace(), consent)?;
    Ok(Wish { records, stored, prepared })
}

/// What a person agreed to beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreed {
    /// A pod network of another kind may be replaced.
    pub(crate) take_over_cni: bool,
    /// Pods that are older than Mizar are recreated.
    pub(crate) recreate_pods: bool,
}

/// Environment Ready: reads the cluster once, judges whether an install may start, and plans it.
pub(crate) async fn survey(run: &Run, wish: Wish, agreed: Agreed) -> Result<(Ground, Report), Failure> {
    run.enter("preflight");
    let Wish { records, stored, prepared } = wish;
    let now = Timestamp::now();
    let input = plan_input(run.namespace(), &records, &prepared)?;
    let bring = bring(run.namespace(), &prepared, agreed);
    let sources = sources();
    let wanted = Wanted {
        sources: &sources,
        namespaces: access::namespaces_of(&bring.needs),
        plan: Some(bring),
        objects: prepare::interest(&input),
        client: judge::client(Phase::Preflight).await,
    };
    let Gathered { mut facts, live } = gather(run.cluster(), wanted, now).await?;
    facts.absorb_page(Source::Releases, &json!({"items": records.secrets}));
    let options =
        Options { namespace: run.namespace().to_owned(), take_over_cni: agreed.take_over_cni, ..Options::at(now) };
    let report = check::evaluate(Phase::Preflight, &facts, &options);
    let input = PlanInput { live: live.into_iter().map(|object| (Site::Management, object)).collect(), ..input };
    let plan = decide(&input);
    let nodes = eligible_nodes(facts.nodes.items(), &prepared.placement()).into_iter().cloned().collect();
    Ok((Ground { prepared, records, stored, facts, plan, nodes }, report))
}

/// What preflight needs, and the pods, for the plan tells which of them lose their network. The releases were read
/// before, whole.
fn sources() -> Vec<Source> {
    let mut sources = check::sources_of(Phase::Preflight);
    sources.retain(|source| *source != Source::Releases);
    if !sources.contains(&Source::Pods) {
        sources.push(Source::Pods);
    }
    sources
}

/// What the install brings and needs; recreating pods needs one right more.
fn bring(namespace: &str, prepared: &Prepared, agreed: Agreed) -> facts::Plan {
    let mut bring = prepared.bring(namespace);
    if agreed.recreate_pods {
        bring.needs.push(facts::Need {
            right: Right::new("delete", "", "pods"),
            unless: Vec::new(),
            purpose: "to recreate pods that are older than Mizar".to_owned(),
        });
    }
    bring
}

fn plan_input(namespace: &str, records: &Records, prepared: &Prepared) -> Result<PlanInput, Failure> {
    let mut releases = Vec::new();
    for (release, history) in prepared.releases.iter().zip(&records.histories) {
        releases.push(ReleaseInput {
            name: release.name.clone(),
            namespace: namespace.to_owned(),
            site: Site::Management,
            first_install: history.deployed().is_none(),
            objects: release.objects.clone(),
            hooks: release.hooks.clone(),
            recorded: recorded_objects(history)?,
        });
    }
    Ok(PlanInput { own: prepare::own_objects(namespace), releases, ..PlanInput::default() })
}

/// What the last complete revision holds, and what an unfinished one after it may have added.
fn recorded_objects(history: &History) -> Result<Vec<Object>, Failure> {
    let mut objects: BTreeMap<String, Object> = BTreeMap::new();
    for stored in [history.last(), history.base()].into_iter().flatten() {
        for object in prepare::objects_of(&stored.release.manifest)? {
            objects.insert(format!("{:?}", object.reference()), object);
        }
    }
    Ok(objects.into_values().collect())
}

impl Ground {
    /// Whether an earlier run did not come to its end, so that there is something to do although no object changes.
    pub(crate) fn is_unfinished(&self) -> bool {
        let unfinished =
            |stored: &StoredOperation| stored.operation.outcome.as_ref().is_none_or(|end| !end.outcome.is_success());
        let mut releases = self.prepared.releases.iter().zip(&self.records.histories);
        self.stored.as_ref().is_some_and(unfinished)
            || releases.any(|(release, history)| !records::is_recorded(history, &release.content))
    }

    /// What the plan does to the network.
    pub(crate) fn impact(&self) -> Impact {
        let nodes: Vec<String> = self.nodes.iter().map(|node| node.name.clone()).collect();
        Impact::of(&self.plan, &nodes, &prepare::pods_on_nodes(&self.facts))
    }
}
