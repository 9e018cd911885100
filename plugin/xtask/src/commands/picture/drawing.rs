//! An SVG of a terminal: dark, one text element a line, each piece held to its columns whatever the reader's font.

use std::fmt::Write as _;

use super::screen::{Look, Piece};

/// A letter's width and a line's height, in pixels.
const LETTER: f64 = 7.8;
const LINE: f64 = 18.0;
const MARGIN: f64 = 18.0;
const FONT_SIZE: u8 = 13;

const BACKGROUND: &str = "#0d1117";
const TEXT: &str = "#d1d7e0";
const FAINT: &str = "#8b949e";
/// Black, red, green, yellow, blue, magenta, cyan, white.
const COLORS: [&str; 8] = ["#6e7681", "#ff7b72", "#3fb950", "#e3b341", "#58a6ff", "#bc8cff", "#39c5cf", "#f0f6fc"];

/// Draws the lines of a screen.
pub(super) fn svg(lines: &[Vec<Piece>], columns: u16) -> String {
    let width = 2.0 * MARGIN + f64::from(columns) * LETTER;
    let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let height = 2.0 * MARGIN + f64::from(rows) * LINE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">
<title>A recorded run of kubectl mizar: install, then check</title>
<style>text {{ font: {FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: {TEXT} }}</style>
<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>
"
    );
    for (row, line) in (0..rows).zip(lines).filter(|(_, line)| !line.is_empty()) {
        let base = MARGIN + (f64::from(row) + 0.75) * LINE;
        let _infallible = write!(text, "<text y=\"{base:.1}\">");
        for piece in line {
            text += &drawn(piece);
        }
        text += "</text>\n";
    }
    text + "</svg>\n"
}

/// A piece without its leading blanks: what stands where is said by `x`.
fn drawn(piece: &Piece) -> String {
    let visible = piece.text.trim_start();
    let blanks = piece.text.chars().count() - visible.chars().count();
    let at = |count: usize| f64::from(u16::try_from(count).unwrap_or(u16::MAX)) * LETTER;
    let left = MARGIN + f64::from(piece.column) * LETTER + at(blanks);
    let wide = at(visible.chars().count());
    format!("<tspan x=\"{left:.1}\" textLength=\"{wide:.1}\"{}>{}</tspan>", style(piece.look), escaped(visible))
}

fn style(look: Look) -> String {
    let color = match look.color {
        Some(index) => COLORS.get(usize::from(index)).copied(),
        None if look.dim => Some(FAINT),
        None => None,
    };
    let fill = color.map_or_else(String::new, |color| format!(" fill=\"{color}\""));
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    fill + weight
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_stands_in_its_column_and_keeps_its_look() {
        let look = Look { color: Some(2), bold: true, dim: false };
        let drawn = drawn(&Piece { column: 2, text: " a<b".into(), look });
        assert_eq!(drawn, "<tspan x=\"41.4\" textLength=\"23.4\" fill=\"#3fb950\" font-weight=\"bold\">a&lt;b</tspan>");
    }

    #[test]
    fn the_picture_is_as_high_as_its_lines() {
        let svg = svg(&[Vec::new(), Vec::new()], 10);
        assert!(svg.contains("viewBox=\"0 0 114 72\""), "{svg}");
    }
}
