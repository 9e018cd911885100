//! Licences, bans and sources of all packages, by `cargo deny` and `deny.toml`. It is a program of its own, which not every machine has:
//! the one ban that must never be missed, a second TLS provider, is also held by a test (tests/architecture.rs).

use std::process::Stdio;

use mizar_bed::cargo;

use crate::failure::Failure;
use crate::report;

/// Runs `cargo deny`. Returns whether it is there at all. Advisories are for the hosted CI, which can reach their database.
pub(crate) fn run() -> Result<bool, Failure> {
    let installed = cargo::command().args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        report::status("cargo-deny is not installed, so licences are not looked at: cargo install --locked cargo-deny");
        return Ok(false);
    }
    let arguments = ["deny", "--workspace", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    let status = cargo::command().args(arguments).status();
    let status = status.map_err(|source| Failure::Run { program: "cargo deny".to_owned(), source })?;
    if status.success() {
        Ok(true)
    } else {
        Err(Failure::Command { command: format!("cargo {}", arguments.join(" ")), status })
    }
}
