//! The grammar of the `--set` flags, and which layer wins.

use crate::helm::{Agreement, agree, arguments, ours, scratch, theirs};

const VALUES: &str = "a: {b: {c: 1, d: two}, list: [x, y, z]}\nflag: true\ntext: hello\nnested: {deep: {deeper: {deepest: 1}}}\nlist: [1, 2, 3]\ngone: null\n";
const TEMPLATE: &str = "all: {{ toYaml .Values | b64enc }}\n{{ range $key, $value := .Values }}\n{{ $key | b64enc }}x: {{ typeOf $value | quote }}\n{{ end }}\n";

const SETS: &[&str] = &[
    "a=b",
    "a.b=1",
    "a.b.c=2",
    "a.b=",
    "a=",
    "a=true",
    "a=TRUE",
    "a=null",
    "a.b=null",
    "a.b.c=null",
    "nested.deep.deeper=null",
    "missing=null",
    "missing.key=null",
    "a=0",
    "a=00",
    "a=01",
    "a=-1",
    "a=+5",
    "a=1.5",
    "a=1e3",
    "a=9223372036854775807",
    "a=9223372036854775808",
    "a=1_000",
    "a={}",
    "a={1}",
    "a={1,two,true,null}",
    "a={1,2},c=3",
    "a={a\\,b}",
    "a={",
    "a={1",
    "a={1}x",
    "a={{1}}",
    "list[0]=9",
    "list[1].x=9",
    "list[3]=z",
    "list[2][1]=q",
    "list[0][0]=q",
    "a.list[0]=w",
    "new[2]=w",
    "new[0].a=1,new[0].b=2",
    "new[1].a=1,new[0].b=2",
    "list[-1]=2",
    "list[x]=2",
    "list[65537]=2",
    "list[1]x=2",
    "list[1].=2",
    "a\\.b=c",
    "a\\=b=c",
    "a\\,b=c",
    "a=b\\,c",
    "a=b\\",
    "a\\[0\\]=x",
    "a=b,c=d",
    "a=b,",
    "a,b=1",
    "a.b,c=1",
    "=x",
    ".a=1",
    "a..b=1",
    "a.=1",
    ",",
    "",
    "a",
    "a.b",
    " a = b ",
    "a= b",
    "ä=ö",
    "a=\"b\"",
    "a='b'",
    "a=b=c",
    "a=[1]",
    "a={1, 2}",
    "a.b.c.d=1",
    "flag.x=1",
    "text[0]=1",
    "a[0]=1",
    "q.w.e.r.t.y=1,q.w.e.r.u=2",
    "a=False",
    "a=NULL",
    "a=yes",
    "a={\\{}",
    "a=}",
    "list[00]=5",
    "list[ 1]=5",
    "[0]=x",
    "a.b[0].c=v",
];

const JSON_SETS: &[&str] = &[
    "a={\"b\":1}",
    "a=[1,2.5,null]",
    "a=null",
    "a=",
    "a=1 , text=\"x\"",
    "a=\"b\",c=true",
    "{\"a\":{\"b\":null},\"new\":[{}]}",
    "a=x",
    "a={",
    "list[1]={\"x\":1}",
    "list[1]=",
    "a.b=[],c.d={}",
    "{\"a\":1",
    "a=1.0",
    "a=1000000",
    "a=1e3",
    "a",
];

fn try_all(flag: &str, texts: &[&str]) {
    let chart = scratch(VALUES, &[("all.yaml", TEMPLATE)]);
    let given = chart.path().join("given.yaml");
    std::fs::write(&given, "list: [f, g]\na: {list: [h]}\nnumber: 1\n").unwrap();
    let agreements: Vec<Agreement> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            // Flags change what files gave, not what the chart has; every other text meets a file.
            let mut words = arguments(&[flag, text]);
            if at % 2 == 1 {
                words.extend(arguments(&["-f", given.to_str().unwrap()]));
            }
            agree(chart.path(), &words)
        })
        .collect();
    assert!(agreements.iter().filter(|agreement| **agreement == Agreement::Rendered).count() * 2 > texts.len());
}

#[test]
fn set_reads_every_text_as_helm_does() {
    try_all("--set", SETS);
}

/// Helm takes an index without a value silently, and empties the chart's list; that can only be a slip.
#[test]
fn an_index_without_a_value_is_refused_though_helm_takes_it() {
    let chart = scratch(VALUES, &[("all.yaml", TEMPLATE)]);
    for text in ["list[1", "list[1]"] {
        let words = arguments(&["--set", text]);
        assert!(theirs(chart.path(), &words).is_ok(), "{text}");
        assert!(ours(chart.path(), &words).is_err(), "{text}");
    }
}

#[test]
fn set_string_reads_every_text_as_helm_does() {
    try_all("--set-string", &SETS[..40]);
}

#[test]
fn set_json_reads_every_text_as_helm_does() {
    try_all("--set-json", JSON_SETS);
}

#[test]
fn the_same_layer_wins_in_whatever_order_the_flags_stand() {
    let chart = scratch(VALUES, &[("all.yaml", TEMPLATE)]);
    let file = |name: &str, text: &str| {
        let path = chart.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let first = file("first.yaml", "a: {b: {c: file, e: 5}}\ntext: first\nlist: [9]\nnested: {deep: null}\n");
    let second = file("second.yaml", "a: {b: {c: second}}\ntext: null\nnested: {deep: {other: 1}}\nflag: null\n");
    let content = file("content.txt", "from a file\nwith two lines\n");
    let from_file = format!("a.b.c={content}");
    for words in [
        vec!["-f", &first],
        vec!["-f", &first, "-f", &second],
        vec!["-f", &second, "-f", &first],
        vec!["--set", "a.b.c=set", "-f", &first],
        vec!["--set-string", "a.b.c=1", "--set", "a.b.c=2", "--set-json", "a.b.c=3"],
        vec!["--set-file", &from_file, "--set-string", "a.b.c=1", "--set", "a.b.c=2"],
        vec!["--set", "list[1]=x", "-f", &first],
        vec!["--set", "a=null", "-f", &first],
        vec!["--set", "a.b.c=null,text=null", "-f", &second],
        vec!["--set-json", "{\"a\":{\"b\":{\"q\":null}}}", "--set", "a.b.z=1"],
    ] {
        assert_eq!(agree(chart.path(), &arguments(&words)), Agreement::Rendered, "{words:?}");
    }
}
