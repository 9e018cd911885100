//! As a plugin of the real kubectl: found without a warning, exit codes pass through, and kubectl completes it.

use std::path::PathBuf;
use std::process::{Command, Output};

use mizar_bed::{Program, programs};

use crate::program::Place;

/// Names that are in the kubeconfig only.
const KUBECONFIG: &str = r#"apiVersion: v1
kind: Config
current-context: near
clusters: [{name: c1, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: near, context: {cluster: c1, user: u1}}, {name: far, context: {cluster: c1, user: u1}}]
users: [{name: u1, user: {}}]
"#;

/// A folder with the plugin as krew links it, and a home with a kubeconfig.
struct Kubectl {
    place: Place,
    kubectl: PathBuf,
}

impl Kubectl {
    fn new() -> Self {
        let kubectl =
            programs::ensure(&[Program::Kubectl]).expect("kubectl can be built").remove(&Program::Kubectl).unwrap();
        let place = Place::with(".kube/config", KUBECONFIG);
        std::fs::create_dir(place.path("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-mizar"), place.path("bin/kubectl-mizar")).unwrap();
        Self { place, kubectl }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.kubectl);
        let path = format!("{}:/usr/bin:/bin", self.place.path("bin").display());
        command.env_clear().env("HOME", self.place.path(".")).env("PATH", path);
        command.args(arguments).current_dir(self.place.path(".")).output().unwrap()
    }

    /// What kubectl would offer next, and what it would do with it.
    fn completes(&self, words: &[&str]) -> (Vec<String>, String) {
        let output = self.run(&[&["__complete", "mizar"], words].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let directive = lines.pop().unwrap_or_default();
        (lines.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect(), directive)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn kubectl_finds_it_and_has_no_warning() {
    let kubectl = Kubectl::new();
    let list = kubectl.run(&["plugin", "list"]);
    assert!(list.status.success(), "{}", text(&list.stderr));
    assert!(text(&list.stdout).contains("bin/kubectl-mizar\n"), "{}", text(&list.stdout));
    assert!(
        !text(&list.stderr).contains("warning") && !text(&list.stdout).contains("warning"),
        "{}",
        text(&list.stderr)
    );
}

#[test]
fn exit_codes_and_help_pass_through_kubectl() {
    let kubectl = Kubectl::new();
    for (arguments, code) in [
        (&["mizar", "version", "--client"][..], 0),
        (&["mizar", "render", "--profile", "prod"], 1),
        (&["mizar", "check", "--no-such"], 2),
        (&["mizar", "check"], 4),
        (&["mizar", "--context", "far", "check"], 4),
        (&["mizar", "check", "--context", "far"], 4),
    ] {
        let ended = kubectl.run(arguments);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", text(&ended.stderr));
    }
    let help = kubectl.run(&["mizar", "--help"]);
    assert!(text(&help.stdout).ends_with("Usage:\n  kubectl mizar [OPTIONS] <COMMAND>\n"), "{}", text(&help.stdout));
}

/// krew deletes the folder of a plugin with every upgrade.
#[test]
fn nothing_is_written_beside_the_program() {
    let kubectl = Kubectl::new();
    let (store, link) = (kubectl.place.path("store"), kubectl.place.path("bin/kubectl-mizar"));
    std::fs::create_dir(&store).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_kubectl-mizar"), store.join("kubectl-mizar")).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(store.join("kubectl-mizar"), &link).unwrap();
    for (arguments, code) in [
        (&["mizar", "version", "--client"][..], 0),
        (&["mizar", "render", "--profile", "dev"], 0),
        (&["mizar", "completion", "install"], 0),
        (&["mizar", "check", "-v", "9"], 4),
        (&["mizar", "install", "--profile", "dev", "-y"], 4),
    ] {
        let ended = kubectl.run(arguments);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", text(&ended.stderr));
    }
    let names = |folder: &str| {
        let entries = std::fs::read_dir(kubectl.place.path(folder)).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("store"), ["kubectl-mizar"]);
    assert_eq!(names("bin"), ["kubectl-mizar", "kubectl_complete-mizar"], "beside the link, since that was asked for");
}

#[test]
fn the_kubectl_that_called_us_is_used_and_none_of_the_path() {
    use std::os::unix::fs::PermissionsExt as _;
    let script = |name: &str| format!("#!/bin/sh\necho \"$@\" > \"$HOME/{name}\"\n");
    let place = Place::with("bin/kubectl", script("of-the-path")).and("caller/kubectl", script("of-the-caller"));
    for name in ["bin/kubectl", "caller/kubectl"] {
        std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (path, caller) = (place.path("bin").display().to_string(), place.path("caller/kubectl").display().to_string());
    let place = place.variable("PATH", &path);
    let preflight = ["check", "--pre", "--server", "http://127.0.0.1:1"];
    let heard = |place: &Place, name: &str| std::fs::read_to_string(place.path(name)).ok();
    let asked = Some("version --client -o json\n".to_owned());

    assert_eq!(place.run(&preflight).code, 4);
    assert_eq!((heard(&place, "of-the-path"), heard(&place, "of-the-caller")), (asked.clone(), None));
    std::fs::remove_file(place.path("of-the-path")).unwrap();
    let place = place.variable("KUBECTL_PATH", &caller);
    assert_eq!(place.run(&preflight).code, 4);
    assert_eq!((heard(&place, "of-the-path"), heard(&place, "of-the-caller")), (None, asked));
}

#[test]
fn a_version_without_a_server_shows_the_client_and_fails_as_kubectl_does() {
    let kubectl = Kubectl::new();
    let version = kubectl.run(&["mizar", "version"]);
    assert_eq!(version.status.code(), Some(1));
    let told = text(&version.stdout);
    assert!(told.starts_with(concat!("Client Version: v", env!("CARGO_PKG_VERSION"))), "{told}");
    assert!(told.contains("\nChart mizar: ") && !told.contains("Server"), "{told}");
    assert!(text(&version.stderr).starts_with("error: "), "{}", text(&version.stderr));
    let as_json = kubectl.run(&["mizar", "version", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&as_json.stdout).unwrap();
    assert_eq!(document["clientVersion"]["platform"].as_str().unwrap().split('/').next(), Some("linux"));
    assert_eq!(document["serverVersion"], serde_json::Value::Null);
}

#[test]
fn kubectl_completes_commands_flags_values_and_names_once_that_is_installed() {
    let kubectl = Kubectl::new();
    assert_eq!(kubectl.completes(&["ch"]).0, Vec::<String>::new(), "kubectl knows nothing before");
    let install = kubectl.run(&["mizar", "completion", "install"]);
    assert_eq!(install.status.code(), Some(0), "{}", text(&install.stderr));
    assert!(text(&install.stderr).contains("bin/kubectl_complete-mizar written"), "{}", text(&install.stderr));

    let none = ":4".to_owned();
    assert_eq!(kubectl.completes(&["ch"]), (vec!["check".to_owned()], none.clone()));
    assert!(kubectl.completes(&[""]).0.contains(&"version".to_owned()));
    assert!(!kubectl.completes(&[""]).0.contains(&"man".to_owned()), "what is hidden is not offered");
    assert_eq!(kubectl.completes(&["check", "--pr"]).0, ["--pre"]);
    assert_eq!(kubectl.completes(&["install", "--profile", ""]).0, ["dev", "prod"]);
    assert_eq!(
        kubectl.completes(&["check", "-o", "j"]),
        (vec!["json".into(), "jsonpath=".into(), "junit".into()], none.clone())
    );
    assert_eq!(kubectl.completes(&["check", "-o", "jsonp"]), (vec!["jsonpath=".into()], ":6".to_owned()));
    assert_eq!(kubectl.completes(&["check", "--check", "nodes-r"]).0, ["nodes-ready"]);
    assert_eq!(kubectl.completes(&["explain", "nodes-r"]).0, ["nodes-ready"]);
    assert_eq!(kubectl.completes(&["check", "--context", ""]).0, ["far", "near"]);
    assert_eq!(kubectl.completes(&["--cluster", ""]).0, ["c1"]);
    assert_eq!(kubectl.completes(&["--user", ""]).0, ["u1"]);
}

#[test]
fn names_of_a_cluster_that_does_not_answer_are_none_at_once_and_without_a_word() {
    // It takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    for server in [server.as_str(), "http://127.0.0.1:1"] {
        let place = Place::empty();
        let begun = std::time::Instant::now();
        let answer = place.run(&["__complete", "check", "--server", server, "--node", ""]);
        assert_eq!(answer.data(), ":4\n", "{server}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn each_shell_gets_a_script_that_asks_the_program() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = place.run(&["completion", shell]);
        assert!(
            script.data().contains("MIZAR_COMPLETE") && script.data().contains("kubectl-mizar"),
            "{}",
            script.stdout
        );
    }
    let asked = Place::empty()
        .variable("MIZAR_COMPLETE", "bash")
        .variable("_CLAP_COMPLETE_INDEX", "1")
        .variable("_CLAP_IFS", "\n");
    assert_eq!(asked.run(&["--", "kubectl-mizar", "ver"]).data(), "version");
}
