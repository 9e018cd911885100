//! `cargo xtask`: the one list of commands for developing kubectl-mizar.
//!
//! One file per command under `commands`. What a command prints goes through `report`; the test bed itself is the crate
//! `mizar-bed`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;
mod failure;
mod report;

use commands::{bench, cluster, demo, dist, fuzz, picture, programs, test};

/// Develop kubectl-mizar: a test cluster, the demo, all tests
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start, list, use and stop test clusters
    #[command(subcommand)]
    Cluster(cluster::Arguments),
    /// Build programs of the test bed and print their paths
    Programs(programs::Arguments),
    /// Run everything: format, lints, build and all tests, control plane included
    Test(test::Arguments),
    /// Run what CI runs: the same as `test`
    Ci(test::Arguments),
    /// Install Mizar on a cluster of simulated nodes and show that it works
    Demo(demo::Arguments),
    /// Measure how fast the product is
    Bench(bench::Arguments),
    /// Search for inputs that break what reads them
    Fuzz(fuzz::Arguments),
    /// Build everything that a release consists of: archives, charts, checksums, krew's manifest
    Dist(dist::Arguments),
    /// Draw the picture of the README from a real run
    Picture(picture::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Cluster(arguments) => cluster::run(arguments),
        Command::Programs(arguments) => programs::run(&arguments),
        Command::Test(arguments) | Command::Ci(arguments) => test::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Dist(arguments) => dist::run(arguments),
        Command::Picture(arguments) => picture::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            report::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/docs/mod.rs"]
#[expect(dead_code, reason = "the tests of the plugin need the rest")]
mod docs;

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use mizar_bed::cargo;

    use super::{Arguments, docs};

    #[test]
    fn every_line_of_the_pages_is_understood() {
        let mut understood = 0;
        for typed in docs::lines(&cargo::workspace()) {
            let line = typed.text.trim_start_matches("eval \"$(").trim_end_matches(")\"");
            let line = line.split(['|', '>']).next().unwrap_or(line);
            // Variables of the environment come first.
            let words: Vec<&str> = line.split_whitespace().skip_while(|word| word.contains('=')).collect();
            let ["cargo", "xtask", arguments @ ..] = words.as_slice() else { continue };
            let arguments = arguments.iter().map(|word| word.trim_matches('\''));
            let parsed = Arguments::try_parse_from(std::iter::once("cargo xtask").chain(arguments));
            assert!(parsed.is_ok(), "{}: {}: {}", typed.page, typed.text, parsed.err().unwrap());
            understood += 1;
        }
        assert!(understood > 15, "{understood} lines were found");
    }
}
