//! Charts that cannot be loaded or rendered: which file, which line, what about it.

use std::path::Path;

use crate::program::Place;

/// Renders the chart mizar with one more template.
#[track_caller]
fn template_fails(text: &str, problem: &str) {
    let place = Place::with_chart().and("chart/templates/access/extra.yaml", text);
    place.run(&["render", "--chart", "chart", "--profile", "dev"]).fails(1, &format!("error: {problem}\n"));
}

#[test]
fn a_missing_folder_is_named() {
    for command in ["render", "install", "values"] {
        Place::empty()
            .run(&[command, "--chart", "nowhere", "--profile", "dev"])
            .fails(1, "error: nowhere is no chart: it has no Chart.yaml\nhint: name the folder that holds Chart.yaml: --chart DIR\n");
    }
}

#[test]
fn what_is_no_folder_of_a_chart_is_named_with_the_way_to_one() {
    let place = Place::with("folder/values.yaml", "").and("mizar-0.1.0.tgz", b"\x1f\x8b".as_slice());
    for (name, problem, hint) in [
        ("folder", "folder is no chart: it has no Chart.yaml", "name the folder that holds Chart.yaml: --chart DIR"),
        (
            "/dev/null",
            "/dev/null is no chart: it has no Chart.yaml",
            "name the folder that holds Chart.yaml: --chart DIR",
        ),
        (
            "mizar-0.1.0.tgz",
            "mizar-0.1.0.tgz is no packed chart, or is damaged: unexpected end of file",
            "name the folder that holds Chart.yaml, or a chart that helm package made: --chart PATH",
        ),
        (
            "oci://registry.example/mizar",
            "oci://registry.example/mizar is an address, and --chart takes a folder or a packed chart",
            "fetch it first: helm pull oci://registry.example/mizar",
        ),
    ] {
        place.run(&["render", "--chart", name]).fails(1, &format!("error: {problem}\nhint: {hint}\n"));
    }
}

#[test]
fn a_packed_chart_renders_as_its_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("charts/mizar");
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&folder).unwrap().display().to_string();
                files.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    let packed = mizar_core::chart::package(files).unwrap();
    let place = Place::with("mizar.tgz", packed.archive.as_slice());
    let of_packed = place.run(&["render", "--chart", "mizar.tgz", "--profile", "dev"]);
    let of_folder = place.run(&["render", "--chart", &folder.display().to_string(), "--profile", "dev"]);
    assert_eq!((of_packed.code, of_folder.code), (0, 0), "{}", of_packed.stderr);
    assert_eq!(of_packed.stdout, of_folder.stdout);
}

/// One file of the chart mizar replaced, and what is told of it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("Chart.yaml", "", "Chart.yaml:1: must hold a mapping, `key: value`, and holds nothing"),
    ("Chart.yaml", "- a\n", "Chart.yaml:1: must hold a mapping, `key: value`, and holds a list"),
    ("Chart.yaml", "name: [\n", "Chart.yaml:1:7: unclosed bracket '['"),
    (
        "Chart.yaml",
        "name: a\nname: b\n",
        "Chart.yaml:2:1: the key `name` is set twice in this mapping, first in line 1",
    ),
    ("Chart.yaml", "version: 1.0.0\n", "Chart.yaml: `name` is missing"),
    ("Chart.yaml", "name: [a]\n", "Chart.yaml: `name` must be a text"),
    ("Chart.yaml", "name: ../a\nversion: 1.0.0\n", "Chart.yaml: `../a` is no name for a chart"),
    ("Chart.yaml", "name: mizar\n", "Chart.yaml: `version` is missing"),
    ("Chart.yaml", "name: mizar\nversion: new\n", "Chart.yaml: `version` is new, must be a version such as 1.2.3"),
    ("Chart.yaml", "name: mizar\nversion: 1.0.0\ntype: plugin\n", "Chart.yaml: `type` is plugin, must be application"),
    (
        "Chart.yaml",
        "apiVersion: v3\nname: mizar\nversion: 1.0.0\n",
        "Chart.yaml: `apiVersion` is v3, and this version of kubectl-mizar reads v1 and v2",
    ),
    ("values.yaml", "vni: [\n", "values.yaml:1:6: unclosed bracket '['"),
    ("values.yaml", "- a\n", "values.yaml:1: must hold a mapping, `key: value`, and holds a list"),
    ("values.schema.json", "{", "values.schema.json: not JSON: EOF while parsing an object at line 1 column 1"),
    ("values.schema.json", "{\"pattern\": \"(\"}", "values.schema.json: \"(\" is not a \"regex\""),
];

#[test]
fn a_broken_file_of_a_chart_is_named_with_its_folder() {
    for (file, content, problem) in BROKEN {
        let place = Place::with_chart().and(&format!("chart/{file}"), content);
        let outcome = place.run(&["render", "--chart", "chart", "--profile", "dev"]);
        outcome.fails(1, &format!("error: chart/{problem}\n"));
    }
}

#[test]
fn a_schema_is_not_fetched_from_elsewhere() {
    let place = Place::with_chart().and("chart/values.schema.json", "{\"$ref\": \"file:///etc/hostname\"}");
    let outcome = place.run(&["render", "--chart", "chart", "--profile", "dev"]);
    assert!(outcome.stderr.starts_with("error: chart/values.schema.json: "), "{}", outcome.stderr);
    assert_eq!(outcome.code, 1);
}

#[test]
fn what_cannot_be_installed_is_told_with_the_chart() {
    let metadata = "apiVersion: v2\nname: mizar\nversion: 1.0.0\n";
    let library = Place::with_chart().and("chart/Chart.yaml", format!("{metadata}type: library\n"));
    library
        .run(&["render", "--chart", "chart"])
        .fails(1, "error: chart mizar is a library, which cannot be installed\n");
    let needy = format!("{metadata}dependencies: [{{name: base, version: 1.0.0, repository: \"\"}}]\n");
    let needy = Place::with_chart().and("chart/Chart.yaml", needy).run(&["render", "--chart", "chart"]);
    assert!(
        needy.stderr.starts_with("error: chart mizar has dependencies (base), which are not supported"),
        "{}",
        needy.stderr
    );
    assert!(needy.stderr.ends_with("hint: render it with Helm: helm template NAME chart\n"), "{}", needy.stderr);
    let other =
        Place::with_chart().and("chart/Chart.yaml", metadata).run(&["render", "--chart", "chart", "--profile", "dev"]);
    assert_eq!(other.code, 0, "{}", other.stderr);
}

#[cfg(unix)]
#[test]
fn links_are_followed_as_helm_does_and_what_is_no_file_is_refused() {
    use std::os::unix::fs::symlink;
    let render = |place: &Place| place.run(&["render", "--chart", "chart", "--profile", "dev"]);
    let refused = |place: &Place, problem: &str| {
        let outcome = render(place);
        assert!(outcome.stderr.starts_with(&format!("error: cannot read the chart: {problem}")), "{}", outcome.stderr);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    };
    let place = Place::with_chart().and("shared.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\n");
    symlink(place.path("shared.yaml"), place.path("chart/templates/access/shared.yaml")).unwrap();
    assert!(render(&place).data().contains("name: shared"));

    let place = Place::with_chart();
    symlink("/nowhere", place.path("chart/templates/lost.yaml")).unwrap();
    refused(&place, "chart/templates/lost.yaml: No such file or directory");
    let place = Place::with_chart();
    symlink("..", place.path("chart/templates/up")).unwrap();
    refused(&place, "chart/templates/up is a link to a folder that it lies in");
    let place = Place::with_chart();
    symlink("/dev/zero", place.path("chart/templates/zero.yaml")).unwrap();
    refused(&place, "chart/templates/zero.yaml is a device, a pipe or a socket, not a file");
    let place = Place::with_chart();
    place.pipe("chart/pipe");
    refused(&place, "chart/pipe is a device, a pipe or a socket, not a file");
}

#[test]
fn a_folder_named_by_mistake_is_not_read_to_its_end() {
    let place = Place::with_chart();
    std::fs::File::create(place.path("chart/large")).unwrap().set_len(1 << 40).unwrap();
    let outcome = place.run(&["render", "--chart", "chart", "--profile", "dev"]);
    outcome.fails(
        1,
        "error: chart is too large for a chart (5000 files and 32 MiB); too much was chart/large\n\
         hint: name the folder that holds Chart.yaml: --chart DIR\n",
    );
}

#[test]
fn a_chart_of_another_name_is_not_installed() {
    let place = Place::with("other/Chart.yaml", "apiVersion: v2\nname: other\nversion: 1.0.0\n");
    place.run(&["install", "--profile", "dev", "--chart", "other", "--dry-run=client"]).fails(
        1,
        "error: --chart: this is the chart other, not mizar-crds or mizar\n\
         hint: any chart can be rendered: kubectl mizar render --chart DIR\n",
    );
}

#[test]
fn an_unknown_function_is_refused_when_the_chart_is_loaded() {
    template_fails(
        "# a comment\n{{- if false }}\na: {{ nosuch 1 }}\n{{- end }}\n",
        "parse error at (mizar/templates/access/extra.yaml:3): function \"nosuch\" is not in the dialect of Helm templates that is supported here",
    );
}

#[test]
fn a_function_that_asks_the_cluster_is_refused() {
    template_fails(
        "a: {{ lookup \"v1\" \"Pod\" \"default\" \"p\" }}\n",
        "parse error at (mizar/templates/access/extra.yaml:1): function \"lookup\" is not in the dialect of Helm templates that is supported here",
    );
}

#[test]
fn broken_syntax_is_named_with_its_line() {
    template_fails(
        "a: 1\nb: {{ .Values.",
        "parse error at (mizar/templates/access/extra.yaml:2): the action is not closed with }}",
    );
    template_fails(
        "a: 1\n{{ if true }}x\n",
        "parse error at (mizar/templates/access/extra.yaml:2): {{if}} has no {{end}}",
    );
    template_fails(
        "a: {{ include \"nope\" . }}\n",
        "parse error at (mizar/templates/access/extra.yaml:1): no template \"nope\" is defined in this chart",
    );
}

#[test]
fn what_a_chart_itself_refuses_is_told_in_its_words() {
    template_fails(
        "a: 1\n{{ fail \"no such luck\" }}\n",
        "execution error at (mizar/templates/access/extra.yaml:2): no such luck",
    );
}

#[test]
fn output_that_is_no_yaml_is_named_with_its_line() {
    template_fails(
        "a: [1\n",
        "YAML parse error on mizar/templates/access/extra.yaml: line 1, column 4: unclosed bracket '['",
    );
}

#[test]
fn a_chart_in_a_folder_renders_to_the_same_bytes_as_the_built_in_one() {
    let place = Place::with_chart();
    let chart = place.run(&["render", "--chart", "chart", "--profile", "dev"]);
    let both = place.run(&["render", "--profile", "dev"]);
    assert!(both.data().ends_with(chart.data()));
    assert!(both.data().starts_with("---\n# Source: mizar-crds/"));
    assert!(chart.data().starts_with("---\n# Source: mizar/"));
}

#[test]
fn the_alias_and_the_dry_run_print_what_render_prints() {
    let place = Place::empty();
    let rendered = place.run(&["render", "--profile", "dev"]);
    assert_eq!(place.run(&["template", "--profile", "dev"]).data(), rendered.data());
    let dry = place.run(&["install", "--profile", "dev", "--dry-run=client"]);
    assert_eq!(dry.stdout, rendered.stdout);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, "nothing was sent to a cluster (dry run)\n"));
}

#[test]
fn files_are_written_by_stage_when_a_folder_is_named() {
    let place = Place::empty();
    let outcome = place.run(&["render", "--profile", "dev", "--output-dir", "out"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{}", outcome.stderr);
    let mut stages: Vec<String> = std::fs::read_dir(place.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    stages.sort();
    assert!(stages.iter().any(|stage| stage.contains("daemon")), "{stages:?}");
    assert!(stages.iter().any(|stage| stage.contains("definitions")), "{stages:?}");
}
