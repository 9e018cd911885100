//! Shows on stderr what is going on: a spinner with the elapsed time on a terminal, plain lines otherwise.
//!
//! The only place of this crate that prints.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Plain lines about the same work come at most this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// One piece of work that a person waits for.
pub struct Progress {
    title: String,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Says that the work called `title` begins.
    pub fn start(title: impl Into<String>) -> Self {
        let progress = Self::quiet(title);
        if progress.bar.is_none() {
            say(&format!("{} ...", progress.title));
        }
        progress
    }

    /// Work that is usually over before a person notices: without a terminal nothing is said at its begin.
    pub fn quiet(title: impl Into<String>) -> Self {
        let title = title.into();
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix} {msg} ({elapsed})")
                .expect("the template is a constant that indicatif accepts");
            let bar = ProgressBar::new_spinner().with_style(style).with_prefix(title.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { title, bar, started: now, last_line: now }
    }

    /// Says how far the work is.
    pub fn update(&mut self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.to_owned());
        } else if self.last_line.elapsed() >= PLAIN_INTERVAL {
            self.last_line = Instant::now();
            say(&format!("{}: {message} ({} s)", self.title, self.started.elapsed().as_secs()));
        }
    }

    /// Says that the work is done.
    pub fn finish(self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(&format!("{}: {message} ({:.1} s)", self.title, self.started.elapsed().as_secs_f64()));
    }

    /// Ends the display without a word: the error that follows says it all.
    pub fn abandon(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Prints one line for a person.
#[expect(clippy::print_stderr, reason = "this module is the crate's reporting layer")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// An error with its causes, on one line.
pub fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
