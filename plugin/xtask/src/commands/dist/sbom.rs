//! The bill of materials of one platform's program, in the form CycloneDX 1.5: every crate that is linked into it, with licence and
//! checksum, and what depends on what. It holds no time and no serial number, so that it is the same for the same sources.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use mizar_bed::cargo;
use serde_json::{Map, Value, json};

use super::VERSION;
use super::output;
use super::platform::Platform;
use crate::failure::Failure;

const PROGRAM: &str = "kubectl-mizar";

/// The bill of materials for a platform.
pub(super) fn of(platform: &Platform) -> Result<String, Failure> {
    let lock = output::read(&cargo::workspace().join("Cargo.lock"))?;
    let checksums = checksums(&String::from_utf8_lossy(&lock));
    let mut text = serde_json::to_string_pretty(&bill(&metadata(platform)?, &checksums))
        .map_err(|source| Failure::Garbled { program: "cargo metadata".to_owned(), source })?;
    text.push('\n');
    Ok(text)
}

/// What cargo knows of all packages, resolved for a platform.
fn metadata(platform: &Platform) -> Result<Value, Failure> {
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", platform.target];
    let output = cargo::command().args(arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| Failure::Run { program: "cargo".to_owned(), source })?;
    if !output.status.success() {
        return Err(Failure::Command { command: format!("cargo {}", arguments.join(" ")), status: output.status });
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|source| Failure::Garbled { program: "cargo metadata".to_owned(), source })
}

/// The checksums of crates in Cargo.lock, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        if let (Some(name), Some(version), Some(checksum)) = (field("name"), field("version"), field("checksum")) {
            found.insert((name, version), checksum);
        }
    }
    found
}

fn bill(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let program = packages.iter().find(|(_, package)| package["name"] == PROGRAM).map_or("", |(id, _)| *id);
    let linked = linked(metadata, program);
    let reference = |id: &str| packages.get(id).map(|package| purl(package)).unwrap_or_default();
    let mut components: Vec<Value> = linked
        .keys()
        .filter(|id| **id != program)
        .filter_map(|id| packages.get(id))
        .map(|package| component(package, "library", checksums))
        .collect();
    components.sort_by_key(|component| component["bom-ref"].to_string());
    let mut dependencies: Vec<Value> = linked
        .iter()
        .map(|(id, on)| {
            let on: BTreeSet<String> = on.iter().map(|id| reference(id)).collect();
            json!({"ref": reference(id), "dependsOn": on})
        })
        .collect();
    dependencies.sort_by_key(|dependency| dependency["ref"].to_string());
    let own = packages.get(program).map(|package| component(package, "application", checksums));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": own,
            "tools": {"components": [{"type": "application", "name": "cargo xtask dist", "version": VERSION}]},
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// Everything that is linked into a program, each with what it is linked with itself. What only builds or tests need is left out.
fn linked<'a>(metadata: &'a Value, program: &'a str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let mut found = BTreeMap::new();
    let mut waiting = vec![program];
    while let Some(id) = waiting.pop() {
        let Some(node) = nodes.get(id).filter(|_| !found.contains_key(id)) else { continue };
        let is_normal = |dependency: &&Value| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
        let on: Vec<&str> =
            list(&node["deps"]).filter(is_normal).filter_map(|dependency| dependency["pkg"].as_str()).collect();
        waiting.extend(&on);
        found.insert(id, on);
    }
    found
}

fn component(package: &Value, kind: &str, checksums: &BTreeMap<(String, String), String>) -> Value {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut fields = Map::new();
    fields.insert("type".into(), kind.into());
    fields.insert("bom-ref".into(), purl(package).into());
    fields.insert("name".into(), text("name").into());
    fields.insert("version".into(), text("version").into());
    if let Some(checksum) = checksums.get(&(text("name"), text("version"))) {
        fields.insert("hashes".into(), json!([{"alg": "SHA-256", "content": checksum}]));
    }
    if let Some(licence) = package["license"].as_str() {
        // Older crates separate alternatives by a slash, which is no SPDX expression.
        fields.insert("licenses".into(), json!([{"expression": licence.replace('/', " OR ")}]));
    }
    fields.insert("purl".into(), purl(package).into());
    if let Some(repository) = package["repository"].as_str() {
        fields.insert("externalReferences".into(), json!([{"type": "vcs", "url": repository}]));
    }
    Value::Object(fields)
}

fn purl(package: &Value) -> String {
    let version = package["version"].as_str().unwrap_or_default().replace('+', "%2B");
    format!("pkg:cargo/{}@{version}", package["name"].as_str().unwrap_or_default())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
