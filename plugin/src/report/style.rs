//! Colours, and whether there is anybody to see them. Everything must read well without.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};
use mizar_core::check::Status;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// From now on, everything that is printed has colours, or none; undecided means by terminal, stream by stream.
pub(crate) fn decide(colours: Option<bool>) {
    let choice = match colours {
        Some(true) => anstream::ColorChoice::Always,
        Some(false) => anstream::ColorChoice::Never,
        None => anstream::ColorChoice::Auto,
    };
    choice.write_global();
}

/// Whether stderr is a terminal that can move its cursor.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether stdout is a terminal that can move its cursor.
pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether a person can be asked.
pub(crate) fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A mark and its style for the status of a check.
pub(crate) fn mark(status: Status) -> (&'static str, Style) {
    match status {
        Status::Pass => ("✓", GOOD),
        Status::Fail => ("✗", ERROR),
        Status::Warn => ("!", WARN),
        Status::Unknown => ("?", WARN),
        Status::Skipped => ("-", FAINT),
    }
}
