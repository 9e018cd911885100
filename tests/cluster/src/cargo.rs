//! Builds programs of this workspace from within a program that cargo runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::progress::Progress;

/// Why a program of the workspace could not be built.
#[derive(Debug, thiserror::Error)]
pub enum CargoError {
    /// cargo cannot be run.
    #[error("cannot run cargo")]
    Missing(#[source] std::io::Error),
    /// It does not compile.
    #[error("`{command}` failed:\n{output}")]
    Failed {
        /// As it could be typed.
        command: String,
        /// What cargo said.
        output: String,
    },
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("this crate lies two folders below the root").to_owned()
}

/// A cargo that decides as one started from a shell.
pub fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    // cargo describes the program it runs in these; ring's build script watches some and would compile everything anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_a_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if of_a_package.iter().any(|prefix| text.starts_with(prefix)) || text == "CARGO" {
            command.env_remove(&name);
        }
    }
    command
}

/// Builds a binary of the workspace, if it is not fresh, and returns its path.
pub fn build(binary: &str) -> Result<PathBuf, CargoError> {
    build_as(binary, "dev")
}

/// As [`build`], by another profile of the workspace.
pub fn build_as(binary: &str, profile: &str) -> Result<PathBuf, CargoError> {
    // The whole workspace decides the features, so that nothing is compiled twice in two shapes.
    build_by(binary, &["--workspace", "--profile", profile], &[])
}

/// Builds a binary as it is released: by the lock file, with no feature that only a test asks for, and with these variables set.
pub fn build_release(binary: &str, environment: &[(&str, String)]) -> Result<PathBuf, CargoError> {
    build_by(binary, &["--package", binary, "--release", "--locked"], environment)
}

fn build_by(binary: &str, what: &[&str], environment: &[(&str, String)]) -> Result<PathBuf, CargoError> {
    let mut progress = Progress::quiet(format!("building {binary}"));
    progress.update("cargo build");
    let mut command = command();
    command.arg("build").args(what).args(["--bin", binary, "--message-format=json-render-diagnostics"]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.stdin(Stdio::null()).output().map_err(CargoError::Missing)?;
    progress.abandon();
    let path = output.status.success().then(|| executable(&output.stdout, binary)).flatten();
    path.ok_or_else(|| CargoError::Failed {
        command: format!("cargo build {} --bin {binary}", what.join(" ")),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Finds the path of a binary among cargo's messages.
fn executable(messages: &[u8], binary: &str) -> Option<PathBuf> {
    messages.split(|byte| *byte == b'\n').find_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        let kind = message["target"]["kind"].as_array()?;
        let wanted = message["target"]["name"] == binary && kind.iter().any(|kind| kind == "bin");
        wanted.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_binary_is_read_from_cargo_s_messages() {
        let messages =
            br#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"mizar-bed"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"mizar-bed"},"executable":"/t/debug/mizar-bed"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "mizar-bed").unwrap(), Path::new("/t/debug/mizar-bed"));
        assert_eq!(executable(messages, "other"), None);
    }

    #[test]
    fn the_workspace_is_where_the_modules_are() {
        assert!(workspace().join("tests/cluster/kubernetes/go.mod").is_file());
    }
}
