//! What a terminal shows after it was sent some bytes.

use std::num::NonZeroU16;

use vt100::{Cell, Color, Parser};

/// A picture needs no more.
const ROWS: NonZeroU16 = NonZeroU16::new(500).expect("it is not zero");

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// One of the terminal's first eight colours; none for its normal one.
    pub(super) color: Option<u8>,
    pub(super) bold: bool,
    pub(super) dim: bool,
}

/// A piece of a line that looks the same all along.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) column: u16,
    pub(super) text: String,
    pub(super) look: Look,
}

/// The lines of the screen, without empty ones at the end.
pub(super) fn replay(bytes: &[u8], columns: u16) -> Vec<Vec<Piece>> {
    let columns = NonZeroU16::new(columns).unwrap_or(NonZeroU16::MIN);
    let mut parser = Parser::new(ROWS, columns, 0);
    parser.process(bytes);
    let screen = parser.screen();
    let cells = |row| (0..columns.get()).filter_map(move |column| Some((column, screen.cell(row, column)?)));
    let mut lines: Vec<Vec<Piece>> = (0..ROWS.get()).map(|row| pieces(cells(row))).collect();
    let shown = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines.truncate(shown);
    lines
}

fn pieces<'a>(cells: impl Iterator<Item = (u16, &'a Cell)>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (column, cell) in cells {
        let text = if cell.has_contents() { cell.contents() } else { " " };
        let look = look(cell);
        match pieces.last_mut() {
            Some(last) if last.look == look => last.text.push_str(text),
            _ => pieces.push(Piece { column, text: text.to_owned(), look }),
        }
    }
    for piece in &mut pieces {
        piece.text.truncate(piece.text.trim_end().len());
    }
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

fn look(cell: &Cell) -> Look {
    let color = match cell.fgcolor() {
        Color::Idx(index) => Some(index % 8),
        Color::Default | Color::Rgb(..) => None,
    };
    Look { color, bold: cell.bold(), dim: cell.dim() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { color: None, bold: false, dim: false };

    #[test]
    fn a_line_that_was_cleared_leaves_nothing_behind() {
        let lines = replay(b"spinning\r\x1b[2Kdone\r\n\r\n", 40);
        assert_eq!(lines, [vec![Piece { column: 0, text: "done".into(), look: PLAIN }]]);
    }

    #[test]
    fn a_change_of_colour_begins_a_piece() {
        let lines = replay(b"  \x1b[32mgood\x1b[0m \x1b[1;31mbad\x1b[0m", 40);
        let green = Look { color: Some(2), ..PLAIN };
        let red = Look { color: Some(1), bold: true, dim: false };
        assert_eq!(lines[0][0], Piece { column: 2, text: "good".into(), look: green });
        assert_eq!(lines[0][1], Piece { column: 7, text: "bad".into(), look: red });
    }

    #[test]
    fn long_lines_wrap_at_the_width() {
        let lines = replay(b"1234567890", 4);
        let texts: Vec<&str> = lines.iter().map(|line| line[0].text.as_str()).collect();
        assert_eq!(texts, ["1234", "5678", "90"]);
    }
}
