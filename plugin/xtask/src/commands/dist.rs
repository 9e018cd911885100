//! `cargo xtask dist`: everything that a release consists of. One archive for each platform, the charts as packages, bills of
//! materials, checksums, and the manifest by which krew installs the plugin.
//!
//! The same binaries give the same bytes, on every machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mizar_bed::cargo;
use mizar_core::chart::digest_of;

use crate::failure::Failure;
use crate::report;

mod archive;
mod build;
mod charts;
mod manifest;
mod output;
mod platform;
mod sbom;
#[cfg(test)]
mod tests;
mod texts;

use output::Output;
use platform::Platform;

/// The version of the workspace, which all its releases and charts have.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Below this a user waits for nothing when krew upgrades.
const LARGEST_PROGRAM: usize = 10_000_000;

/// Builds the program as it is released for this machine, which is what a benchmark measures.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    build::release()
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Only a part of a release
    #[command(subcommand)]
    part: Option<Part>,
    /// A program that is built already, and the platform it is for; repeat it for more platforms. Without any, a release for
    /// this machine is built
    #[arg(long = "binary", value_name = "OS/ARCH=FILE")]
    binaries: Vec<Binary>,
    /// The folder that is filled
    #[arg(long, value_name = "DIR", default_value = "dist")]
    output: PathBuf,
    /// Where the archives will be found
    #[arg(long, value_name = "URL", default_value = platform::RELEASES)]
    address: String,
    /// Write the manifests of this repository, too: krew-manifest.yaml, plugins/mizar.yaml and .krew.yaml
    #[arg(long)]
    update: bool,
}

#[derive(Subcommand)]
enum Part {
    /// The charts as packages, with the digests that a registry has for them
    Charts {
        /// The folder that is filled
        #[arg(long, value_name = "DIR", default_value = "dist")]
        output: PathBuf,
    },
}

/// A program and what it runs on.
#[derive(Clone)]
struct Binary {
    platform: &'static Platform,
    path: PathBuf,
}

impl std::str::FromStr for Binary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (platform, path) = text.split_once('=').ok_or("it must look like linux/amd64=FILE")?;
        Ok(Self { platform: Platform::named(platform)?, path: path.into() })
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if let Some(Part::Charts { output }) = arguments.part {
        charts::pack(&mut Output::to(&output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut output = Output::to(&arguments.output)?;
    let binaries = if arguments.binaries.is_empty() {
        vec![Binary { platform: Platform::of_this_machine()?, path: build::release()? }]
    } else {
        arguments.binaries
    };
    let texts = texts::of(runnable(&binaries)?)?;
    let mut checksums = BTreeMap::new();
    for Binary { platform, path } in &binaries {
        let program = output::read(path)?;
        let archive = archive::pack(platform, &program, &texts)?;
        report::status(&format!("{platform}: program {}, archive {}", megabytes(&program), megabytes(&archive)));
        if program.len() > LARGEST_PROGRAM {
            report::status(&format!(
                "warning: the program for {platform} is larger than {} MB",
                LARGEST_PROGRAM / 1_000_000
            ));
        }
        let name = platform.archive();
        checksums.insert(platform.to_string(), hexadecimal(&archive));
        output.write(&name, &archive)?;
        output.write(&format!("{}.cdx.json", platform.stem()), sbom::of(platform)?.as_bytes())?;
    }
    charts::pack(&mut output)?;
    let manifest = manifest::krew(&arguments.address, &checksums);
    output.write("krew-manifest.yaml", manifest.as_bytes())?;
    output.write_checksums()?;
    if arguments.update {
        let mut repository = Output::to(&cargo::workspace())?;
        repository.write("krew-manifest.yaml", manifest.as_bytes())?;
        repository.write(".krew.yaml", manifest::template().as_bytes())?;
        Output::to(&cargo::workspace().join("plugins"))?.write("mizar.yaml", manifest.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The program that can tell its own completion scripts and its man page, because it runs here.
fn runnable(binaries: &[Binary]) -> Result<&Path, Failure> {
    let here = Platform::of_this_machine()?;
    let found = binaries.iter().find(|binary| binary.platform == here);
    Ok(&found.ok_or_else(|| Failure::NothingRuns { platform: here.to_string() })?.path)
}

fn hexadecimal(data: &[u8]) -> String {
    digest_of(data).trim_start_matches("sha256:").to_owned()
}

/// A size in MB with one digit after the point.
fn megabytes(data: &[u8]) -> String {
    let tenths = data.len().div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
