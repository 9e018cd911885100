//! The table of all checks, one file a category. A row is added there and nowhere else; see `docs/adding-a-check.md`.

mod access;
mod arktos;
mod components;
mod installation;
mod network;
mod nodes;
mod parts;
mod pods;
mod services;
mod startup;

use super::Check;

/// All checks, in the order in which they are shown.
pub const CHECKS: &[Check] = &joined::<{ count(TABLES) }>(TABLES);

const TABLES: &[&[Check]] = &[
    access::ROWS,
    nodes::ROWS,
    installation::ROWS,
    components::ROWS,
    parts::ROWS,
    network::ROWS,
    services::ROWS,
    pods::ROWS,
    startup::ROWS,
    arktos::ROWS,
];

/// How many rows the tables have together.
const fn count(tables: &[&[Check]]) -> usize {
    let (mut rows, mut table) = (0, 0);
    while table < tables.len() {
        rows += tables[table].len();
        table += 1;
    }
    rows
}

/// Puts the tables into one, while the program is compiled.
const fn joined<const ROWS: usize>(tables: &[&[Check]]) -> [Check; ROWS] {
    let mut rows = [tables[0][0]; ROWS];
    let (mut next, mut table) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            rows[next] = tables[table][row];
            next += 1;
            row += 1;
        }
        table += 1;
    }
    rows
}
