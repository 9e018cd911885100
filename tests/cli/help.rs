//! Help of every command: complete, narrow, in kubectl's order, with examples that can be typed; and man pages that say the
//! same.

use std::collections::BTreeSet;

use crate::program::Place;

/// Every command and subcommand, the program itself first, by asking the help of each.
pub(crate) fn commands(place: &Place) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut next = 0;
    while next < found.len() {
        let path = found[next].clone();
        let help = help(place, &path);
        found.extend(names(&help).into_iter().map(|name| [path.clone(), vec![name]].concat()));
        next += 1;
    }
    found
}

fn help(place: &Place, path: &[String]) -> String {
    let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    place.run(&arguments).data().to_owned()
}

/// The names in the section `Commands:`.
pub(crate) fn names(help: &str) -> Vec<String> {
    let section = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.is_empty());
    // A name is indented by two; further lines of its description are indented deeper.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.map(|line| line.split_whitespace().next().expect("a line holds a name").to_owned()).collect()
}

fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_sentence_examples_options_and_usage_in_kubectls_order() {
    let place = Place::empty();
    let commands = commands(&place);
    assert!(commands.len() > 14, "{commands:?}");
    for path in commands {
        let help = help(&place, &path);
        let sentence = help.lines().next().unwrap();
        assert!(sentence.len() > 15 && !sentence.ends_with('.'), "{path:?}: {sentence}");
        let parts = ["\nExamples:\n", "\nOptions:\n", "\nUsage:\n  kubectl mizar"];
        let places: Vec<usize> = parts
            .iter()
            .map(|part| help.find(part).unwrap_or_else(|| panic!("{path:?} has no {part:?}\n{help}")))
            .collect();
        assert!(places.is_sorted(), "{path:?}: {places:?}");
        assert!(help.lines().last().unwrap().starts_with("  kubectl mizar"), "{path:?}");
        let wide: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{path:?}: wider than 80: {wide:#?}");
    }
}

#[test]
fn options_are_in_the_order_of_the_alphabet() {
    let place = Place::empty();
    for path in commands(&place) {
        // The short form: one line an option, no blank line in between.
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let short = place.run(&arguments);
        for section in short.data().split("\n\n").filter(|section| section.contains("ptions:\n")) {
            let longs: Vec<&str> = section
                .lines()
                .filter(|line| line.trim_start().starts_with('-') && line.find("--").is_some_and(|at| at <= 6))
                .filter_map(|line| line.split("--").nth(1)?.split([' ', '[', '=']).next())
                .filter(|long| !["help", "version"].contains(long))
                .collect();
            assert!(longs.is_sorted(), "{path:?}: {longs:?}");
        }
    }
}

#[test]
fn every_example_can_be_typed() {
    let place = Place::empty();
    let mut tried = 0;
    for path in commands(&place) {
        let help = help(&place, &path);
        let examples = help.split("\nExamples:\n").nth(1).unwrap();
        let examples = examples.lines().take_while(|line| line.is_empty() || line.starts_with("  "));
        for line in examples.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let typed = line.strip_prefix("source <(kubectl-mizar ").and_then(|rest| rest.strip_suffix(')'));
            let typed = typed.or_else(|| line.strip_prefix("kubectl mizar "));
            let typed = typed.unwrap_or_else(|| panic!("{path:?}: {line} does not start with kubectl mizar"));
            let typed = [" | ", " > ", " >> "].iter().fold(typed, |line, end| line.split(end).next().unwrap());
            let arguments: Vec<&str> = typed.split_whitespace().chain(["--help"]).collect();
            assert_eq!(place.run(&arguments).code, 0, "{line}");
            tried += 1;
        }
    }
    assert!(tried > 30, "the examples are found; {tried} were");
}

#[test]
fn man_pages_say_what_help_says() {
    let place = Place::empty();
    assert_eq!(place.run(&["man", "--dir", "man"]).data(), "");
    for path in commands(&place) {
        let name =
            std::iter::once("kubectl-mizar").chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        let page = std::fs::read_to_string(place.path(&format!("man/{name}.1")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let page = page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "");
        let help = help(&place, &path);
        let missing: Vec<_> =
            flags(help.split("Options:").nth(1).unwrap()).difference(&flags(&page)).cloned().collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
        assert!(page.contains("kubectl mizar"), "{name}");
    }
    let page = place.run(&["man"]);
    assert!(page.data().contains(".TH kubectl"), "{}", page.stdout);
}

#[test]
fn the_program_under_another_name_calls_itself_so() {
    let place = Place::empty();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-mizar"), place.path("mizar")).unwrap();
    let help = std::process::Command::new(place.path("mizar")).arg("--help").env_clear().output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout);
    assert!(
        help.ends_with("Usage:\n  mizar [OPTIONS] <COMMAND>\n") && help.contains("\n  mizar check --pre\n"),
        "{help}"
    );
}
