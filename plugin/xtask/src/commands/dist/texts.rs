//! What the program tells of itself and is packed beside it: completion for each shell, and the man page. It is run for them, so that
//! they never disagree with `--help`.

use std::path::Path;
use std::process::{Command, Stdio};

use mizar_core::archive::Entry;

use crate::failure::Failure;

/// The file, and the arguments that print it.
const TEXTS: [(&str, &[&str]); 5] = [
    ("completion/kubectl-mizar.bash", &["completion", "bash"]),
    ("completion/kubectl-mizar.fish", &["completion", "fish"]),
    ("completion/kubectl-mizar.ps1", &["completion", "powershell"]),
    ("completion/_kubectl-mizar", &["completion", "zsh"]),
    ("man/kubectl-mizar.1", &["man"]),
];

/// Asks a program for its texts.
pub(super) fn of(program: &Path) -> Result<Vec<Entry>, Failure> {
    // A name without a slash would be looked for on the PATH.
    let program = std::path::absolute(program).map_err(|source| Failure::File { path: program.to_owned(), source })?;
    let mut entries = Vec::new();
    for (path, arguments) in TEXTS {
        entries.push(Entry::file(path, told(&program, arguments)?));
    }
    Ok(entries)
}

fn told(program: &Path, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let named = program.display().to_string();
    let output = Command::new(program).args(arguments).env_clear().stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| Failure::Run { program: named.clone(), source })?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    Err(Failure::Command { command: format!("{named} {}", arguments.join(" ")), status: output.status })
}
