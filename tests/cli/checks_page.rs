//! docs/checks.md is made from the table of checks; `MIZAR_BLESS=1 cargo test --test cli` writes it anew.

use mizar_core::check::reference_markdown;

use crate::program::repository;

#[test]
fn the_page_of_the_checks_is_what_their_table_says() {
    let file = repository().join("docs/checks.md");
    let page = reference_markdown();
    if std::env::var_os("MIZAR_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = written.lines().zip(page.lines()).find(|(written, page)| written != page);
    assert!(
        written == page,
        "docs/checks.md is not what the table says, first at {differs:?}; write it anew: MIZAR_BLESS=1 cargo test --test cli"
    );
}
