//! What is judged: a table of checks, each a function from [`Facts`] to a [`Verdict`], and the report they make. Checks
//! are independent of each other and never read anything themselves; a check whose source could not be read is Unknown,
//! never silently fine. The same table feeds preflight, `check`, the waits of a rollout, JSON and `docs/checks.md`.

pub mod access;
mod addresses;
mod arktos;
mod baseline;
mod catalog;
mod cluster;
mod components;
mod document;
mod home;
mod installation;
mod leftovers;
mod nodes;
mod parts;
mod placement;
mod plan;
mod pods;
mod progress;
mod reference;
mod selection;
mod services;
mod startup;
mod verdict;
mod versions;

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use baseline::{Baseline, BaselineError, Comparison, Finding};
pub use catalog::CHECKS;
pub(crate) use cluster::other_networks;
pub use document::{Heading, REPORT_API_VERSION, REPORT_KIND};
pub use home::release_namespace;
pub use reference::reference_markdown;
pub use selection::{Filters, Selection, SelectionError, categories, lookup, node_of, word};
pub use verdict::{Evidence, Status, Verdict};

use crate::diagnosis::Moment;
use crate::facts::{Facts, Gap, Source};
use crate::repair::remedy_of_check;

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Whether the cluster can be reached and changed.
    Access,
    /// The machines.
    Nodes,
    /// What is there already, and whose it is.
    Installation,
    /// Mizar's own workloads.
    Components,
    /// Mizar's objects: the network as the operator builds it.
    Network,
    /// Names and virtual addresses.
    Services,
    /// The pods that use it.
    Pods,
    /// What only Arktos has.
    Arktos,
}

/// How much depends on a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Without it nothing can go on; not knowing is as bad.
    Blocker,
    /// Somebody should look.
    Warning,
    /// Good to know.
    Note,
}

/// What to do where a check could not be decided although everything could be read.
const UNDECIDED: &str = "run this again in a moment; `kubectl mizar check -o json` shows what was seen";

/// Why all that looks at objects of Mizar is skipped where the server does not know their kinds.
const NOT_INSTALLED: &str = "Mizar is not installed here";

/// Says what to do about what may still come right by itself.
fn wait_for_it(until: Timestamp, now: Timestamp) -> String {
    let seconds = until.duration_since(now).as_secs().max(1);
    format!("look again in {seconds} s; `kubectl mizar check --wait` waits for it")
}

/// When a check is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before an install: may it start?
    Preflight,
    /// Afterwards: is it healthy?
    Health,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// What it is about.
    pub category: Category,
    /// How much depends on it.
    pub severity: Severity,
    /// When it is asked.
    pub phases: &'static [Phase],
    /// What is fine when it passes.
    pub title: &'static str,
    /// When it passes, in a sentence or two.
    pub about: &'static str,
    /// What to type when it does not; a verdict that knows the names of what is wrong brings its own.
    pub hint: &'static str,
    /// What it looks at; any of these that could not be read makes it Unknown.
    pub sources: &'static [Source],
    /// The judgement.
    pub evaluate: fn(&Facts, &Options) -> Verdict,
}

impl Check {
    /// Returns where it is described.
    #[must_use]
    pub fn doc(&self) -> String {
        format!("docs/checks.md#{}", self.id)
    }

    /// Judges the facts; sources come first, so that no check can pass on what was not read.
    #[must_use]
    pub fn run(&self, facts: &Facts, options: &Options) -> CheckResult {
        let verdict = self.without_sources(facts).unwrap_or_else(|| (self.evaluate)(facts, options));
        let settles = verdict.settles.filter(|_| verdict.status.asks_for_action());
        CheckResult {
            id: self.id.to_owned(),
            category: self.category,
            severity: self.severity,
            status: verdict.status,
            title: self.title.to_owned(),
            message: verdict.message,
            hint: match verdict.status {
                Status::Pass | Status::Skipped => None,
                Status::Warn | Status::Fail if settles.is_some() => {
                    settles.map(|until| wait_for_it(until, options.now))
                }
                // What heals a failure may harm where nobody knows whether there is one.
                Status::Unknown => Some(verdict.hint.unwrap_or_else(|| UNDECIDED.to_owned())),
                Status::Warn | Status::Fail => Some(verdict.hint.unwrap_or_else(|| self.hint.to_owned())),
            },
            remedy: match verdict.status {
                _ if settles.is_some() => None,
                Status::Warn | Status::Fail => remedy_of_check(self.id).map(|remedy| remedy.id().to_owned()),
                Status::Pass | Status::Skipped | Status::Unknown => None,
            },
            settles,
            doc: self.doc(),
            evidence: verdict.evidence,
        }
    }

    fn without_sources(&self, facts: &Facts) -> Option<Verdict> {
        if self.category == Category::Arktos && facts.is_arktos() == Some(false) {
            return Some(Verdict::skipped("this cluster is not Arktos"));
        }
        let gaps = || self.sources.iter().filter_map(|source| Some((*source, facts.gap(*source)?)));
        let unreadable: Vec<_> =
            gaps().filter(|(source, gap)| !source.may_be_absent() || *gap != Gap::Absent).collect();
        if !unreadable.is_empty() {
            return Some(Verdict::unreadable(&unreadable));
        }
        // Without words of its own: many checks are skipped for this reason, which is told once.
        let missing: Vec<_> = gaps().filter(|(source, _)| source.is_mizar()).map(|(source, _)| source.noun()).collect();
        let evidence = |noun: &&str| Evidence::new("API server", *noun, "not served", "served");
        let not_installed = || Verdict::skipped(NOT_INSTALLED).with(missing.iter().map(evidence).collect());
        (!missing.is_empty()).then(not_installed)
    }
}

/// What judging needs besides the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The present moment.
    pub now: Timestamp,
    /// Whether the user agreed to replace another pod network.
    pub take_over_cni: bool,
    /// Whether an installation that no release is recorded of is taken over.
    pub adopts: bool,
    /// The namespace of the release.
    pub namespace: String,
    /// From when on a thing is worth a word.
    pub thresholds: Thresholds,
}

impl Options {
    /// Returns the usual options at a moment.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            take_over_cni: false,
            adopts: false,
            namespace: "mizar-system".to_owned(),
            thresholds: Thresholds::default(),
        }
    }

    /// Returns what a diagnosis needs of them.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        Moment {
            now: self.now,
            settling: self.thresholds.settling,
            unfinished: self.thresholds.unfinished_handler,
            slow: self.thresholds.stuck_warning,
        }
    }

    /// Whether something happened less than this ago; what has no time did not.
    fn is_recent(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| self.now.duration_since(at) < self.thresholds.recent)
    }

    /// Whether something is at least this old; what has no time is.
    fn is_older(&self, since: Option<Timestamp>, age: SignedDuration) -> bool {
        since.is_none_or(|since| self.now.duration_since(since) >= age)
    }
}

/// From when on a thing is worth a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// An object that is Init for this long is slow.
    pub stuck_warning: SignedDuration,
    /// The operator gives up after 240 tries at 15 s; an object that is Init for longer will stay so.
    pub stuck_failure: SignedDuration,
    /// A handler of the operator that is retried for this long on a finished object will not end by itself.
    pub unfinished_handler: SignedDuration,
    /// Pods and Endpoints younger than this may still be waiting for each other.
    pub settling: SignedDuration,
    /// A daemon that restarted this often cuts its node again and again.
    pub daemon_restarts: u32,
    /// A pod that is on its node for this long and has no network yet will not get one by itself.
    pub starting: SignedDuration,
    /// What happened within this time still goes on: sandbox failures, restarts.
    pub recent: SignedDuration,
    /// What is being deleted for this long is held by something.
    pub deletion: SignedDuration,
}

impl Thresholds {
    /// Returns the same ages, shorter (below 1) or longer (above 1). Counts stay as they are.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let scale = |age: SignedDuration| SignedDuration::try_from_secs_f64(age.as_secs_f64() * factor).unwrap_or(age);
        Self {
            stuck_warning: scale(self.stuck_warning),
            stuck_failure: scale(self.stuck_failure),
            unfinished_handler: scale(self.unfinished_handler),
            settling: scale(self.settling),
            starting: scale(self.starting),
            recent: scale(self.recent),
            deletion: scale(self.deletion),
            daemon_restarts: self.daemon_restarts,
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            stuck_warning: SignedDuration::from_mins(2),
            stuck_failure: SignedDuration::from_mins(60),
            unfinished_handler: SignedDuration::from_mins(1),
            settling: SignedDuration::from_mins(1),
            daemon_restarts: 3,
            starting: SignedDuration::from_mins(5),
            recent: SignedDuration::from_mins(10),
            deletion: SignedDuration::from_mins(2),
        }
    }
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// The check.
    pub id: String,
    /// What it is about.
    pub category: Category,
    /// How much depends on it.
    pub severity: Severity,
    /// What it came to.
    pub status: Status,
    /// What is fine when it passes.
    pub title: String,
    /// What was found.
    pub message: String,
    /// What to type next; nothing when there is nothing to do.
    pub hint: Option<String>,
    /// The remedy of `kubectl mizar repair` that may heal it; nothing where there is nothing to heal, or no remedy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
    /// Until when it may still come right by itself; a Warn until then, and a Fail afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub settles: Option<Timestamp>,
    /// Where it is described.
    pub doc: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
}

impl CheckResult {
    /// Whether nothing may go on because of it.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        match self.status {
            Status::Fail => true,
            Status::Unknown => matches!(self.severity, Severity::Blocker),
            Status::Pass | Status::Skipped | Status::Warn => false,
        }
    }
}

/// How many checks came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the statuses")]
pub struct Summary {
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub unknown: usize,
    pub skipped: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warnings = if self.warn == 1 { "warning" } else { "warnings" };
        let counts = [
            (self.fail, "failed"),
            (self.unknown, "unknown"),
            (self.warn, warnings),
            (self.pass, "passed"),
            (self.skipped, "skipped"),
        ];
        let said: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        formatter.write_str(&said.join(", "))
    }
}

/// What all checks came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The results, in the order of the table.
    pub results: Vec<CheckResult>,
}

impl Report {
    /// Counts the results.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count = |status: Status| self.results.iter().filter(|result| result.status == status).count();
        Summary {
            pass: count(Status::Pass),
            warn: count(Status::Warn),
            fail: count(Status::Fail),
            unknown: count(Status::Unknown),
            skipped: count(Status::Skipped),
        }
    }

    /// Returns the worst status there is.
    #[must_use]
    pub fn worst(&self) -> Status {
        self.results.iter().map(|result| result.status).max().unwrap_or(Status::Pass)
    }

    /// Returns the results because of which nothing may go on: every Fail and every Unknown of a blocker. `check` ends
    /// with 1 when there is one, a refused install with 3.
    pub fn blocking(&self) -> impl Iterator<Item = &CheckResult> {
        self.results.iter().filter(|result| result.blocks())
    }

    /// Whether nothing stands in the way.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.blocking().next().is_none()
    }

    /// Returns the results that may still come right by themselves: nothing to act on, and something to wait for.
    pub fn settling(&self) -> impl Iterator<Item = &CheckResult> {
        self.results.iter().filter(|result| result.settles.is_some())
    }

    /// Returns the result of one check.
    #[must_use]
    pub fn result(&self, id: &str) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.id == id)
    }
}

/// Judges the facts by every check of a phase.
#[must_use]
pub fn evaluate(phase: Phase, facts: &Facts, options: &Options) -> Report {
    selection::judge(checks_of(phase), facts, options)
}

/// Returns the checks of a phase, in the order of the table.
pub fn checks_of(phase: Phase) -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().filter(move |check| check.phases.contains(&phase))
}

/// Returns the sources that a phase needs, each once, in the order in which to ask.
#[must_use]
pub fn sources_of(phase: Phase) -> Vec<Source> {
    let needed = |source: &&Source| checks_of(phase).any(|check| check.sources.contains(source));
    Source::ALL.iter().filter(needed).copied().collect()
}
