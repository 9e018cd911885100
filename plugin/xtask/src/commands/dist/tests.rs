//! Names and platforms stand in several files; here each is held to the one table. And what is read and printed here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mizar_bed::cargo;
use serde_json::{Value, json};

use super::platform::{ALL, RELEASES};
use super::{Binary, manifest, megabytes};

fn repository(name: &str) -> PathBuf {
    cargo::workspace().join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(repository(name)).unwrap()
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&read(name)).unwrap()
}

#[test]
fn the_template_of_krew_release_bot_is_the_generated_one() {
    if std::env::var_os("MIZAR_BLESS").is_some() {
        fs::write(repository(".krew.yaml"), manifest::template()).unwrap();
    }
    assert_eq!(
        read(".krew.yaml"),
        manifest::template(),
        "write it anew: cargo xtask dist --update, or MIZAR_BLESS=1 cargo test -p xtask krew"
    );
}

#[test]
fn the_committed_krew_manifest_is_the_generated_one_but_for_its_checksums() {
    let committed = read("krew-manifest.yaml");
    let parsed: Value = serde_yaml::from_str(&committed).unwrap();
    let mut built = BTreeMap::new();
    for entry in parsed["spec"]["platforms"].as_array().unwrap() {
        let labels = &entry["selector"]["matchLabels"];
        let checksum = entry["sha256"].as_str().unwrap();
        if checksum.chars().any(|digit| digit != '0') {
            let platform = format!("{}/{}", labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
            built.insert(platform, checksum.to_owned());
        }
    }
    if std::env::var_os("MIZAR_BLESS").is_some() {
        let generated = manifest::krew(RELEASES, &built);
        fs::write(repository("krew-manifest.yaml"), &generated).unwrap();
        fs::write(repository("plugins/mizar.yaml"), &generated).unwrap();
    }
    assert_eq!(read("krew-manifest.yaml"), manifest::krew(RELEASES, &built));
}

#[test]
fn the_release_workflow_builds_and_packs_every_platform() {
    let workflow = yaml(".github/workflows/release.yml");
    let built = workflow["jobs"]["program"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let mut built: Vec<Value> = built.clone();
    for entry in &mut built {
        assert!(entry.as_object_mut().unwrap().shift_remove("runner").is_some(), "each has a machine");
    }
    let expected: Vec<Value> = ALL
        .iter()
        .map(|one| json!({"os": one.os, "arch": one.arch, "target": one.target, "file": one.program()}))
        .collect();
    assert_eq!(built, expected);
    let text = read(".github/workflows/release.yml");
    for platform in &ALL {
        let folder = platform.to_string().replace('/', "-");
        let packed = format!("--binary {platform}=programs/{folder}/{}", platform.program());
        assert!(text.lines().any(|line| line.trim().trim_end_matches(" \\") == packed), "{packed}");
    }
}

#[test]
fn workflows_pin_their_actions_and_start_with_no_right_but_reading() {
    for name in ["ci", "release"] {
        let workflow = yaml(&format!(".github/workflows/{name}.yml"));
        assert_eq!(workflow["permissions"], json!({"contents": "read"}), "{name}");
        for (job, content) in workflow["jobs"].as_object().unwrap() {
            for step in content["steps"].as_array().unwrap() {
                let Some(action) = step["uses"].as_str() else { continue };
                let version = action.split_once('@').unwrap().1;
                assert!(version.starts_with('v') && version[1..].starts_with(|c: char| c.is_ascii_digit()), "{action}");
                let writes = content.get("permissions").is_some();
                let keeps_token = step["with"]["persist-credentials"] != json!(false);
                assert!(
                    !action.starts_with("actions/checkout@") || writes || !keeps_token,
                    "{name}: {job} keeps its token"
                );
            }
        }
    }
}

#[test]
fn a_binary_names_a_platform_that_is_released() {
    let binary: Binary = "windows/amd64=a=b.exe".parse().unwrap();
    assert_eq!((binary.platform.to_string().as_str(), binary.path.as_path()), ("windows/amd64", Path::new("a=b.exe")));
    let refused = |text: &str| text.parse::<Binary>().err().unwrap();
    assert_eq!(refused("linux/amd64"), "it must look like linux/amd64=FILE");
    assert!(
        refused("linux/s390x=x").contains("linux/amd64, linux/arm64, darwin/amd64"),
        "{}",
        refused("linux/s390x=x")
    );
}

#[test]
fn sizes_are_rounded_up() {
    assert_eq!(megabytes(&vec![0; 1_200_001]), "1.3 MB");
}
