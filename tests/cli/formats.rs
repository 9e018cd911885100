//! `-o` on every command that shows data: the same document in each form for machines, and kubectl's JSONPath.

use std::process::Command;

use mizar_bed::{Program, programs};
use mizar_core::jsonpath::Template;
use mizar_core::yaml::{self, DuplicateKeys};
use serde_json::Value;

use crate::facts::FACTS;
use crate::program::{Outcome, Place};

/// Commands that show data without a cluster.
const SHOWS: [&[&str]; 7] = [
    &["explain"],
    &["explain", "nodes-ready"],
    &["values", "--profile", "dev"],
    &["values", "--profile", "dev", "--show-origin"],
    &["version", "--client"],
    &["env", "--facts", "facts.json"],
    &["status", "--facts", "facts.json"],
];

fn run(place: &Place, arguments: &[&str], format: &str) -> Outcome {
    place.run(&[arguments, &["-o", format]].concat())
}

#[test]
fn json_yaml_and_jsonpath_hold_the_same_document() {
    let place = Place::with("facts.json", FACTS);
    for arguments in SHOWS {
        let json: Value = serde_json::from_str(run(&place, arguments, "json").data()).unwrap();
        let yaml = yaml::read(run(&place, arguments, "yaml").data(), DuplicateKeys::Refuse).unwrap();
        assert_eq!(json, yaml, "{arguments:?}");
        let whole: Value = serde_json::from_str(run(&place, arguments, "jsonpath={@}").data()).unwrap();
        assert_eq!(json, whole, "{arguments:?}");
    }
    // A check fails without facts about pods, and says so by its exit code only.
    let check = |format: &str| run(&place, &["check", "--facts", "facts.json"], format);
    let json: Value = serde_json::from_str(&check("json").stdout).unwrap();
    assert_eq!(json, yaml::read(&check("yaml").stdout, DuplicateKeys::Refuse).unwrap());
    let failed = check("jsonpath={.checks[?(@.id==\"api-server\")].status}{.phase}");
    assert_eq!((failed.code, failed.stdout.ends_with("health")), (1, true), "{}", failed.stdout);
}

#[test]
fn manifests_can_be_had_as_a_list_and_by_name() {
    let place = Place::empty();
    let render = |format: &str| run(&place, &["render", "--profile", "dev"], format).data().to_owned();
    let list: Value = serde_json::from_str(&render("json")).unwrap();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(render("jsonpath={.items[*].kind}"), kinds.join(" "));
    let manifests = place.run(&["render", "--profile", "dev"]);
    assert_eq!(manifests.data().lines().filter(|line| line.starts_with("kind: ")).count(), kinds.len());
    let names = render("name");
    assert_eq!(names.lines().count(), kinds.len());
    for name in ["daemonset.apps/mizar-daemon", "serviceaccount/mizar-operator"] {
        assert!(names.lines().any(|line| line == name), "{names}");
    }
}

#[test]
fn names_are_those_that_kubectl_would_print() {
    let place = Place::with("facts.json", FACTS);
    assert_eq!(run(&place, &["env", "--facts", "facts.json"], "name").data(), "environment/aws-vm\n");
    assert_eq!(run(&place, &["status", "--facts", "facts.json"], "name").data(), "");
    assert_eq!(run(&place, &["explain", "nodes-ready"], "name").data(), "check/nodes-ready\n");
}

#[test]
fn an_unknown_format_is_refused_with_those_there_are_sorted() {
    let refused = |arguments: &[&str], allowed: &str| {
        let expected = format!(
            "error: invalid value 'xml' for '--output <FORMAT>': there is no such format; allowed formats are: {allowed}\n\nFor more information, try '--help'.\n"
        );
        run(&Place::empty(), arguments, "xml").fails(2, &expected);
    };
    refused(&["check"], "json, jsonpath=, junit, name, short, table, wide, yaml");
    refused(&["status"], "json, jsonpath=, name, table, yaml");
    refused(&["version"], "json, jsonpath=, text, yaml");
    refused(&["diff"], "json, jsonpath=, name, text, yaml");
    refused(&["install"], "json, jsonpath=, name, text, yaml");
}

#[test]
fn a_wrong_template_is_refused_with_its_place_before_anything_is_asked() {
    run(&Place::empty(), &["status"], "jsonpath={.nodes[x]}").fails(
        2,
        "error: invalid value 'jsonpath={.nodes[x]}' for '--output <FORMAT>': jsonpath \"{.nodes[x]}\", character 9: \"x\" is no index; a key is written ['key'], an index [0], a slice [0:2]

For more information, try '--help'.
",
    );
    run(&Place::empty(), &["version", "--client"], "jsonpath={.clientVersion.charts[9]}").fails(
        1,
        "error: jsonpath \"{.clientVersion.charts[9]}\", character 23: array index out of bounds: index 9, length 2
hint: see the whole document: -o json
",
    );
}

#[test]
fn the_forms_of_a_plan_are_for_a_plan_alone() {
    run(&Place::empty(), &["repair"], "yaml").fails(
        2,
        "error: this output format shows a plan and nothing else: add --plan
hint: one event per line, while it is done: -o json
",
    );
}

/// What kubectl makes of its own kubeconfig, which it shows without a server.
const KUBECONFIG: &str = r#"apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: a, cluster: {server: "https://a:1", insecure-skip-tls-verify: true}}
- {name: b, cluster: {server: "https://b:2"}}
contexts:
- {name: one, context: {cluster: a, user: u, namespace: x}}
- {name: two, context: {cluster: b, user: u}}
"#;

const TEMPLATES: [&str; 43] = [
    "{@}",
    "{$}",
    "{}",
    "{.}",
    ".kind",
    "{.kind}{\"\\n\"}",
    "a{.kind}}b",
    "{ .kind }",
    "{['kind']}",
    "{.nothing}|{.kind.x}|{.contexts.name}",
    "{.current-context}",
    "{.contexts..cluster}",
    "{.contexts[*].name}-{.kind}",
    "{.contexts[0,1].name}",
    "{.contexts[*]['name','context.user']}",
    "{.contexts[0].context}",
    "{.contexts[-1].name}{.contexts[-1:].name}{.contexts[:1].name}{.contexts[0:2:2].name}",
    "{.contexts[1:1]}",
    "{range .contexts[*]}{.name}{\"\\t\"}{.context.namespace}{\"\\n\"}{end}",
    "{range .contexts[*]}{range .context}{.cluster}{end};{end}",
    "{range .contexts[*]}{.name}",
    "{range .nothing[*]}x{end}y",
    "{.contexts[?(@.name==\"two\")].context.cluster}",
    "{.contexts[?(@.name=='two')].name}",
    "{.contexts[?( @.name == \"two\")].name}",
    "{.contexts[?(@.name!=\"two\")].name}",
    "{.contexts[?(@.name>\"one\")].name}",
    "{.contexts[?(@.context.namespace)].name}",
    "{.clusters[?(@.cluster.insecure-skip-tls-verify==true)].name}",
    "{.contexts[?(@.context.cluster==@.context.cluster)].name}",
    "{1} {true} {1.50} {-1}",
    "{\"\\u0041\\x41\\101\\\"\"}{'it\\'s'}",
    // What kubectl refuses is refused.
    "{.contexts[5].name}",
    "{.contexts[0:9]}",
    "{.contexts[0",
    "{.contexts[x]}",
    "{.contexts[0][\"name\"]}",
    "{kind}",
    "{end}",
    "{\"a}",
    "{\"\\q\"}",
    "{....name}",
    "{.contexts[?(@.name==1)].name}",
];

#[test]
fn templates_print_what_the_real_kubectl_prints() {
    let kubectl =
        programs::ensure(&[Program::Kubectl]).expect("kubectl can be built").remove(&Program::Kubectl).unwrap();
    let place = Place::with("config", KUBECONFIG);
    let theirs = |template: &str| {
        let mut command = Command::new(&kubectl);
        command.env_clear().env("HOME", place.path(".")).args(["config", "view", "--kubeconfig"]);
        command.arg(place.path("config")).arg("-o").arg(format!("jsonpath={template}")).output().unwrap()
    };
    let document: Value = serde_json::from_slice(&theirs("{@}").stdout).unwrap();
    for template in TEMPLATES {
        let theirs = theirs(template);
        let ours = Template::parse(template).and_then(|read| read.print(&document));
        assert_eq!(ours.is_ok(), theirs.status.success(), "{template}: {ours:?}");
        if let Ok(ours) = ours {
            assert_eq!(ours, String::from_utf8_lossy(&theirs.stdout), "{template}");
        }
    }
}
