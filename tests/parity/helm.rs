//! Renders one chart with one set of arguments twice: with the real Helm, and with ours.

use mizar_bed::Program;
use mizar_core::chart::set::SetFlag;
use mizar_core::chart::{Chart, Merged, ReleaseInfo, ValueLayers, render};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Helm answers within a second; a Helm that hangs must not hang the tests.
const DEADLINE: Duration = Duration::from_secs(120);

const RELEASE: &str = "sample";
const NAMESPACE: &str = "mizar-system";

fn program() -> &'static Path {
    static HELM: OnceLock<PathBuf> = OnceLock::new();
    HELM.get_or_init(|| match std::env::var_os("MIZAR_HELM") {
        Some(path) => path.into(),
        None => {
            mizar_bed::programs::ensure(&[Program::Helm4]).expect("helm can be built").remove(&Program::Helm4).unwrap()
        }
    })
}

/// The output of the real `helm template`, or its error.
pub(crate) fn theirs(chart: &Path, arguments: &[String]) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(program())
        .args(["template", RELEASE])
        .arg(chart)
        .args(["--namespace", NAMESPACE])
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("helm starts");
    let (sender, receiver) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(DEADLINE).expect("helm answers in time").expect("helm can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Loads a chart from a folder.
pub(crate) fn load(folder: &Path) -> Chart {
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    Chart::load(files).unwrap()
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// Our output for the same arguments, or our error.
pub(crate) fn ours(folder: &Path, arguments: &[String]) -> Result<String, String> {
    let chart = load(folder);
    let merged = merge(&chart, arguments)?;
    let release = ReleaseInfo { name: RELEASE.into(), namespace: NAMESPACE.into(), revision: 1, is_install: true };
    render(&chart, &merged.values, &release)
        .map(|rendered| rendered.template_output())
        .map_err(|error| error.to_string())
}

fn merge(chart: &Chart, arguments: &[String]) -> Result<Merged, String> {
    let mut layers = ValueLayers::new();
    let (files, flags): (Vec<_>, Vec<_>) = arguments.chunks(2).partition(|pair| pair[0] == "-f");
    for pair in files.into_iter().chain(flags) {
        let text = &pair[1];
        let mut read_file = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
        match pair[0].as_str() {
            "-f" => layers.add_file(text, &std::fs::read_to_string(text).unwrap()),
            "--set" => {
                layers.add_set(SetFlag::Typed, text);
                Ok(())
            }
            "--set-string" => {
                layers.add_set(SetFlag::Text, text);
                Ok(())
            }
            "--set-json" => {
                layers.add_set(SetFlag::Json, text);
                Ok(())
            }
            "--set-file" => layers.add_set_file(text, &mut read_file),
            other => panic!("{other} is no flag of these tests"),
        }
        .map_err(|error| error.to_string())?;
    }
    layers.merge(chart).map_err(|error| error.to_string())
}

/// What both came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    Rendered,
    Refused,
}

/// Renders with both and panics with the first differing line unless they agree.
pub(crate) fn agree(chart: &Path, arguments: &[String]) -> Agreement {
    match (theirs(chart, arguments), ours(chart, arguments)) {
        (Ok(theirs), Ok(ours)) => {
            same(&theirs, &ours, &format!("{} {arguments:?}", chart.display()));
            Agreement::Rendered
        }
        (Err(_), Err(_)) => Agreement::Refused,
        (Ok(_), Err(ours)) => panic!("{} {arguments:?}: helm renders, we fail: {ours}", chart.display()),
        (Err(theirs), Ok(_)) => panic!("{} {arguments:?}: we render, helm fails: {theirs}", chart.display()),
    }
}

pub(crate) fn same(theirs: &str, ours: &str, what: &str) {
    if theirs == ours {
        return;
    }
    for (at, (left, right)) in theirs.lines().zip(ours.lines()).enumerate() {
        assert_eq!(left, right, "{what}: line {} differs: helm left, ours right", at + 1);
    }
    panic!("{what}: one output goes on after the other ends: helm {} bytes, ours {}", theirs.len(), ours.len());
}

/// Makes a chart of one values.yaml and some templates in a folder of its own.
pub(crate) fn scratch(values: &str, templates: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("Chart.yaml"),
        "apiVersion: v2\nname: scratch\nversion: 1.2.3\nappVersion: 4.5.6\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("values.yaml"), values).unwrap();
    for (path, text) in templates {
        let path = folder.path().join("templates").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

pub(crate) fn arguments(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// The text behind the base64 of a line such as `e1: "aGVsbG8="`, for messages.
pub(crate) fn decoded(line: &str) -> String {
    use base64::Engine as _;
    let text = line.rsplit([' ']).next().unwrap_or(line).trim_matches('"');
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(bytes) => format!("{:?}", String::from_utf8_lossy(&bytes)),
        Err(_) => line.into(),
    }
}
