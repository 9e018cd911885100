//! Values that the chart does not take: where they were said, what is wrong, which was probably meant.

use crate::program::Place;

const SEE_ALL: &str = "hint: see all values and where they come from: kubectl mizar values --show-origin\n";

#[track_caller]
fn refused(flags: &[&str], problem: &str) {
    unreadable(flags, &format!("{problem}\n{}", SEE_ALL.trim_end()));
}

/// As [`refused`], where the flag itself cannot be read: no list of values would help.
fn unreadable(arguments: &[&str], problem: &str) {
    let mut line = vec!["render", "--profile", "dev"];
    line.extend(arguments);
    Place::empty().run(&line).fails(1, &format!("error: {problem}\n"));
}

#[test]
fn an_unknown_key_is_named_with_file_and_line_and_the_nearest_key() {
    let place = Place::with("mine.yaml", "vni: 2\npodNetwork:\n  craete: true\n");
    place.run(&["render", "--profile", "dev", "-f", "mine.yaml"]).fails(
        1,
        &format!("error: 1 value of the chart mizar is wrong:\n  mine.yaml:3: podNetwork.craete: unknown value; did you mean \"create\"?\n{SEE_ALL}"),
    );
}

#[test]
fn every_wrong_value_is_named_at_once_each_where_it_was_said() {
    let place = Place::with("one.yaml", "vni: much\n").and("two.yaml", "images:\n  daemon:\n    tga: \"1\"\n");
    place.run(&["render", "--profile", "dev", "-f", "one.yaml", "-f", "two.yaml", "--set", "phase=7"]).fails(
        1,
        &format!(
            "error: 3 values of the chart mizar are wrong:
  two.yaml:3: images.daemon.tga: unknown value; did you mean \"tag\"?
  one.yaml:1: vni: must be an integer, is \"much\"
  --set phase=7: phase: is 7, must be one of 1, 2
{SEE_ALL}"
        ),
    );
}

#[test]
fn the_flag_that_won_is_blamed_not_the_file_it_overrides() {
    let place = Place::with("mine.yaml", "vni: 7\n");
    place.run(&["render", "--profile", "dev", "-f", "mine.yaml", "--set-string", "vni=8"]).fails(
        1,
        &format!("error: 1 value of the chart mizar is wrong:\n  --set-string vni=8: vni: must be an integer, is \"8\"\n{SEE_ALL}"),
    );
}

#[test]
fn an_unknown_key_on_the_command_line_is_refused() {
    refused(
        &["--set", "vnii=3"],
        "1 value of the chart mizar is wrong:\n  --set vnii=3: vnii: unknown value; did you mean \"vni\"?",
    );
}

#[test]
fn a_set_flag_that_cannot_be_read_says_where() {
    unreadable(&["--set", "vni"], "--set \"vni\": at character 3: key \"vni\" has no value");
    unreadable(
        &["--set", "vni[99999999]=1"],
        "--set \"vni[99999999]=1\": at character 13: the index 99999999 is greater than 65536",
    );
    unreadable(
        &["--set-json", "vni={"],
        "--set-json \"vni={\": at character 5: not JSON: EOF while parsing an object at line 1 column 1",
    );
    unreadable(
        &["--set-file", "vni=nowhere"],
        "--set-file \"vni=nowhere\": at character 11: cannot read nowhere: No such file or directory (os error 2)",
    );
}

#[test]
fn prod_without_digests_is_refused_before_any_cluster_is_asked() {
    Place::empty().run(&["install", "--profile", "prod", "--dry-run=client"]).fails(
        1,
        "error: execution error at (mizar/templates/validate.yaml:15): profile prod takes images by digest only: \
         set images.init.digest, images.daemon.digest, images.operator.digest to sha256:..., the digest of the image you tested\n",
    );
}

#[test]
fn each_layer_wins_over_those_before_it_and_its_origin_is_told() {
    let place = Place::with("mine.yaml", "vni: 2\nnetworkInterface: eth7\nimages: {registry: mine}\n");
    let values = [
        "values",
        "--profile",
        "dev",
        "-f",
        "mine.yaml",
        "--set-json",
        "vni=3",
        "--set",
        "vni=4",
        "--set",
        "images.registry=typed",
        "--show-origin",
    ];
    let outcome = place.run(&values);
    let rows: Vec<Vec<&str>> = outcome.data().lines().map(|line| line.split_whitespace().collect()).collect();
    let row =
        |path: &str| rows.iter().find(|row| row[0] == path).unwrap_or_else(|| panic!("{path} is shown"))[1..].join(" ");
    assert_eq!(row("vni"), "4 --set vni=4");
    assert_eq!(row("images.registry"), "\"typed\" --set images.registry=typed");
    assert_eq!(row("networkInterface"), "\"eth7\" mine.yaml:2");
    assert!(row("phase").starts_with("1 values.yaml:"), "{}", row("phase"));
}

#[test]
fn null_removes_a_default() {
    let outcome = Place::with("mine.yaml", "daemon:\n  tolerations: null\n").run(&["values", "-f", "mine.yaml"]);
    assert!(!outcome.data().split("operator:").next().unwrap().contains("tolerations"), "{}", outcome.stdout);
}
