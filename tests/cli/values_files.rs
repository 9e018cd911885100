//! Values files that cannot be read: which file, which line, why.

use std::fmt::Write as _;

use crate::program::Place;

#[track_caller]
fn unreadable(content: impl AsRef<[u8]>, problem: &str) {
    let outcome = Place::with("mine.yaml", content).run(&["render", "--profile", "dev", "-f", "mine.yaml"]);
    assert_eq!(outcome.stderr.lines().next(), Some(format!("error: {problem}").as_str()));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
}

/// Asserts that these bytes are values like an unquoted `vni: 7`.
#[track_caller]
fn means_vni_seven(content: impl AsRef<[u8]>) {
    let outcome = Place::with("mine.yaml", content).run(&["values", "-f", "mine.yaml"]);
    assert!(outcome.data().lines().any(|line| line == "vni: 7"), "{}", outcome.stdout);
}

#[test]
fn a_missing_file_is_named() {
    Place::empty()
        .run(&["render", "-f", "nowhere.yaml"])
        .fails(1, "error: values file nowhere.yaml: No such file or directory (os error 2)\n");
}

#[test]
fn a_folder_is_no_values_file() {
    Place::with("folder/file", "")
        .run(&["render", "-f", "folder"])
        .fails(1, "error: values file folder: Is a directory (os error 21)\n");
}

#[test]
fn a_file_that_is_far_too_large_is_refused_before_it_is_parsed() {
    unreadable(vec![b'a'; 5 << 20], "values file mine.yaml: it is larger than 4 MiB");
}

#[test]
fn an_endless_file_is_refused_too() {
    Place::empty()
        .run(&["render", "-f", "/dev/zero"])
        .fails(1, "error: values file /dev/zero: it is larger than 4 MiB\n");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    unreadable(b"\xff\xfevni", "values file mine.yaml: it is not UTF-8 text");
}

#[test]
fn text_that_is_no_mapping_is_refused() {
    unreadable("just words\n", "mine.yaml must hold a mapping");
    unreadable("- vni\n", "mine.yaml must hold a mapping");
}

#[test]
fn text_that_is_no_yaml_is_refused_with_its_line() {
    unreadable("vni: 7\npodNetwork: {\n", "mine.yaml:2: unclosed bracket '{'");
}

#[test]
fn a_tab_is_refused_with_its_line() {
    unreadable("images:\n\tregistry: mine\n", "mine.yaml:2: tabs disallowed within this context (block indentation)");
}

#[test]
fn a_key_that_is_set_twice_is_refused_with_its_second_line() {
    unreadable("vni: 7\nphase: 1\nvni: 8\n", "mine.yaml:3: the key `vni` is set twice in this mapping");
}

#[test]
fn aliases_that_grow_without_end_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let last = format!("*a{}", level - 1);
        writeln!(bomb, "a{level}: &a{level} [{}]", vec![last; 10].join(", ")).unwrap();
    }
    let outcome = Place::with("mine.yaml", bomb).run(&["values", "-f", "mine.yaml"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("error: mine.yaml"), "{}", outcome.stderr);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_key() {
    means_vni_seven("\u{feff}vni: 7\n");
}

#[test]
fn line_ends_of_windows_and_a_missing_last_one_are_fine() {
    means_vni_seven("networkInterface: \"\"\r\nvni: 7\r\n");
    means_vni_seven("vni: 7");
}

#[test]
fn an_empty_file_changes_nothing() {
    let place = Place::with("empty.yaml", "").and("comment.yaml", "# nothing\n");
    let defaults = place.run(&["values"]);
    for file in ["empty.yaml", "comment.yaml"] {
        assert_eq!(place.run(&["values", "-f", file]).data(), defaults.data());
    }
}

#[test]
fn a_dash_reads_stdin() {
    let outcome = Place::empty().run_with_stdin(&["values", "-f", "-"], "vni: 7\n");
    assert!(outcome.data().lines().any(|line| line == "vni: 7"), "{}", outcome.stdout);
    let outcome = Place::empty().run_with_stdin(&["render", "-f", "-"], "vnii: 7\n");
    assert_eq!(
        outcome.stderr.lines().nth(1),
        Some("  -:1: vnii: unknown value; did you mean \"vni\"?"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_unknown_map_has_the_line_of_its_own_key() {
    Place::with("k.yaml", "podNetwrk:\n  # a comment\n  create: true\n").run(&["render", "-f", "k.yaml"]).fails(
        1,
        "error: 1 value of the chart mizar is wrong:\n  k.yaml:1: podNetwrk: unknown value; did you mean \"podNetwork\"?\nhint: see all values and where they come from: kubectl mizar values --show-origin\n",
    );
}

#[test]
fn an_endless_file_is_not_read_to_its_end() {
    let outcome = Place::empty().run(&["render", "--set-file", "profile=/dev/zero"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cannot read /dev/zero: it is larger than 4 MiB"), "{}", outcome.stderr);
}
