use serde_json::{Value, json};

use super::Template;

fn document() -> Value {
    json!({
        "kind": "Status",
        "nodes": {"total": 3, "ready": null},
        "items": [
            {"name": "a", "count": 1, "well": true, "labels": {"mizar.com/job": "x"}, "tags": ["t1", "t2", "t3"]},
            {"name": "b", "count": 2.5, "well": false, "tags": []},
            {"name": "c)d", "count": 3, "well": true, "extra": {"<k>": "&"}},
        ],
    })
}

fn printed(template: &str) -> String {
    let read = Template::parse(template).unwrap_or_else(|error| panic!("{error}"));
    read.print(&document()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(template: &str, character: usize, reason: &str) {
    let error = Template::parse(template).and_then(|read| read.print(&document())).expect_err(template);
    assert_eq!((error.character, error.reason.as_str()), (character, reason), "{template}");
}

#[test]
fn what_is_selected_is_printed() {
    for (template, text) in [
        ("", ""),
        ("text", "text"),
        (".kind", ".kind"),
        ("{.kind}", "Status"),
        ("{ .kind }", "Status"),
        ("{$.kind}{@.kind}{['kind']}", "StatusStatusStatus"),
        ("a{.kind}b{.kind}}", "aStatusbStatus}"),
        ("{.nodes.total}", "3"),
        ("{.nodes.ready}|{.nothing}|{.kind.x}|{.}", "null|||"),
        ("{.nodes}", r#"{"ready":null,"total":3}"#),
        ("{.items[2].extra}", r#"{"\u003ck\u003e":"\u0026"}"#),
        ("{.items[*].name}", "a b c)d"),
        ("{.items[0].labels.mizar\\.com/job}", "x"),
        ("{.items[0].labels['mizar\\.com/job']}", "x"),
        ("{.items[*].labels.*}", "x"),
        ("{.items[0]['name','count']}", "a 1"),
        ("{.items[*]['name', 'labels.mizar\\.com/job']}", "a b c)d x"),
        ("{.items[0,2].name}", "a c)d"),
        ("{.items[-1].name}{.items[-2:].name}", "c)db c)d"),
        ("{.items[0:3:2].name}{.items[:1].name}{.items[1:1].name}", "a c)da"),
        ("{..tags}", r#"["t1","t2","t3"] []"#),
        ("{..total}", "3"),
        ("{1} {-2} {true} {1.50}", "1 -2 true 1.5"),
        (r#"{"a\tb\n\"\\\u00fc\x41\101"}{'it\'s'}"#, "a\tb\n\"\\üAAit's"),
    ] {
        assert_eq!(printed(template), text, "{template}");
    }
}

#[test]
fn ranges_repeat_their_body_and_may_be_nested() {
    for (template, text) in [
        ("{range .items[*]}{.name}={.count}{\"\\n\"}{end}", "a=1\nb=2.5\nc)d=3\n"),
        ("{range .items[*]}{range .tags[*]}{@},{end};{end}", "t1,t2,t3,;;;"),
        ("{range .nothing[*]}x{end}y", "y"),
        ("{range .items[*]}{.name}", "abc)d"),
    ] {
        assert_eq!(printed(template), text, "{template}");
    }
}

#[test]
fn filters_keep_what_passes() {
    for (template, text) in [
        ("{.items[?(@.name==\"b\")].count}", "2.5"),
        ("{.items[?(@.name=='c)d')].count}", "3"),
        ("{.items[?( @.name != 'a' )].name}", "b c)d"),
        ("{.items[?(@.count>1)].name}{.items[?(@.count>=2.5)].name}", "b c)db c)d"),
        ("{.items[?(@.count<2)].name}{.items[?(@.count<=2.5)].name}", "aa b"),
        ("{.items[?(@.well==true)].name}", "a c)d"),
        ("{.items[?(.labels)].name}", "a"),
        ("{.items[?(@.tags[0])].name}", "a"),
        ("{.items[?(@.nothing==1)].name}", ""),
        ("{.items[?(@.count==@.count)].name}", "a b c)d"),
    ] {
        assert_eq!(printed(template), text, "{template}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    refused("{.kind", 1, "this { is never closed");
    refused("ü{.items[0", 9, "this [ is never closed");
    refused("{.items[x]}", 9, "\"x\" is no index; a key is written ['key'], an index [0], a slice [0:2]");
    refused("{.items[]}", 9, "\"\" is no index; a key is written ['key'], an index [0], a slice [0:2]");
    refused(
        "{.items[\"name\"]}",
        9,
        "\"\\\"name\\\"\" is no index; a key is written ['key'], an index [0], a slice [0:2]",
    );
    refused("{kind}", 2, "unknown word \"kind\"; a field is written .kind");
    refused("{end}", 1, "{end} without a {range}");
    refused("{range .items[*]}{end}{end}", 23, "{end} without a {range}");
    refused("{\"a}", 2, "this quote is never closed");
    refused(r#"{"\q"}"#, 3, "unknown escape");
    refused("{.a?.b ~}", 8, "'~' is not expected here");
    refused("{....name}", 4, "more than one .. in a row");
    refused("{1.2.3}", 2, "\"1.2.3\" is no number");
    refused("{.items[?(@.name=='a']}", 8, "this filter is never closed");
    refused("{.items[?(@.name='a')]}", 17, "unknown operator =; there are == != < <= > >=");
    refused("{.items[?(@.name==)]}", 19, "nothing to compare with");
    refused(&format!("{{{}", "[?(".repeat(10_000)), 2, "this filter is never closed");
}

#[test]
fn what_does_not_fit_the_document_is_named_with_its_place() {
    refused("{.items[5].name}", 8, "array index out of bounds: index 5, length 3");
    refused("{.items[-4]}", 8, "array index out of bounds: index -1, length 3");
    refused("{.items[0:9]}", 8, "array index out of bounds: index 8, length 3");
    refused("{.items[2:1]}", 8, "starting index 2 is greater than ending index 1");
    refused("{.items[0:2:0]}", 8, "step must be > 0");
    refused("{.kind[0]}", 7, "this is text, not a list");
    refused("{.nodes[?(@.x)]}", 8, "this is an object, not a list");
    refused("{.items[?(@.name==1)]}", 8, "text cannot be compared with a number like this");
    refused("{.items[?(@.well<true)]}", 8, "a truth cannot be compared with a truth like this");
    refused("{.items[?(@.tags[*]=='t1')]}", 8, "can only compare one element at a time");
}
