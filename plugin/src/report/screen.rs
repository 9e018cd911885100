//! The other screen of a terminal, which pagers and editors use: drawn in place for as long as a person looks, and gone
//! afterwards. A window that is too narrow cuts lines off, one that is too low the end; nothing is left over from before.

use std::io::Write as _;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use console::{Term, truncate_str};

use super::style::FAINT;
use crate::failure::Failure;

/// The other screen without a cursor.
const OPEN: &str = "\x1b[?1049h\x1b[?25l";
/// All of that undone.
const CLOSE: &str = "\x1b[?25h\x1b[?1049l";
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
        let (rows, columns) = Term::stdout().size();
        let frame = frame(&self.drawn, usize::from(rows), usize::from(columns));
        let lines: Vec<String> = frame.into_iter().map(tinted).collect();
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
fn tinted(line: String) -> String {
    match AutoStream::choice(&std::io::stdout()) {
        ColorChoice::Never => strip_str(&line).to_string(),
        _ => line,
    }
}

/// As many lines as fit, as far as they do; the last one counts those that do not.
fn frame(text: &str, rows: usize, columns: usize) -> Vec<String> {
    let cut = |line: &str| truncate_str(line, columns, "").into_owned();
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= rows {
        return lines.into_iter().map(cut).collect();
    }
    let fitting = rows.saturating_sub(1);
    let mut frame: Vec<String> = lines[..fitting].iter().map(|line| cut(line)).collect();
    frame.push(cut(&format!("{FAINT}… {} more lines{FAINT:#}", lines.len() - fitting)));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, rows: usize) -> Vec<String> {
        frame(text, rows, 14).iter().map(|line| strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_low_window_counts_what_it_does_not_show() {
        assert_eq!(shown("a\nb\nc\n", 3), ["a", "b", "c"]);
        assert_eq!(shown("a\nb\nc\nd\n", 3), ["a", "b", "… 2 more lines"]);
        assert_eq!(shown("a\nb\n", 1), ["… 2 more lines"]);
    }

    #[test]
    fn a_narrow_window_cuts_lines_off_and_keeps_their_colours() {
        assert_eq!(shown("  server       https://10.0.0.1\nb", 5), ["  server      ", "b"]);
        assert_eq!(frame("\x1b[1mabcdef\x1b[0m", 1, 3), ["\x1b[1mabc\x1b[0m"]);
        assert_eq!(shown("Ümläute über alles", 1), ["Ümläute über a"]);
    }
}
