//! Everything that xtask prints: data on stdout, the rest on stderr.

use std::io::Write as _;

use mizar_bed::progress::{explain, say};

use crate::failure::Failure;

/// Prints a line of what was asked for.
pub(crate) fn data(line: &str) {
    // A closed pipe (`| head`) is not worth an error.
    let _closed = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about what is going on.
pub(crate) fn status(line: &str) {
    say(line);
}

/// Prints why a command failed.
pub(crate) fn failure(failure: &Failure) {
    say(&format!("error: {}", explain(failure)));
    if let Some(hint) = failure.hint() {
        say(&format!("\nhint: {hint}"));
    }
}

/// Prints rows with aligned columns.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) {
    let mut widths = header.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    data(&line(header));
    for row in rows {
        data(&line(row.each_ref().map(String::as_str)));
    }
}
