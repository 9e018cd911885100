//! Charts that cannot be loaded or rendered: which file, which line, what about it.

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
fn a_folder_without_chart_yaml_is_no_chart() {
    Place::with("folder/values.yaml", "").run(&["render", "--chart", "folder"]).fails(
        1,
        "error: folder is no chart: it has no Chart.yaml\nhint: name the folder that holds Chart.yaml: --chart DIR\n",
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
