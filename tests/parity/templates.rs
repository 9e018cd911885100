//! The dialect beyond what our charts use: each line is rendered by both, in one chart, and again alone where both must refuse it.

use crate::helm::{Agreement, agree, decoded, ours, same, scratch, theirs};

const VALUES: &str = "\
text: hello\nempty: ''\nnumber: 3\nbig: 1234567\nmillion: 1000000\nfraction: 1.5\ntruth: true\nlie: false\nlist: [b, a, 3, true]\nempties: []\n\
map: {b: 1, a: {x: y}, c: [1, 2]}\nversion: v1.29.3-gke.1\nhtml: '<a & b>'\nlines: \"one\\ntwo\\n\"\n";

/// What stands between two lines here is one expression whose result is compared.
const EXPRESSIONS: &[&str] = &[
    ".Values.text", ".Values.number", ".Values.big", ".Values.million", ".Values.fraction", ".Values.missing", ".Values.truth", ".Values.list", ".Values.map",
    "(.Values.missing).deeper", "int .Values.number", "int \"08\"", "int \"0x1F\"", "int 3.9", "int64 .Values.number", "float64 \"1.5\"", "int \"text\"",
    "eq .Values.text \"hello\"", "eq (int .Values.number) 3", "eq .Values.text \"a\" \"hello\"", "ne .Values.text \"x\"", "lt 1 2", "ge (int .Values.number) 3",
    "gt 2.5 1.5", "eq .Values.missing nil", "and .Values.text .Values.number", "and .Values.empty .Values.text", "or .Values.empty .Values.text", "not .Values.lie",
    "or .Values.missing .Values.empty", "len .Values.list", "len .Values.text", "len .Values.map", "index .Values.list 1", "index .Values.map \"a\" \"x\"",
    "index .Values.map \"missing\"", "printf \"%s-%d-%v\" .Values.text (int .Values.number) .Values.fraction", "printf \"%d\" .Values.number",
    "printf \"%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U\" 42 42 42 42 255 255 8 5 65 65", "printf \"%q %q %v\" .Values.text 65 .Values.map", "printf \"%t %v\" true nil",
    "printf \"%.2f %8.3f %e %g\" .Values.fraction .Values.fraction .Values.fraction .Values.big", "printf \"%s\" .Values.number", "printf \"%d %s\" 1",
    "printf \"%d\" 1 2", "printf \"%%|%z\" 1", "printf \"%T %T %T %T\" 1 1.5 \"a\" .Values.map", "printf \"%5s|%-5s|%.2s|%05s\" \"ab\" \"ab\" \"abc\" \"ab\"",
    "printf \"%v %s\" .Values.list .Values.list", "printf \"%#x %*d\" 255 5 3", "print 1 2 \"a\" \"b\" 3 nil", "println 1 \"a\"", "print", "cat 1 \"a\" nil",
    "default \"x\" .Values.empty", "default \"x\" .Values.text", ".Values.missing | default \"y\"", "coalesce .Values.missing .Values.empty .Values.text",
    "ternary \"a\" \"b\" .Values.truth", "ternary \"a\" \"b\" (empty .Values.text)", "empty .Values.empties", "quote .Values.text .Values.number nil",
    "squote .Values.text", "quote \"a\\\"b\\\\c\\n\\tä\\u00a0\\u200b\\u0301😀\"", "toString .Values.big", "toString .Values.list", "indent 2 .Values.lines",
    "nindent 4 .Values.lines", "trim \"  a \"", "trimAll \"$\" \"$a$\"", "trimPrefix \"a\" \"ab\"", "trimSuffix \"b\" \"ab\"", "trunc 3 \"abcdef\"",
    "trunc -3 \"abcdef\"", "trunc 10 \"abc\"", "trunc 0 \"abc\"", "replace \"l\" \"L\" .Values.text", "lower \"ABC\"", "upper \"abc\"", "title \"hello big-world o'neil\"",
    "repeat 3 \"ab\"", "nospace \" a b \"", "join \",\" .Values.list", "join \"-\" (list 1 nil \"a\")", "splitList \".\" \"a.b.c\"", "splitList \"\" \"abc\"",
    "contains \"ell\" .Values.text", "hasPrefix \"he\" .Values.text", "hasSuffix \"lo\" .Values.text", "dict \"a\" 1 \"b\"", "list 1 \"a\" nil true",
    "first .Values.list", "last .Values.list", "first .Values.empties", "rest .Values.list", "initial .Values.list", "reverse .Values.list", "has \"a\" .Values.list",
    "has 3 .Values.list", "has 3.0 .Values.list", "append .Values.list 9", "prepend .Values.list 9", "uniq (list 1 1 2)", "compact (list 0 1 \"\")",
    "without .Values.list \"a\"", "concat .Values.list (list 7)", "get .Values.map \"b\"", "get .Values.map \"zz\"", "hasKey .Values.map \"b\"",
    "keys .Values.map | sortAlpha", "sortAlpha .Values.list", "pick .Values.map \"a\" \"zz\"", "omit .Values.map \"a\"", "dig \"a\" \"x\" \"no\" .Values.map",
    "dig \"a\" \"z\" \"no\" .Values.map", "dig \"q\" \"z\" \"no\" .Values.map", "merge (dict \"a\" 1) (dict \"a\" 2 \"b\" 3)", "merge (dict \"a\" 0) (dict \"a\" 2)",
    "merge (deepCopy .Values.map) (dict \"a\" (dict \"x\" \"z\" \"w\" 1))", "set (dict \"a\" 1) \"b\" 2", "deepCopy .Values.map", "b64enc .Values.text",
    "b64dec \"aGVsbG8=\"", "sha256sum .Values.text", "toJson .Values", "toJson .Values.html", "toYaml .Values", "fromYaml \"a: 1\\nb: [x]\"", "fromJson \"{\\\"a\\\":1}\"",
    "kindOf .Values.number", "kindOf 1", "kindOf nil", "kindIs \"map\" .Values.map", "typeOf .Values.list", "typeOf .Values.text", "typeIs \"string\" \"a\"",
    "add 1 2 3", "add .Values.number 1", "sub 5 3", "mul 2 3", "div 7 2", "mod 7 2", "max 1 5 3", "min 4 2", "add1 3", "until 3", "typeOf (add 1 2)",
    "semverCompare \">=1.29-0\" .Values.version", "semverCompare \">=1.29\" .Values.version", "semverCompare \"^1.2.0\" \"1.9.0\"", "semverCompare \"~1.2\" \"1.2.9\"",
    "semverCompare \"1.2.x\" \"1.2.9\"", "semverCompare \">1.2, <2\" \"1.3.0\"", "semverCompare \"<1 || >=3\" \"3.1.0\"", "semverCompare \"!=1.2.3\" \"1.2.3\"",
    "semverCompare \"^0.2.3\" \"0.3.0\"", "semverCompare \"*\" \"1.0.0\"", "semverCompare \">1.2\" \"1.2.5\"", "semverCompare \"<=1.2\" \"1.2.5\"",
    ".Release.Name", ".Release.Namespace", ".Release.Service", ".Release.Revision", ".Release.IsInstall", ".Release.IsUpgrade", ".Chart.Name", ".Chart.Version",
    ".Chart.AppVersion", ".Chart.Description", ".Chart.Type", ".Chart.APIVersion", ".Template.Name", ".Template.BasePath", 
    ".Capabilities.KubeVersion.Version", ".Capabilities.KubeVersion.Minor", ".Capabilities.APIVersions.Has \"apps/v1\"", ".Capabilities.APIVersions.Has \"x/v1\"",
    ".Files.Get \"data.txt\"", ".Files.Get \"missing.txt\"", "include \"named\" .", "include \"named\" . | upper", "include (printf \"%s\" \"named\") .",
    "include \"dashed-name/x\" (dict \"a\" 1)", "include \"nothing\" . | quote", "tpl \"{{ .Values.text }}!\" .", "tpl \"{{ include \\\"named\\\" . }}\" $",
    "`raw {{ string`", "'a'", "0x1F", "1e3", "-5", "1_000", "\"\\u00e9\\x41\"", "$.Values.text", "(.Values.map).b",
    "(dict \"a\" (dict \"b\" 1)).a.b", "eq (len (list)) 0", "typeOf .Values.million", "println", "toYaml (list)", "toYaml nil", "toJson nil",
];

/// Each expression stands in a define of its own, whose output travels in base64 so that no line break of it matters.
#[test]
fn every_function_gives_what_helm_gives() {
    let mut text = String::from(
        "{{- define \"named\" }}N{{ .Values.text }}{{ end }}{{ define \"dashed-name/x\" }}{{ .a }}{{ end }}{{ define \"nothing\" }}{{ .zzz }}{{ end }}\n",
    );
    for (at, expression) in EXPRESSIONS.iter().enumerate() {
        text.push_str(&format!("{{{{ define \"e{at}\" }}}}{{{{ {expression} }}}}{{{{ end }}}}"));
        text.push_str(&format!("e{at}: {{{{ include \"e{at}\" . | b64enc | quote }}}}\n"));
        text.push_str(&format!("p{at}: {{{{ print ({expression}) | b64enc | quote }}}}\n"));
    }
    let chart = scratch(VALUES, &[("all.yaml", &text)]);
    std::fs::write(chart.path().join("data.txt"), "some data\n").unwrap();
    let (theirs, ours) = (theirs(chart.path(), &[]).unwrap(), ours(chart.path(), &[]).unwrap());
    let differing: Vec<String> = theirs
        .lines()
        .zip(ours.lines())
        .filter(|(left, right)| left != right)
        .map(|(left, right)| format!("{}\n  helm: {}\n  ours: {}", expression_of(left), decoded(left), decoded(right)))
        .collect();
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    same(&theirs, &ours, "all expressions");
}

/// The expression that a line such as `e12: "…"` is the result of.
fn expression_of(line: &str) -> &str {
    let number = line.split(':').next().and_then(|name| name.get(1..)?.parse::<usize>().ok());
    number.and_then(|at| EXPRESSIONS.get(at)).copied().unwrap_or(line)
}

const BLOCKS: &[&str] = &[
    "a: {{ if .Values.text }}1{{ else }}2{{ end }}",
    "a: {{ if .Values.empty }}1{{ else if eq .Values.text \"hello\" }}2{{ else }}3{{ end }}",
    "a: {{ if $x := .Values.empty }}{{ $x }}{{ else if $y := .Values.text }}{{ $y }}{{ end }}",
    "a: {{ with .Values.map }}{{ .b }}{{ $.Values.text }}{{ end }}",
    "a: {{ with .Values.missing }}1{{ else with .Values.text }}{{ . }}{{ else }}3{{ end }}",
    "a: {{ with $m := .Values.map }}{{ $m.b }}{{ .b }}{{ end }}",
    "a:\n{{- range .Values.list }}\n- {{ . }}\n{{- end }}",
    "a:\n{{- range $index, $item := .Values.list }}\n- {{ $index }}-{{ $item }}\n{{- else }}\n- none\n{{- end }}",
    "a:\n{{- range $key, $value := .Values.map }}\n  {{ $key }}: {{ $value | toJson }}\n{{- end }}",
    "a: {{ range .Values.empties }}x{{ else }}nothing{{ end }}",
    "a: {{ range until 5 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}",
    "a: {{ range 3 }}{{ . }}{{ end }}",
    "a: {{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}",
    "a: {{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x }}{{ end }}{{ $x }}",
    "a: {{ $x := \"\" }}{{ range .Values.list }}{{ $x = printf \"%s%v\" $x . }}{{ end }}{{ $x }}",
    "{{- $d := dict \"a\" 1 }}\n{{- $_ := set $d \"b\" 2 }}\n{{- $_ := unset $d \"a\" }}\na: {{ $d | toJson }}",
    "{{- $d := dict }}\n{{- range .Values.list }}{{ $_ := set $d (toString .) 1 }}{{ end }}\na: {{ $d | toJson }}",
    "{{- $d := merge (dict \"a\" 1) (deepCopy .Values.map) }}\n{{- $_ := merge $d (dict \"z\" 1) }}\na: {{ $d | toJson }}",
    "{{/* a comment */}}a: 1 {{- /* another\nover lines */ -}}\n\n  b",
    "a: 1\n\n\n   {{- if true }}\nb: 2\n   {{- end }}  \n\n\nc: 3",
    "a: [1,  {{- 2 -}}  \n\t , 3]",
    "a: \"{{ \"{{\" }} {{ \"}}\" }} {% raw %} {# x #} {\"\nb: {{ 1 }}",
    "a: {{- \" x \" -}} b",
    "{{ define \"t\" }}<{{ . }}>{{ end }}a: {{ template \"t\" .Values.text }}{{ template \"t\" }}",
    "{{ define \"r\" }}{{ if gt . 0 }}{{ . }}{{ include \"r\" (int (sub . 1)) }}{{ end }}{{ end }}a: {{ include \"r\" 5 }}",
    "a: {{ .Values.text\n  | upper\n  | quote }}\nb: {{ (list 1\n2) | toJson }}",
    "a: 1\n---\nb: 2\n--- # c\n---\n\n---\nkind: Secret\n",
    "---\n---\na: 1\n\n\n",
    "a: |\n  ---\n  b",
    "a: {{ .Capabilities.KubeVersion }}",
    "a: {{ .Values.map.a.x }}{{ $m := .Values.map }}{{ $m.b }}{{ $n := .Values.missing }}{{ $n.x }}",
];

#[test]
fn every_block_gives_what_helm_gives() {
    let files: Vec<(String, &str)> = BLOCKS.iter().enumerate().map(|(at, block)| (format!("block{at:02}.yaml"), *block)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, block)| (path.as_str(), *block)).collect();
    let chart = scratch(VALUES, &files);
    assert_eq!(agree(chart.path(), &[]), Agreement::Rendered);
}

const REFUSED: &[&str] = &[
    "{{ .Values.missing.deeper }}", "{{ fail \"stop\" }}", "{{ required \"needed\" .Values.empty }}", "{{ eq .Values.number 3 }}", "{{ eq .Values.map .Values.map }}",
    "{{ lt 1 1.5 }}", "{{ index .Values.list 9 }}", "{{ index .Values.list .Values.number }}", "{{ nosuch 1 }}", "{{ if }}{{ end }}", "{{ if true }}", "{{ end }}",
    "{{ $x }}", "{{ $x = 1 }}", "{{ .Values.text | }}", "{{ 1 | 2 }}", "{{ \"open }}", "{{ include \"nosuch\" . }}", "{{ trunc \"a\" \"b\" }}", "{{ quote (1 }}",
    "{{ break }}", "{{ len 3 }}", "{{ len nil }}", "{{ index nil 1 }}", "{{ ternary 1 2 3 }}", "{{ div 1 0 }}", "{{ upper 3 }}", "{{ range 1.5 }}{{ end }}",
    "a: {{ tpl \"{{ fail \\\"x\\\" }}\" . }}", "a: b: c", "- just a list", "{{ template \"nosuch\" }}", "{{ else }}", "{{ if true }}{{ else }}{{ else }}{{ end }}",
    "{{ dig \"a\" \"x\" \"y\" \"d\" .Values.map }}", "{{ semverCompare \"nonsense\" \"1.0.0\" }}", "{{ nil }}", "{{ /* open }}", "{{ (.Values.map).a.q.z }}",
];

#[test]
fn what_helm_refuses_is_refused() {
    for text in REFUSED {
        let chart = scratch(VALUES, &[("one.yaml", text)]);
        assert_eq!(agree(chart.path(), &[]), Agreement::Refused, "{text}");
    }
}
