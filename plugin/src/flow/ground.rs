//! Finding out where an install starts from: what is recorded, what should be, what is there, and the plan between them.
//! Nothing here changes anything.

use mizar_core::check::{self, Options, Phase, Report, access};
use mizar_core::facts::{self, Facts, Fetched, NodeFact, Right, Source};
use mizar_core::network::{anything_provisioned, eligible_nodes};
use mizar_core::object::{Object, ObjectRef};
use mizar_core::operation::{Claim, Intent, Operation, StoredOperation};
use mizar_core::plan::{Action, Change, Impact, Past, Plan, PlanInput, ReleaseInput, Surroundings, decide};
use mizar_core::release::History;
use mizar_core::site::Site;
use mizar_core::{adoption, repair, upgrade};
use serde_json::{Value, json};

use super::consent::Consent;
use super::gather::{Gathered, Wanted, gather};
use super::prepare::{self, Prepared};
use super::records::{self, DEFAULT_NAMESPACE, Records};
use super::run::Run;
use super::surroundings::around;
use super::value_sources::ValueSources;
use super::{definitions, judge, operation, treatment};
use crate::failure::{Failure, Kind};

/// What was found before anything is changed.
pub(crate) struct Ground {
    /// What should be.
    pub(crate) prepared: Prepared,
    /// Helm's records.
    pub(crate) records: Records,
    /// Our own record.
    pub(crate) stored: Option<StoredOperation>,
    /// How a change may begin, by our own record.
    pub(crate) claim: Claim,
    /// What was read of the cluster.
    pub(crate) facts: Facts,
    /// What has to be done.
    pub(crate) plan: Plan,
    /// The nodes that get a daemon.
    pub(crate) nodes: Vec<NodeFact>,
    /// What there is around the objects.
    pub(crate) surroundings: Surroundings,
}

/// What is recorded, and what should be.
pub(crate) struct Wish {
    /// Helm's records.
    pub(crate) records: Records,
    stored: Option<StoredOperation>,
    claim: Claim,
    /// What should be.
    pub(crate) prepared: Prepared,
}

/// What is recorded, before anything is wanted.
pub(crate) struct Found {
    /// Helm's records.
    pub(crate) records: Records,
    /// Our own record, as an install goes on from it.
    pub(crate) stored: Option<StoredOperation>,
    claim: Claim,
}

/// Binary Ready: reads the records, which may hold values to keep, and renders the charts. Settles the run's namespace,
/// and, for who means to change something, that nobody else is at it: what is read afterwards stays true.
pub(crate) async fn wish(
    run: &mut Run,
    asked: Option<&str>,
    values: &ValueSources,
    consent: Consent,
    means_it: bool,
) -> Result<Wish, Failure> {
    let found = find(run, asked, DEFAULT_NAMESPACE, means_it).await?;
    let prepared = prepare::prepare(values, found.intent(), found.helm_values(), run.namespace(), consent)?;
    found.wishing(prepared)
}

/// Reads the records. Settles the run's namespace, which is `otherwise` where none is asked for and nothing is recorded, and,
/// for who means to change something, that nobody else is at it.
pub(crate) async fn find(
    run: &mut Run,
    asked: Option<&str>,
    otherwise: &str,
    means_it: bool,
) -> Result<Found, Failure> {
    run.enter("records");
    let probable = asked.unwrap_or(otherwise);
    // Both at once: our own record is nearly always where nothing else is said.
    let (read_records, read_stored) =
        tokio::join!(records::read(run.cluster(), probable), operation::read(run.cluster(), probable));
    let mut records = read_records?;
    run.namespace = namespace_or(asked, &records, otherwise)?;
    let mut stored =
        if run.namespace == probable { read_stored? } else { operation::read(run.cluster(), run.namespace()).await? };
    let mut claim = Claim::Fresh;
    if means_it {
        let settled = operation::settle(run.cluster(), run.namespace(), stored, |event| run.tell(event)).await?;
        let settled = settled.for_install()?;
        (stored, claim) = (settled.stored, settled.claim);
        if settled.waited {
            records = records::read(run.cluster(), run.namespace()).await?;
        }
        records::refuse_pending(&records, |name| our_revision(stored.as_ref(), name))?;
    }
    let now = run.cluster().now();
    let stored = stored.map(|stored| stored.for_install(now));
    // Who goes on may ask for the profile, which a line that moves would overwrite.
    run.reporter().pause();
    Ok(Found { records, stored, claim })
}

impl Found {
    /// What our own last change meant, if it speaks for what is installed.
    pub(crate) fn intent(&self) -> Option<&Intent> {
        let stored = self.stored.as_ref().filter(|stored| speaks_for(stored, &self.records.histories[1]))?;
        Some(&stored.operation.intent)
    }

    /// The values of what is installed, whoever installed it.
    pub(crate) fn helm_values(&self) -> Option<Value> {
        self.records.histories[1].base().map(|stored| Value::Object(stored.release.config.clone()))
    }

    /// What should be instead. Refused, as long as nothing is changed, if it could not be recorded.
    pub(crate) fn wishing(self, prepared: Prepared) -> Result<Wish, Failure> {
        records::refuse_too_large(&self.records.histories, prepared.releases.iter().map(|release| &release.content))?;
        Ok(Wish { records: self.records, stored: self.stored, claim: self.claim, prepared })
    }
}

impl Wish {
    /// An install replaces no daemon: it must not take an upgrade for its own that has stopped in the middle.
    pub(crate) fn refuse_unfinished_upgrade(&self) -> Result<(), Failure> {
        let Some(stored) = self.stored.as_ref().filter(|stored| is_unfinished(&stored.operation)) else {
            return Ok(());
        };
        let command = stored.operation.command.as_str();
        if !["upgrade", "rollback", adoption::COMMAND].contains(&command) {
            return Ok(());
        }
        let (holder, since) = (&stored.operation.holder, stored.operation.started_at);
        let message =
            format!("{command}, begun by {holder} at {since:.0}, has stopped in the middle; nothing was changed");
        let failure = Failure::new(Kind::Refused, message).hint("go on with it: kubectl mizar resume");
        // What was there before an old installation was taken over is recorded nowhere.
        let failure = if command == adoption::COMMAND {
            failure
        } else {
            failure.hint("go back to what was there before: kubectl mizar rollback")
        };
        Err(failure.hint("leave it as it is: kubectl mizar abort"))
    }
}

pub(crate) fn namespace(asked: Option<&str>, records: &Records) -> Result<String, Failure> {
    namespace_or(asked, records, DEFAULT_NAMESPACE)
}

fn namespace_or(asked: Option<&str>, records: &Records, otherwise: &str) -> Result<String, Failure> {
    match (asked, &records.namespace) {
        (Some(asked), Some(found)) if asked != found => {
            let message =
                format!("Mizar is already recorded in namespace {found}, not {asked}; a cluster has one Mizar");
            Err(Failure::new(Kind::Refused, message).hint(format!("leave out -n, or use -n {found}")))
        }
        (_, Some(found)) => Ok(found.clone()),
        (asked, None) => Ok(asked.unwrap_or(otherwise).to_owned()),
    }
}

pub(crate) fn is_unfinished(operation: &Operation) -> bool {
    operation.outcome.as_ref().is_none_or(|end| !end.outcome.is_over())
}

/// The revision that our own unfinished run was writing.
pub(crate) fn our_revision(stored: Option<&StoredOperation>, release: &str) -> Option<u64> {
    let operation = &stored?.operation;
    if is_unfinished(operation) { operation.intent.releases.get(release).copied() } else { None }
}

/// Whether the values of our record are those of what is installed: Helm may have gone on since, or taken all away.
fn speaks_for(stored: &StoredOperation, history: &History) -> bool {
    if stored.operation.is_uninstall() {
        return false;
    }
    let intended = stored.operation.intent.releases.get("mizar").copied().unwrap_or_default();
    let newest = history.last().map_or(0, |last| last.release.revision);
    // A run that died early had not written its revision yet.
    newest == intended || (is_unfinished(&stored.operation) && newest + 1 == intended)
}

/// What a person agreed to beforehand.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is agreed to by itself")]
pub(crate) struct Agreed {
    /// A pod network of another kind may be replaced.
    pub(crate) take_over_cni: bool,
    /// Pods that are older than Mizar are recreated.
    pub(crate) recreate_pods: bool,
    /// Daemons and the operator are replaced, each in its way.
    pub(crate) replaces_pods: bool,
    /// An old installation is taken over.
    pub(crate) adopts: bool,
}

/// Environment Ready: reads the cluster once, judges whether an install may start, and plans it.
pub(crate) async fn survey(run: &Run, wish: Wish, agreed: Agreed) -> Result<(Ground, Report), Failure> {
    run.enter("preflight");
    let Wish { records, stored, claim, prepared } = wish;
    let input = PlanInput { adopts: agreed.adopts, ..plan_input(run.namespace(), &records, &prepared)? };
    let input = if agreed.adopts { without_hooks_to_make(input) } else { input };
    let bring = bring(run.namespace(), &prepared, agreed);
    let sources = sources(agreed);
    let wanted = Wanted {
        sources: &sources,
        namespaces: access::namespaces_of(&bring.needs),
        plan: Some(bring),
        objects: interest(&input),
        release_namespace: Some(run.namespace()),
        reporter: Some(run.reporter()),
        ..Wanted::default()
    };
    let (gathered, client) = tokio::join!(gather(run.cluster(), wanted), judge::client(Phase::Preflight));
    let Gathered { mut facts, live, unread } = gathered?;
    facts.client = Fetched::Known(client);
    facts.absorb_page(Source::Releases, &json!({"items": records.secrets}));
    let options = Options {
        namespace: run.namespace().to_owned(),
        take_over_cni: agreed.take_over_cni,
        adopts: agreed.adopts,
        ..Options::at(facts.gathered_at)
    };
    let report = check::evaluate(Phase::Preflight, &facts, &options);
    // The preflight names the missing right with all others; if it found none, this one failure still forbids to plan.
    if let Some(failure) = unread.filter(|_| report.is_clear()) {
        return Err(failure.into());
    }
    let input = PlanInput { live: on_management(live), ..input };
    let mut plan = decide(&input);
    plan.refusals.extend(definitions::at_risk(run.cluster(), &plan, &input.live).await?);
    if agreed.replaces_pods {
        plan.refusals.retain(|refusal| !upgrade::permits(refusal));
    }
    let nodes: Vec<NodeFact> =
        eligible_nodes(facts.nodes.items(), &prepared.placement()).into_iter().cloned().collect();
    let past = stored.as_ref().map(|stored| Past::of(&stored.operation, nodes.len()));
    let surroundings = around(run.cluster(), &mut facts, &nodes, plan.restarts_daemons(), past).await?;
    Ok((Ground { prepared, records, stored, claim, facts, plan, nodes, surroundings }, report))
}

/// Plans without judging: reads the objects that the plan is about and nothing else. For who only wants to see what would
/// become of them.
pub(crate) async fn look(run: &Run, wish: &Wish) -> Result<Plan, Failure> {
    run.enter("plan");
    let input = plan_input(run.namespace(), &wish.records, &wish.prepared)?;
    let objects = prepare::interest(&input);
    let wanted = Wanted { objects, reporter: Some(run.reporter()), ..Wanted::default() };
    let Gathered { live, unread, .. } = gather(run.cluster(), wanted).await?;
    if let Some(failure) = unread {
        return Err(failure.into());
    }
    let input = PlanInput { live: on_management(live), ..input };
    let mut plan = decide(&input);
    plan.refusals.extend(definitions::at_risk(run.cluster(), &plan, &input.live).await?);
    Ok(plan)
}

fn on_management(live: Vec<Object>) -> Vec<(Site, Object)> {
    live.into_iter().map(|object| (Site::Management, object)).collect()
}

/// What preflight needs; the pods, for the plan tells which of them lose their network; the Dividers, for they tell
/// whether the network was built already. The releases were read before, whole.
fn sources(agreed: Agreed) -> Vec<Source> {
    let mut sources = check::sources_of(Phase::Preflight);
    sources.retain(|source| *source != Source::Releases);
    let also: &[Source] = if agreed.replaces_pods { treatment::SOURCES } else { &[Source::Pods, Source::Dividers] };
    for source in also {
        if !sources.contains(source) {
            sources.push(*source);
        }
    }
    sources
}

/// What the install brings and needs; recreating pods needs one right more.
fn bring(namespace: &str, prepared: &Prepared, agreed: Agreed) -> facts::Plan {
    let mut bring = prepared.bring(namespace);
    if agreed.replaces_pods {
        bring.needs.extend(repair::needs(namespace));
        bring.needs.extend(upgrade::needs(namespace));
    }
    if agreed.adopts {
        bring.needs.extend(adoption::needs());
    }
    if agreed.recreate_pods {
        bring.needs.push(facts::Need {
            right: Right::new("delete", "", "pods"),
            unless: Vec::new(),
            purpose: "to recreate pods that are older than Mizar".to_owned(),
        });
    }
    bring
}

/// The objects that the plan must know; of an old installation also the binding that goes.
fn interest(input: &PlanInput) -> Vec<ObjectRef> {
    let mut objects = prepare::interest(input);
    if input.adopts {
        objects.push(ObjectRef {
            api_version: "rbac.authorization.k8s.io/v1".to_owned(),
            kind: "ClusterRoleBinding".to_owned(),
            namespace: None,
            name: adoption::OLD_BINDING.to_owned(),
        });
    }
    objects
}

/// What is made at a first installation only is there in an old one, as its operator has made it.
fn without_hooks_to_make(mut input: PlanInput) -> PlanInput {
    for release in &mut input.releases {
        release.first_install = false;
    }
    input
}

fn plan_input(namespace: &str, records: &Records, prepared: &Prepared) -> Result<PlanInput, Failure> {
    let mut releases = Vec::new();
    for (release, history) in prepared.releases.iter().zip(&records.histories) {
        releases.push(ReleaseInput {
            name: release.name.clone(),
            namespace: namespace.to_owned(),
            site: Site::Management,
            first_install: !history.was_ever_deployed(),
            objects: release.objects.clone(),
            hooks: release.hooks.clone(),
            recorded: recorded_objects(history)?,
        });
    }
    Ok(PlanInput { own: prepare::own_objects(namespace), releases, ..PlanInput::default() })
}

/// What the last complete revision holds, and what an unfinished one after it may have added.
fn recorded_objects(history: &History) -> Result<Vec<Object>, Failure> {
    let (base, last) = (history.base(), history.last());
    let after = last.filter(|last| base.is_none_or(|base| base.release.revision != last.release.revision));
    let mut objects = Vec::new();
    for stored in base.into_iter().chain(after) {
        objects.extend(prepare::objects_of(&stored.release.manifest)?);
    }
    Ok(objects)
}

impl Ground {
    /// Whether an earlier run did not come to its end, so that there is something to do although no object changes.
    pub(crate) fn is_unfinished(&self) -> bool {
        let mut releases = self.prepared.releases.iter().zip(&self.records.histories);
        self.stored.as_ref().is_some_and(|stored| is_unfinished(&stored.operation))
            || releases.any(|(release, history)| !records::is_recorded(history, &release.content))
    }

    /// Whether an operator would start on a network that another one built: it knows none of the addresses in use, hands
    /// them out again, and wires no new pod.
    pub(crate) fn starts_operator_on_finished_network(&self) -> bool {
        let starts = |change: &Change| match &change.action {
            Action::Create => true,
            Action::Update { fields } => fields.iter().any(|field| field.path == ".spec.replicas"),
            _ => false,
        };
        let mut operators = self.plan.changes().filter(|change| change.object.kind == "Deployment");
        operators.any(starts) && anything_provisioned(self.facts.dividers.items())
    }

    /// The revision of a release that our own unfinished run was writing.
    pub(crate) fn our_revision(&self, release: &str) -> Option<u64> {
        our_revision(self.stored.as_ref(), release)
    }

    /// Notes that the daemons of these nodes are replaced although the plan leaves their set as it is, and reads what that
    /// means.
    pub(crate) async fn replaces_old(&mut self, run: &Run, nodes: Vec<String>) -> Result<(), Failure> {
        let past = self.surroundings.past.take();
        let around = around(run.cluster(), &mut self.facts, &self.nodes, true, past).await?;
        self.surroundings = Surroundings { old_daemons: nodes, ..around };
        Ok(())
    }

    /// What the plan does to the network.
    pub(crate) fn impact(&self) -> Impact {
        Impact::of(&self.plan, &self.surroundings)
    }
}
