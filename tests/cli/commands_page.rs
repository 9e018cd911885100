//! docs/commands.md is made from the help texts; `MIZAR_BLESS=1 cargo test --test cli` writes it anew.

use std::fmt::Write as _;

use crate::help::commands;
use crate::program::{Place, repository};

const HEAD: &str = "# Commands

<!-- Made from the help texts by `MIZAR_BLESS=1 cargo test --test cli`; a test holds it to the program. -->

The same texts as `kubectl mizar COMMAND --help`. What the exit codes mean: [exit-codes.md](exit-codes.md).
";

/// Sections of a help text that are the same for every command, and so are shown once.
const SHARED: [&str; 2] = ["Cluster options:", "Output options:"];

/// The page.
fn page(place: &Place) -> String {
    let top = place.run(&["--help"]);
    let mut text = HEAD.to_owned();
    write!(text, "\n## kubectl mizar\n\n```text\n{}```\n", top.data()).unwrap();
    for path in commands(place).into_iter().skip(1) {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let (name, help) = (path.join(" "), place.run(&arguments));
        write!(text, "\n## kubectl mizar {name}\n\n```text\n{}```\n", without_shared(help.data())).unwrap();
    }
    text
}

/// A help text without the options that every command has, but for those that only this command gives a meaning.
fn without_shared(help: &str) -> String {
    let mut text = String::new();
    let mut shared = false;
    for line in help.lines() {
        let is_heading = !line.starts_with(' ') && line.ends_with(':');
        if is_heading {
            shared = SHARED.contains(&line);
        }
        if !shared {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_page_of_the_commands_is_what_help_says() {
    let file = repository().join("docs/commands.md");
    let page = page(&Place::empty());
    if std::env::var_os("MIZAR_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        written, page,
        "docs/commands.md is not what help says; write it anew: MIZAR_BLESS=1 cargo test --test cli"
    );
}

#[test]
fn every_command_is_on_the_page_and_options_of_all_commands_stand_there_once() {
    let page = page(&Place::empty());
    for command in [
        "install",
        "diff",
        "check",
        "status",
        "env",
        "explain",
        "repair",
        "render",
        "values",
        "version",
        "completion bash",
    ] {
        assert!(page.contains(&format!("\n## kubectl mizar {command}\n")), "{command}");
    }
    assert_eq!(page.matches("--kubeconfig <FILE>").count(), 1);
    assert_eq!(page.matches("--profile <PROFILE>").count(), 5);
}
