//! Guards of the structure: who imports whom, no forgotten test file, pages held to the code.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("plugin/ has a parent").to_path_buf()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).expect("a source folder is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Lines of a file that import or name `what`, test modules aside.
fn mentions(path: &Path, what: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a source file is readable");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter(|line| what.iter().any(|name| line.contains(name)))
        .map(|line| format!("{}: {}", path.display(), line.trim()))
        .collect()
}

/// Asserts that within plugin/src only the `allowed` places mention `what`.
fn only_in(allowed: &[&str], what: &[&str]) {
    let source = root().join("plugin/src");
    let offenders: Vec<String> = rust_files(&source)
        .iter()
        .filter(|path| {
            let relative = path.strip_prefix(&source).expect("found below it").to_string_lossy().replace('\\', "/");
            !allowed.iter().any(|place| relative.starts_with(place))
        })
        .flat_map(|path| mentions(path, what))
        .collect();
    assert!(offenders.is_empty(), "only {allowed:?} may use {what:?}:\n{}", offenders.join("\n"));
}

#[test]
fn only_the_cluster_folder_knows_kube() {
    only_in(&["cluster"], &["kube::", "k8s_openapi", "use kube"]);
}

#[test]
fn only_the_command_line_knows_clap() {
    only_in(&["cli", "commands", "lib.rs"], &["clap::", "use clap"]);
}

#[test]
fn only_reports_draw_and_print() {
    // The log of -v is set up with the other settings.
    only_in(
        &["report", "settings.rs"],
        &["indicatif", "anstream::", "println!", "eprintln!", "std::io::stdout", "std::io::stderr"],
    );
}

#[test]
fn only_write_rs_changes_a_cluster() {
    only_in(
        &["cluster/write.rs", "cluster/guard.rs", "cluster/review.rs"],
        &["Method::POST", "Method::PUT", "Method::PATCH", "Method::DELETE"],
    );
}

#[test]
fn commands_never_call_each_other() {
    let commands = root().join("plugin/src/commands");
    for path in rust_files(&commands) {
        let calls =
            mentions(&path, &["super::install", "super::check", "super::render", "super::values", "crate::commands::"]);
        assert!(calls.is_empty(), "what two commands share is a flow:\n{}", calls.join("\n"));
    }
}

#[test]
fn flows_do_not_know_the_command_line_and_clusters_do_not_know_flows() {
    for (folder, forbidden) in [
        ("flow", &["crate::cli", "crate::commands"][..]),
        ("cluster", &["crate::cli", "crate::commands", "crate::flow", "crate::report"][..]),
        ("report", &["crate::cli", "crate::commands", "crate::flow", "crate::cluster"][..]),
    ] {
        for path in rust_files(&root().join("plugin/src").join(folder)) {
            let calls = mentions(&path, forbidden);
            assert!(calls.is_empty(), "{folder} must not use {forbidden:?}:\n{}", calls.join("\n"));
        }
    }
}

#[test]
fn core_depends_on_nothing_that_touches_the_world() {
    let manifest = fs::read_to_string(root().join("plugin/core/Cargo.toml")).expect("core has a manifest");
    for forbidden in ["kube", "k8s-openapi", "tokio", "clap", "indicatif", "hyper", "tempfile"] {
        assert!(
            !manifest
                .lines()
                .any(|line| line.starts_with(&format!("{forbidden} ")) || line.starts_with(&format!("{forbidden}."))),
            "mizar-core must not depend on {forbidden}"
        );
    }
}

#[test]
fn every_rust_file_of_a_test_folder_is_declared() {
    for folder in ["tests/charts", "tests/cli", "tests/journeys", "tests/parity"] {
        let folder = root().join(folder);
        let main = fs::read_to_string(folder.join("main.rs")).expect("each test folder has a main.rs");
        for path in rust_files(&folder) {
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            let parent = path.parent().expect("a file has a folder");
            let declared = name == "main" || parent != folder || main.contains(&format!("mod {name};"));
            assert!(declared, "{} is declared nowhere, so it never runs", path.display());
        }
    }
}

#[test]
fn the_krew_manifest_has_the_version_of_cargo() {
    let manifest = fs::read_to_string(root().join("krew-manifest.yaml")).expect("there is a krew manifest");
    let version = env!("CARGO_PKG_VERSION");
    assert!(manifest.contains(&format!("version: \"v{version}\"")), "krew-manifest.yaml is not of version {version}");
    let addresses = manifest.lines().filter(|line| line.trim_start().starts_with("uri:"));
    for address in addresses {
        assert_eq!(address.matches(&format!("v{version}")).count(), 2, "{address}");
    }
}

#[test]
fn there_is_one_tls_provider() {
    let locked = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is readable");
    let has = |package: &str| locked.contains(&format!("name = \"{package}\"\n"));
    assert!(has("ring"), "ring is the provider");
    // Two of them in one program make rustls panic at run time. `cargo deny` refuses them too, where it is installed.
    for other in ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls", "rustls-openssl"] {
        assert!(!has(other), "{other} is a second TLS provider; take it out of the features of what brings it");
    }
}
