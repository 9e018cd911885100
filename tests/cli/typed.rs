//! Every line that a page tells people to type is one that somebody answers for: the program takes it, a journey runs it, or
//! a table says why none does.

use crate::docs::{Typed, languages, lines, named, pages};
use crate::program::{Place, repository};

#[test]
fn every_command_on_a_page_is_understood() {
    let place = Place::empty();
    let mut tried = 0;
    for typed in lines(repository()) {
        let Some(mut arguments) = typed.arguments() else { continue };
        // What stands before --help is read, and nothing is done.
        arguments.push("--help");
        let outcome = place.run(&arguments);
        assert_eq!(outcome.code, 0, "{}: {}\n{}", typed.page, typed.text, outcome.stderr);
        tried += 1;
    }
    assert!(tried > 80, "the blocks of the pages are found; {tried} commands were");
}

#[test]
fn every_command_that_a_text_names_is_understood() {
    let place = Place::empty();
    let mut tried = 0;
    for path in pages(repository()) {
        for mut typed in named(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap()) {
            typed.text = typed.text.replace("COMMAND", "check");
            let mut arguments = typed.arguments().unwrap_or_default();
            arguments.push("--help");
            let outcome = place.run(&arguments);
            assert_eq!(outcome.code, 0, "{}: {}\n{}", typed.page, typed.text, outcome.stderr);
            tried += 1;
        }
    }
    assert!(tried > 60, "the names in the pages are found; {tried} were");
}

#[test]
fn every_line_is_run_or_listed_with_the_reason_why_not() {
    let all = lines(repository());
    let nobody_answers = |typed: &&Typed| !typed.is_for_a_cluster() && typed.elsewhere().is_none();
    let forgotten: Vec<String> =
        all.iter().filter(nobody_answers).map(|typed| format!("{}: {}", typed.page, typed.text)).collect();
    assert!(forgotten.is_empty(), "tests/docs/mod.rs says nothing about\n{}", forgotten.join("\n"));
    assert!(all.iter().any(|typed| typed.page.ends_with("NOTES.txt")), "the charts' notes are read");
    assert!(all.iter().any(|typed| typed.page.ends_with("repairer.yaml")), "the heads of the roles are read");
}

#[test]
fn every_block_says_what_it_is() {
    for path in pages(repository()) {
        let page = std::fs::read_to_string(&path).unwrap();
        for language in languages(&page) {
            let known = ["sh", "console", "text", "yaml", "json", "rust", "toml"];
            assert!(known.contains(&language), "{}: a block is {language:?}, none of {known:?}", path.display());
        }
        let is_typed = |line: &str| ["kubectl ", "cargo ", "helm "].iter().any(|start| line.trim().starts_with(start));
        let typed = page.lines().find(|line| line.starts_with("    ") && is_typed(line));
        assert_eq!(typed, None, "{}: a block to type is a fence that says `sh`", path.display());
    }
}
