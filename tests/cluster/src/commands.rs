//! The folder that a bed puts in front of PATH: `helm`, `helm3`, `kubectl`, `kubectl-krew` and `kubectl-mizar`.
//!
//! Each is a short script that builds its program on the first call and then becomes it, so signals and exit codes are
//! the program's own. Helm must be called `helm` in either version: it names its field manager after itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cargo;
use crate::layout::Layout;
use crate::programs::{Program, ProgramError};
use crate::state;

const PROGRAMS: [(&str, Program); 4] = [
    ("helm", Program::Helm4),
    ("helm3", Program::Helm3),
    ("kubectl", Program::Kubectl),
    ("kubectl-krew", Program::Krew),
];

/// Writes the scripts; `builder` is the program `mizar-bed`, beside which kubectl-mizar is built.
pub(crate) fn write(layout: &Layout, builder: &Path) -> Result<(), ProgramError> {
    for (name, program) in PROGRAMS {
        let path = program.path()?;
        let build = format!("{} build {program} >/dev/null", quoted(builder));
        save(layout, name, &script(&path, &build))?;
    }
    let plugin = builder.with_file_name("kubectl-mizar");
    let build = format!("(cd {} && cargo build --quiet --workspace --bin kubectl-mizar)", quoted(&cargo::workspace()));
    save(layout, "kubectl-mizar", &script(&plugin, &build))
}

fn script(program: &Path, build: &str) -> String {
    let program = quoted(program);
    format!("#!/bin/sh\n[ -x {program} ] || {build} || exit\nexec {program} \"$@\"\n")
}

/// A path as one word of a shell.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

fn save(layout: &Layout, name: &str, text: &str) -> Result<(), ProgramError> {
    let path = layout.commands().join(name);
    let failed =
        |error: &dyn std::error::Error| ProgramError::Module { path: path.clone(), problem: error.to_string() };
    state::write_text(&path, text).map_err(|error| failed(&error))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_quotes_stays_one_word() {
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("printf %s {}", quoted(Path::new("/a b/it's"))))
            .output();
        assert_eq!(output.unwrap().stdout, b"/a b/it's");
    }
}
