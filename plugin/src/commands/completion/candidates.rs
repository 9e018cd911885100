//! Values that are known only here and now: names from the kubeconfig, from the cluster, and ids of checks.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, FromArgMatches as _};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use mizar_core::check::{CHECKS, word};

use crate::cli::target::TargetArgs;
use crate::context::Context;
use crate::flow::names::{Live, Section, of_cluster, of_kubeconfig};
use crate::report::Verbosity;

/// Adds to a command what its flags may be given; `line` is what was typed so far, which says which cluster is meant.
pub(super) fn added_to(command: Command, line: &[OsString]) -> Command {
    let target = target(command.clone(), line);
    let file = target.as_ref().and_then(|target| target.kubeconfig.clone());
    let section = |section: Section| {
        let file = file.clone();
        ArgValueCandidates::new(move || named(of_kubeconfig(section, file.as_deref())))
    };
    let of_server = |kind: Live| {
        let target = target.clone();
        ArgValueCandidates::new(move || {
            named(target.as_ref().map(|target| of_cluster(kind, &context(target))).unwrap_or_default())
        })
    };
    command
        .mut_arg("context", |arg| arg.add(section(Section::Contexts)))
        .mut_arg("cluster", |arg| arg.add(section(Section::Clusters)))
        .mut_arg("user", |arg| arg.add(section(Section::Users)))
        .mut_arg("namespace", |arg| arg.add(of_server(Live::Namespaces)))
        .mut_subcommand("check", |check| {
            check
                .mut_arg("node", |arg| arg.add(of_server(Live::Nodes)))
                .mut_arg("ids", |arg| arg.add(ArgValueCandidates::new(checks)))
                .mut_arg("categories", |arg| arg.add(ArgValueCandidates::new(categories)))
        })
        .mut_subcommand("explain", |explain| explain.mut_arg("id", |arg| arg.add(ArgValueCandidates::new(checks))))
}

/// The flags for the cluster, as far as they were typed.
fn target(command: Command, line: &[OsString]) -> Option<TargetArgs> {
    let mut typed = line.get(..line.len().saturating_sub(1))?.to_vec();
    let command = command.arg_required_else_help(false).subcommand_required(false);
    // What is wrong ends the reading even of a lenient reader, so that unknown flags must go first.
    while let Some(unknown) = unknown_flag(&command, &typed) {
        typed.remove(unknown);
    }
    let matches = command.ignore_errors(true).try_get_matches_from(typed).ok()?;
    TargetArgs::from_arg_matches(&matches).ok()
}

/// Where there is a flag that the command does not know.
fn unknown_flag(command: &Command, typed: &[OsString]) -> Option<usize> {
    let error =
        command.clone().try_get_matches_from(typed).err().filter(|it| it.kind() == ErrorKind::UnknownArgument)?;
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else { return None };
    typed.iter().position(|word| word.to_string_lossy().split('=').next() == Some(flag))
}

fn context(target: &TargetArgs) -> Context {
    Context::new(target.to_target(), None, target.request_timeout, Verbosity::Quiet)
}

fn named(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn checks() -> Vec<CompletionCandidate> {
    CHECKS.iter().map(|check| CompletionCandidate::new(check.id).help(Some(check.title.into()))).collect()
}

fn categories() -> Vec<CompletionCandidate> {
    let categories: BTreeSet<String> = CHECKS.iter().map(|check| word(&check.category)).collect();
    categories.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_cluster_that_is_meant_is_what_was_typed_before_and_after_the_command() {
        for line in [
            &["kubectl-mizar", "--context", "c", "check", "--node", ""][..],
            &["kubectl-mizar", "check", "--context=c", "--node", ""],
            &["kubectl-mizar", "--context", "c", ""],
            &["kubectl-mizar", "--no-such", "--context", "c", "check", "--node", "n"],
        ] {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            assert_eq!(target(Cli::command(), &line).unwrap().context.as_deref(), Some("c"), "{line:?}");
        }
    }
}
