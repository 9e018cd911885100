use super::value::from_json;
use super::{TemplateError, TemplateSource, Templates};
use proptest::prelude::*;
use serde_json::json;

const PATH: &str = "sample/templates/x.yaml";

fn load(text: &str) -> Result<Templates, TemplateError> {
    Templates::load(&[TemplateSource { path: PATH, text }])
}

fn source(text: &str) -> String {
    load(text).unwrap().tera_source(PATH).unwrap().to_string()
}

fn render(text: &str) -> Result<String, TemplateError> {
    let values = json!({"Values": {"text": "hello", "number": 3.0, "list": ["a", "b"], "map": {"b": 1.0, "a": "x"}, "empty": ""}});
    load(text)?.render(PATH, &from_json(&values))
}

#[test]
fn each_action_becomes_one_tag_on_its_line() {
    for (helm, tera) in [
        ("a: {{ .Values.a.b }}", "a: {{ dot.Values.a.b | text }}"),
        (
            "{{ .Values.tag | default .Chart.AppVersion | quote }}",
            "{{ dot.Values.tag | default(_0=dot.Chart.AppVersion) | quote }}",
        ),
        (
            "{{ if and .Values.list (eq (len .Values.list) 2) }}x{{ end }}",
            "{% if (dot.Values.list and (eq(_0=(len(_0=dot.Values.list)), _1=2))) %}x{% endif %}",
        ),
        ("{{ if .a }}1{{ else if .b }}2{{ else }}3{{ end }}", "{% if dot.a %}1{% elif dot.b %}2{% else %}3{% endif %}"),
        (
            "{{ with .a }}{{ .b }}{{ end }}",
            "{% set_global dot_1 = dot.a %}{% if dot_1 %}{{ dot_1.b | text }}{% endif %}",
        ),
        (
            "{{ range $k, $v := .m }}{{ $k }}{{ . }}{{ else }}none{{ end }}",
            "{% for k_1, v_2 in dot.m | range(_0=32) %}{{ k_1 | text }}{{ v_2 | text }}{% else %}none{% endfor %}",
        ),
        ("{{ $x := 1 }}{{ $x = not .a }}", "{% set_global x_1 = 1 %}{% set_global x_1 = (not dot.a) %}"),
        ("a\n\n  {{- if .b }}\nc{{ end }}", "a{%\n\n if dot.b %}\nc{% endif %}"),
        ("{{/* over\ntwo lines */ -}}\n\na", "{#\n\n\n#}a"),
        ("a {{ \"{{\" }} {% b", "a {{ \"{{\" }}{{ \" {% b\" }}"),
        ("{{ (.a).b.c }}", "{{ field(_0=dot.a, _1=\"b\", _2=\"c\") | text }}"),
        ("{{ .Files.Get \"x\" }}", "{{ files_get(_0=dot.Files, _1=\"x\") }}"),
        (
            "{{ -5 }} {{ 0x10 }} {{ 'a' }} {{ 1e3 }}",
            "{{ (-5) | text }} {{ 16 | text }} {{ 97 | text }} {{ 1000.0 | text }}",
        ),
        (
            "{{ $d := dict }}{{ $_ := set $d \"a\" 1 }}",
            "{% set_global d_1 = dict() %}{% set_global d_1 = set(_0=d_1, _1=\"a\", _2=1) %}",
        ),
    ] {
        assert_eq!(source(helm), tera, "{helm}");
    }
}

#[test]
fn a_define_becomes_a_component_and_include_calls_it() {
    assert_eq!(
        source("{{ define \"a.labels\" }}x: {{ .y }}{{ end }}{{ include \"a.labels\" . | nindent 4 }}"),
        "{% component a.labels(dot) %}{{ entered(_0=21) }}x: {{ dot.y | text }}{% endcomponent %}{{ <a.labels dot={ dot } /> | nindent(_0=4) }}"
    );
    assert!(source("{{ define \"a-b\" }}{{ end }}").starts_with("{% component hex_612d62(dot) %}"));
    assert!(source("{{ define \"r\" }}{{ include \"r\" . }}{{ end }}").contains("include(_0=\"r\", _1=dot)"));
}

#[test]
fn of_equal_defines_the_one_helm_parses_last_holds() {
    let file = |path, text| TemplateSource { path, text };
    let templates = Templates::load(&[
        file("c/templates/_a.tpl", "{{ define \"x\" }}first{{ end }}"),
        file("c/templates/_b.tpl", "{{ define \"x\" }}second{{ end }}"),
        file("c/templates/deep/_c.tpl", "{{ define \"x\" }}deep{{ end }}"),
        file("c/templates/z.yaml", "{{ include \"x\" . }}"),
    ])
    .unwrap();
    assert_eq!(templates.render("c/templates/z.yaml", &from_json(&json!({}))).unwrap(), "first");
}

#[test]
fn what_is_outside_the_dialect_is_refused_with_its_line_before_anything_renders() {
    for (text, message) in [
        (
            "a\n{{ lookup \"v1\" \"Pod\" \"\" \"\" }}",
            "parse error at (sample/templates/x.yaml:2): function \"lookup\" is not in the dialect of Helm templates that is supported here",
        ),
        (
            "\n\n{{ toYml .a }}",
            "parse error at (sample/templates/x.yaml:3): function \"toYml\" is not in the dialect of Helm templates that is supported here; did you mean toYaml?",
        ),
        ("{{ if .a }}", "parse error at (sample/templates/x.yaml:1): {{if}} has no {{end}}"),
        ("a\n{{ end }}", "parse error at (sample/templates/x.yaml:2): unexpected {{end}}"),
        (
            "{{ block \"x\" . }}{{ end }}",
            "parse error at (sample/templates/x.yaml:1): {{block}} is not supported; use {{define}} and {{template}}",
        ),
        ("{{ quote", "parse error at (sample/templates/x.yaml:1): the action is not closed with }}"),
        ("{{ $x }}", "parse error at (sample/templates/x.yaml:1): undefined variable $x"),
        ("{{ indent 2 }}", "parse error at (sample/templates/x.yaml:1): indent takes 2 arguments, here it has 1"),
        (
            "{{ include \"x\" . }}",
            "parse error at (sample/templates/x.yaml:1): no template \"x\" is defined in this chart",
        ),
        (
            "{{ .Files.Glob \"*\" }}",
            "parse error at (sample/templates/x.yaml:1): .Files.Glob cannot be called; only .Files.Get and .Capabilities.APIVersions.Has take arguments",
        ),
        (
            "{{ range .a }}{{ define \"x\" }}{{ end }}{{ end }}",
            "parse error at (sample/templates/x.yaml:1): {{define}} must stand outside of other blocks",
        ),
    ] {
        assert_eq!(load(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn changing_what_the_template_did_not_make_is_refused() {
    for text in [
        "{{ $_ := set .Values \"a\" 1 }}",
        "{{ $v := .Values }}{{ $_ := set $v \"a\" 1 }}",
        "{{ $d := dict }}{{ $e := $d }}{{ $_ := set $d \"a\" 1 }}",
        "{{ $d := dict }}{{ $l := list $d }}{{ $_ := set $d \"a\" 1 }}",
        "{{ $d := dict \"a\" .Values.map }}{{ $_ := merge $d (dict \"a\" 1) }}",
        "{{ $d := merge (dict) .Values.map (dict \"a\" 1) }}",
        "{{ set $.Values \"a\" 1 | toYaml }}",
        "{{ $d := dict }}{{ set $d \"a\" 1 | toYaml }}",
        "{{ $d := dict }}{{ $l := list }}{{ range .Values.list }}{{ $_ := set $d . 1 }}{{ $l = append $l $d }}{{ end }}",
    ] {
        let message = load(text).unwrap_err().to_string();
        assert!(message.contains("values cannot be changed in place here"), "{text}: {message}");
    }
}

#[test]
fn a_map_of_its_own_may_be_changed() {
    for (text, expected) in [
        ("{{ $d := dict \"a\" 1 }}{{ $_ := set $d \"b\" 2 }}{{ toJson $d }}", "{\"a\":1,\"b\":2}"),
        ("{{ $d := deepCopy .Values.map }}{{ $_ := set $d \"b\" 2 }}{{ toJson $d }}", "{\"a\":\"x\",\"b\":2}"),
        ("{{ $d := dict }}{{ range .Values.list }}{{ $_ := set $d . 1 }}{{ end }}{{ toJson $d }}", "{\"a\":1,\"b\":1}"),
        ("{{ merge (dict \"a\" 1) .Values.map | toJson }}", "{\"a\":1,\"b\":1}"),
    ] {
        assert_eq!(render(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn errors_while_rendering_name_the_innermost_line() {
    for (text, message) in [
        ("a\nb\n{{ fail \"stop here\" }}", "execution error at (sample/templates/x.yaml:3): stop here"),
        ("\n{{ required \"give it\" .Values.empty }}", "execution error at (sample/templates/x.yaml:2): give it"),
        (
            "{{ define \"x\" }}\n{{ fail \"inside\" }}{{ end }}\n\n{{ include \"x\" . }}",
            "execution error at (sample/templates/x.yaml:2): inside",
        ),
        (
            "{{ define \"x\" }}\n{{ fail \"inside\" }}{{ end }}\n\n{{ include (print \"x\") . }}",
            "execution error at (sample/templates/x.yaml:2): inside",
        ),
        (
            "\n{{ tpl \"\\n{{ fail \\\"deep\\\" }}\" . }}",
            "execution error at (sample/templates/x.yaml:2): in line 2 of the text given to tpl: deep",
        ),
        (
            "{{ .Values.missing.deeper }}",
            "execution error at (sample/templates/x.yaml:1): .missing has no value, so no field of it can be read; beside it are empty, list, map, number, text",
        ),
        (
            "{{ eq .Values.number 3 }}",
            "execution error at (sample/templates/x.yaml:1): incompatible types for comparison: float64 and int (numbers of values files are floats; use int)",
        ),
        (
            "{{ define \"r\" }}{{ include \"r\" . }}{{ end }}{{ include \"r\" . }}",
            "execution error at (sample/templates/x.yaml:1): templates call each other more than 30 deep",
        ),
    ] {
        assert_eq!(render(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn templates_that_call_each_other_deeply_end_with_an_error_and_not_with_a_crash() {
    let mut text = String::from("{{ define \"d0\" }}{{ tpl \"{{ include \\\"d19\\\" . }}\" . }}{{ end }}");
    for level in 1..20 {
        let define = format!("{{{{ define \"d{level}\" }}}}{{{{ include \"d{}\" . }}}}{{{{ end }}}}", level - 1);
        text.push_str(&define);
    }
    text.push_str("{{ include \"d19\" . }}");
    assert!(render(&text).is_err());
    for (open, close) in [("{{ if true }}", "{{ end }}"), ("{{ range .Values.list }}", "{{ end }}")] {
        assert!(load(&format!("{}x{}", open.repeat(30), close.repeat(30))).is_ok());
        assert!(load(&format!("{}x{}", open.repeat(500), close.repeat(500))).is_err());
    }
    assert!(load(&format!("{{{{ {}1{} }}}}", "(".repeat(500), ")".repeat(500))).is_err());
}

#[test]
fn what_would_take_too_long_or_too_much_is_refused() {
    let doubling = (1..30)
        .map(|level| {
            let call = format!("{{{{ include \"d{}\" . }}}}", level - 1);
            format!("{{{{ define \"d{level}\" }}}}{call}{call}{{{{ end }}}}")
        })
        .collect::<Vec<_>>()
        .concat();
    let doubling =
        format!("{{{{ define \"d0\" }}}}{}{{{{ end }}}}{doubling}{{{{ include \"d14\" . }}}}", "x".repeat(100_000));
    for (text, message) in [
        ("{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}", "text and lists"),
        ("{{ range until 100000 }}{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}{{ end }}", "text and lists"),
        (&doubling, "text and lists"),
        ("{{ $x := list }}{{ range until 200 }}{{ $x = list $x }}{{ end }}", "deeper than 130 levels"),
        ("{{ $x := list }}{{ range until 40 }}{{ $x = list $x $x }}{{ end }}", "more than 200000 parts"),
        ("{{ $x := \"x\" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}", "larger than 6 MiB"),
        ("{{ $x := until 100000 }}{{ range until 1000 }}{{ $y := concat $x $x }}{{ end }}", "more than 200000 parts"),
        ("{{ $x := until 90000 }}{{ uniq $x | len }}", "too long"),
        ("{{ printf (repeat 7 \"%1000000d\") 1 2 3 4 5 6 7 }}", "larger than 6 MiB"),
        ("{{ printf \"%.1000000d\" (until 1000) }}", "larger than 6 MiB"),
        ("{{ $x := repeat 100000 \"x\" }}{{ $x | replace \"\" $x }}", "larger than 6 MiB"),
        ("{{ join (repeat 100000 \"x\") (until 100000) }}", "larger than 6 MiB"),
        ("{{ splitList \"\" (repeat 200000 \"x\") }}", "more than 100000 parts"),
        ("{{ fromJson (printf \"{\\\"a\\\":[%s]}\" (repeat 1000000 \"[],\")) }}", "more than 64 MiB"),
    ] {
        let shown: String = text.chars().take(200).collect();
        let outcome = render(text).map_or_else(|error| error.to_string(), |text| text.chars().take(200).collect());
        assert!(outcome.contains(message), "{shown}: {outcome}");
    }
    let many = |text: &str| text.repeat(2000);
    assert!(load(&many("{{ $x := 1 }}")).unwrap_err().to_string().contains("more than 1000 variables"));
    let defines = (0..1001).map(|at| format!("{{{{ define \"d{at}\" }}}}{{{{ end }}}}")).collect::<Vec<_>>().concat();
    assert!(load(&defines).unwrap_err().to_string().contains("more than 1000 defines"));
}

#[test]
fn a_budget_is_that_of_all_templates_of_a_set() {
    let templates = load("{{ $x := repeat 5000000 \"x\" }}").unwrap();
    let rendered: Vec<bool> = (0..20).map(|_| templates.render(PATH, &from_json(&json!({}))).is_ok()).collect();
    assert!(rendered[0] && !rendered[19]);
}

#[test]
fn a_number_is_printed_with_any_precision() {
    let text = render("{{ printf \"%.70000f\" 1.5 }}").unwrap();
    assert_eq!((text.len(), text.trim_end_matches('0')), (70_002, "1.5"));
    assert_eq!(render("{{ printf \"%.2000e\" 1.5 }}").unwrap(), format!("1.5{}e+00", "0".repeat(1999)));
}

proptest! {
    #[test]
    fn no_text_makes_loading_or_rendering_panic(
        text in "([ -~\n\t\u{e4}]|\\{\\{-? ?|-?\\}\\}|if |end|range |\\$x|:= |\\.Values|\\.list|\\| |quote|\\(|\\)|\"|else|dict|set ){0,24}"
    ) {
        drop(render(&text));
    }

    #[test]
    fn text_without_actions_comes_out_as_it_is(text in "[ -z|~\n\t\u{e4}%#{]{0,60}") {
        prop_assume!(!text.contains("{{"));
        prop_assert_eq!(render(&text).unwrap(), text);
    }
}
