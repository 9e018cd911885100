//! Every line that the pages tell people to type is typed, on a cluster as its page expects it, and does not fail.
//!
//! A line is run as it stands but for what [`CHANGED`] says: nobody is there to answer a question, names stand for
//! something, and what stays open for ever ends after a moment. A line that stands on several pages is run once.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use mizar_bed::Bed;
use tempfile::TempDir;
use tokio::process::Command;

use crate::adopt::old_installation;
use crate::cli::{Mizar, root};
use crate::cluster::{bed, installed};
use crate::docs::{Typed, lines};

/// The pages name more lines than this for each kind of cluster; fewer are a sign that they are not found.
const LEAST: usize = 5;

/// Nothing that a page names takes longer on a bed.
const DEADLINE: Duration = Duration::from_secs(180);

/// What is typed instead of what stands on the page, and where.
const CHANGED: &[(&str, &str)] = &[
    ("status --watch --timeout 10m", "status --watch"),
    ("status --watch", "status --watch --timeout 2s"),
    ("rollback 3", "rollback 1"),
    ("node-7", "node-2"),
    ("--group NAME", "--group somebody"),
    ("pod NAME", "pod --selector job=mizar-daemon"),
    ("logs NAME", "logs --selector job=mizar-daemon"),
];

/// Lines that end otherwise than with 0 where all is well, how, and why.
const ENDS: &[(&str, i32, &str)] = &[
    ("kubectl mizar render --profile dev | kubectl diff", 1, "kubectl says so that it shows a difference"),
    ("kubectl mizar diff --set ", 10, "it says so that something would change"),
];

/// The line as it is run.
fn runnable(typed: &Typed) -> String {
    let mut line = typed.text.clone();
    for (from, to) in CHANGED {
        line = line.replace(from, to);
    }
    if line.contains("| jq ") && !Path::new("/usr/bin/jq").exists() {
        line.truncate(line.find("| jq ").unwrap_or_default());
    }
    let words = typed.arguments().unwrap_or_default();
    let asks = matches!(
        words.first(),
        Some(&"install" | &"repair" | &"uninstall" | &"upgrade" | &"rollback" | &"resume" | &"abort")
    );
    if asks && !only_looks(&words) && !words.contains(&"-y") && !words.contains(&"--yes") {
        line.push_str(" -y");
    }
    line
}

/// Whether a line changes nothing.
fn only_looks(words: &[&str]) -> bool {
    words.iter().any(|word| ["--plan", "--save-plan"].contains(word) || word.starts_with("--dry-run"))
}

/// A folder in which the lines find what the root of the repository has, and may leave what they write.
fn place() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["charts", "docs"] {
        std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).unwrap();
    }
    // The example on the page, with digests for its dots.
    let page = std::fs::read_to_string(root().join("docs/install.md")).unwrap();
    let example = page.split("```yaml\n# digests.yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    std::fs::write(folder.path().join("digests.yaml"), example.replace('…', &"0".repeat(64))).unwrap();
    folder
}

/// Types a line.
async fn typed(bed: &Bed, folder: &Path, line: &str) -> Output {
    let kubectl = bed.kubectl().unwrap();
    let helm = bed.helm4().unwrap();
    let folder_of = |program: &str| Path::new(program).parent().unwrap().display().to_string();
    let places = [
        folder_of(env!("CARGO_BIN_EXE_kubectl-mizar")),
        folder_of(&kubectl.get_program().to_string_lossy()),
        folder_of(&helm.get_program().to_string_lossy()),
        "/usr/bin:/bin".to_owned(),
    ];
    let mut shell = Command::new("/bin/sh");
    let settings = kubectl.get_envs().chain(helm.get_envs());
    shell.envs(settings.filter_map(|(name, value)| value.map(|value| (name.to_owned(), value.to_owned()))));
    shell.env("PATH", places.join(":")).args(["-c", line]).current_dir(folder);
    shell.stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(DEADLINE, shell.output()).await.unwrap_or_else(|_| panic!("{line} does not end")).unwrap()
}

/// Types a line of a page; returns what is wrong with the outcome.
async fn complaint(bed: &Bed, folder: &Path, of: &Typed) -> Option<String> {
    let line = runnable(of);
    let output = typed(bed, folder, &line).await;
    let code = output.status.code();
    let wanted = ENDS.iter().find(|(start, ..)| of.text.starts_with(start)).map_or(0, |(_, code, _)| *code);
    println!("exit {code:?}  {line}");
    (code != Some(wanted)).then(|| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{}: $ {line}\nexit {code:?}\n{}{}", of.page, text(&output.stdout), text(&output.stderr))
    })
}

/// Types each line once, in the order of the pages.
async fn assert_all_go_well(bed: &Bed, of: impl Iterator<Item = &Typed>) {
    let folder = place();
    let (mut seen, mut complaints) = (BTreeSet::new(), Vec::new());
    for line in of.filter(|line| seen.insert(runnable(line))).collect::<Vec<_>>() {
        complaints.extend(complaint(bed, folder.path(), line).await);
    }
    assert!(seen.len() >= LEAST, "only {} lines", seen.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// Which cluster a line is typed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// One on which Mizar is not installed.
    Blank,
    /// A cluster of its own, since the line installs Mizar.
    Own,
    /// A cluster of its own for the whole block, since it installs Mizar by Helm.
    OwnBlock,
    /// One on which Mizar is installed.
    Installed,
    /// Such a one of its own, since the line takes Mizar out.
    OwnInstalled,
    /// One on which an old installation is.
    Old,
    /// One that was upgraded once, for lines that move it on or back.
    Upgraded,
}

fn place_of(line: &Typed, all: &[Typed]) -> On {
    let is_of_block = |other: &&Typed| (&other.page, other.block) == (&line.page, line.block);
    if all.iter().filter(is_of_block).any(|other| other.text.starts_with("helm install")) {
        return On::OwnBlock;
    }
    let words = line.arguments().unwrap_or_default();
    match words.first() {
        Some(&"install") if words.contains(&"--adopt") => On::Old,
        Some(&"install") if only_looks(&words) => On::Blank,
        Some(&"install") => On::Own,
        Some(&"upgrade" | &"rollback" | &"resume" | &"abort") => On::Upgraded,
        Some(&"uninstall") if !only_looks(&words) => On::OwnInstalled,
        _ if words.contains(&"--pre") => On::Blank,
        _ => On::Installed,
    }
}

fn typed_on(wanted: On) -> Vec<Typed> {
    let all: Vec<Typed> = lines(root()).into_iter().filter(Typed::is_for_a_cluster).collect();
    all.iter().filter(|line| place_of(line, &all) == wanted).cloned().collect()
}

/// The line before another one on its page, which saves the plan that that one uses.
fn saving(line: &Typed, on: On) -> Typed {
    let mut looks = typed_on(on).into_iter();
    let saves =
        |other: &Typed| (&other.page, other.block) == (&line.page, line.block) && other.text.contains("--save-plan");
    looks.find(saves).expect("a page says how a plan is saved before it says how it is used")
}

#[tokio::test]
async fn before_an_install() {
    assert_all_go_well(&bed().await, typed_on(On::Blank).iter()).await;
}

#[tokio::test]
async fn every_way_to_install() {
    let installs = typed_on(On::Own);
    let mut seen = BTreeSet::new();
    let mut complaints = Vec::new();
    for line in installs.iter().filter(|line| seen.insert(runnable(line))) {
        let (bed, folder) = (bed().await, place());
        if line.text.contains("systemSource.create=true") {
            // What only Arktos serves makes the bed one.
            let made = typed(&bed, root(), "kubectl apply -f tests/simulator/arktos/networks-crd.yaml").await;
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        if line.text.contains("--use-plan") {
            complaints.extend(complaint(&bed, folder.path(), &saving(line, On::Blank)).await);
        }
        complaints.extend(complaint(&bed, folder.path(), line).await);
    }
    assert!(seen.len() >= LEAST, "only {} lines", seen.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[tokio::test]
async fn with_helm_alone() {
    let all = typed_on(On::OwnBlock);
    let mut blocks: Vec<(&str, usize)> = all.iter().map(|line| (line.page.as_str(), line.block)).collect();
    blocks.dedup();
    assert!(blocks.len() >= 2, "{blocks:?}");
    for block in blocks {
        let (bed, folder) = (bed().await, place());
        for line in all.iter().filter(|line| (line.page.as_str(), line.block) == block) {
            let complaint = complaint(&bed, folder.path(), line).await;
            assert_eq!(complaint, None, "{}", complaint.clone().unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn where_all_is_well() {
    assert_all_go_well(&installed().await, typed_on(On::Installed).iter()).await;
}

#[tokio::test]
async fn on_and_back() {
    let bed = bed().await;
    // Every pod is on the network, and nothing has to be healed first.
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    Mizar::on(&bed).args("upgrade --set resourceQuota.create=true -y").run().await.exits(0);
    assert_all_go_well(&bed, typed_on(On::Upgraded).iter()).await;
}

#[tokio::test]
async fn taking_an_old_one_over() {
    let (bed, folder) = (old_installation().await, place());
    let mut seen = BTreeSet::new();
    for line in typed_on(On::Old).iter().filter(|line| seen.insert(runnable(line))) {
        let complaint = complaint(&bed, folder.path(), line).await;
        assert_eq!(complaint, None, "{}", complaint.clone().unwrap_or_default());
    }
    assert!(seen.len() >= 2, "{seen:?}");
}

#[tokio::test]
async fn taking_it_out() {
    let all = typed_on(On::OwnInstalled);
    let mut seen = BTreeSet::new();
    for line in all.iter().filter(|line| seen.insert(runnable(line))) {
        let (bed, folder) = (installed().await, place());
        if line.text.contains("--use-plan") {
            let saved = complaint(&bed, folder.path(), &saving(line, On::Installed)).await;
            assert_eq!(saved, None);
        }
        let complaint = complaint(&bed, folder.path(), line).await;
        assert_eq!(complaint, None, "{}", complaint.clone().unwrap_or_default());
    }
    assert!(seen.len() >= 3, "{seen:?}");
}
