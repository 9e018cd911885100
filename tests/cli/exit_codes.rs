//! docs/exit-codes.md and the program say the same.

use std::collections::BTreeMap;

use crate::program::{Place, repository};

/// Code and first words of the meaning, as the program's own list (`plugin/src/failure.rs`) has them.
const CODES: [(i32, &str); 10] = [
    (0, "Done"),
    (1, "Failed"),
    (2, "Wrong usage"),
    (3, "Refused"),
    (4, "The cluster cannot be reached"),
    (5, "Partly applied"),
    (6, "Timed out"),
    (10, "`diff`: something would change"),
    (70, "A bug"),
    (130, "Interrupted"),
];

/// The one code besides 0 that is no failure.
const FOUND: i32 = 10;

/// Code and meaning of each row of the page.
fn page() -> BTreeMap<i32, String> {
    let text = std::fs::read_to_string(repository().join("docs/exit-codes.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some((cells.next()?.parse().ok()?, cells.next()?.to_owned()))
    });
    rows.collect()
}

#[test]
fn the_page_lists_exactly_the_codes_of_the_program() {
    let page = page();
    assert_eq!(page.keys().copied().collect::<Vec<_>>(), CODES.map(|(code, _)| code));
    for (code, meaning) in CODES {
        assert!(page[&code].starts_with(meaning), "{code}: {}", page[&code]);
    }
    // The list above is held to the source: every code stands there once, and no other does.
    let source = std::fs::read_to_string(repository().join("plugin/src/failure.rs")).unwrap();
    let in_source: Vec<i32> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => ")?.1.strip_suffix(',')?.parse().ok())
        .collect();
    let failures: Vec<i32> = CODES[1..].iter().map(|(code, _)| *code).filter(|code| *code != FOUND).collect();
    assert_eq!(in_source, failures);
    assert!(source.contains(&format!("CHANGES_FOUND: u8 = {FOUND};")));
}

#[test]
fn codes_that_need_no_cluster_are_those_of_the_page() {
    let place = Place::with("wrong.yaml", "vnii: 1\n");
    for (arguments, code) in [
        (&["render"][..], 0),
        (&["--help"], 0),
        (&["render", "-f", "wrong.yaml"], 1),
        (&["render", "--no-such-flag"], 2),
        (&["check"], 4),
    ] {
        assert_eq!(place.run(arguments).code, code, "{arguments:?}");
    }
}

#[test]
fn the_page_of_the_install_names_every_code_that_an_install_can_end_with() {
    let page = std::fs::read_to_string(repository().join("docs/install.md")).unwrap();
    for code in [1, 2, 3, 4, 5, 6, 70, 130] {
        assert!(page.contains(&format!("| {code} |")), "docs/install.md says nothing about exit code {code}");
    }
}
