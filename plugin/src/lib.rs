//! kubectl-mizar as a library: the program is [`main`], and each part below it can be reached by tests.

mod assets;
mod cli;
mod cluster;
mod commands;
mod context;
mod failure;
mod flow;
mod interrupt;
mod machine;
mod private_file;
mod report;
mod settings;
mod window;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ColorChoice, FromArgMatches as _};

use cli::{Cli, Command};
use context::Context;
use failure::{Failure, Kind};
use report::{Output, Verbosity};

/// Parses the command line, runs the command, shows what failed, and picks the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // Exactly one TLS provider, named before any client is made: rustls panics when it has to guess.
    let installed = rustls::crypto::ring::default_provider().install_default();
    debug_assert!(installed.is_ok(), "nothing else installs a TLS provider");
    report::panic::install();
    run(std::env::args_os())
}

fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(answer) = completion(&arguments) {
        return answer.unwrap_or_else(|failure| report::failure(&failure, Output::Text));
    }
    // Known before anything else: help and errors of usage have colours, too.
    let cli = match parse(&arguments, cli::color::asked_for(&arguments).of_help()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    report::style::decide(cli.color.decided());
    settings::start_logging(cli.verbosity);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::new(Kind::Failed, format!("cannot start: {error}"));
            return report::failure(&failure, Output::Text);
        }
    };
    let output = cli.command.output();
    let outcome = runtime.block_on(dispatch(cli));
    // Watches may still be open; nobody waits for them.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => report::failure(&failure, output),
    }
}

fn parse(arguments: &[OsString], color: ColorChoice) -> Result<Cli, clap::Error> {
    let called = arguments.first().map(OsString::as_os_str).unwrap_or_default();
    let mut command = cli::command(called).color(color);
    let matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Answers a shell or kubectl that asks what may be typed next.
fn completion(arguments: &[OsString]) -> Option<Result<ExitCode, Failure>> {
    if let Some(shell) = std::env::var_os(settings::COMPLETE).filter(|shell| !shell.is_empty()) {
        return Some(commands::completion::answer_shell(&shell, arguments));
    }
    let [_, asked, words @ ..] = arguments else { return None };
    (asked == commands::completion::ASKED_BY_KUBECTL).then(|| commands::completion::answer_kubectl(words.to_vec()))
}

async fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let verbosity = if cli.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let flags = &cli.target;
    let context = Context::new(flags.to_target(), flags.namespace.clone(), flags.request_timeout, verbosity);
    match cli.command {
        Command::Install(args) => commands::install::run(&context, args).await,
        Command::Diff(args) => until_interrupted(Box::pin(commands::diff::run(&context, args))).await,
        Command::Upgrade(args) => commands::upgrade::run(&context, args).await,
        Command::Rollback(args) => commands::rollback::run(&context, args).await,
        Command::Resume(args) => commands::resume::run(&context, args).await,
        Command::Abort(args) => commands::abort::run(&context, args).await,
        Command::Check(args) => until_interrupted(Box::pin(commands::check::run(&context, args))).await,
        Command::Explain(args) => commands::explain::run(&args),
        Command::Status(args) => until_interrupted(Box::pin(commands::status::run(&context, args))).await,
        Command::Env(args) => until_interrupted(commands::env::run(&context, args)).await,
        Command::Repair(args) => Box::pin(commands::repair::run(&context, args)).await,
        Command::Bundle(args) => until_interrupted(Box::pin(commands::bundle::run(&context, args))).await,
        Command::Uninstall(args) => Box::pin(commands::uninstall::run(&context, args)).await,
        Command::History(args) => until_interrupted(commands::history::run(&context, args)).await,
        Command::Get(args) => until_interrupted(commands::get::run(&context, args)).await,
        Command::Render(args) => commands::render::run(&context, &args),
        Command::Values(args) => commands::values::run(&context, &args),
        Command::Version(args) => until_interrupted(Box::pin(commands::version::run(&context, args))).await,
        Command::Completion(args) => commands::completion::run(&args),
        Command::Man(args) => commands::man::run(&args),
    }
}

/// Runs a command that only looks: Ctrl-C ends it where it is, and what it has drawn on the terminal is taken back.
async fn until_interrupted(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    tokio::select! {
        outcome = command => outcome,
        () = interrupt::told_to_stop() => Ok(Kind::Interrupted.into()),
    }
}

/// clap's own text, with help on stdout and errors on stderr.
fn usage(error: &clap::Error) -> ExitCode {
    // A reader that went away (`| head`) is no failure.
    let _shown = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => Kind::Usage.into(),
    }
}
