//! The manifests of the repository by krew's rules, stricter than krew: it ignores a field that it does not know. And the checksums of a
//! release by what they are of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::release::{self, PLATFORMS, TAG, text};

const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const RELEASES: &str = "https://github.com/CentaurusInfra/kubectl-mizar/releases/download";

fn repository(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_manifest_follows_krew_s_rules() {
    let source = repository("krew-manifest.yaml");
    let manifest: Value = serde_yaml::from_str(&source).unwrap();
    assert_eq!(keys(&manifest), ["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(manifest["kind"], "Plugin");
    assert_eq!(manifest["metadata"], serde_json::json!({"name": "mizar"}));
    let spec = &manifest["spec"];
    assert_eq!(keys(spec), ["version", "homepage", "shortDescription", "description", "platforms"]);
    assert_eq!(spec["version"], TAG);
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(!short.is_empty() && short.len() <= 50 && !short.contains('\n') && !short.ends_with('.'), "{short}");
    let filler = ["kubectl", "plugin", "kubernetes"];
    assert!(filler.iter().all(|word| !short.to_lowercase().contains(word)), "{short}");
    let description = spec["description"].as_str().unwrap();
    assert!(description.lines().count() > 2 && description.lines().all(|line| line.len() <= 80), "{description}");
    assert!(!description.contains("kubectl mizar"), "reviewers want no examples there");

    let mut seen = BTreeSet::new();
    for platform in spec["platforms"].as_array().unwrap() {
        assert_eq!(keys(platform), ["selector", "bin", "uri", "sha256"]);
        let labels = &platform["selector"]["matchLabels"];
        assert_eq!((keys(&platform["selector"]), keys(labels)), (vec!["matchLabels"], vec!["os", "arch"]));
        let (os, arch) = (labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        assert!(seen.insert(format!("{os}/{arch}")), "{os}/{arch} is there twice");
        assert_eq!(platform["bin"], if os == "windows" { "kubectl-mizar.exe" } else { "kubectl-mizar" });
        assert_eq!(platform["uri"], format!("{RELEASES}/{TAG}/kubectl-mizar-{TAG}-{os}-{arch}.tar.gz"));
        let checksum = platform["sha256"].as_str().unwrap();
        let digits = |digit: char| digit.is_ascii_digit() || ('a'..='f').contains(&digit);
        assert!(checksum.len() == 64 && checksum.chars().all(digits), "{checksum}");
    }
    assert_eq!(seen, PLATFORMS.into_iter().map(str::to_owned).collect());
}

/// By krew's guide for names, as far as a program can tell.
#[test]
fn the_name_is_in_kebab_case_and_does_not_say_what_goes_without_saying() {
    let manifest: Value = serde_yaml::from_str(&repository("krew-manifest.yaml")).unwrap();
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let part = |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_lowercase());
    assert!(name.split('-').all(part), "{name}");
    assert!(
        ["kube", "kubectl", "kubernetes", "k8s", "krew", "plugin"].iter().all(|word| !name.contains(word)),
        "{name}"
    );
    assert!(name.starts_with("mizar"), "the name of what it is for comes first: {name}");
}

/// A checksum of digits alone would be read as a number, and a placeholder must not look like a checksum.
#[test]
fn checksums_are_quoted_and_placeholders_say_that_they_are() {
    let source = repository("krew-manifest.yaml");
    let mut placeholders = 0;
    for line in source.lines().filter_map(|line| line.trim_start().strip_prefix("sha256: ")) {
        let (checksum, comment) = line.split_once(" # ").unwrap_or((line, ""));
        let checksum = checksum.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("it is quoted");
        assert_eq!(checksum == NO_CHECKSUM, comment == "not built", "{line}");
        placeholders += usize::from(checksum == NO_CHECKSUM);
    }
    assert_eq!(placeholders > 0, source.starts_with("# No release holds"), "the head says whether there is a release");
}

#[test]
fn the_repository_is_an_index_with_the_same_manifest() {
    assert_eq!(repository("plugins/mizar.yaml"), repository("krew-manifest.yaml"));
}

#[test]
fn the_checksums_of_a_release_are_right() {
    let sums = fs::read_to_string(release::shared().file("SHA256SUMS")).unwrap();
    let folder = release::shared().file("");
    let checked = Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&folder).output();
    let checked = checked.unwrap();
    assert!(checked.status.success(), "{}", text(&checked));
    let listed: BTreeSet<&str> = sums.lines().map(|line| line.split("  ").nth(1).unwrap()).collect();
    let there: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "SHA256SUMS")
        .collect();
    assert_eq!(listed, there.iter().map(String::as_str).collect());
    for platform in PLATFORMS {
        let archive = release::shared().archive(platform);
        assert!(listed.contains(archive.file_name().unwrap().to_str().unwrap()), "{platform}");
    }
}

#[test]
fn a_release_packed_twice_is_the_same_to_the_byte() {
    let again = tempfile::tempdir().unwrap();
    let made = release::pack(again.path(), &release::shared().address);
    assert!(made.status.success(), "{}", text(&made));
    let sums = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(sums(&again.path().join("SHA256SUMS")), sums(&release::shared().file("SHA256SUMS")));
}

#[test]
fn the_bill_of_materials_names_what_is_linked_and_nothing_of_the_tests() {
    let name = format!("kubectl-mizar-{TAG}-linux-amd64.cdx.json");
    let bill: Value = serde_json::from_slice(&fs::read(release::shared().file(&name)).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "kubectl-mizar");
    let components = bill["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(["kube-client", "mizar-core", "ring", "tera"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(
        ["mizar-bed", "proptest", "aws-lc-rs", "windows-sys"].iter().all(|name| !names.contains(name)),
        "{names:?}"
    );
    let references: BTreeSet<&str> = components.iter().map(|one| one["bom-ref"].as_str().unwrap()).collect();
    assert_eq!(references.len(), components.len(), "a reference is there once");
    for component in components {
        let own = component["name"].as_str().unwrap().starts_with("mizar-");
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
        assert!(own || component["hashes"][0]["content"].as_str().is_some_and(|hash| hash.len() == 64), "{component}");
        assert!(component["purl"].as_str().unwrap().starts_with("pkg:cargo/"), "{component}");
    }
    let own = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();
    for dependency in bill["dependencies"].as_array().unwrap() {
        for on in dependency["dependsOn"].as_array().unwrap().iter().chain([&dependency["ref"]]) {
            let on = on.as_str().unwrap();
            assert!(on == own || references.contains(on), "{on} is no component");
        }
    }
}
