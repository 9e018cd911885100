//! docs/events.md is made from docs/events.schema.json; `MIZAR_BLESS=1 cargo test --test cli` writes it anew.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::repository;

const HEAD: &str = "# Events

<!-- Made from events.schema.json by `MIZAR_BLESS=1 cargo test --test cli`; a test holds it to that file, and the file to the program. -->

`kubectl mizar install -o json`, `repair -o json` and `uninstall -o json` write one event per line to stdout: what happened, when, and nothing for
people. [events.schema.json](events.schema.json) is the JSON Schema of a line.

- Every line has `schema`, `time` and `type`. Fields and types may be added to `mizar.dev/v1`: pass over those that you do not
  know. A field that goes or changes makes a new version.
- The first line is `started`. A run that ends by itself tells it in `finished`; one that fails ends with `failed`, after an
  interruption and after time ran out, too. `exit` and `exitCode` are the [exit code](exit-codes.md).
- A command line that is wrong (exit code 2) may end before the first line; stderr says what is wrong.
- With `--plan` and `-o yaml` or `-o jsonpath=…`, the event `planMade`, `repairPlanned` or `uninstallPlanned` is shown alone, without `time`.

```text
# What has not been brought up yet, as it happens
kubectl mizar install -y -o json | jq -r 'select(.type == \"stageProgressed\") | .waitingFor[]'
```
";

fn schema() -> Value {
    let text = std::fs::read_to_string(repository().join("docs/events.schema.json")).unwrap();
    serde_json::from_str(&text).expect("the schema is JSON")
}

/// What a field may hold, in a word or two.
fn kind(field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        return values.iter().map(|value| format!("`{}`", value.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    }
    match field["$ref"].as_str() {
        Some(reference) => {
            let schema = schema();
            let named = &schema["$defs"][reference.rsplit('/').next().unwrap()];
            if named["enum"].is_array() { kind(named) } else { "object".to_owned() }
        }
        None => field["type"].as_str().expect("a field has a type").to_owned(),
    }
}

fn page() -> String {
    let schema = schema();
    let mut text = HEAD.to_owned();
    for reference in schema["oneOf"].as_array().unwrap() {
        let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let event = &schema["$defs"][name];
        write!(
            text,
            "\n## {name}\n\n{}\n\n| field | holds | |\n|---|---|---|\n",
            event["description"].as_str().unwrap()
        )
        .unwrap();
        let required: Vec<&str> = event["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for (field, about) in event["properties"].as_object().unwrap() {
            if ["schema", "time", "type"].contains(&field.as_str()) {
                continue;
            }
            let maybe = if required.contains(&field.as_str()) { "" } else { "; may be missing" };
            writeln!(text, "| `{field}` | {} | {}{maybe} |", kind(about), about["description"].as_str().unwrap())
                .unwrap();
        }
    }
    text
}

#[test]
fn the_page_of_the_events_is_what_the_schema_says() {
    let file = repository().join("docs/events.md");
    let page = page();
    if std::env::var_os("MIZAR_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        written, page,
        "docs/events.md is not what the schema says; write it anew: MIZAR_BLESS=1 cargo test --test cli"
    );
}
