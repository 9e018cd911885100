//! Showing what happens. The only folder that writes to stdout and stderr.
//!
//! stdout holds the data that was asked for and nothing else; progress, warnings and hints go to stderr. Events come in, and
//! each reporter shows them its way: a live view on a terminal, plain lines in a pipe, JSON lines for machines.

pub(crate) mod checks;
pub(crate) mod diff;
pub(crate) mod drift;
pub(crate) mod env;
pub(crate) mod format;
pub(crate) mod history;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod live;
mod pace;
pub(crate) mod panic;
pub(crate) mod plan;
pub(crate) mod prompt;
pub(crate) mod repair;
pub(crate) mod restart;
pub(crate) mod screen;
pub(crate) mod status;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod uninstall;
pub(crate) mod upgrade;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use mizar_core::event::Event;

use crate::failure::{Failure, Kind};

/// How much to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Results and failures.
    Quiet,
    /// Progress too.
    Normal,
}

/// What stdout is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Text for people.
    Text,
    /// JSON for machines.
    Json,
}

/// Takes every event of a run.
pub(crate) trait Reporter: Send + Sync {
    /// Shows one event.
    fn event(&self, event: &Event);

    /// Makes room for a question or a table: a live view steps aside until the next event.
    fn pause(&self) {}
}

/// The reporter that fits stderr, the flags and the output format.
pub(crate) fn reporter(output: Output, verbosity: Verbosity) -> Arc<dyn Reporter> {
    match (output, verbosity) {
        (Output::Json, _) => Arc::new(json::JsonLines),
        (Output::Text, Verbosity::Quiet) => Arc::new(lines::Lines::quiet()),
        (Output::Text, Verbosity::Normal) if style::stderr_is_terminal() => Arc::new(live::Live::new()),
        (Output::Text, Verbosity::Normal) => Arc::new(lines::Lines::new()),
    }
}

/// Writes data to stdout. A reader that went away (`| head`) is no failure; a full disk is.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    piece(text).map(drop)
}

/// Writes one piece of a stream to stdout; returns whether anybody still reads it.
pub(crate) fn piece(text: &str) -> Result<bool, Failure> {
    match write(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(unwritten(&error)),
        Ok(()) => Ok(true),
    }
}

fn write(text: &str) -> std::io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot write the result: {error}"))
}

/// Passes on what the server said besides its answers.
pub(crate) fn warnings(messages: Vec<String>) {
    for message in messages {
        note(&format!("{}Warning:{:#} {message}", style::WARN, style::WARN));
    }
}

/// Writes one line for people to stderr.
pub(crate) fn note(line: &str) {
    let mut stderr = anstream::stderr().lock();
    let _nobody_may_listen = writeln!(stderr, "{line}");
}

/// Shows a failure in the one form that all failures have, and returns its exit code.
pub(crate) fn failure(failure: &Failure, output: Output) -> ExitCode {
    if output == Output::Json {
        let failed = Event::Failed {
            exit_code: failure.kind.code(),
            error: failure.message.clone(),
            details: failure.details.clone(),
            hints: failure.hints.clone(),
        };
        json::JsonLines.event(&failed);
    }
    let (error, hint) = (style::ERROR, style::HINT);
    note(&format!("{error}error:{error:#} {}", failure.message));
    for detail in &failure.details {
        note(&format!("  {detail}"));
    }
    for advice in &failure.hints {
        note(&format!("{hint}hint:{hint:#} {advice}"));
    }
    failure.kind.into()
}

/// Says that checks did not pass in time, and which.
pub(crate) fn wait_timed_out(report: &mizar_core::check::Report, limit: std::time::Duration) {
    let open: Vec<&str> = report.blocking().map(|result| result.id.as_str()).collect();
    let open =
        if open.is_empty() { "not all could be read".to_owned() } else { format!("still open: {}", open.join(", ")) };
    let error = style::ERROR;
    note(&format!("{error}error:{error:#} time is up after {}; {open}", lines::clock(limit)));
}

/// Tells what a report has to say: warnings, failures and what is unknown.
pub(crate) fn findings(reporter: &dyn Reporter, report: &mizar_core::check::Report) {
    for result in report.results.iter().filter(|result| result.status.asks_for_action()) {
        reporter.event(&Event::FindingMade {
            check: result.id.clone(),
            status: result.status,
            message: result.message.clone(),
            hint: result.hint.clone(),
        });
    }
}

/// Ends the process with the exit code of a bug.
#[expect(clippy::exit, reason = "a panic must not end with Rust's 101, which no page explains")]
fn leave_after_panic() {
    std::process::exit(i32::from(crate::failure::Kind::Bug.code()));
}

/// Ends the process because a person pressed Ctrl-C twice.
#[expect(clippy::exit, reason = "a person wants to leave at once; the record says what is unfinished")]
pub(crate) fn leave_now() {
    std::process::exit(i32::from(crate::failure::Kind::Interrupted.code()));
}
