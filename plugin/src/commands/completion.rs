//! `kubectl mizar completion`, and the answers that shells and kubectl ask for.
//!
//! One engine answers both: a shell that has loaded a script of ours asks by way of [`settings::COMPLETE`]; kubectl runs
//! the program `kubectl_complete-mizar`, which runs `kubectl-mizar __complete WORDS…`.

mod candidates;
mod script;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::complete;
use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

use crate::cli;
use crate::failure::{Failure, Kind};
use crate::{report, settings};

/// The program, as it is found on PATH.
const PROGRAM: &str = "kubectl-mizar";

/// What kubectl runs instead of a command.
pub(crate) const ASKED_BY_KUBECTL: &str = "__complete";

/// Complete commands, flags and names: in a shell, or through kubectl
///
/// kubectl asks a program of its own, kubectl_complete-mizar, which plugin managers do not install: `completion install` writes
/// it. Names of contexts, namespaces, nodes and checks are completed, too; without a cluster there are just none.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Have kubectl complete `kubectl mizar`
  kubectl mizar completion install

  # Complete kubectl-mizar in this bash
  source <(kubectl-mizar completion bash)

  # The same in every zsh
  kubectl mizar completion zsh > ~/.zsh/completions/_kubectl-mizar")]
pub(crate) struct CompletionArgs {
    #[command(subcommand)]
    wanted: Wanted,
}

#[derive(Debug, Clone, Subcommand)]
enum Wanted {
    /// Print the script for bash
    #[command(after_help = "Examples:
  # Complete kubectl-mizar in this bash
  source <(kubectl-mizar completion bash)")]
    Bash,
    /// Print the script for fish
    #[command(after_help = "Examples:
  # Complete kubectl-mizar in every fish
  kubectl mizar completion fish > ~/.config/fish/completions/kubectl-mizar.fish")]
    Fish,
    /// Write kubectl_complete-mizar, which kubectl asks, beside the plugin
    #[command(after_help = "Examples:
  # Beside the plugin, where kubectl finds it
  kubectl mizar completion install

  # Into another folder of PATH
  kubectl mizar completion install --dir ~/.local/bin")]
    Install(InstallArgs),
    /// Print the script for PowerShell
    #[command(after_help = "Examples:
  # Complete kubectl-mizar in every PowerShell
  kubectl mizar completion powershell >> $PROFILE")]
    Powershell,
    /// Print the script for zsh
    #[command(after_help = "Examples:
  # Complete kubectl-mizar in every zsh
  kubectl mizar completion zsh > ~/.zsh/completions/_kubectl-mizar")]
    Zsh,
}

#[derive(Debug, Clone, Args)]
struct InstallArgs {
    /// Folder of PATH to write it into [default: that of the plugin]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &CompletionArgs) -> Result<ExitCode, Failure> {
    let shell: &dyn EnvCompleter = match &args.wanted {
        Wanted::Install(args) => return install(args),
        Wanted::Bash => &Bash,
        Wanted::Fish => &Fish,
        Wanted::Powershell => &Powershell,
        Wanted::Zsh => &Zsh,
    };
    let mut written = Vec::new();
    shell
        .write_registration(settings::COMPLETE, PROGRAM, PROGRAM, PROGRAM, &mut written)
        .map_err(|error| broken(&error))?;
    report::data(&String::from_utf8_lossy(&written))?;
    Ok(ExitCode::SUCCESS)
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(Kind::Bug, format!("cannot complete: {error}"))
}

fn install(args: &InstallArgs) -> Result<ExitCode, Failure> {
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => script::folder_of_plugin(std::env::args_os().next().as_deref(), std::env::var_os("PATH").as_deref())
            .ok_or_else(|| {
                Failure::new(Kind::Failed, "cannot tell where the plugin lies").hint("name a folder of PATH: --dir DIR")
            })?,
    };
    let path = script::write(&folder).map_err(|error| {
        Failure::new(Kind::Failed, format!("cannot write into {}: {error}", folder.display()))
            .hint("name a folder of PATH that you may write into: --dir DIR")
    })?;
    report::note(&format!("{} written; in a new shell, kubectl completes kubectl mizar", path.display()));
    if !script::is_on_path(&folder, std::env::var_os("PATH").as_deref()) {
        report::note(&format!("warning: {} is not on PATH, so kubectl will not find it there", folder.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Answers kubectl: a line for each candidate, `VALUE<TAB>WHAT IT IS`, then `:` and what to do with them.
pub(crate) fn answer_kubectl(words: Vec<OsString>) -> Result<ExitCode, Failure> {
    /// kubectl's numbers: add no blank behind a candidate, and name no files.
    const NO_SPACE: u8 = 2;
    const NO_FILES: u8 = 4;
    let mut line = vec![OsString::from(PROGRAM)];
    line.extend(words);
    let last = line.len() - 1;
    let mut command = candidates::added_to(cli::command(OsStr::new(PROGRAM)), &line);
    let here = std::env::current_dir().ok();
    let found = complete(&mut command, line, last, here.as_deref()).unwrap_or_default();
    let found: Vec<_> = found.iter().filter(|candidate| !candidate.is_hide_set()).collect();
    let mut text = String::new();
    let mut is_unfinished = !found.is_empty();
    for candidate in found {
        let value = candidate.get_value().to_string_lossy();
        is_unfinished &= value.ends_with(['/', '=']);
        text.push_str(&value);
        if let Some(help) = candidate.get_help().map(ToString::to_string) {
            text.push('\t');
            text.push_str(help.lines().next().unwrap_or_default());
        }
        text.push('\n');
    }
    let directive = if is_unfinished { NO_SPACE | NO_FILES } else { NO_FILES };
    report::data(&format!("{text}:{directive}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell that has loaded a script of ours; `arguments` are those of the program, the words stand behind `--`.
pub(crate) fn answer_shell(shell: &OsStr, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let shells: [&dyn EnvCompleter; 4] = [&Bash, &Fish, &Powershell, &Zsh];
    let named = shell.to_string_lossy();
    let known = shells.into_iter().find(|shell| shell.is(&named));
    let unknown =
        || Failure::new(Kind::Usage, format!("{}: {named:?} is no shell that is known here", settings::COMPLETE));
    let shell = known.ok_or_else(unknown)?;
    let words: Vec<OsString> = arguments.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let mut command = candidates::added_to(cli::command(OsStr::new(PROGRAM)), &words);
    let mut answer = Vec::new();
    let here = std::env::current_dir().ok();
    shell.write_complete(&mut command, words, here.as_deref(), &mut answer).map_err(|error| broken(&error))?;
    report::data(&String::from_utf8_lossy(&answer))?;
    Ok(ExitCode::SUCCESS)
}
