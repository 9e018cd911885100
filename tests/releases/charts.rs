//! The packages of the charts: what is in them by the real `helm package`, that Helm 3 and 4 take them, and that a real registry knows
//! them by the digests that were said beforehand.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use mizar_bed::{Program, programs};
use mizar_core::chart::{Package, package};
use serde_json::Value;
use tempfile::TempDir;

use crate::release::{self, text};

const CHARTS: [&str; 2] = ["mizar-crds", "mizar"];
const HELMS: [Program; 2] = [Program::Helm4, Program::Helm3];
/// A registry answers within a second; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn chart_folder(chart: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts").join(chart)
}

/// The package of a chart of the release, and what core knows of it.
fn released(chart: &str) -> (PathBuf, Package) {
    let mut files = Vec::new();
    collect(&chart_folder(chart), "", &mut files);
    let packed = package(files).unwrap();
    (release::shared().file(&packed.file_name()), packed)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.push((name, fs::read(entry.path()).unwrap()));
        }
    }
}

/// Runs Helm with nothing of the person's, in UTC as the release job does.
fn helm(program: Program, arguments: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    let path = programs::ensure(&[program]).unwrap().remove(&program).unwrap();
    let mut command = Command::new(path);
    command.args(arguments).env_clear().env("HOME", home.path()).env("TZ", "UTC");
    command.output().unwrap()
}

/// What Helm prints when it must succeed.
#[track_caller]
fn helm_says(program: Program, arguments: &[&str]) -> String {
    let output = helm(program, arguments);
    assert!(output.status.success(), "{program} {}:\n{}", arguments.join(" "), text(&output));
    text(&output)
}

/// The files of an archive, in its order.
fn listed(archive: &Path) -> Vec<String> {
    let output = Command::new("tar").arg("tzf").arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn unpacked(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = TempDir::new().unwrap();
    let output = Command::new("tar").arg("xzf").arg(archive).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    listed(archive).into_iter().map(|path| (path.clone(), fs::read(folder.path().join(path)).unwrap())).collect()
}

#[test]
fn a_package_holds_what_helm_package_puts_into_one() {
    for chart in CHARTS {
        let (ours, packed) = released(chart);
        let folder = TempDir::new().unwrap();
        let into = folder.path().display().to_string();
        helm_says(Program::Helm4, &["package", &chart_folder(chart).display().to_string(), "--destination", &into]);
        let theirs = folder.path().join(packed.file_name());
        assert_eq!(listed(&ours)[..3], listed(&theirs)[..3], "{chart}: Helm's order");
        let (mut ours, mut theirs) = (unpacked(&ours), unpacked(&theirs));
        // Helm writes Chart.yaml anew, without comments: the same data in another order.
        let name = format!("{chart}/Chart.yaml");
        let data = |files: &mut BTreeMap<String, Vec<u8>>| -> Value {
            serde_yaml::from_str(&String::from_utf8(files.remove(&name).unwrap()).unwrap()).unwrap()
        };
        assert_eq!(data(&mut ours), data(&mut theirs), "{chart}");
        assert!(ours == theirs, "{chart}: {:?} and {:?}", ours.keys(), theirs.keys());
        assert!(ours.keys().all(|path| !path.contains("/ci/")), "{chart}");
    }
}

#[test]
fn helm_4_and_3_lint_show_and_render_the_packages() {
    for program in HELMS {
        for chart in CHARTS {
            let (archive, packed) = released(chart);
            let archive = archive.display().to_string();
            let shown = helm_says(program, &["show", "chart", &archive]);
            assert!(shown.contains(&format!("name: {chart}\n")) && shown.contains(&packed.version), "{shown}");
            let linted = helm_says(program, &["lint", "--strict", &archive]);
            assert!(linted.contains("0 chart(s) failed"), "{linted}");
            let of_package = helm_says(program, &["template", "x", &archive]);
            let of_folder = helm_says(program, &["template", "x", &chart_folder(chart).display().to_string()]);
            assert!(of_package == of_folder, "{program} {chart}");
        }
    }
}

#[test]
fn the_command_says_the_digests_that_core_knows() {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["dist", "charts", "--output"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for chart in CHARTS {
        let (_, packed) = released(chart);
        assert!(text(&output).contains(&packed.digest) && text(&output).contains(&packed.manifest_digest));
        assert_eq!(fs::read(folder.path().join(packed.file_name())).unwrap(), packed.archive);
    }
}

#[test]
fn the_program_says_the_digests_of_the_packages_that_are_published() {
    let mut command = Command::new(release::program());
    let told = command.args(["version", "--client", "-o", "json"]).env_clear().output().unwrap();
    assert!(told.status.success(), "{}", text(&told));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let digests = |chart: &Value| (chart["packageDigest"].to_string(), chart["digest"].to_string());
    let told: Vec<_> = told["clientVersion"]["charts"].as_array().unwrap().iter().map(digests).collect();
    let quoted = |digest: &str| format!("\"{digest}\"");
    let ours = CHARTS.map(|chart| released(chart).1).map(|one| (quoted(&one.digest), quoted(&one.manifest_digest)));
    assert_eq!(told, ours);
}

#[test]
fn a_registry_knows_the_charts_by_the_digests_that_were_said_beforehand() {
    for program in HELMS {
        let registry = Registry::start();
        let repository = format!("oci://{}/charts", registry.address);
        for chart in CHARTS {
            let (archive, packed) = released(chart);
            let pushed = helm_says(program, &["push", "--plain-http", &archive.display().to_string(), &repository]);
            assert!(pushed.contains(&format!("Digest: {}", packed.manifest_digest)), "{program} {chart}: {pushed}");

            let folder = TempDir::new().unwrap();
            let into = folder.path().display().to_string();
            let source = format!("{repository}/{chart}");
            let by_version = ["pull", "--plain-http", &source, "--version", &packed.version, "--destination", &into];
            let pulled = helm_says(program, &by_version);
            assert!(pulled.contains(&packed.manifest_digest), "{program} {chart}: {pulled}");
            assert!(fs::read(folder.path().join(packed.file_name())).unwrap() == packed.archive, "{program} {chart}");

            let by_digest = format!("{source}@{}", packed.manifest_digest);
            let shown = helm_says(program, &["show", "chart", "--plain-http", &by_digest]);
            assert!(shown.contains(&format!("name: {chart}\n")), "{program} {chart}: {shown}");
        }
    }
}

/// A real registry on loopback that keeps everything in memory.
struct Registry {
    process: Child,
    address: String,
    _settings: TempDir,
}

impl Registry {
    fn start() -> Self {
        let program = programs::ensure(&[Program::Registry]).unwrap().remove(&Program::Registry).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("registry.yaml");
        fs::write(&settings, format!("version: 0.1\nstorage: {{inmemory: {{}}}}\nhttp: {{addr: \"{address}\"}}\n"))
            .unwrap();
        let mut command = Command::new(program);
        // Without it the registry sends traces to a collector on this machine.
        command.arg("serve").arg(&settings).env("OTEL_TRACES_EXPORTER", "none");
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Self { process, address, _settings: folder };
        let started = Instant::now();
        while TcpStream::connect(&registry.address).is_err() {
            assert!(started.elapsed() < PATIENCE, "the registry does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}
