//! Every flag that takes a value is given a wrong one, in every command that has it. The flags are read from the help, so a
//! flag that is missing here fails the test.

use std::collections::BTreeMap;

use crate::program::{Outcome, Place};

/// What a wrong value comes to: exit code 2 from the command line itself, the flag is named, and help is pointed to.
const USAGE: i32 = 2;
/// The flag may be typed so, and what it names is no good.
const FAILED: i32 = 1;
/// The flag is about the way to the cluster, and there is none.
const NO_CLUSTER: i32 = 4;

/// A flag, a wrong value, the exit code, and words of the message beside those that every one of them has.
type Wrong = (&'static str, &'static str, i32, &'static str);

/// All flags with a value, in the order of the alphabet. A flag may stand here more than once.
const WRONG: &[Wrong] = &[
    ("--as", "a\nb", USAGE, "control characters"),
    ("--as-group", "x", USAGE, "--as <USER>"),
    ("--as-uid", "x", USAGE, "--as <USER>"),
    ("--as-user-extra", "x", USAGE, "write it like KEY=VALUE"),
    ("--baseline", "nowhere", FAILED, "kubectl mizar check --save"),
    ("--baseline", "noise", FAILED, "kubectl mizar check --save"),
    ("--baseline", ".", FAILED, "Is a directory"),
    ("--category", "nope", USAGE, "hint: the categories are "),
    ("--certificate-authority", "", USAGE, "a value is required"),
    ("--certificate-authority", "nowhere", NO_CLUSTER, "nowhere"),
    ("--chart", "", USAGE, "a value is required"),
    ("--chart", "nowhere", FAILED, "hint: name the folder that holds Chart.yaml"),
    ("--check", "nope", USAGE, "hint: see all checks: kubectl mizar explain"),
    ("--client-certificate", "", USAGE, "a value is required"),
    ("--client-certificate", "nowhere", NO_CLUSTER, "hint: name it: --client-key FILE"),
    ("--client-key", "", USAGE, "a value is required"),
    ("--client-key", "nowhere", NO_CLUSTER, "hint: name it: --client-certificate FILE"),
    ("--cluster", "nope", NO_CLUSTER, "hint: "),
    ("--color", "pink", USAGE, "possible values: "),
    ("--context", "nope", NO_CLUSTER, "hint: "),
    ("--drain-timeout", "soon", USAGE, "write it like 90s"),
    ("--dry-run", "maybe", USAGE, "possible values: none, "),
    ("--environment", "moon", USAGE, "possible values: kind, "),
    ("--evidence", "perhaps", USAGE, "possible values: true, false"),
    ("--facts", "", USAGE, "a value is required"),
    ("--facts", "nowhere", FAILED, "hint: write such a file where the cluster is"),
    ("--facts", "noise", FAILED, "UTF-8"),
    ("--facts", ".", FAILED, "Is a directory"),
    ("--grace-period", "x", USAGE, "invalid digit"),
    ("--history-max", "ten", USAGE, "invalid digit"),
    ("--history-max", "-1", USAGE, ""),
    ("--kubeconfig", "", USAGE, "a value is required"),
    ("--kubeconfig", "nowhere", NO_CLUSTER, "nowhere"),
    ("--limit-size", "big", USAGE, "write it like 50Mi"),
    ("--namespace", "Up", USAGE, "lower-case letters"),
    ("--namespace", "-a", USAGE, ""),
    ("--node", "", USAGE, "a value is required"),
    ("--on-failure", "pray", USAGE, "possible values: stop, rollback"),
    ("--only", "sleep", USAGE, "possible values: leaks, "),
    ("--output", "poem", USAGE, "json"),
    ("--output", "jsonpath={.kind", USAGE, ""),
    ("--output", "jsonpath=", USAGE, "write it like jsonpath={.kind}"),
    ("--output-dir", "", USAGE, "a value is required"),
    ("--output-dir", "noise", FAILED, "cannot write noise/"),
    ("--output-file", "", USAGE, "a value is required"),
    ("--phase", "2", USAGE, "1..=1"),
    ("--profile", "stage", USAGE, "possible values: dev, prod"),
    ("--release", "other", USAGE, "possible values: mizar-crds, mizar"),
    ("--release-name", "A_b", USAGE, "lower-case letters"),
    ("--request-timeout", "5x", USAGE, "write it like 90s"),
    ("--request-timeout", "-1s", USAGE, ""),
    ("--save", "", USAGE, "a value is required"),
    ("--save-facts", "", USAGE, "a value is required"),
    ("--export", "", USAGE, "a value is required"),
    ("--skip-node", "", USAGE, "a value is required"),
    ("--save-plan", "", USAGE, "a value is required"),
    ("--server", "", NO_CLUSTER, "hint: write it like https://HOST:PORT"),
    ("--server", "not a url", NO_CLUSTER, "hint: write it like https://HOST:PORT"),
    ("--set", "vni", FAILED, "hint: write it like this: --set "),
    ("--set-file", "vni=nowhere", FAILED, "hint: write it like this: --set-file "),
    ("--set-json", "vni={", FAILED, "hint: write it like this: --set-json "),
    ("--set-string", "a[", FAILED, "hint: write it like this: --set-string "),
    ("--severity", "dire", USAGE, "possible values: blocker, warning, note"),
    ("--since", "yesterday", USAGE, "write it like 90s"),
    ("--tail", "0", USAGE, "1.."),
    ("--tail", "all", USAGE, "invalid digit"),
    ("--timeout", "soon", USAGE, "write it like 90s"),
    ("--timeout", "1e99h", USAGE, "write it like 90s"),
    ("--tls-server-name", "a b", NO_CLUSTER, "is no host name"),
    ("--to", "", USAGE, "a value is required"),
    ("--to", "nowhere", FAILED, "hint: name the folder that holds Chart.yaml"),
    ("--token", "a\nb", NO_CLUSTER, "hint: "),
    ("--use-plan", "", USAGE, "a value is required"),
    ("--use-plan", "noise", USAGE, "byte 1 of it is not UTF-8 text"),
    ("--use-plan", "nowhere", FAILED, "hint: save one with this version"),
    ("--use-plan", ".", FAILED, "Is a directory"),
    ("--user", "nope", NO_CLUSTER, "hint: "),
    ("--v", "12", USAGE, "0..=9"),
    ("--v", "loud", USAGE, ""),
    ("--values", "", USAGE, "a value is required"),
    ("--values", "nowhere", FAILED, "hint: -f takes a YAML file"),
    ("--wait", "perhaps", USAGE, "possible values: true, false"),
];

/// Commands that never go to a cluster.
const OFFLINE: &[&str] = &["render", "values", "explain", "completion", "man", "version"];

/// A place in which `noise` is a file that is nothing.
fn place() -> Place {
    let server = "https://127.0.0.1:1";
    let kubeconfig = format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}],
            "contexts": [{{"name": "c", "context": {{"cluster": "c", "user": "u"}}}}], "users": [{{"name": "u", "user": {{}}}}]}}"#
    );
    Place::with("noise", b"\xff\x00\xfe".as_slice()).and(".kube/config", kubeconfig)
}

/// The commands that a help names.
fn commands(place: &Place) -> Vec<String> {
    let help = place.run(&["--help"]);
    let listed = help.data().split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A line that goes on with the text of the one before is indented further.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The flags of a command that take a value.
fn flags_with_value(place: &Place, command: &str) -> Vec<String> {
    let help = place.run(&[command, "--help"]);
    let lines = help.data().lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with('-') && line.contains('<'));
    lines.filter_map(|line| Some(format!("--{}", line.split_once("--")?.1.split(['[', '=', ' ']).next()?))).collect()
}

fn run_with(place: &Place, command: &str, (flag, value, ..): &Wrong) -> Outcome {
    let given = format!("{flag}={value}");
    let mut line = vec![command];
    line.extend((command == "completion").then_some("bash"));
    line.extend((command == "get").then_some("values"));
    // What else the command line needs, so that only the one value is wrong.
    line.extend(match *flag {
        "--timeout" if command == "status" => &["--watch"][..],
        "--timeout" if command == "check" => &["--wait"],
        "--output-dir" => &["--profile", "dev"],
        _ => &[],
    });
    let needs_none = ["--profile", "--use-plan"];
    line.extend((command == "install").then_some("--profile=dev").filter(|_| !needs_none.contains(flag)));
    line.push(&given);
    place.run(&line)
}

#[test]
fn a_wrong_value_of_any_flag_of_any_command_is_refused_and_the_flag_is_named() {
    let place = place();
    let commands = commands(&place);
    assert!(commands.len() > 7, "the help lists the commands: {commands:?}");
    let mut commands_of: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for command in &commands {
        for flag in flags_with_value(&place, command) {
            commands_of.entry(flag).or_default().push(command);
        }
    }
    for (flag, commands) in &commands_of {
        assert!(WRONG.iter().any(|wrong| wrong.0 == flag), "{flag} of {commands:?} has no wrong value in this table");
    }
    for wrong in WRONG {
        let (flag, value, code, words) = wrong;
        let commands = commands_of.get(*flag).unwrap_or_else(|| panic!("no command has {flag}"));
        for command in commands {
            if *code == NO_CLUSTER && OFFLINE.contains(command) {
                continue;
            }
            let outcome = run_with(&place, command, wrong);
            let told = format!("{command} {flag}={value:?}\n{}", outcome.stderr);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (*code, ""), "{told}");
            assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.contains(words), "{told}");
            assert!(outcome.stderr.contains("hint: ") || outcome.stderr.contains("--help"), "{told}");
            let names_it =
                [*flag, flag.trim_start_matches('-'), value].iter().any(|name| outcome.stderr.contains(name));
            assert!(names_it || value.is_empty(), "{told}");
        }
    }
}

/// Lines of which each is one mistake about several flags; the last word is one that the message must hold.
const TOGETHER: &[(&str, &str)] = &[
    ("install --profile dev --plan --dry-run=server", "--plan"),
    ("install --profile dev --plan --plan", "--plan"),
    ("install --profile dev --use-plan f", "--profile cannot be used with --use-plan"),
    ("install --set vni=1 --use-plan f", "--set"),
    ("install -f f --use-plan g", "--values"),
    ("install --take-over-cni --use-plan f", "--take-over-cni"),
    ("install --plan --use-plan f", "--use-plan"),
    ("install --save-plan f --use-plan g", "--use-plan"),
    ("install --save-plan f --dry-run=server", "--save-plan"),
    ("upgrade --reset-values --use-plan f", "--reset-values"),
    ("upgrade --accept-outage --use-plan f", "--accept-outage"),
    ("rollback 3 --use-plan f", "REVISION"),
    ("install --profile dev --dry-run server", "server"),
    ("install --profile dev --timeout 0", "--timeout"),
    ("install dev", "dev"),
    ("check --timeout 5m", "--wait"),
    ("check --facts f --wait", "--wait"),
    ("check --facts f --save-facts g", "--save-facts"),
    ("check --context a --context b", "--context"),
    ("check -v 1 -v 2", "--v"),
    ("status --timeout 5m", "--watch"),
    ("status --facts f --watch", "--watch"),
    ("status --drift --watch", "--drift"),
    ("status --drift --facts f", "--drift"),
    ("get manifest --all", "--all"),
    ("get values 0", "1.."),
    ("get everything", "everything"),
    ("history mizar", "mizar"),
    ("repair --timeout 0", "--timeout"),
    ("bundle --timeout 0", "--timeout"),
    ("bundle --since 0", "--since"),
    ("uninstall --timeout 0", "--timeout"),
    ("uninstall --keep-node-state --skip-node n", "--skip-node"),
    ("render --release-name x", "--chart"),
    ("explain a b", "'b'"),
    ("check --as-group g", "--as"),
    ("values -f - -f -", "stdin is named twice"),
    ("values -f - --set-file vni=-", "stdin is named twice"),
    ("values --set-file vni=- --set-file phase=-", "stdin is named twice"),
];

#[test]
fn flags_that_do_not_go_together_are_refused_as_usage() {
    let place = Place::empty().variable("KUBECONFIG", "none");
    for (line, word) in TOGETHER {
        let outcome = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "{line}\n{}", outcome.stderr);
        assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.contains(word), "{line}\n{}", outcome.stderr);
    }
}
