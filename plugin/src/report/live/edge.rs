//! The terminal as indicatif draws on it, with the cursor left behind the text. indicatif fills a line with blanks up to
//! the edge; the `^C` that a terminal then shows begins a new line, and the one above it is never taken back.

use std::io;

use console::Term;
use indicatif::TermLike;

/// Nothing up to the end of the line.
const REST_OF_LINE: &str = "\x1b[K";

/// A terminal on which nothing is filled up.
#[derive(Debug)]
pub(super) struct Unfilled(pub(super) Term);

impl TermLike for Unfilled {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let is_filler = !text.is_empty() && text.bytes().all(|byte| byte == b' ');
        self.0.write_str(if is_filler { REST_OF_LINE } else { text })
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
