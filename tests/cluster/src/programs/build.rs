//! Builds one module's programs into the cache: into a folder aside, which is then renamed, under a lock.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{ProgramError, Recipe, toolchain};
use crate::cache::{self, FileLock};
use crate::progress::{Progress, say};

/// A cold build of the control plane takes five minutes on two cores; twice that on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45 * 60);
/// Lines of the compiler that an error repeats.
const SHOWN_LINES: usize = 15;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Go said no.
    #[error(
        "`go {command}` in {} failed:\n{output}\nhint: the modules come from GOPROXY ({proxy}); \
         the whole command: {full}",
        folder.display()
    )]
    Go {
        /// The subcommand.
        command: &'static str,
        /// Where it ran.
        folder: PathBuf,
        /// Its last lines.
        output: String,
        /// The module proxy in use.
        proxy: String,
        /// What to type to see it all.
        full: String,
    },
    /// A file or process could not be made.
    #[error("cannot build {name}: {what}")]
    Io {
        /// The module.
        name: &'static str,
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

pub(super) fn build(recipe: &Recipe) -> Result<(), ProgramError> {
    let name = recipe.module.name();
    let finished = recipe.folder()?;
    let lock = cache::folder("locks")?.join(format!("build-{name}"));
    let _lock = FileLock::acquire(&lock, PATIENCE, || say(&format!("another process builds {name}; waiting for it")))?;
    if finished.is_dir() {
        return Ok(());
    }
    let go = toolchain::find()?;
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source| BuildError::Io { name, what, source }
    };
    let unfinished = finished.with_extension("part");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(failed("cannot remove a half-built folder"))?;
    }
    std::fs::create_dir_all(&unfinished).map_err(failed("cannot make its folder"))?;

    let mut progress = Progress::start(format!("building {name} {}", recipe.version));
    let result = packages(recipe, &go, &mut progress)
        .and_then(|packages| compile(recipe, &go, &unfinished, packages, &mut progress));
    if let Err(error) = result {
        progress.abandon();
        return Err(error.into());
    }
    std::fs::rename(&unfinished, &finished).map_err(failed("cannot move the programs into place"))?;
    progress.finish("built");
    Ok(())
}

/// Counts the packages of a build, which also fetches the modules.
fn packages(recipe: &Recipe, go: &Path, progress: &mut Progress) -> Result<usize, BuildError> {
    progress.update("fetching modules and counting packages");
    let mut command = go_command(recipe, go);
    command.args(["list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", "tool"]);
    let mut fetched = 0;
    let output = run(recipe, "list", command, |line| {
        if line.starts_with("go: downloading") {
            fetched += 1;
            progress.update(&format!("{fetched} modules fetched"));
        }
    })?;
    Ok(output.lines().count())
}

fn compile(
    recipe: &Recipe,
    go: &Path,
    into: &Path,
    packages: usize,
    progress: &mut Progress,
) -> Result<(), BuildError> {
    // A single program is named by us, several keep the names of their packages.
    let target = match recipe.module.single_file() {
        Some(file) => into.join(file),
        None => into.join(""),
    };
    let mut command = go_command(recipe, go);
    command.arg("build").args(&recipe.flags).arg("-v").arg("-o").arg(target).arg("tool");
    progress.update(&format!("0 of at most {packages} packages compiled"));
    let mut compiled = 0;
    run(recipe, "build", command, |line| {
        if !line.contains(' ') {
            compiled += 1;
            progress.update(&format!("{compiled} of at most {packages} packages compiled"));
        }
    })?;
    Ok(())
}

fn go_command(recipe: &Recipe, go: &Path) -> Command {
    let mut command = Command::new(go);
    command.current_dir(&recipe.source).env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").env("GOWORK", "off");
    command.env_remove("GOFLAGS").stdin(Stdio::null());
    command
}

/// Runs Go, hands each line of stderr to `on_line` as it comes, and returns stdout.
fn run(
    recipe: &Recipe,
    name: &'static str,
    mut command: Command,
    mut on_line: impl FnMut(&str),
) -> Result<String, BuildError> {
    let failed = |source| BuildError::Io { name: recipe.module.name(), what: format!("cannot run go {name}"), source };
    // stdout goes to a file: two pipes read in turn could block each other.
    let stdout_file = tempfile_beside(recipe).map_err(failed)?;
    let mut child =
        command.stdout(stdout_file.try_clone().map_err(failed)?).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let stderr = child.stderr.take().expect("stderr was asked to be a pipe");
    let mut last_lines = std::collections::VecDeque::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        on_line(&line);
        // Import paths alone are progress, not messages.
        if line.contains(' ') {
            last_lines.push_back(line);
        }
        if last_lines.len() > SHOWN_LINES {
            last_lines.pop_front();
        }
    }
    if child.wait().map_err(failed)?.success() {
        return read_back(stdout_file).map_err(failed);
    }
    Err(BuildError::Go {
        command: name,
        folder: recipe.source.clone(),
        output: Vec::from(last_lines).join("\n"),
        proxy: std::env::var("GOPROXY").unwrap_or_else(|_| "not set: Go's default".to_owned()),
        full: format!("{command:?}"),
    })
}

fn tempfile_beside(recipe: &Recipe) -> io::Result<File> {
    let folder = cache::folder("programs").map_err(io::Error::other)?;
    let path = folder.join(format!("{}.packages", recipe.module.name()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    // The open file is all that is needed.
    std::fs::remove_file(path)?;
    Ok(file)
}

fn read_back(mut file: File) -> io::Result<String> {
    use std::io::{Read as _, Seek as _};

    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}
