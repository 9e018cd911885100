//! The one question this program asks.

use std::io::{BufRead as _, Write as _};

/// Asks yes or no on the terminal; anything but a clear yes is no.
pub(crate) fn confirm(question: &str) -> bool {
    let mut stderr = anstream::stderr().lock();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    drop(stderr);
    asked.is_ok() && matches!(answer().to_lowercase().as_str(), "y" | "yes")
}

/// Asks for a word to be typed, for what cannot be taken back; anything else is no.
pub(crate) fn confirm_by_typing(question: &str, word: &str) -> bool {
    let mut stderr = anstream::stderr().lock();
    let asked = write!(stderr, "{question} ").and_then(|()| stderr.flush());
    drop(stderr);
    asked.is_ok() && answer() == word
}

/// Asks for one of some words; none if the answer is not one of them.
pub(crate) fn choose(question: &str, words: &[&'static str]) -> Option<&'static str> {
    let mut stderr = anstream::stderr().lock();
    let asked = write!(stderr, "{question} [{}] ", words.join("/")).and_then(|()| stderr.flush());
    drop(stderr);
    asked.ok()?;
    let answer = answer().to_lowercase();
    words.iter().copied().find(|word| *word == answer)
}

fn answer() -> String {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() { line.trim().to_owned() } else { String::new() }
}
