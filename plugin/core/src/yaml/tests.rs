use super::*;
use proptest::prelude::*;
use serde_json::json;

fn value(text: &str) -> serde_json::Value {
    read(text, DuplicateKeys::Refuse).unwrap()
}

#[test]
fn plain_scalars_follow_yaml_1_1() {
    for (text, expected) in [
        ("yes", json!(true)),
        ("off", json!(false)),
        ("0400", json!(256)),
        ("0o17", json!(15)),
        ("0b11", json!(3)),
        ("0x1F", json!(31)),
        ("1_000", json!(1000)),
        ("08", json!(8.0)),
        ("1e3", json!(1000.0)),
        ("-.5", json!(-0.5)),
        ("12:30:45", json!("12:30:45")),
        ("2001-01-01", json!("2001-01-01")),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ("~", json!(null)),
        ("", json!(null)),
        ("0.1.2", json!("0.1.2")),
        ("!!str 12", json!("12")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn keys_become_text_and_merges_apply() {
    assert_eq!(value("n: 1\n2: 3\n"), json!({"false": 1, "2": 3}));
    assert_eq!(value("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")["b"], json!({"x": 3, "true": 2}));
}

#[test]
fn a_duplicate_key_is_refused_with_its_place_or_the_last_one_wins() {
    let error = read("a: 1\nb: 2\na: 3\n", DuplicateKeys::Refuse).unwrap_err();
    assert_eq!(error.to_string(), "line 3, column 1: the key `a` is set twice in this mapping, first in line 1");
    assert_eq!(read("a: 1\na: 3\n", DuplicateKeys::TakeLast).unwrap(), json!({"a": 3}));
}

#[test]
fn every_key_has_its_line() {
    let text = "# comment\ndaemon:\n  image:\n    tag: x\n  list:\n  - a\n  - b: 1\n";
    let (_, locations) = read_located(text, DuplicateKeys::Refuse).unwrap();
    let path = |dotted: &str| dotted.split('.').map(str::to_string).collect::<Vec<_>>();
    assert_eq!(locations.get(&path("daemon.image.tag")).map(|at| (at.line, at.column)), Some((4, 5)));
    assert_eq!(locations.get(&path("daemon.list.1.b")).map(|at| at.line), Some(7));
    assert_eq!(locations.nearest(&path("daemon.image.missing")).map(|at| at.line), Some(3));
}

#[test]
fn texts_made_to_exhaust_us_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        let row = vec![previous; 10].join(", ");
        bomb.push_str(&["a", &level.to_string(), ": &a", &level.to_string(), " [", &row, "]\n"].concat());
    }
    assert!(read(&bomb, DuplicateKeys::TakeLast).unwrap_err().message.contains("aliases"));
    let deep = format!("{}x{}", "[".repeat(150), "]".repeat(150));
    assert!(read(&deep, DuplicateKeys::TakeLast).unwrap_err().message.contains("deeper"));
    assert!(read("a: &a [*a]", DuplicateKeys::TakeLast).is_err());
}

#[test]
fn what_is_repeated_weighs_as_often_as_it_stands_there() {
    let text = "x".repeat(100_000);
    let repeated = format!("a: &a {text}\nb: [{}]", vec!["*a"; 1000].join(", "));
    let message = read(&repeated, DuplicateKeys::TakeLast).unwrap_err().message;
    assert_eq!(message, "the values take too much memory, aliases counted as what they repeat");
    let anchors = (0..90).map(|at| format!("&a{at} [")).collect::<Vec<_>>().concat();
    let anchored = format!("{anchors}{}{}", vec!["x"; 50_000].join(","), "]".repeat(90));
    assert!(read(&anchored, DuplicateKeys::TakeLast).unwrap_err().message.contains("too much memory"));
    let small = format!("[{}]", vec!["{a}"; 60_000].join(","));
    assert!(read(&small, DuplicateKeys::Refuse).is_ok());
    assert!(read_values(&small).unwrap_err().message.contains("too much memory"));
}

#[test]
fn places_are_kept_up_to_a_limit_and_values_past_it_are_refused() {
    let deep = (0..90).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<Vec<_>>().concat();
    let text =
        format!("{deep}{}", (0..8000).map(|at| format!("{}k{at}: 1\n", " ".repeat(90))).collect::<Vec<_>>().concat());
    let (_, places) = read_located(&text, DuplicateKeys::Refuse).unwrap();
    let mut path = vec!["a".to_string(); 90];
    assert_eq!(places.nearest(&path).map(|at| at.line), Some(90));
    path.push("k7999".into());
    assert_eq!((places.get(&path), places.nearest(&path).map(|at| at.line)), (None, Some(90)));
    let error = read_values(&text).unwrap_err();
    assert!(error.position.line > 5000 && error.message.starts_with("there are too many values"), "{error}");
}

#[test]
fn keys_in_an_order_that_goes_in_circles_are_written_all_the_same() {
    let keys =
        ["a", "a0", "a00", "a01", "a1", "a1b", "a01b", "a10", "a010", "a2", "0", "00", "01", "1", "10", "b", "_", "-1"];
    let all: Vec<String> =
        keys.iter().flat_map(|left| keys.iter().map(move |right| format!("{left}{right}"))).collect();
    let map: serde_json::Map<_, _> = all.iter().map(|key| (key.clone(), json!(1))).collect();
    let value = serde_json::Value::Object(map);
    assert_eq!(read(&write(&value), DuplicateKeys::Refuse).unwrap(), value);
}

#[test]
fn a_control_character_is_named_with_its_place() {
    for (text, message) in [
        ("a: 1\0", "line 1, column 5: the control character U+0000 cannot stand in YAML; is this a text file?"),
        (
            "\u{e4}: 1\nb: \"\u{1}\"",
            "line 2, column 5: the control character U+0001 cannot stand in YAML; is this a text file?",
        ),
        ("# \u{7f}", "line 1, column 3: the control character U+007F cannot stand in YAML; is this a text file?"),
    ] {
        assert_eq!(read(text, DuplicateKeys::TakeLast).unwrap_err().to_string(), message);
    }
    assert_eq!(value("a: \"\u{a0}\u{1f600}\t\""), json!({"a": "\u{a0}\u{1f600}\t"}));
}

#[test]
fn bytes_are_text_in_utf_8_or_marked_utf_16_and_else_refused_by_their_place() {
    let utf_16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        let units = "\u{e4}: \u{1f600}\n".encode_utf16().flat_map(bytes);
        mark.into_iter().chain(units).collect::<Vec<u8>>()
    };
    for bytes in
        [utf_16([0xff, 0xfe], u16::to_le_bytes), utf_16([0xfe, 0xff], u16::to_be_bytes), "\u{e4}: \u{1f600}\n".into()]
    {
        assert_eq!(decode(bytes).unwrap(), "\u{e4}: \u{1f600}\n");
    }
    for (bytes, message) in [
        (&b"a: 1\n\xc3\xa4: caf\xe9"[..], "line 2, column 7: byte 0xE9 is not UTF-8; is this a text file?"),
        (b"\x1f\x8b\x08", "line 1, column 2: byte 0x8B is not UTF-8; is this a text file?"),
        (b"\xff\xfea\0b", "line 1, column 2: this is not UTF-16, as the first bytes of the file say"),
        (b"\xff\xfe\0\xd8a\0", "line 1, column 1: this is not UTF-16, as the first bytes of the file say"),
    ] {
        assert_eq!(decode(bytes.to_vec()).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_writer_quotes_folds_and_orders_as_helm_does() {
    for (input, expected) in [
        (json!({"b": "yes", "on": "on", "d": "2001-01-01"}), "b: \"yes\"\nd: \"2001-01-01\"\n\"on\": \"on\"\n"),
        (json!({"a10": 1, "a2": 2, "A": 3, "_": 4}), "_: 4\nA: 3\na2: 2\na10: 1\n"),
        (json!({"l": [1, [2, 3], {"a": 1, "b": [4]}]}), "l:\n- 1\n- - 2\n  - 3\n- a: 1\n  b:\n  - 4\n"),
        (json!({"e": [], "m": {}, "s": "", "n": null}), "e: []\nm: {}\n\"n\": null\ns: \"\"\n"),
        (
            json!({"t": "a\nb\n", "u": "a\nb", "v": "a\n\n", "w": " a\nb"}),
            "t: |\n  a\n  b\nu: |-\n  a\n  b\nv: |+\n  a\n\nw: |2-\n   a\n  b\n",
        ),
        (
            json!([1_000_000.0, 1.5, 1e21, 1_234_567.5, 1e-7, 1e20]),
            "- 1000000\n- 1.5\n- 1e+21\n- 1.2345675e+06\n- 1e-07\n- 1e+20\n",
        ),
        (
            json!(["1:30", "0400", ": a", "a: b", "a #b", "-", "- a", "*x"]),
            "- \"1:30\"\n- \"0400\"\n- ': a'\n- 'a: b'\n- 'a #b'\n- '-'\n- '- a'\n- '*x'\n",
        ),
        (json!("tab\there"), "\"tab\\there\"\n"),
        (json!("plain"), "plain\n"),
    ] {
        assert_eq!(write(&input), expected);
    }
    let long = "word ".repeat(30).trim_end().to_string();
    let folded = write(&json!({"key": long}));
    assert_eq!(folded.lines().map(str::len).collect::<Vec<_>>(), [84, 71]);
}

#[test]
fn floats_print_as_in_go() {
    for (float, text) in [
        (0.0, "0"),
        (1.0, "1"),
        (100_000.0, "100000"),
        (1_000_000.0, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123.456, "123.456"),
        (-2.5, "-2.5"),
        (1e100, "1e+100"),
    ] {
        assert_eq!(format_float(float), text);
    }
}

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        "[ -~\n\u{e4}]{0,40}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            // The key `<<` is written plain, as Helm does, and would merge when read.
            prop::collection::btree_map("[ -;=-~]{0,12}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(input in any_value()) {
        let text = write(&input);
        prop_assert_eq!(read(&text, DuplicateKeys::Refuse).unwrap(), input, "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n\t\u{e4}\u{feff}]{0,200}") {
        drop(read_all(&text, DuplicateKeys::Refuse));
    }
}
