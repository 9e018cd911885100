//! Replacing the daemons of nodes, one node at a time. A daemon that starts anew has lost all that was programmed there, so what
//! others depend on leaves first: Bouncers and Dividers are placed elsewhere, pods are evicted. Then the daemon is replaced, the
//! node is programmed anew, and only then the next one has its turn.
//!
//! Whose turn it is, the facts tell: whoever is killed and runs again goes on with the node that still carries its mark.

mod daemon;
mod drain;
mod programming;

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_core::event::Event;
use mizar_core::facts::{Facts, NodeFact};
use mizar_core::network::daemon_set;
use mizar_core::repair::Wish;
use mizar_core::upgrade::turn::{has_other_place, placed_on, unreachable};
use mizar_core::upgrade::{DrainTerms, Order, Turn, turn, turns};
use mizar_core::words::counted;
use serde_json::{Value, json};

use super::cordon::{cordon, let_go};
use super::operation::Held;
use super::restart::Restarted;
use super::run::Run;
use super::treat::{self, stage_begins, stage_ends};
use super::treatment::{SOURCES, Treatment, refuse_gaps};
use crate::failure::{Failure, Kind};
use crate::flow::gather::{Wanted, gather};

/// How often a Bouncer or a Divider is placed anew to get it off a node: the operator picks a node at random.
const MOVES: usize = 6;

/// How long a node may take to be drained, unless said otherwise.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Times of objects are cut to the second, and some are sums of two; so is that of a container's start. No scale makes it shorter.
const TOLD_APART: Duration = Duration::from_secs(3);

/// How nodes are treated, as the person has agreed to.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Whether pods are evicted before a daemon is replaced.
    pub(crate) drain: bool,
    /// Which pods may be evicted.
    pub(crate) allowed: DrainTerms,
    /// How long a node may take to be drained.
    pub(crate) drain_timeout: Duration,
    /// Seconds that evicted pods get to end; theirs if not said.
    pub(crate) grace_period: Option<u32>,
    /// Replaces the limit of every other wait.
    pub(crate) limit: Option<Duration>,
    /// In which order.
    pub(crate) order: Order,
    /// All at once, while no operator runs: old and new parts would misunderstand each other.
    pub(crate) window: bool,
}

/// Replaces every daemon that does not run the present template of the DaemonSet. Returns one line about it.
pub(crate) async fn replace_daemons(run: &Run, terms: &Terms) -> Result<String, Failure> {
    let held = run.held.as_ref().ok_or_else(|| Failure::new(Kind::Bug, "nodes are replaced without a record of it"))?;
    let revision = daemon::wanted_revision(run).await?;
    let rolling = Rolling { run, held, terms, id: held.id().await, revision };
    let done = if terms.window { rolling.all_at_once().await? } else { rolling.one_by_one().await? };
    let facts = look(run).await?;
    let late = unreachable(&facts);
    if !late.is_empty() {
        let message = format!(
            "{} not answer: {}; run this command again when that is over",
            if late.len() == 1 { "1 node does".to_owned() } else { format!("{} nodes do", late.len()) },
            late.join(", ")
        );
        run.tell(Event::Warning { message, object: None });
    }
    Ok(match done {
        0 => "every daemon runs the present template already".to_owned(),
        done => format!("{} with a new daemon", counted(done, "node")),
    })
}

/// What follows when the operator was restarted: it is noted which addresses it knows, and what is left is done; of nodes and pods only
/// where all were replaced while it was away.
pub(crate) async fn after_restart(run: &Run, terms: &Terms, restarted: Restarted) -> Result<(), Failure> {
    let mut treatment = Treatment::new(run, Wish::default(), terms.limit);
    treatment.note_known(restarted.wired.as_deref()).await?;
    programming::whatever_is_left(run, terms).await?;
    match restarted.unsettled {
        Some(unsettled) => Err(unsettled),
        None => Ok(()),
    }
}

/// Opens the nodes that were left in the middle, once each of them works. One whose daemon does not come in time is told and stays
/// closed: pods there would have no network.
pub(crate) async fn open_nodes(run: &Run, limit: Option<Duration>) -> Result<(), Failure> {
    let held = run.held.as_ref().ok_or_else(|| Failure::new(Kind::Bug, "nodes are opened without a record of it"))?;
    let facts = look(run).await?;
    let begun = held.nodes_in(REPLACING).await;
    let is_begun = |node: &&NodeFact| node.cordoned_by.is_some() || begun.contains(&node.name);
    for NodeFact { name, .. } in facts.nodes.items().iter().filter(is_begun) {
        let (stage, limit) = (format!("node {name}"), Some(limit.unwrap_or(run.timing().stall)));
        match daemon::until_ready(run, &stage, name, None, None, limit).await {
            Ok(()) => {}
            Err(stopped) if stopped.kind == Kind::Interrupted => return Err(stopped),
            Err(late) => {
                let message =
                    format!("node {name} stays closed, since pods there would have no network: {}", late.message);
                run.tell(Event::Warning { message, object: None });
                continue;
            }
        }
        programming::connect(run, name, None).await?;
        let_go(run, name).await?;
        programming::recreate(run, name, None).await?;
        held.note_node(name, note(DONE)).await?;
    }
    Ok(())
}

/// The nodes whose daemon does not run the present template of its DaemonSet.
pub(crate) async fn old_daemons(run: &Run, facts: &Facts, order: Order) -> Result<Vec<Turn>, Failure> {
    if daemon_set(facts.daemon_sets.items()).is_none() {
        return Ok(Vec::new());
    }
    let revision = daemon::wanted_revision(run).await?;
    Ok(turns(facts, turn::Wanted::Revision(&revision), order))
}

/// Reads what decides.
async fn look(run: &Run) -> Result<Facts, Failure> {
    run.enter("look");
    let facts = gather(run.cluster(), Wanted { sources: SOURCES, ..Wanted::default() }).await?.facts;
    refuse_gaps(&facts, true)?;
    run.enter("apply");
    Ok(facts)
}

struct Rolling<'a> {
    run: &'a Run,
    held: &'a Held,
    terms: &'a Terms,
    /// The mark on nodes that we cordon.
    id: String,
    /// The revision of the DaemonSet that daemons should be of.
    revision: String,
}

impl Rolling<'_> {
    async fn one_by_one(&self) -> Result<usize, Failure> {
        let mut done = BTreeSet::new();
        let facts = look(self.run).await?;
        if !turns(&facts, turn::Wanted::Revision(&self.revision), self.terms.order).is_empty() {
            // Addresses that the operator does not know are kept before pods move.
            programming::whatever_is_left(self.run, self.terms).await?;
        }
        loop {
            self.run.go_on()?;
            let facts = look(self.run).await?;
            // A node that was left in the middle comes first: never is a second one without its daemon.
            let begun = self.held.nodes_in(REPLACING).await;
            let is_begun = |node: &&NodeFact| node.cordoned_by.is_some() || begun.contains(&node.name);
            if let Some(node) = facts.nodes.items().iter().find(is_begun) {
                self.node(&facts, &node.name).await?;
                done.insert(node.name.clone());
                continue;
            }
            let turns = turns(&facts, turn::Wanted::Revision(&self.revision), self.terms.order);
            let Some(next) = turns.first() else {
                if !done.is_empty() {
                    programming::whatever_is_left(self.run, self.terms).await?;
                }
                return Ok(done.len());
            };
            if !done.insert(next.node.clone()) {
                let message = format!(
                    "the daemon of {} is old again after it was replaced: somebody works against it",
                    next.node
                );
                return Err(Failure::new(Kind::PartlyApplied, message).hint(format!(
                    "who changes the DaemonSet? kubectl -n {} get daemonset mizar-daemon -o yaml",
                    self.run.namespace()
                )));
            }
            self.node(&facts, &next.node).await?;
        }
    }

    /// One node's turn: what is done already is not done again.
    async fn node(&self, facts: &Facts, node: &str) -> Result<(), Failure> {
        let stage = format!("node {node}");
        let turn = turns(facts, turn::Wanted::Revision(&self.revision), self.terms.order)
            .into_iter()
            .find(|turn| turn.node == node);
        let begun = stage_begins(self.run, &stage, 1);
        self.held.note_node(node, note(REPLACING)).await?;
        if let Some(turn) = &turn {
            self.prepare(&stage, facts, turn).await?;
            daemon::replace(self.run, &stage, turn, &self.revision, self.terms.limit).await?;
        } else {
            daemon::until_ready(self.run, &stage, node, None, Some(&self.revision), self.terms.limit).await?;
        }
        programming::connect(self.run, node, self.terms.limit).await?;
        // Before pods are recreated: where the node is the only one, they have nowhere else to go.
        let_go(self.run, node).await?;
        programming::recreate(self.run, node, self.terms.limit).await?;
        self.held.note_node(node, note(DONE)).await?;
        let left = turn.as_ref().map_or(0, |turn| turn.leaving.len());
        let summary = match (self.terms.drain, left) {
            (true, 1..) => format!("{} evicted, daemon replaced, node programmed anew", counted(left, "pod")),
            _ => "daemon replaced, node programmed anew".to_owned(),
        };
        stage_ends(self.run, &stage, summary, begun);
        Ok(())
    }

    /// Gets away from a node what others depend on. Until the daemon is deleted nothing is lost: whatever fails, new pods may come
    /// again.
    async fn prepare(&self, stage: &str, facts: &Facts, turn: &Turn) -> Result<(), Failure> {
        let prepared = async {
            self.move_away(facts, turn).await?;
            cordon(self.run, &turn.node, &self.id).await?;
            if self.terms.drain {
                drain::drain(self.run, stage, &turn.node, self.terms).await?;
            }
            self.until_told_apart(Some(&turn.node)).await
        };
        let prepared: Result<(), Failure> = prepared.await;
        if prepared.is_err() && !self.held.is_lost() {
            // The first failure is the one to tell.
            let _second_failure = let_go(self.run, &turn.node).await;
        }
        prepared
    }

    /// Has the operator place Dividers, then Bouncers, on other nodes. It picks one at random, so that it may take a few tries; what
    /// stays is placed anew when the daemon is there again.
    async fn move_away(&self, facts: &Facts, turn: &Turn) -> Result<(), Failure> {
        let mut placed = turn.moving.clone();
        let mut other_place = has_other_place(facts, &turn.node);
        for _ in 0..MOVES {
            if placed.is_empty() || !other_place {
                return Ok(());
            }
            for object in &placed {
                treat::reprovision(self.run, object).await?;
            }
            let facts = look(self.run).await?;
            placed = placed_on(&facts, &turn.node);
            other_place = has_other_place(&facts, &turn.node);
        }
        let names: Vec<String> = placed.iter().map(ToString::to_string).collect();
        if !names.is_empty() {
            let message = format!(
                "the operator keeps placing {} on {}: what it forwards stops until the daemon is back",
                names.join(", "),
                turn.node
            );
            self.run.tell(Event::Warning { message, object: None });
        }
        Ok(())
    }

    /// Waits until what was programmed last is old enough to be told from what a new daemon programs.
    async fn until_told_apart(&self, node: Option<&str>) -> Result<(), Failure> {
        let facts = look(self.run).await?;
        let Some(last) = turn::programmed_last(&facts, node) else { return Ok(()) };
        let age = Duration::try_from(self.run.cluster().now().duration_since(last)).unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(TOLD_APART.saturating_sub(age)) => Ok(()),
            failure = self.run.stopped() => Err(failure),
        }
    }

    /// With no operator to notice: every daemon that is old is deleted, and all are waited for. The nodes are programmed anew when
    /// the new operator runs.
    async fn all_at_once(&self) -> Result<usize, Failure> {
        let facts = look(self.run).await?;
        let turns = turns(&facts, turn::Wanted::Revision(&self.revision), self.terms.order);
        let stage = "replace-daemons";
        self.until_told_apart(None).await?;
        let begun = stage_begins(self.run, stage, turns.len());
        for turn in &turns {
            // Nobody is there to take the finalizer of the operator off.
            treat::delete_unseen(self.run, &turn.daemon).await?;
        }
        for turn in &turns {
            let old = Some(turn.daemon.uid.as_str());
            daemon::until_ready(self.run, stage, &turn.node, old, Some(&self.revision), self.terms.limit).await?;
        }
        stage_ends(self.run, stage, format!("{} replaced", counted(turns.len(), "daemon")), begun);
        Ok(turns.len())
    }
}

/// In the record: what was begun on a node is not at its end.
const REPLACING: &str = "replacing";
/// In the record: a node is as it should be.
const DONE: &str = "done";

fn note(state: &str) -> Value {
    json!({"state": state})
}
