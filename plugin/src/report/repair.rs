//! The plan of a repair for people: remedy by remedy what is touched, why, and what it cuts; then what no remedy heals.

use std::fmt::Write as _;

use mizar_core::diagnosis::Settling;
use mizar_core::event::Event;
use mizar_core::repair::{Act, RepairPlan, Step};
use mizar_core::restart::RestartPlan;

use super::format::{self, Format};
use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN};
use crate::failure::Failure;

/// How many acts of one remedy are shown before the rest is counted.
const ACTS_SHOWN: usize = 8;

/// A plan and nothing else, in any form; `planned` is the event that tells it to machines.
pub(crate) fn alone(
    format: &Format,
    planned: &Event,
    plan: &RepairPlan,
    restart: Option<&RestartPlan>,
) -> Result<String, Failure> {
    format.write_or(
        || planned.document(),
        || match format {
            Format::Name => format::names(plan.steps.iter().map(|step| format!("remedy/{}", step.remedy.id()))),
            _ => text(plan, restart),
        },
    )
}

/// Lays out a plan; `restart` is what the restart of the operator in it touches.
pub(crate) fn text(plan: &RepairPlan, restart: Option<&RestartPlan>) -> String {
    let mut text = String::new();
    if plan.is_empty() {
        let _infallible = writeln!(text, "{GOOD}Nothing that a remedy heals was found.{GOOD:#}");
    }
    for step in &plan.steps {
        step_lines(&mut text, step);
        if let Some(restart) =
            restart.filter(|_| step.acts.iter().any(|act| matches!(act, Act::RestartOperator { .. })))
        {
            for line in super::restart::text(restart).lines() {
                let _infallible = writeln!(text, "    {line}");
            }
        }
    }
    for beyond in &plan.beyond {
        let _infallible = writeln!(text, "{ERROR}No remedy:{ERROR:#} {}", beyond.what);
        let _infallible = writeln!(text, "  {HINT}hint:{HINT:#} {}", beyond.advice);
    }
    if !plan.left.is_empty() {
        let left: Vec<&str> = plan.left.iter().map(|remedy| remedy.id()).collect();
        let _infallible =
            writeln!(text, "{STRONG}Left alone, since it was not asked for:{STRONG:#} {}", left.join(", "));
    }
    settling_lines(&mut text, &plan.settling);
    for note in &plan.notes {
        let _infallible = writeln!(text, "{WARN}note:{WARN:#} {note}");
    }
    text
}

/// Says what may still come by itself, so that nobody takes "nothing to do" for "all is well".
fn settling_lines(text: &mut String, settling: &[Settling]) {
    let Some(last) = settling.iter().map(|one| one.until).max() else { return };
    let _infallible = writeln!(text, "{STRONG}May still come by itself until {last:.0}:{STRONG:#}");
    for one in settling.iter().take(ACTS_SHOWN) {
        let _infallible = writeln!(text, "  {} {} {FAINT}(until {:.0}){FAINT:#}", one.object, one.reason, one.until);
    }
    if let Some(more) = settling.len().checked_sub(ACTS_SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "    and {more} more (-o json shows all)");
    }
    let _infallible = writeln!(
        text,
        "  {HINT}hint:{HINT:#} wait for it with `kubectl mizar check --wait`; what has not come \
         by then, `kubectl mizar repair` heals"
    );
}

fn step_lines(text: &mut String, step: &Step) {
    let (title, id) = (step.remedy.title(), step.remedy.id());
    let _infallible = writeln!(text, "{STRONG}{title}{STRONG:#} {FAINT}({id}){FAINT:#}");
    for act in step.acts.iter().take(ACTS_SHOWN) {
        let _infallible = writeln!(text, "  {WARN}~{WARN:#} {act} {FAINT}({}){FAINT:#}", act.reason());
    }
    if let Some(more) = step.acts.len().checked_sub(ACTS_SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "    and {more} more (-o json shows all)");
    }
    match step.cuts.as_slice() {
        [] => _ = writeln!(text, "  {GOOD}cuts nothing{GOOD:#}"),
        cuts => {
            for cut in cuts {
                let _infallible = writeln!(text, "  {WARN}cuts{WARN:#} {}: {}", cut.what, cut.how_long);
            }
        }
    }
}
