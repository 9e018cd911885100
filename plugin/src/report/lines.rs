//! Plain lines on stderr, for pipes and logs: a line when something begins, changes or ends, none twice.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mizar_core::event::{Change, Event};

use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN, mark};
use super::{Reporter, note};

/// Writes lines.
pub struct Lines {
    quiet: bool,
    last: Mutex<String>,
}

impl Lines {
    /// Shows everything.
    pub fn new() -> Self {
        Self { quiet: false, last: Mutex::default() }
    }

    /// Shows warnings and findings only.
    pub fn quiet() -> Self {
        Self { quiet: true, last: Mutex::default() }
    }
}

impl Reporter for Lines {
    fn event(&self, event: &Event) {
        if self.quiet && !matches!(event, Event::FindingMade { .. } | Event::Warned { .. }) {
            return;
        }
        let Some(line) = line(event) else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // A wait that says the same again is no news; its clock is left out of the comparison.
        let said = said(event).unwrap_or_else(|| line.clone());
        if *last != said {
            note(&line);
            *last = said;
        }
    }
}

/// What a waiting line says without its clock.
fn said(event: &Event) -> Option<String> {
    match event {
        Event::StageProgressed { stage, done, total, waiting_for, .. } => {
            Some(format!("{stage} {done}/{total} {waiting_for:?}"))
        }
        _ => None,
    }
}

/// The line for an event; none for those that only a live view shows.
pub(super) fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started { command, server } => format!("{STRONG}{command}{STRONG:#} on {server}"),
        Event::StepStarted { step } => format!("{STRONG}{}{STRONG:#}", step.title()),
        Event::StepFinished { summary, .. } => format!("  {GOOD}✓{GOOD:#} {summary}"),
        Event::FindingMade { status, message, hint, check } => {
            let (sign, style) = mark(status);
            let mut line = format!("  {style}{sign}{style:#} {message} {FAINT}[{check}]{FAINT:#}");
            if !hint.is_empty() {
                let _infallible = write!(line, "\n    {HINT}hint:{HINT:#} {hint}");
            }
            line
        }
        Event::StageStarted { title, .. } => format!("  {title} …"),
        Event::StageProgressed { stage, done, total, waiting_for, elapsed } => {
            format!("  {stage} {done}/{total}{} {FAINT}({}){FAINT:#}", waiting(waiting_for), clock(*elapsed))
        }
        Event::TroubleSeen { stage, troubles, elapsed } => troubles
            .iter()
            .map(|trouble| format!("  {WARN}!{WARN:#} {stage}: {trouble} {FAINT}({}){FAINT:#}", clock(*elapsed)))
            .collect::<Vec<_>>()
            .join("\n"),
        Event::StageFinished { summary, elapsed, .. } => {
            format!("  {GOOD}✓{GOOD:#} {summary} {FAINT}({}){FAINT:#}", clock(*elapsed))
        }
        Event::Warned { message } => format!("{WARN}warning:{WARN:#} {message}"),
        Event::Advised { advice } => format!("{HINT}next:{HINT:#} {advice}"),
        Event::Finished { message, exit_code, elapsed, .. } => {
            let (sign, style) = if *exit_code == 0 { ("✓", GOOD) } else { ("✗", ERROR) };
            format!("{style}{sign} {message}{style:#} {FAINT}({}){FAINT:#}", clock(*elapsed))
        }
        Event::ObjectApplied { change: Change::Unchanged, .. } | Event::PlanMade { .. } => return None,
        Event::ObjectApplied { object, change, .. } => {
            let verb = if *change == Change::Created { "created" } else { "changed" };
            format!("    {FAINT}{verb} {object}{FAINT:#}")
        }
    })
}

/// ": waiting for a, b, c".
pub(super) fn waiting(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": waiting for {}", names.join(", ")) }
}

/// `4.2 s`, `1 min 05 s`.
pub(super) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 60 {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_read_well() {
        assert_eq!(clock(Duration::from_millis(4210)), "4.2 s");
        assert_eq!(clock(Duration::from_secs(65)), "1 min 05 s");
    }

    #[test]
    fn a_waiting_line_names_what_it_waits_for() {
        let event = Event::StageProgressed {
            stage: "daemon".into(),
            done: 2,
            total: 3,
            waiting_for: vec!["node-3 (ImagePullBackOff)".into()],
            elapsed: Duration::from_secs(12),
        };
        let plain = anstream::adapter::strip_str(&line(&event).unwrap()).to_string();
        assert_eq!(plain, "  daemon 2/3: waiting for node-3 (ImagePullBackOff) (12.0 s)");
    }
}
