//! The text of templates, through the translator, the engine and the reader of documents.

use mizar_core::chart::{Chart, ReleaseInfo, render};

const VALUES: &str = "text: a b\nnumber: 3\nfloat: 1.5\nyes: true\nnone: null\nlist: [a, 1, {b: c}]\nmap: {a: {b: c}, d: []}\nempty: {}\n";
const HELPERS: &str = "{{- define \"a.labels\" -}}\napp: {{ .Values.text | quote }}\n{{- end }}\n{{ define \"a.again\" }}{{ if . }}{{ include \"a.again\" (rest .) }}{{ end }}{{ end }}";

/// A template, then helpers and values of its own.
pub fn chart_text(data: &[u8]) {
    let Some(mut parts) = crate::parts(data) else { return };
    let mut file = |path: &str, default: &str| (path.to_owned(), parts.next().unwrap_or(default).as_bytes().to_vec());
    let files = [
        file("templates/stage/a.yaml", ""),
        file("templates/_helpers.tpl", HELPERS),
        file("values.yaml", VALUES),
        ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: sample\nversion: 1.0.0\n".to_vec()),
        ("files/notice.txt".to_owned(), b"a file\n".to_vec()),
    ];
    let chart = match Chart::load(files) {
        Ok(chart) => chart,
        Err(error) => return crate::check(&error),
    };
    let release = ReleaseInfo { name: "sample".into(), namespace: "default".into(), revision: 1, is_install: true };
    match render(&chart, &chart.values, &release) {
        Ok(_) if crate::once() => {}
        Ok(rendered) => assert_eq!(rendered, render(&chart, &chart.values, &release).expect("it was rendered before")),
        Err(error) => crate::check(&error),
    }
}
