//! Flags that are wrong: clap's text on stderr, exit code 2, and nothing is done.

use crate::program::Place;

#[track_caller]
fn misused(arguments: &[&str], stderr: &str) {
    Place::empty().run(arguments).fails(2, stderr);
}

#[test]
fn the_version_is_that_of_cargo() {
    let outcome = Place::empty().run(&["--version"]);
    assert_eq!(outcome.data(), concat!("kubectl-mizar ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_is_data_and_short_help_names_the_same_flags() {
    let place = Place::empty();
    for command in ["install", "diff", "check", "status", "env", "explain", "repair", "render", "values", "version"] {
        let long = place.run(&[command, "--help"]);
        let short = place.run(&[command, "-h"]);
        let flags = |text: &str| {
            text.split([' ', '\n', ',', '['])
                .filter(|word| word.starts_with("--"))
                .map(str::to_owned)
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert!(flags(short.data()).is_subset(&flags(long.data())), "{command}");
        assert!(long.data().contains("\nExamples:\n"), "{command} shows examples");
    }
}

#[test]
fn no_command_shows_the_help_as_an_error() {
    let place = Place::empty();
    let help = place.run(&["-h"]);
    place.run(&[]).fails(2, help.data());
}

#[test]
fn an_unknown_command_is_refused_and_the_nearest_is_named() {
    misused(
        &["statsu"],
        "error: unrecognized subcommand 'statsu'

  tip: a similar subcommand exists: 'status'

Usage: kubectl mizar [OPTIONS] <COMMAND>

For more information, try '--help'.
",
    );
}

#[test]
fn an_unknown_flag_is_refused_and_the_nearest_is_named() {
    misused(
        &["install", "--take-over"],
        "error: unexpected argument '--take-over' found

  tip: a similar argument exists: '--take-over-cni'

Usage: kubectl mizar install --take-over-cni

For more information, try '--help'.
",
    );
}

#[test]
fn a_value_out_of_range_is_refused_and_the_range_is_named() {
    misused(
        &["check", "-v", "12"],
        "error: invalid value '12' for '--v <LEVEL>': 12 is not in 0..=9

For more information, try '--help'.
",
    );
    misused(
        &["install", "--profile", "stage"],
        "error: invalid value 'stage' for '--profile <PROFILE>'
  [possible values: dev, prod]

For more information, try '--help'.
",
    );
    misused(
        &["check", "--request-timeout", "5x"],
        "error: invalid value '5x' for '--request-timeout <DURATION>': \"5x\" is not a duration; write it like 90s, 5m or 1h30m

For more information, try '--help'.
",
    );
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    misused(
        &["install", "--profile", "dev", "--plan", "--dry-run=server"],
        "error: the argument '--plan' cannot be used with '--dry-run[=<HOW>]'

Usage: kubectl mizar install --profile <PROFILE> --plan

For more information, try '--help'.
",
    );
}

#[test]
fn a_wait_of_no_time_is_refused_with_the_flag_that_does_not_wait() {
    misused(
        &["install", "--profile", "dev", "--timeout", "0"],
        "error: --timeout must be longer than nothing; leave the waits out with --wait=false\n",
    );
    misused(
        &["repair", "--yes", "--timeout", "0s"],
        "error: --timeout must be longer than nothing: each part of a repair is waited for\n",
    );
}
