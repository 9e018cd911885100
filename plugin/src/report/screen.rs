//! The other screen of a terminal, which pagers and editors use: drawn in place for as long as a person looks, and gone
//! afterwards. A window that is too narrow cuts lines off, one that is too low the end; nothing is left over from before.

use std::io::Write as _;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};

use super::style::FAINT;
use crate::failure::Failure;

/// The other screen without a cursor, and lines that end at the edge.
const OPEN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// All of that undone.
const CLOSE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// The upper left corner.
const HOME: &str = "\x1b[H";
/// Nothing up to the end of the line, and of the screen.
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

/// A terminal that shows the present; closed when it is dropped, and what was drawn last stays behind.
pub(crate) struct OtherScreen {
    drawn: String,
}

impl OtherScreen {
    /// Switches to it.
    pub(crate) fn open() -> Result<Self, Failure> {
        write(OPEN).map_err(|error| super::unwritten(&error))?;
        Ok(Self { drawn: String::new() })
    }

    /// Draws on it anew.
    pub(crate) fn draw(&mut self, text: String) -> Result<(), Failure> {
        self.drawn = text;
        self.redraw()
    }

    /// Draws the same again, for a window that has another size.
    pub(crate) fn redraw(&self) -> Result<(), Failure> {
        let rows = terminal_size::terminal_size_of(std::io::stdout()).map(|(_, rows)| usize::from(rows.0));
        let lines: Vec<String> =
            frame(&self.drawn, rows.unwrap_or(usize::MAX)).iter().map(|line| tinted(line)).collect();
        let text = lines.join(&format!("{REST_OF_LINE}\r\n"));
        // At once: nobody sees it half drawn.
        write(&format!("{HOME}{text}{REST_OF_LINE}{REST_OF_SCREEN}")).map_err(|error| super::unwritten(&error))
    }
}

impl Drop for OtherScreen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing restored and shows nothing.
        let _restored = write(CLOSE).is_ok() && super::data(&self.drawn).is_ok();
    }
}

/// Writes to the terminal as it is. Whoever wants no colours wants the screen cleared all the same, so that this goes past
/// what takes colours away.
fn write(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// A line in colours, for those who want them.
fn tinted(line: &str) -> String {
    match AutoStream::choice(&std::io::stdout()) {
        ColorChoice::Never => strip_str(line).to_string(),
        _ => line.to_owned(),
    }
}

/// As many lines as fit; the last one counts those that do not.
fn frame(text: &str, rows: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= rows {
        return lines.into_iter().map(ToOwned::to_owned).collect();
    }
    let fitting = rows.saturating_sub(1);
    let mut frame: Vec<String> = lines[..fitting].iter().map(|line| (*line).to_owned()).collect();
    frame.push(format!("{FAINT}… {} more lines{FAINT:#}", lines.len() - fitting));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, rows: usize) -> Vec<String> {
        frame(text, rows).iter().map(|line| strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_low_window_counts_what_it_does_not_show() {
        assert_eq!(shown("a\nb\nc\n", 3), ["a", "b", "c"]);
        assert_eq!(shown("a\nb\nc\nd\n", 3), ["a", "b", "… 2 more lines"]);
        assert_eq!(shown("a\nb\n", 1), ["… 2 more lines"]);
        assert_eq!(shown("a\nb\n", usize::MAX), ["a", "b"]);
    }
}
