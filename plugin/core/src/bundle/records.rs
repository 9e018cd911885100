//! What is kept of Helm's records and of the record of the last change: everything but the Secrets that they lie in, with their
//! values masked.

use serde_json::{Map, Value, json};

use super::{file_name, mask, place};
use crate::operation::Operation;
use crate::release::Release;
use crate::yaml::{self, DuplicateKeys};

/// A file, by its place in the archive.
pub type File = (String, String);

/// What could not be made out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place in the archive.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Returns what is kept of one revision. A manifest that is no YAML is left out: nobody can say what of it is secret.
#[must_use]
pub fn files_of(release: &Release) -> (Vec<File>, Option<Unreadable>) {
    let folder = format!("{}/{}/v{}", place::RELEASES, file_name(&release.name), release.revision);
    let at = |name: &str| format!("{folder}/{name}");
    let mut values = Value::Object(release.config.clone());
    mask::values(&mut values, known(&release.chart.values));
    let mut files =
        vec![(at("metadata.json"), format!("{:#}\n", metadata(release))), (at("values.yaml"), yaml::write(&values))];
    if !release.info.notes.is_empty() {
        files.push((at("notes.txt"), mask::text::mask(&release.info.notes)));
    }
    let hooks: Vec<&str> = release.hooks.iter().map(|hook| hook.manifest.as_str()).collect();
    let mut unreadable = None;
    for (name, texts) in [("manifest.yaml", vec![release.manifest.as_str()]), ("hooks.yaml", hooks)] {
        match manifests(&texts) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => files.push((at(name), text)),
            Err(why) => unreadable = Some(Unreadable { what: at(name), why }),
        }
    }
    (files, unreadable)
}

/// The chart's own values; a record without them knows none.
fn known(values: &Value) -> &Value {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!({"": null}));
    if values.as_object().is_some_and(|fields| !fields.is_empty()) { values } else { &NONE }
}

fn metadata(release: &Release) -> Value {
    let info = &release.info;
    let mut metadata = json!({
        "name": release.name,
        "namespace": release.namespace,
        "revision": release.revision,
        "status": info.status,
        "description": info.description,
        "firstDeployed": info.first_deployed,
        "lastDeployed": info.last_deployed,
        "deleted": info.deleted,
        "chart": release.chart.metadata,
        "applyMethod": release.apply_method,
        "labels": release.labels,
        "hooks": release.hooks.iter().map(|hook| json!({
            "kind": hook.kind, "name": hook.name, "events": hook.events, "weight": hook.weight,
            "phase": hook.last_run.phase, "startedAt": hook.last_run.started_at, "completedAt": hook.last_run.completed_at,
        })).collect::<Vec<_>>(),
    });
    if let Some(Value::Object(chart)) = metadata.get_mut("chart") {
        chart.shift_remove("icon");
    }
    mask::document(&mut metadata);
    metadata
}

fn manifests(texts: &[&str]) -> Result<String, String> {
    let mut written = String::new();
    for text in texts {
        for (mut object, _) in yaml::read_all(text, DuplicateKeys::Refuse).map_err(|error| error.to_string())? {
            if object.is_null() {
                continue;
            }
            mask::object(&mut object, mask::Owner::Mizar);
            written.push_str("---\n");
            written.push_str(&yaml::write(&object));
        }
    }
    Ok(written)
}

/// Returns the record of the last change; `chart` are the chart's own values, nothing if no release tells them.
#[must_use]
pub fn operation(operation: &Operation, chart: Option<&Value>) -> Value {
    let mut document = serde_json::to_value(operation).expect("an operation is plain data, which JSON can always hold");
    mask_layers(&mut document, known(chart.unwrap_or(&Value::Null)));
    mask::document(&mut document);
    document
}

/// Masks the values of the change, and of the one that it found.
fn mask_layers(operation: &mut Value, known: &Value) {
    if let Some(Value::Array(layers)) = operation.pointer_mut("/intent/values") {
        for layer in layers.iter_mut().filter_map(|layer| layer.get_mut("values")) {
            // A layer that is none could be anything.
            if !layer.is_object() {
                *layer = Value::Object(Map::new());
            }
            mask::values(layer, known);
        }
    }
    if let Some(previous) = operation.get_mut("previous") {
        mask_layers(previous, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Holder, Intent, NewOperation};
    use crate::release::{ChartRecord, HookRecord};

    const MARK: &str = "hunter2";

    fn release(manifest: &str) -> Release {
        let chart = ChartRecord { values: json!({"vni": 1, "images": {"tag": ""}}), ..ChartRecord::default() };
        let config = json!({"vni": 7, "images": {"tag": "dev"}, "global": {"any": MARK}, "password": MARK});
        Release {
            name: "mizar".into(),
            info: serde_json::from_value(json!({"notes": format!("log in with --token {MARK}"), "status": "deployed"}))
                .unwrap(),
            chart,
            config: config.as_object().unwrap().clone(),
            manifest: manifest.into(),
            hooks: vec![HookRecord {
                manifest: "kind: Vpc\nmetadata:\n  name: vpc0\n".into(),
                ..HookRecord::default()
            }],
            revision: 3,
            ..serde_json::from_value(json!({"name": "x"})).unwrap()
        }
    }

    #[test]
    fn a_release_is_kept_without_its_secrets() {
        let manifest = format!(
            "---\nkind: Secret\nstringData: {{x: {MARK}}}\n---\n# a comment\n---\nkind: DaemonSet\nspec:\n  args: [\"--password={MARK}\", a]\n"
        );
        let (files, unreadable) = files_of(&release(&manifest));
        assert_eq!(unreadable, None);
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let names = ["metadata.json", "values.yaml", "notes.txt", "manifest.yaml", "hooks.yaml"];
        assert_eq!(paths, names.map(|name| format!("releases/mizar/v3/{name}")));
        for (path, text) in &files {
            assert!(!text.contains(MARK), "{path}: {text}");
        }
        assert_eq!(files[1].1, "global:\n  any: (masked)\nimages:\n  tag: dev\npassword: (masked)\nvni: 7\n");
        assert!(files[3].1.contains("kind: DaemonSet") && files[3].1.contains("- a\n"), "{}", files[3].1);
        assert!(files[4].1.starts_with("---\nkind: Vpc\n"), "{}", files[4].1);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_left_out() {
        let (files, unreadable) = files_of(&release(&format!("kind: Secret\n  data: [{MARK}\n")));
        assert_eq!(unreadable.unwrap().what, "releases/mizar/v3/manifest.yaml");
        assert!(files.iter().all(|(path, text)| !path.ends_with("manifest.yaml") && !text.contains(MARK)));
    }

    #[test]
    fn values_of_a_chart_that_tells_none_are_all_masked() {
        let mut bare = release("");
        bare.chart.values = Value::Null;
        let (files, _) = files_of(&bare);
        assert_eq!(
            files[1].1,
            "global:\n  any: (masked)\nimages:\n  tag: (masked)\npassword: (masked)\nvni: (masked)\n"
        );
    }

    #[test]
    fn the_record_of_a_change_is_kept_without_values_that_nobody_knows() {
        let layer = |values: Value| json!({"origin": "--set", "values": values});
        let intent: Intent = serde_json::from_value(json!({"planDigest": "p", "intentDigest": "i",
            "values": [layer(json!({"vni": 7, "global": {"key": MARK}})), layer(json!(MARK))]}))
        .unwrap();
        let new = NewOperation {
            id: "install-1".into(),
            command: "install".into(),
            version: "0.1.0".into(),
            namespace: "mizar-system".into(),
            intent,
            stages: vec!["daemon".into()],
        };
        let holder = Holder { user: "me".into(), host: "h".into(), boot_id: "b".into(), pid: 1, start_time: 1 };
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut nested = Operation::begin(new.clone(), holder.clone(), now);
        nested.previous = Some(Box::new(Operation::begin(new, holder, now)));
        let kept = super::operation(&nested, Some(&json!({"vni": 1})));
        assert!(!kept.to_string().contains(MARK), "{kept:#}");
        for operation in [&kept, &kept["previous"]] {
            assert_eq!(operation["intent"]["values"][0]["values"]["vni"], 7);
            assert_eq!((&operation["holder"]["user"], &operation["command"]), (&json!("me"), &json!("install")));
        }
        let bare = super::operation(&nested, None);
        assert_eq!(bare["intent"]["values"][0]["values"]["vni"], mask::MASK);
    }
}
