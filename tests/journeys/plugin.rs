//! As people type it: `kubectl mizar …`, by the real kubectl, with the plugin where krew would link it.

use std::path::Path;
use std::process::{Command, Output};

use mizar_bed::{AuditEntry, Bed, Fault, FaultOrder, Role};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cli::{Ended, Mizar, root};
use crate::cluster::bed;
use crate::restart::until;

/// kubectl with a folder of its own for plugins.
struct Kubectl<'a> {
    bed: &'a Bed,
    folder: tempfile::TempDir,
}

impl<'a> Kubectl<'a> {
    fn on(bed: &'a Bed) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-mizar"), folder.path().join("kubectl-mizar")).unwrap();
        Self { bed, folder }
    }

    fn command(&self, line: &str) -> Command {
        let kubectl = self.bed.kubectl().unwrap();
        let beside = Path::new(kubectl.get_program()).parent().unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", self.folder.path().display(), beside.display());
        let mut command = Command::new(kubectl.get_program());
        command.env_clear().env("HOME", self.folder.path()).env("PATH", path).current_dir(root());
        command.env("KUBECONFIG", self.bed.kubeconfig(Role::Admin)).args(line.split_whitespace());
        command
    }

    fn run(&self, line: &str) -> Output {
        let output = self.command(line).output().unwrap();
        println!("exit {:?}  kubectl {line}", output.status.code());
        output
    }

    /// What it prints when all goes well.
    #[track_caller]
    fn prints(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "kubectl {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The errors of each line of a stream of events, by the published schema.
fn wrong_lines(stream: &str) -> Vec<String> {
    let schema = std::fs::read_to_string(root().join("docs/events.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for line in stream.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        wrong.extend(validator.iter_errors(&event).map(|error| format!("{error}: {line}")));
    }
    wrong
}

fn types(stream: &str) -> Vec<String> {
    let events = stream.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_plans_installs_checks_and_tells_versions() {
    let bed = bed().await;
    let kubectl = Kubectl::on(&bed);
    let before: Value = serde_json::from_str(&kubectl.prints("mizar version -o json")).unwrap();
    assert_eq!(before["mizar"]["daemon"], Value::Null);
    assert!(kubectl.prints("mizar version").ends_with("\nMizar: not installed\n"));

    let names = kubectl.prints("mizar install --profile dev --plan -o name");
    assert!(names.lines().any(|line| line == "daemonset.apps/mizar-daemon"), "{names}");
    let created = kubectl.prints("mizar install --profile dev --plan -o jsonpath={.counts.create}");
    assert_eq!(created, names.lines().count().to_string());
    assert!(kubectl.prints("mizar install --profile dev --plan -o yaml").contains("\ntype: planMade\n"));
    let bare = kubectl.run("mizar install --profile dev --dry-run");
    let said = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert!(said.starts_with("warning: --dry-run is deprecated") && said.ends_with("(dry run)\n"), "{said}");
    let tried = kubectl.run("mizar install --profile dev --dry-run=server");
    assert!(String::from_utf8_lossy(&tried.stderr).contains("(server dry run)\n"), "{tried:?}");

    // Nobody can be asked: it says so, in events too, and nothing is changed.
    let unasked = kubectl.run("mizar install --profile dev -o json");
    assert_eq!(unasked.status.code(), Some(2));
    let stream = String::from_utf8(unasked.stdout).unwrap();
    assert_eq!(wrong_lines(&stream), Vec::<String>::new());
    assert_eq!(types(&stream)[types(&stream).len() - 2..], ["finished", "failed"]);

    let stream = kubectl.prints("mizar install --profile dev -y -o json");
    assert_eq!(wrong_lines(&stream), Vec::<String>::new());
    let told = types(&stream);
    assert_eq!(told[0], "started");
    for kind in ["planMade", "stageFinished", "objectApplied", "finished"] {
        assert!(told.iter().any(|one| one == kind), "{kind}: {told:?}");
    }
    kubectl.prints("mizar check");
    let version = kubectl.prints("mizar version");
    for part in ["Server Version: v1.", "\nMizar: mizar-", "\nRelease mizar: revision 1, deployed", "mizarnet/dropletd"]
    {
        assert!(version.contains(part), "{part}: {version}");
    }
    let names = kubectl.prints("mizar status -o name");
    assert!(names.contains("daemonset.apps/mizar-daemon\n") && names.contains("subnet.mizar.com/net0\n"), "{names}");
    // The name servers are older than Mizar.
    assert_eq!(kubectl.prints("mizar repair --plan -o name"), "remedy/cut-off-pods\n");
    assert!(kubectl.prints("mizar repair --dry-run=client -o yaml").contains("\ntype: repairPlanned\n"));
    let healed = kubectl.prints("mizar repair -y -o json");
    assert_eq!(wrong_lines(&healed), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_completes_the_names_of_namespaces_and_nodes() {
    let bed = bed().await;
    let kubectl = Kubectl::on(&bed);
    kubectl.prints("mizar completion install");
    let complete = |line: &str| {
        // A machine that is busy with other tests takes longer than a person would wait.
        let output = kubectl.command(line).arg("").env("MIZAR_TIME_SCALE", "100").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("__complete mizar check --node"), "node-1\nnode-2\nnode-3\n:4\n");
    let namespaces = complete("__complete mizar check -n");
    assert!(namespaces.contains("kube-system\n") && namespaces.ends_with(":4\n"), "{namespaces}");
}

/// Starts an install that tells events, and waits until people are told that it waits for the daemons.
async fn events_of_an_install(bed: &Bed, flags: &str) -> Ended {
    bed.fault(FaultOrder { fault: Fault::DaemonNeverReady, node: None }).await.unwrap();
    let mark = bed.mark().await.unwrap();
    let running = Mizar::install(bed).args("-o json").args(flags).impatient(0.1).start();
    if flags.is_empty() {
        let waits = |entry: &AuditEntry| entry.verb == "watch" && entry.uri.contains("daemonsets");
        until("daemons are waited for", async || {
            let asked = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
            !asked.filter(waits).is_empty()
        })
        .await;
        running.signal(Signal::SIGINT);
    }
    let ended = running.end().await;
    bed.clear_faults().await.unwrap();
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_whole_lines_also_when_time_is_up_or_somebody_stops_it() {
    let bed = bed().await;
    for (flags, code, outcome) in [("--timeout 3s", 6, "timed-out"), ("", 130, "interrupted")] {
        let ended = events_of_an_install(&bed, flags).await;
        ended.exits(code);
        assert_eq!(wrong_lines(&ended.stdout), Vec::<String>::new(), "{ended}");
        let events = ended.json_lines();
        let [.., finished, failed] = events.as_slice() else { panic!("{ended}") };
        assert_eq!((&finished["type"], &finished["outcome"]), (&json!("finished"), &json!(outcome)), "{ended}");
        assert_eq!((&failed["type"], &failed["exitCode"]), (&json!("failed"), &json!(code)), "{ended}");
    }
}
