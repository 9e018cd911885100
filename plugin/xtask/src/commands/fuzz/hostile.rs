//! Inputs of about a megabyte that are made to exhaust time or memory: nested deeply, repeated, wide, or small texts that stand for much.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

const MEGABYTE: usize = 1 << 20;
/// Stands between the parts of an input that has several, as in `tests/fuzz`.
const BETWEEN: &str = "\n8<\n";

/// One input.
pub(super) struct Case {
    pub(super) target: &'static str,
    pub(super) name: &'static str,
    pub(super) input: Vec<u8>,
}

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |target: &'static str, name: &'static str, input: Vec<u8>| all.push(Case { target, name, input });
    for (name, text) in yaml() {
        add("yaml_reader", name, text.clone().into_bytes());
        add("values", name, text.clone().into_bytes());
        add("kubeconfig", name, text.into_bytes());
    }
    for (name, text) in values() {
        add("values", name, text.into_bytes());
    }
    for (name, text) in set() {
        add("set", name, text.into_bytes());
    }
    for (name, text) in templates() {
        add("chart_text", name, text.into_bytes());
    }
    for (name, json) in json() {
        add("api_reply", name, format!("\x03{json}").into_bytes());
        add("operation_record", name, json.clone().into_bytes());
        add("helm_record", name, format!("\x02{json}").into_bytes());
    }
    for (name, content) in gzip() {
        let secret = STANDARD.encode(STANDARD.encode(content));
        add("helm_record", name, format!("\0{secret}").into_bytes());
    }
    all
}

fn filled(part: &str) -> String {
    part.repeat(MEGABYTE / part.len())
}

fn numbered(part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut at = 0;
    while text.len() < MEGABYTE {
        text.push_str(&part(at));
        at += 1;
    }
    text
}

fn yaml() -> Vec<(&'static str, String)> {
    let nested = (0..95).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<Vec<_>>().concat();
    let doubling = (1..40)
        .map(|level| format!("a{level}: &a{level} {{<<: *a{0}, b{level}: *a{0}}}\n", level - 1))
        .collect::<Vec<_>>()
        .concat();
    let anchors = (0..95).map(|at| format!("&a{at} [")).collect::<Vec<_>>().concat();
    vec![
        ("nested lists", filled("[")),
        ("nested mappings", filled("{a: ")),
        ("nested sequences of blocks", filled("- ")),
        ("nested keys", filled("? ")),
        ("many keys", numbered(|at| format!("k{at}: 1\n"))),
        ("many keys far inside", format!("{nested}{}", numbered(|at| format!("{}k{at}: 1\n", " ".repeat(96))))),
        ("many small mappings", format!("a: [{}]", filled("{a},"))),
        ("many small lists", format!("a: [{}]", filled("[],"))),
        ("many nulls", filled("-\n")),
        ("one long text", format!("a: {}", filled("x"))),
        ("one long quoted text", format!("a: \"{}\"", filled("\\u00e4"))),
        ("one long folded text", format!("a: >\n{}", filled(" x\n\n"))),
        ("one long number", format!("a: {}", filled("1"))),
        ("one long base of sixty", format!("a: {}", filled("1:"))),
        ("one long key", format!("{}: a", filled("x"))),
        ("a long text repeated", format!("a: &a {}\nb: [{}]", "x".repeat(MEGABYTE / 2), "*a,".repeat(MEGABYTE / 6))),
        ("a mapping repeated", format!("a: &a {{b: c}}\nb: [{}]", filled("*a,"))),
        ("anchors in anchors", format!("a: {anchors}{}{}", filled("x,"), "]".repeat(95))),
        ("merges that double", format!("a0: &a0 {{x: y}}\n{doubling}")),
        ("merges of merges", format!("a: &a {{b: c}}\nb: {{<<: [{}]}}", filled("*a,"))),
        ("many anchors", numbered(|at| format!("- &a{at} x\n"))),
        ("many documents", filled("---\na\n")),
        ("many directives", filled("%TAG !a! a\n")),
        ("many tags", filled("- !!str a\n")),
        ("many comments", filled("#\n")),
        ("many tabs", format!("a:{}", filled("\t"))),
        ("many line breaks", format!("a: b{}", filled("\n"))),
    ]
}

fn values() -> Vec<(&'static str, String)> {
    vec![
        ("unknown keys near known ones", format!("daemon: {{{}}}", numbered(|at| format!("imag{at}: 1,")))),
        ("long unknown keys", numbered(|at| format!("{at}{}: 1\n", "k".repeat(10_000)))),
        ("many flags", numbered(|at| format!("{BETWEEN}1a.b{at}=1"))),
        ("many files", numbered(|at| format!("{BETWEEN}a{at}: 1"))),
        ("one flag for many values", format!("{BETWEEN}1{}", numbered(|at| format!("a.b{at}=1,")))),
        ("one flag of JSON for many values", format!("{BETWEEN}3{}", numbered(|at| format!("a.b{at}=1,")))),
        ("one flag for a map of many", format!("{BETWEEN}3{{{}\"z\":1}}", numbered(|at| format!("\"k{at}\":1,")))),
        (
            "a flag for many values of a list",
            format!("{BETWEEN}1{}", numbered(|at| format!("a[{}]={at},", at % 60_000))),
        ),
    ]
}

fn set() -> Vec<(&'static str, String)> {
    vec![
        ("names in names", format!("1{}=1", filled("a."))),
        ("indexes in indexes", format!("1a{}=1", filled("[0]"))),
        ("indexes and names", format!("1a{}=1", filled("[0].a"))),
        ("large indexes", format!("1{}", numbered(|at| format!("a{at}[65536]=1,")))),
        ("large indexes in each other", format!("1{}", numbered(|at| format!("a{at}[65536][65536][65536]=1,")))),
        ("a million index", "1a[1000000]=1".to_owned()),
        ("many values", format!("1{}", numbered(|at| format!("a{at}=1,")))),
        ("many values of one map", format!("1{}", numbered(|at| format!("z.b{at}=1,")))),
        ("many values of one list", format!("1{}", numbered(|at| format!("z[{}].b=1,", at % 60_000)))),
        ("many values of JSON", format!("\0{}", numbered(|at| format!("a{at}=1,")))),
        ("many lines of JSON", format!("\0a={}", filled("\n"))),
        ("nested JSON", format!("\0a={}", filled("["))),
        ("a long list", format!("1a={{{}}}", filled("1,"))),
        ("a list without an end", format!("1a={{{}", filled("1,"))),
        ("many backslashes", format!("1a={}", filled("\\"))),
        ("many empty names", format!("1{}", filled("=,"))),
        ("many dots", format!("1{}", filled("."))),
        ("many brackets", format!("1{}", filled("["))),
    ]
}

fn templates() -> Vec<(&'static str, String)> {
    let doubling = |leaf: &str| {
        let levels = (1..18)
            .map(|level| {
                let call = format!("{{{{ include \"d{}\" . }}}}", level - 1);
                format!("{{{{ define \"d{level}\" }}}}{call}{call}{call}{call}{{{{ end }}}}")
            })
            .collect::<Vec<_>>()
            .concat();
        format!("{{{{ define \"d0\" }}}}{leaf}{{{{ end }}}}{levels}{{{{ include \"d17\" . }}}}")
    };
    let loops = |depth: usize, over: &str, body: &str| {
        format!("{}{body}{}", format!("{{{{ range {over} }}}}").repeat(depth), "{{ end }}".repeat(depth))
    };
    vec![
        ("loops in loops", loops(5, "until 10000", "")),
        ("loops over large numbers", loops(29, "until 100000", "x")),
        ("a loop that writes a lot", loops(1, "until 100000", &filled("x"))),
        ("a loop with a lot to do", loops(1, "until 100000", &filled("{{ if true }}{{ end }}"))),
        ("a loop that calls a lot", loops(2, "until 3000", "{{ .Values.text | quote }}")),
        ("a loop that writes YAML", loops(1, "until 100000", "{{ toYaml $ }}")),
        ("a loop that reads YAML", loops(1, "until 100000", "{{ $x := fromYaml \"{a: {b: [1, 2, 3]}}\" }}")),
        ("a loop that parses templates", loops(1, "until 100000", "{{ tpl \"{{ .Values.text }}\" $ }}")),
        (
            "a loop that hashes",
            format!("{{{{ $x := repeat 1000000 \"x\" }}}}{}", loops(1, "until 10000", "{{ $y := sha256sum $x }}")),
        ),
        ("a loop that collects", format!("{{{{ $x := list }}}}{}", loops(1, "until 100000", "{{ $x = append $x . }}"))),
        ("a loop that nests", format!("{{{{ $x := list }}}}{}", loops(1, "until 100000", "{{ $x = list $x }}"))),
        ("a loop that doubles", format!("{{{{ $x := list }}}}{}", loops(1, "until 100000", "{{ $x = list $x $x }}"))),
        (
            "a loop that doubles a text",
            format!("{{{{ $x := \"x\" }}}}{}", loops(1, "until 100", "{{ $x = print $x $x }}")),
        ),
        ("includes that double", doubling("x")),
        ("includes that double a text", doubling(&filled("x"))),
        ("includes that double nothing", doubling("")),
        (
            "a define that calls itself twice",
            "{{ define \"d\" }}{{ include \"d\" . }}{{ include \"d\" . }}{{ end }}{{ include \"d\" . }}".to_owned(),
        ),
        ("a template that calls tpl in itself", "{{ $x := `{{ tpl . . }}{{ tpl . . }}` }}{{ tpl $x $x }}".to_owned()),
        ("many parts of unique lists", "{{ $x := until 90000 }}{{ uniq $x | len }}".to_owned()),
        ("wide numbers", format!("{{{{ printf \"{}\" {} }}}}", "%1000000d".repeat(150), "1 ".repeat(150))),
        ("precise numbers", "{{ printf \"%.1000000f %.1000000d\" 1.5 (until 100000) }}".to_owned()),
        ("a text replaced by itself", format!("{{{{ $x := \"{}\" }}}}{{{{ replace \"x\" $x $x }}}}", filled("x"))),
        ("a text joined by itself", format!("{{{{ $x := \"{}\" }}}}{{{{ join $x (until 100000) }}}}", filled("x"))),
        ("a text trimmed by itself", format!("{{{{ $x := \"{}\" }}}}{{{{ trimAll (upper $x) $x }}}}", filled("x"))),
        ("a text printed often", format!("{{{{ $x := repeat 5000000 \"x\" }}}}{{{{ print {} }}}}", filled("$x "))),
        ("a long pipe", format!("{{{{ 1 {}}}}}", filled("| quote "))),
        ("a long condition", format!("{{{{ if and {}}}}}{{{{ end }}}}", filled(". "))),
        ("a long call", format!("{{{{ list {}}}}}", filled("1 "))),
        ("a long path", format!("{{{{ {} }}}}", filled(".a"))),
        ("many parentheses", format!("{{{{ {}", filled("("))),
        ("many blocks", filled("{{ if . }}")),
        ("many branches", format!("{{{{ if . }}}}{}{{{{ end }}}}", filled("{{ else if . }}"))),
        ("many branches that declare", format!("{{{{ if $x := . }}}}{}{{{{ end }}}}", filled("{{ else if $x := . }}"))),
        ("many branches of with", format!("{{{{ with . }}}}{}{{{{ end }}}}", filled("{{ else with . }}"))),
        ("many variables", filled("{{ $x := 1 }}")),
        ("many changes of a variable", format!("{{{{ $x := 1 }}}}{}", filled("{{ $x = 1 }}"))),
        ("many defines", numbered(|at| format!("{{{{ define \"d{at}\" }}}}{{{{ end }}}}"))),
        (
            "defines that all call each other",
            (0..900)
                .map(|at| {
                    let calls = (0..50)
                        .map(|to| format!("{{{{ template \"d{}\" }}}}", (at * 7 + to * 13) % 900))
                        .collect::<Vec<_>>()
                        .concat();
                    format!("{{{{ define \"d{at}\" }}}}{calls}{{{{ end }}}}")
                })
                .collect::<Vec<_>>()
                .concat(),
        ),
        ("many actions", filled("{{ . }}")),
        ("many comments", filled("{{/* */}}")),
        ("an action without an end", filled("{{ \"")),
        ("many documents", filled("---\na: b\n")),
        ("a document of many small values", format!("a: [{}]", filled("[],"))),
        ("a document of many small mappings", format!("a: [{}]", filled("{a},"))),
        ("documents that are written in a loop", loops(1, "until 100000", "---\na: [[],[],[],[],[]]\n")),
        (
            "values that are looped over",
            format!("{}{BETWEEN}{BETWEEN}a: [{}]", loops(3, ".Values.a", "x"), "[],".repeat(60_000)),
        ),
    ]
}

fn json() -> Vec<(&'static str, String)> {
    let field =
        |name: &str, content: &str| format!("{{\"kind\":\"Status\",\"name\":\"m\",\"format\":1,\"{name}\":{content}}}");
    vec![
        ("nested lists", filled("[")),
        ("nested maps", filled("{\"a\":")),
        ("many small maps", field("items", &format!("[{}{{}}]", filled("{\"a\":{}},")))),
        ("many small lists", field("items", &format!("[{}1]", filled("[],")))),
        (
            "many labels",
            field(
                "items",
                &format!(
                    "[{{\"metadata\":{{\"labels\":{{{}\"z\":\"\"}}}}}}]",
                    numbered(|at| format!("\"k{at}\":\"v{at}\","))
                ),
            ),
        ),
        (
            "many names",
            field("items", &format!("[{}{{}}]", numbered(|at| format!("{{\"metadata\":{{\"name\":\"n{at}\"}}}},")))),
        ),
        (
            "many causes",
            field("details", &format!("{{\"causes\":[{}{{}}]}}", filled("{\"reason\":\"FieldManagerConflict\"},"))),
        ),
        ("a long message", field("message", &format!("\"{}\"", filled("x ")))),
        ("a long number", field("code", &filled("1"))),
        ("many unknown fields", field("other", &format!("{{{}\"z\":1}}", numbered(|at| format!("\"k{at}\":1,"))))),
        ("many stages", field("stages", &format!("[{}{{}}]", filled("{},")))),
        ("a page of HTML", format!("<html>{}", filled("<p>\u{e4} "))),
        ("a text without an end", format!("{{\"a\":\"{}", filled("\\u00e4"))),
    ]
}

fn gzip() -> Vec<(&'static str, Vec<u8>)> {
    let packed = |part: &str, times: usize, head: &str, tail: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut write = |text: &str| gzip.write_all(text.as_bytes()).expect("writing to memory cannot fail");
        write(head);
        (0..times).for_each(|_| write(part));
        write(tail);
        gzip.finish().expect("writing to memory cannot fail")
    };
    let blank = " ".repeat(MEGABYTE);
    vec![
        ("gzip of half a gigabyte", packed(&blank, 512, "", "")),
        (
            "gzip of the most that is allowed",
            packed(&"x".repeat(MEGABYTE), 31, "{\"name\":\"m\",\"manifest\":\"", "\"}"),
        ),
        (
            "gzip of many small lists",
            packed(&"[],".repeat(100_000), 100, "{\"name\":\"m\",\"config\":{\"a\":[", "1]}}"),
        ),
        ("gzip of a hostile manifest", packed(&"- ".repeat(100_000), 50, "{\"name\":\"m\",\"manifest\":\"", "\"}")),
    ]
}
