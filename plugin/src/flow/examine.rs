//! What `check` does: reads and judges once, or follows the cluster until nothing stands in the way.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::check::{CheckResult, Report, Selection, access, release_namespace};
use mizar_core::event::{Event, ReadSoFar};
use mizar_core::facts::{self, ChangeFact, Facts, Fetched, Source};
use mizar_core::site::Site;
use mizar_core::timing::Timing;
use tokio::time::{Instant, timeout_at};

use super::follow::{Fixed, Followed};
use super::gather::{Wanted, gather};
use super::judge;
use super::records::DEFAULT_NAMESPACE;
use super::releases;
use crate::cluster::{ApiFailure, Cluster};
use crate::failure::{Failure, Kind};
use crate::report::Reporter;

/// What a wait for checks is called where it is told.
const STAGE: &str = "checks";

/// What is asked.
pub(crate) struct Question {
    /// The checks.
    pub selection: Selection,
    /// The namespace of the release, if a person named one.
    pub namespace: Option<String>,
    /// What an install would bring, for the preflight.
    pub plan: Option<facts::Plan>,
}

/// What it came to.
pub(crate) struct Examined {
    /// The verdicts.
    pub report: Report,
    /// When they were made.
    pub at: Timestamp,
    /// The namespace of the release.
    pub namespace: String,
}

/// How long to wait, and for what.
pub(crate) struct Wait<'a> {
    /// The whole wait.
    pub limit: Duration,
    /// Every pause.
    pub timing: &'a Timing,
    /// Whether a report is good enough.
    pub enough: &'a dyn Fn(&Report) -> bool,
    /// Is told what is waited for.
    pub reporter: &'a dyn Reporter,
}

/// How a wait ended.
pub(crate) enum Waited {
    /// With a report that is good enough.
    Enough(Examined),
    /// Time was up first; this is what was left.
    TimedOut(Examined),
}

/// Reads and judges once; returns what was read, too.
pub(crate) async fn once(
    cluster: &Cluster,
    question: &Question,
    reporter: &dyn Reporter,
) -> Result<(Examined, Facts), Failure> {
    let Fixed { namespaces, plan, client, .. } = fixed(question).await;
    let sources = question.selection.sources();
    let wanted = Wanted {
        sources: &sources,
        namespaces,
        plan,
        client,
        release_namespace: question.namespace.as_deref(),
        reporter: Some(reporter),
        ..Wanted::default()
    };
    let mut facts = gather(cluster, wanted).await?.facts;
    facts.change = change(cluster, question, &facts).await?;
    // As of then, so that the facts come to the same when they are judged again.
    Ok((examine(question, &facts, facts.gathered_at)?, facts))
}

/// Judges what was recorded, as of the time when it was read.
pub(crate) fn recorded(question: &Question, facts: &Facts) -> Result<Examined, Failure> {
    examine(question, facts, facts.gathered_at)
}

/// Judges after every change, and after every pause, since some verdicts depend on how long something lasts.
pub(crate) async fn until(cluster: &Cluster, question: &Question, wait: &Wait<'_>) -> Result<(Waited, Facts), Failure> {
    let (begun, timing) = (Instant::now(), wait.timing);
    let deadline = begun + wait.limit;
    let mut followed = Followed::start(cluster, &question.selection.sources(), fixed(question).await).await?;
    wait.reporter.event(&begins());
    let mut recorded: Option<Fetched<ChangeFact>> = None;
    let mut next_word = begun + timing.show_reading;
    loop {
        let unlisted = followed.unlisted();
        if !unlisted.is_empty() && Instant::now() < deadline {
            if Instant::now() >= next_word {
                wait.reporter.event(&reading(&unlisted, begun.elapsed()));
                next_word = Instant::now() + timing.show_reading;
            }
            hear(&mut followed, timing.burst, next_word.min(deadline)).await?;
            continue;
        }
        let is_whole = unlisted.is_empty();
        followed.give_up_unlisted();
        let change = match recorded.take() {
            Some(known) => known,
            None => change(cluster, question, followed.facts()).await?,
        };
        followed.note_change(&change);
        recorded = Some(change);
        let judging = Instant::now();
        let examined = examine(question, followed.facts(), cluster.now())?;
        let pause = timing.pause_between_judgements(judging.elapsed(), begun.elapsed());
        let stale = followed.unwatched_age() >= timing.progress;
        let enough = (wait.enough)(&examined.report);
        if enough && is_whole && followed.trouble().is_none() && !stale {
            return Ok((Waited::Enough(examined), followed.into_facts()));
        }
        if Instant::now() >= deadline {
            return Ok((Waited::TimedOut(examined), followed.into_facts()));
        }
        // What no watch tells is read again once all else is well, or slowly while it is what is waited for.
        let in_the_way = question.selection.waits_for(&examined.report, followed.unwatched());
        if enough && stale || in_the_way && followed.unwatched_age() >= timing.look {
            followed.read_again(cluster).await?;
            recorded = None;
            continue;
        }
        wait.reporter.event(&progressed(&followed, &examined.report, begun.elapsed()));
        hear(&mut followed, pause, (Instant::now() + timing.progress).min(deadline)).await?;
    }
}

/// Waits for changes, and no longer than until `end`.
async fn hear(followed: &mut Followed, burst: Duration, end: Instant) -> Result<(), Failure> {
    let heard = timeout_at(end, followed.changed(burst)).await.unwrap_or(Ok(()));
    heard.map_err(|failure| failure.hint("or leave out --wait, which is all that needs it"))
}

/// Reads who changes Mizar, or did last, where a check looks at that; who may not read it is told so.
async fn change(cluster: &Cluster, question: &Question, facts: &Facts) -> Result<Fetched<ChangeFact>, ApiFailure> {
    if !question.selection.wants_the_change() {
        return Ok(Fetched::NotAsked);
    }
    Ok(releases::change(cluster, &namespace(question, facts)).await?.fact())
}

/// The namespace of the release. Before an install it is where the plan goes, not where somebody else's Mizar may be.
fn namespace(question: &Question, facts: &Facts) -> String {
    let installed = || release_namespace(facts).filter(|_| question.plan.is_none());
    question.namespace.as_deref().or_else(installed).unwrap_or(DEFAULT_NAMESPACE).to_owned()
}

async fn fixed(question: &Question) -> Fixed {
    Fixed {
        sources: Vec::new(),
        namespaces: question.plan.as_ref().map(|plan| access::namespaces_of(&plan.needs)).unwrap_or_default(),
        plan: question.plan.clone(),
        client: judge::client(question.selection.phase()).await,
    }
}

/// Judges what was read.
fn examine(question: &Question, facts: &Facts, at: Timestamp) -> Result<Examined, Failure> {
    let namespace = namespace(question, facts);
    let options = judge::options(&namespace, at);
    let report = question
        .selection
        .judge(facts, &options)
        .map_err(|error| Failure::new(Kind::Usage, error.to_string()).hint(error.hint()))?;
    Ok(Examined { report, at, namespace })
}

fn begins() -> Event {
    Event::StageStarted { stage: STAGE.to_owned(), site: Site::Management, total: 0 }
}

/// How much of the lists has come that have not come whole.
fn reading(unlisted: &[(Source, usize)], elapsed: Duration) -> Event {
    let mut read: Vec<ReadSoFar> =
        unlisted.iter().map(|(source, count)| ReadSoFar { what: source.noun().to_owned(), count: *count }).collect();
    read.sort_by_key(|part| Reverse(part.count));
    Event::ReadingProgressed { read, elapsed }
}

/// What a wait is about at the moment.
fn progressed(followed: &Followed, report: &Report, elapsed: Duration) -> Event {
    let blocking: Vec<&CheckResult> = report.blocking().chain(report.settling()).collect();
    let waiting_for = if let Some(trouble) = followed.trouble() {
        vec![trouble]
    } else if let Some(first) = blocking.first() {
        let ids: Vec<&str> = blocking.iter().map(|result| result.id.as_str()).collect();
        vec![format!("{}: {}", ids.join(", "), first.message)]
    } else {
        vec!["the rest to be read again".to_owned()]
    };
    let total = report.results.len();
    Event::StageProgressed { stage: STAGE.to_owned(), done: total - blocking.len(), total, waiting_for, elapsed }
}
