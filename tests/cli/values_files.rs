//! Values files that cannot be read: which file, which line, why.

use std::fmt::Write as _;

use crate::program::Place;

/// Asserts that these bytes are refused in these words, in no time, and that a hint follows.
#[track_caller]
fn unreadable(content: impl AsRef<[u8]>, problem: &str) {
    let outcome = Place::with("mine.yaml", content).run(&["render", "--profile", "dev", "-f", "mine.yaml"]);
    let mut lines = outcome.stderr.lines();
    assert_eq!(lines.next(), Some(format!("error: {problem}").as_str()));
    assert!(lines.next().is_some_and(|hint| hint.starts_with("hint: ")), "{}", outcome.stderr);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
}

/// Asserts that these bytes are values like an unquoted `vni: 7`.
#[track_caller]
fn means_vni_seven(content: impl AsRef<[u8]>) {
    let outcome = Place::with("mine.yaml", content).run(&["values", "-f", "mine.yaml"]);
    assert!(outcome.data().lines().any(|line| line == "vni: 7"), "{}", outcome.stdout);
}

/// What stands in a file that is no values file, and what is told of it.
const UNREADABLE: &[(&[u8], &str)] = &[
    // Bytes that are no text.
    (b"vni: 7\nnetworkInterface: caf\xe9\n", "mine.yaml:2:22: byte 0xE9 is not UTF-8; is this a text file?"),
    (b"\x1f\x8b\x08\x00", "mine.yaml:1:2: byte 0x8B is not UTF-8; is this a text file?"),
    (
        b"vni: 7\nphase: \x001\n",
        "mine.yaml:2:8: the control character U+0000 cannot stand in YAML; is this a text file?",
    ),
    (b"v\0n\0i\0:\0 \0", "mine.yaml:1:2: the control character U+0000 cannot stand in YAML; is this a text file?"),
    (b"\xff\xfev\0n\0i", "mine.yaml:1:3: this is not UTF-16, as the first bytes of the file say"),
    // Text that is no mapping.
    (b"just words\n", "mine.yaml:1: must hold a mapping, `key: value`, and holds the text \"just words\""),
    (
        b"# mine\n\nvni:7\n",
        "mine.yaml:3: must hold a mapping, `key: value`, and holds the text \"vni:7\"; a colon needs a blank after it",
    ),
    (b"<html>\n<body>\n", "mine.yaml:1: must hold a mapping, `key: value`, and holds the text \"<html> <body>\""),
    (b"- vni\n", "mine.yaml:1: must hold a mapping, `key: value`, and holds a list"),
    (b"7\n", "mine.yaml:1: must hold a mapping, `key: value`, and holds a number"),
    (b"true\n", "mine.yaml:1: must hold a mapping, `key: value`, and holds a boolean"),
    (b"vni: 7\n---\n- vni\n", "mine.yaml:3: must hold a mapping, `key: value`, and holds a list"),
    // Text that is no YAML.
    (b"vni: 7\npodNetwork: {\n", "mine.yaml:2:13: unclosed bracket '{'"),
    (b"vni: a: b\n", "mine.yaml:1:7: mapping values are not allowed in this context"),
    (b"images:\n\tregistry: mine\n", "mine.yaml:2:2: tabs disallowed within this context (block indentation)"),
    (b"images:\n  registry: a\n   tag: b\n", "mine.yaml:3:7: mapping values are not allowed in this context"),
    (
        b"vni: {{ .Values.vni }}\n",
        "mine.yaml:1:7: a key cannot be a list or a mapping; quote text that begins with { or [",
    ),
    (b"~: 1\n", "mine.yaml:1:1: a key cannot be null"),
    (b"vni: *other\n", "mine.yaml:1:6: while parsing node, found unknown anchor"),
    (b"vni: !!int x\n", "mine.yaml:1:12: `x` is no !!int"),
    (b"vni: .inf\n", "mine.yaml:1:6: `.inf` is a number that JSON does not have"),
    // Keys twice, where Helm would silently take the last.
    (b"vni: 7\nphase: 1\nvni: 8\n", "mine.yaml:3:1: the key `vni` is set twice in this mapping, first in line 1"),
    (
        b"images:\n  registry: a\n  registry: b\n",
        "mine.yaml:3:3: the key `registry` is set twice in this mapping, first in line 2",
    ),
    // Nodes that hold themselves.
    (b"daemon: &a\n  x: *a\n", "mine.yaml:2:6: an alias refers to the node it stands in"),
];

#[test]
fn what_is_no_values_file_is_refused_by_line_and_column() {
    for (content, problem) in UNREADABLE {
        unreadable(content, problem);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let place = Place::with("folder/file", "").and("file", "");
    for (name, reason, hint) in [
        (
            "nowhere.yaml",
            "No such file or directory (os error 2)",
            "-f takes a YAML file; what can be set: kubectl mizar values",
        ),
        ("folder", "Is a directory (os error 21)", "-f takes a YAML file; what can be set: kubectl mizar values"),
        ("file/below", "Not a directory (os error 20)", "-f takes a YAML file; what can be set: kubectl mizar values"),
        (
            "https://a.example/v.yaml",
            "No such file or directory (os error 2)",
            "fetch it first: curl -fsSL https://a.example/v.yaml | kubectl mizar … -f -",
        ),
    ] {
        place.run(&["render", "-f", name]).fails(1, &format!("error: values file {name}: {reason}\nhint: {hint}\n"));
    }
}

#[test]
fn a_file_that_is_far_too_large_is_refused_before_it_is_parsed() {
    unreadable(vec![b'a'; 20 << 20], "values file mine.yaml: it is larger than 4 MiB");
}

#[test]
fn an_endless_file_is_refused_too() {
    let outcome = Place::empty().run(&["render", "-f", "/dev/zero"]);
    assert!(
        outcome.stderr.starts_with("error: values file /dev/zero: it is larger than 4 MiB\n"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.code, 1);
}

#[test]
fn deep_nesting_is_refused_by_its_line() {
    let deep =
        |levels: usize| (0..levels).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<Vec<_>>().concat();
    unreadable(deep(150), "mine.yaml:101:101: nested deeper than 100 levels");
    let outcome = Place::with("flow.yaml", "[".repeat(100_000)).run(&["values", "-f", "flow.yaml"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("error: flow.yaml:1:"), "{}", outcome.stderr);
}

#[test]
fn what_a_shell_makes_of_a_command_is_read_like_a_file() {
    let place = Place::empty();
    let pipe = place.pipe("pipe");
    let writer = std::thread::spawn(move || std::fs::write(pipe, "vni: 7\n"));
    let outcome = place.run(&["values", "-f", "pipe"]);
    writer.join().unwrap().unwrap();
    assert!(outcome.data().lines().any(|line| line == "vni: 7"), "{}", outcome.stdout);
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
fn text_as_shells_of_windows_write_it_is_read() {
    let text = "networkInterface: \"\"\r\nvni: 7\r\n";
    means_vni_seven(
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect::<Vec<u8>>(),
    );
    means_vni_seven(
        [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect::<Vec<u8>>(),
    );
}

#[test]
fn several_documents_aliases_and_json_are_read_as_helm_does() {
    means_vni_seven("vni: 2\n---\nvni: 7\n");
    means_vni_seven("phase: &one 1\npodNetwork: {bouncers: *one}\nvni: 7\n");
    means_vni_seven("{\"vni\": 7}");
    means_vni_seven("vni:\t7\n");
}

#[test]
fn line_ends_of_windows_and_a_missing_last_one_are_fine() {
    means_vni_seven("networkInterface: \"\"\r\nvni: 7\r\n");
    means_vni_seven("vni: 7");
}

#[test]
fn an_empty_file_changes_nothing() {
    let place = Place::with("empty.yaml", "")
        .and("comment.yaml", "# nothing\n")
        .and("marks.yaml", "---\n---\n")
        .and("null.yaml", "null\n");
    let defaults = place.run(&["values"]);
    for file in ["empty.yaml", "comment.yaml", "marks.yaml", "null.yaml", "/dev/null", "-"] {
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
