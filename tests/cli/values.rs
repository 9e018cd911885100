//! Values that the chart does not take: where they were said, what is wrong, which was probably meant.

use crate::program::Place;

const SEE_ALL: &str = "hint: see all values and where they come from: kubectl mizar values --show-origin\n";

#[track_caller]
fn refused(flags: &[&str], problem: &str) {
    let mut line = vec!["render", "--profile", "dev"];
    line.extend(flags);
    Place::empty().run(&line).fails(1, &format!("error: {problem}\n{SEE_ALL}"));
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

/// Flags that cannot be read: the character and the reason. What Helm takes in silence and means nothing is refused, too.
const UNREADABLE: &[(&str, &str, usize, &str)] = &[
    ("--set", "vni", 3, "key \"vni\" has no value"),
    ("--set", "vni:3", 5, "key \"vni:3\" has no value"),
    ("--set", "a,b", 2, "key \"a\" has no value (cannot end with ,)"),
    ("--set", ",vni=3", 1, "key \"\" has no value (cannot end with ,)"),
    ("--set", "vni=3,,", 7, "key \"\" has no value (cannot end with ,)"),
    ("--set", "vni.=3", 6, "key map \"vni\" has no value"),
    ("--set", "vni..x=3", 8, "key map \"vni\" has no value"),
    ("--set", "l[0=1", 5, "an index is not closed with ]"),
    ("--set", "l[]=1", 3, "\"\" is no index"),
    ("--set", "l[x]=1", 4, "\"x\" is no index"),
    ("--set", "l[-1]=1", 5, "the index -1 is negative"),
    ("--set", "l[65537]=1", 8, "the index 65537 is greater than 65536"),
    ("--set", "l[99999999999999999999]=1", 23, "the index 99999999999999999999 is greater than 65536"),
    ("--set", "l[0]x=1", 6, "unexpected text \"x\" after an index"),
    ("--set", "l[0]", 4, "item 0 has no value"),
    ("--set", "l={a,b", 6, "list must terminate with '}'"),
    ("--set", "l={a,b}x", 8, "key \"x\" has no value"),
    ("--set", "a=1,a.b=2", 6, "\"a\" is a number, not a map"),
    ("--set", "a=x,a[0]=2", 8, "\"a\" is a text, not a list"),
    ("--set", "l[0]=x,l[0][1]=2", 14, "item 0 is a text, not a list"),
    ("--set-string", "vni", 3, "key \"vni\" has no value"),
    ("--set-json", "vni={", 5, "not JSON: EOF while parsing an object"),
    ("--set-json", "vni=tru", 7, "not JSON: EOF while parsing a value"),
    ("--set-json", "vni=3 4", 7, "key \"4\" has no value"),
    ("--set-json", "l=[1,]", 6, "not JSON: trailing comma"),
    ("--set-json", " {\"vni\": x}", 10, "not JSON: expected value"),
    ("--set-json", "{\"vni\":\nx}", 9, "not JSON: expected value"),
    ("--set-json", "{\"vni\":3} x", 11, "not JSON: trailing characters"),
    ("--set-json", "3", 1, "key \"3\" has no value"),
    ("--set-file", "vni", 3, "key \"vni\" has no value"),
    ("--set-file", "vni=nowhere", 11, "cannot read nowhere: No such file or directory (os error 2)"),
    ("--set-file", "vni=folder", 10, "cannot read folder: Is a directory (os error 21)"),
    ("--set-file", "vni=noise", 9, "cannot read noise: byte 2 of it is not UTF-8 text"),
];

#[test]
fn a_set_flag_that_cannot_be_read_says_where_and_shows_the_right_form() {
    let place = Place::with("folder/file", "").and("noise", b"a\xff".as_slice());
    for (flag, text, position, reason) in UNREADABLE {
        let outcome = place.run(&["values", flag, text]);
        let error =
            format!("error: {flag} {text:?}: at character {position}: {reason}\nhint: write it like this: {flag} ");
        assert!(outcome.stderr.starts_with(&error), "{flag} {text}\n{}\nwanted:\n{error}", outcome.stderr);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{flag} {text}");
    }
    let long = format!("{}=1", vec!["a"; 40].join("."));
    let outcome = place.run(&["values", "--set", &long]);
    assert!(outcome.stderr.contains("names are nested deeper than 30 levels"), "{}", outcome.stderr);
}

/// The forms that the hints show.
#[test]
fn the_right_forms_of_the_hints_are_right() {
    let place = Place::with("FILE", "eth0");
    for (flag, text) in [
        ("--set", "vni=2,images.registry=registry.example"),
        ("--set-string", "images.daemon.tag=1"),
        ("--set-json", "daemon.tolerations=[{\"operator\":\"Exists\"}]"),
        ("--set-file", "networkInterface=FILE"),
    ] {
        assert_eq!(place.run(&["render", "--profile", "dev", flag, text]).code, 0, "{flag} {text}");
        let refused = place.run(&["values", flag, "x"]);
        assert!(refused.stderr.replace('\'', "").ends_with(&format!("{flag} {text}\n")), "{}", refused.stderr);
    }
}

#[test]
fn a_value_of_another_kind_than_the_chart_has_is_refused_by_the_flag() {
    for (text, problem) in [
        ("vni.x=3", "vni: must be an integer, is {\"x\":3}"),
        ("vni[0]=3", "vni: must be an integer, is [3]"),
        ("daemon=3", "daemon: must be a map, is 3"),
        ("vni=3.5", "vni: must be an integer, is \"3.5\""),
        ("vni=03", "vni: must be an integer, is \"03\""),
        ("vni =3", "vni : unknown value; did you mean \"vni\"?"),
        ("vni\\.x=3", "vni.x: unknown value"),
    ] {
        refused(&["--set", text], &format!("1 value of the chart mizar is wrong:\n  --set {text}: {problem}"));
    }
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
