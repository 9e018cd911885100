//! Output that other programs read: no colours, no cursor movements, and a reader may leave.

use std::io::{BufRead, BufReader};

use crate::program::{Place, wait};

#[test]
fn nothing_in_a_pipe_holds_escape_codes() {
    let place = Place::with("wrong.yaml", "vnii: 1\n").variable("TERM", "xterm-256color");
    for arguments in [
        &["--help"][..],
        &["install", "--help"],
        &["nonsense"],
        &["values", "--show-origin"],
        &["render", "-f", "wrong.yaml"],
        &["check"],
    ] {
        let outcome = place.run(arguments);
        assert!(!outcome.stdout.contains('\x1b') && !outcome.stderr.contains('\x1b'), "{arguments:?}");
    }
}

#[test]
fn no_color_wins_over_a_wish_for_colours() {
    let wished = Place::empty().variable("CLICOLOR_FORCE", "1");
    assert!(
        wished.run(&["check"]).stderr.contains('\x1b'),
        "CLICOLOR_FORCE is heard, so that this test means something"
    );
    let refused = wished.variable("NO_COLOR", "1");
    assert!(!refused.run(&["check"]).stderr.contains('\x1b'));
}

#[test]
fn no_color_counts_by_being_there_and_the_flag_counts_more() {
    let coloured = |place: &Place, arguments: &[&str]| {
        let outcome = place.run(arguments);
        assert_eq!(outcome.code, 4);
        outcome.stderr.contains('\x1b')
    };
    let wished = Place::empty().variable("CLICOLOR_FORCE", "1");
    assert!(coloured(&wished, &["check"]) && !coloured(&wished, &["check", "--color", "never"]));
    let refused = wished.variable("NO_COLOR", "");
    assert!(!coloured(&refused, &["check"]) && coloured(&refused, &["--color=always", "check"]));
}

#[test]
fn help_and_errors_of_usage_have_the_colours_that_were_asked_for() {
    let place = Place::empty();
    assert!(place.run(&["--help", "--color=always"]).stdout.contains("\x1b[1m"));
    assert!(place.run(&["--color", "always", "nonsense"]).stderr.contains("\x1b["));
    let wished = Place::empty().variable("CLICOLOR_FORCE", "1");
    assert!(!wished.run(&["--help", "--color=never"]).stdout.contains('\x1b'));
    assert_eq!(place.run(&["--color=purple", "check"]).code, 2);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let place = Place::empty();
    for arguments in [
        &["render", "--profile", "dev"][..],
        &["render", "-o", "json"],
        &["values"],
        &["values", "--show-origin"],
        &["explain", "-o", "yaml"],
        &["version", "--client"],
        &["completion", "zsh"],
        &["man"],
        &["--help"],
    ] {
        let mut child = place.command(arguments).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let status = wait(&mut child);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(!first.is_empty());
    }
}

#[test]
fn stdout_holds_manifests_only_and_they_can_be_read_back() {
    let outcome = Place::empty().run(&["render", "--profile", "dev"]);
    let kinds = outcome.data().lines().filter(|line| line.starts_with("kind: ")).count();
    let documents = outcome.data().lines().filter(|line| *line == "---").count();
    assert_eq!(kinds, documents, "one kind in each document");
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let place = Place::empty();
    let full = std::fs::File::options().write(true).open("/dev/full").expect("there is a full device");
    let output = place.command(&["render", "--profile", "dev"]).stdout(full).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: cannot write the result: "), "{said}");
}
