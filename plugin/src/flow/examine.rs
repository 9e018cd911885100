//! What `check` does: reads and judges once, or follows the cluster until nothing stands in the way.

use std::time::Duration;

use jiff::Timestamp;
use mizar_core::check::{CheckResult, Report, Selection, access, release_namespace};
use mizar_core::facts::{self, Facts};
use mizar_core::timing::Timing;
use tokio::time::{Instant, sleep_until};

use super::follow::{Fixed, Followed};
use super::gather::{Wanted, gather};
use super::judge;
use super::records::DEFAULT_NAMESPACE;
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::Reporter;

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
    /// Is told now and then what is waited for, since when.
    pub tell: &'a dyn Fn(&str, Duration),
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
    let facts = gather(cluster, wanted, Timestamp::now()).await?.facts;
    // As of then, so that the facts come to the same when they are judged again.
    Ok((examine(question, &facts, facts.gathered_at)?, facts))
}

/// Judges what was recorded, as of the time when it was read.
pub(crate) fn recorded(question: &Question, facts: &Facts) -> Result<Examined, Failure> {
    examine(question, facts, facts.gathered_at)
}

/// Judges after every change, and after every pause, since some verdicts depend on how long something lasts.
pub(crate) async fn until(cluster: &Cluster, question: &Question, wait: &Wait<'_>) -> Result<(Waited, Facts), Failure> {
    let begun = Instant::now();
    let deadline = begun + wait.limit;
    let mut followed = Followed::start(cluster, &question.selection.sources(), fixed(question).await).await?;
    let mut next_word = begun + wait.timing.progress;
    loop {
        let unlisted = followed.unlisted();
        let examined = examine(question, followed.facts(), Timestamp::now())?;
        if unlisted.is_empty() {
            let stale = followed.unwatched_age() >= wait.timing.progress;
            let enough = (wait.enough)(&examined.report);
            if enough && followed.trouble().is_none() && !stale {
                return Ok((Waited::Enough(examined), followed.into_facts()));
            }
            // What no watch tells is read again once all else is well, or slowly while it is what is waited for.
            let in_the_way = question.selection.waits_for(&examined.report, followed.unwatched());
            if enough && stale || in_the_way && followed.unwatched_age() >= wait.timing.look {
                followed.read_again(cluster).await?;
                continue;
            }
        }
        if Instant::now() >= deadline {
            return Ok((Waited::TimedOut(examined), followed.into_facts()));
        }
        if Instant::now() >= next_word {
            (wait.tell)(&waited_for(&followed, &unlisted, &examined.report), begun.elapsed());
            next_word = Instant::now() + wait.timing.progress;
        }
        tokio::select! {
            changed = followed.changed(wait.timing.burst) => changed?,
            () = sleep_until(next_word.min(deadline)) => {}
        }
    }
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
    // Before an install it is where the plan goes, not where somebody else's Mizar may be.
    let installed = || release_namespace(facts).filter(|_| question.plan.is_none());
    let found = question.namespace.as_deref().or_else(installed);
    let namespace = found.unwrap_or(DEFAULT_NAMESPACE).to_owned();
    let options = judge::options(&namespace, at);
    let report = question
        .selection
        .judge(facts, &options)
        .map_err(|error| Failure::new(Kind::Usage, error.to_string()).hint(error.hint()))?;
    Ok(Examined { report, at, namespace })
}

/// What a wait is about at the moment, in one line.
fn waited_for(followed: &Followed, unlisted: &[&str], report: &Report) -> String {
    if !unlisted.is_empty() {
        return format!("the lists of {}", unlisted.join(", "));
    }
    if let Some(trouble) = followed.trouble() {
        return trouble;
    }
    let blocking: Vec<&CheckResult> = report.blocking().chain(report.settling()).collect();
    let Some(first) = blocking.first() else { return "the rest to be read again".to_owned() };
    let ids: Vec<&str> = blocking.iter().map(|result| result.id.as_str()).collect();
    format!("{}: {}", ids.join(", "), first.message)
}
