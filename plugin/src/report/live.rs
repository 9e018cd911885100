//! A live view for terminals: finished parts scroll up as lines, the part that runs is one line that says what it
//! waits for and for how long.

mod edge;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::{Term, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mizar_core::event::Event;

use self::edge::Unfilled;
use super::lines::{line, read_so_far, stage_title, waiting};
use super::{Reporter, note};

/// What else is in the line: its margin, the spinner, the time; and room for the `^C` that a terminal shows, which would
/// otherwise break the line.
const BESIDES: usize = 16;
/// More is not seen.
const DRAWN_PER_SECOND: u8 = 20;
/// Less would say nothing.
const NARROWEST: usize = 10;

/// Draws the view on stderr.
pub(crate) struct Live {
    running: Mutex<Option<Running>>,
}

/// The line that changes.
struct Running {
    title: String,
    bar: ProgressBar,
}

impl Live {
    /// An empty view.
    pub(crate) fn new() -> Self {
        Self { running: Mutex::new(None) }
    }

    fn begin(&self, title: &str) {
        // The old line goes before the new one is drawn: otherwise its last state stays on the screen.
        self.end();
        let style = ProgressStyle::with_template("  {spinner:.cyan} {msg} {elapsed:.dim}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let target =
            ProgressDrawTarget::term_like_with_hz(Box::new(Unfilled(Term::buffered_stderr())), DRAWN_PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        bar.set_message(fitted(&format!("{title} …")));
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.lock() = Some(Running { title: title.to_owned(), bar });
    }

    /// Says how far the running part is.
    fn say(&self, how_far: impl FnOnce(&str) -> String) {
        if let Some(running) = &*self.lock() {
            running.bar.set_message(fitted(&how_far(&running.title)));
        }
    }

    fn end(&self) {
        if let Some(running) = self.lock().take() {
            running.bar.finish_and_clear();
        }
    }

    /// Prints above the running line.
    fn print(&self, text: &str) {
        match &*self.lock() {
            Some(running) => running.bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Live {
    fn event(&self, event: &Event) {
        match event {
            Event::StepStarted { step } => {
                self.end();
                if let Some(text) = line(event) {
                    note(&text);
                }
                self.begin(match step {
                    mizar_core::event::Step::BinaryReady => "reading charts and values",
                    mizar_core::event::Step::EnvironmentReady => "looking at the cluster",
                    mizar_core::event::Step::Deploy => "recording the intent",
                    mizar_core::event::Step::SanityCheck => "looking at what runs",
                });
            }
            Event::StageStarted { stage, .. } => self.begin(stage_title(stage)),
            Event::StageProgressed { done, total, waiting_for, .. } => {
                self.say(|title| format!("{title} {done}/{total}{}", waiting(waiting_for)));
            }
            Event::ReadingProgressed { read, .. } => {
                let idle = self.lock().is_none();
                if idle {
                    self.begin("reading");
                }
                self.say(|title| format!("{title}: {}", read_so_far(read)));
            }
            Event::ObjectApplied { object, .. } => self.say(|title| format!("{title}: {object}")),
            Event::StepFinished { .. } | Event::StageFinished { .. } | Event::Finished { .. } => {
                self.end();
                if let Some(text) = line(event) {
                    note(&text);
                }
            }
            _ => {
                if let Some(text) = line(event) {
                    self.print(&text);
                }
            }
        }
    }

    fn pause(&self) {
        self.end();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

/// A message that leaves its line one line.
fn fitted(message: &str) -> String {
    let columns = usize::from(Term::stderr().size().1);
    truncate_str(message, columns.saturating_sub(BESIDES).max(NARROWEST), "…").into_owned()
}
