//! `cargo xtask fuzz`: whatever is read from outside, made to break its reader. The targets are those of cargo-fuzz in `tests/fuzz`, built
//! with coverage counters by the stable toolchain; nothing but a C++ compiler is needed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use mizar_bed::{cache, cargo};

use crate::failure::Failure;
use crate::report;

mod hostile;
mod process;
mod seeds;

use process::Ran;

/// The most memory that any input may need, in MB.
const MAX_MEGABYTES: u32 = 200;
/// How long a hostile input of a megabyte may keep the processor busy.
const MAX_BUSY: Duration = Duration::from_secs(2);

/// A target, and how long its inputs may become.
pub(crate) struct Target {
    name: &'static str,
    max_length: usize,
}

const TARGETS: [Target; 9] = [
    Target { name: "values", max_length: 8192 },
    Target { name: "set", max_length: 1024 },
    Target { name: "chart_text", max_length: 8192 },
    Target { name: "yaml_reader", max_length: 8192 },
    Target { name: "yaml_writer", max_length: 4096 },
    Target { name: "kubeconfig", max_length: 8192 },
    Target { name: "helm_record", max_length: 8192 },
    Target { name: "operation_record", max_length: 8192 },
    Target { name: "api_reply", max_length: 16384 },
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Targets; without any, all
    #[arg(value_name = "TARGET", value_parser = TARGETS.map(|target| target.name))]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long one input may take; give more on a busy machine
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    timeout: u64,
    /// Only the inputs of a megabyte that are made to exhaust time and memory
    #[arg(long)]
    hostile: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| arguments.targets.is_empty() || arguments.targets.iter().any(|name| name == target.name))
        .collect();
    let mut fine = exhaust(&build(Build::Product)?, &chosen)?;
    if !arguments.hostile {
        fine &= search(&build(Build::Counting)?, &chosen, arguments.seconds, arguments.timeout)?;
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The part of `cargo xtask test`: every hostile input, and some seconds of search in each target.
pub(crate) fn bounded() -> Result<(), Failure> {
    const SECONDS: u64 = 5;
    let arguments = Arguments { targets: Vec::new(), seconds: SECONDS, timeout: 30, hostile: false };
    if run(&arguments)? == ExitCode::SUCCESS { Ok(()) } else { Err(Failure::Found) }
}

/// How the targets are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    /// As the product is, so that time and memory are those of the product.
    Product,
    /// With coverage counters, the trace of every comparison and checks of overflow, for the search.
    Counting,
}

impl Build {
    const fn profile(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Counting => "release",
        }
    }

    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Product => &["--cfg", "fuzzing"],
            Self::Counting => &COUNTERS,
        }
    }
}

/// What cargo-fuzz gives to the compiler, without the sanitizers, which only a nightly one has.
const COUNTERS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// Builds all targets and returns the folder that they are in.
fn build(kind: Build) -> Result<PathBuf, Failure> {
    let target_folder = cache::folder("fuzz")?;
    let host = host()?;
    // With a named target, build scripts and macros are compiled without the counters, which they could not link.
    let status = cargo::command()
        .args([
            "build",
            "--profile",
            kind.profile(),
            "--locked",
            "--bins",
            "--manifest-path",
            "tests/fuzz/Cargo.toml",
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(&target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", kind.flags().join("\u{1f}"))
        .status()
        .map_err(|source| Failure::Run { program: "cargo".to_owned(), source })?;
    if !status.success() {
        return Err(Failure::Command {
            command: "cargo build --manifest-path tests/fuzz/Cargo.toml".to_owned(),
            status,
        });
    }
    Ok(target_folder.join(host).join(kind.profile()))
}

/// The name of this machine, as the compiler says it.
fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").current_dir(cargo::workspace()).output();
    let output = output.map_err(|source| Failure::Run { program: "rustc".to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).map(ToOwned::to_owned);
    host.ok_or(Failure::Command { command: "rustc -vV".to_owned(), status: output.status })
}

/// Gives every hostile input to its target once; all must be answered in time and memory.
fn exhaust(programs: &Path, chosen: &[&Target]) -> Result<bool, Failure> {
    let folder = cache::folder("fuzz-hostile")?;
    let (mut rows, mut fine) = (Vec::new(), true);
    for case in hostile::cases().iter().filter(|case| chosen.iter().any(|target| target.name == case.target)) {
        let input = folder.join(format!("{}-{}", case.target, case.name.replace(' ', "-")));
        process::write(&input, &case.input)?;
        let ran = process::run(
            &programs.join(case.target),
            &["-timeout=60", "-rss_limit_mb=0", &input.display().to_string()],
            true,
        )?;
        let kept = ran.ended_well && ran.busy <= MAX_BUSY && ran.megabytes <= f64::from(MAX_MEGABYTES);
        if !kept {
            fine = false;
            report::status(&format!("{}: {}\n{}", case.target, case.name, ran.tail()));
        }
        rows.push([
            case.target.to_owned(),
            case.name.to_owned(),
            format!("{:.2}", ran.busy.as_secs_f64()),
            format!("{:.0}", ran.megabytes),
            if kept { "ok".to_owned() } else { format!("over {} s or {MAX_MEGABYTES} MB", MAX_BUSY.as_secs()) },
        ]);
    }
    report::table(["TARGET", "HOSTILE INPUT", "CPU S", "MB", "RESULT"], &rows);
    Ok(fine)
}

/// Lets each target search for an input that breaks it.
fn search(programs: &Path, chosen: &[&Target], seconds: u64, timeout: u64) -> Result<bool, Failure> {
    let (mut rows, mut fine) = (Vec::new(), true);
    for target in chosen {
        report::status(&format!("searching in {} for {seconds} s", target.name));
        let corpus = cache::folder(&format!("fuzz-corpus/{}", target.name))?;
        let made = cache::folder(&format!("fuzz-seeds/{}", target.name))?;
        seeds::write(target.name, &made)?;
        let found = cache::folder("fuzz-found")?;
        let ran = process::run(
            &programs.join(target.name),
            &[
                &format!("-max_total_time={seconds}"),
                &format!("-timeout={timeout}"),
                &format!("-rss_limit_mb={MAX_MEGABYTES}"),
                &format!("-max_len={}", target.max_length),
                &format!("-artifact_prefix={}/{}-", found.display(), target.name),
                "-print_final_stats=1",
                "-reload=0",
                &corpus.display().to_string(),
                &made.display().to_string(),
                &cargo::workspace().join("tests/fuzz/seeds").join(target.name).display().to_string(),
            ],
            false,
        )?;
        fine &= ran.ended_well;
        if !ran.ended_well {
            report::status(&ran.tail());
        }
        rows.push(row(target.name, &ran));
    }
    report::table(["TARGET", "RUNS", "EDGES", "FEATURES", "CORPUS", "MB", "RESULT"], &rows);
    Ok(fine)
}

fn row(target: &str, ran: &Ran) -> [String; 7] {
    [
        target.to_owned(),
        ran.statistic("number_of_executed_units"),
        ran.coverage("cov:"),
        ran.coverage("ft:"),
        ran.coverage("corp:"),
        ran.statistic("peak_rss_mb"),
        if ran.ended_well { "nothing found".to_owned() } else { ran.finding() },
    ]
}
