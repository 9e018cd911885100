//! What the operator, and repairs of ours, leave on objects that belong to others: finalizers, annotations, labels, cordons.

use serde_json::{Map, Value, json};

use crate::facts::{CORDON_ANNOTATION, FINALIZERS};

/// What the operator's framework writes its notes under.
const KOPF: &str = "kopf.zalando.org/";

/// What the operator itself writes on core Endpoints.
const SCALED_ENDPOINT: &str = "mizar.com/scaled-endpoint";

/// What this program writes under, on objects that are not its own.
const OURS: &str = "mizar.dev/";

/// What is on one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// The operator's finalizers.
    pub finalizers: Vec<String>,
    /// Annotations of the operator and ours.
    pub annotations: Vec<String>,
    /// Our labels.
    pub labels: Vec<String>,
    /// Whether a repair of ours cordoned it and never took that back.
    pub cordoned: bool,
}

impl Traces {
    /// Reads them from an object, of which the metadata is enough.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let keys = |map: &str| metadata[map].as_object().into_iter().flat_map(Map::keys).cloned();
        // The mark of a namespace that we made tells whether it may go: it goes with the namespace only.
        let is_namespace_mark = |key: &str| key == super::MADE_BY;
        let annotations: Vec<String> = keys("annotations")
            .filter(|key| key.starts_with(KOPF) || key == SCALED_ENDPOINT || key.starts_with(OURS))
            .filter(|key| !is_namespace_mark(key))
            .collect();
        let finalizers = metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self {
            finalizers: finalizers.filter(|name| FINALIZERS.contains(name)).map(ToOwned::to_owned).collect(),
            labels: keys("labels").filter(|key| key.starts_with(OURS)).collect(),
            cordoned: annotations.iter().any(|key| key == CORDON_ANNOTATION),
            annotations,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.finalizers.is_empty() && self.annotations.is_empty() && self.labels.is_empty()
    }
}

/// Returns the merge patch that takes exactly the traces off an object as it is now, and nothing of anybody else; none where
/// there are none. Whoever sends it adds the resourceVersion, since the list of finalizers is written as a whole.
#[must_use]
pub fn removal(live: &Value) -> Option<Value> {
    let traces = Traces::of(live);
    if traces.is_nothing() {
        return None;
    }
    let nothing = |keys: &[String]| keys.iter().map(|key| (key.clone(), Value::Null)).collect::<Map<_, _>>();
    let mut metadata = Map::new();
    if !traces.finalizers.is_empty() {
        let all = live["metadata"]["finalizers"].as_array().into_iter().flatten();
        let is_others = |name: &&Value| name.as_str().is_none_or(|name| !FINALIZERS.contains(&name));
        metadata.insert("finalizers".to_owned(), all.filter(is_others).cloned().collect());
    }
    if !traces.annotations.is_empty() {
        metadata.insert("annotations".to_owned(), Value::Object(nothing(&traces.annotations)));
    }
    if !traces.labels.is_empty() {
        metadata.insert("labels".to_owned(), Value::Object(nothing(&traces.labels)));
    }
    let mut patch = json!({"metadata": metadata});
    if traces.cordoned {
        patch["spec"] = json!({"unschedulable": null});
    }
    Some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_operators_finalizers_and_notes_go() {
        let live = json!({"metadata": {
            "name": "p",
            "finalizers": ["foo.example/bar", "kopf.zalando.org/KopfFinalizerMarker", "KopfFinalizerMarker"],
            "annotations": {"kopf.zalando.org/last-handled-configuration": "{}", "mizar.com/vpc": "vpc1",
                "mizar.com/scaled-endpoint": "scaled-endpoint", "team": "net"},
            "labels": {"app": "web", "mizar.dev/shown-at": "x"},
        }});
        let expected = json!({"metadata": {
            "finalizers": ["foo.example/bar"],
            "annotations": {"kopf.zalando.org/last-handled-configuration": null, "mizar.com/scaled-endpoint": null},
            "labels": {"mizar.dev/shown-at": null},
        }});
        assert_eq!(removal(&live), Some(expected));
    }

    #[test]
    fn what_nobody_of_mizar_touched_is_not_written() {
        for live in [
            json!({"metadata": {"name": "p"}}),
            json!({"metadata": {"name": "p", "finalizers": ["kubernetes"], "annotations": {"mizar.com/vpc": "v"}}}),
            json!({"metadata": {"name": "n", "annotations": {"mizar.dev/made-by": "kubectl-mizar"}}}),
        ] {
            assert_eq!(removal(&live), None, "{live}");
        }
    }

    #[test]
    fn a_cordon_of_ours_is_taken_back_and_another_stays() {
        let ours =
            json!({"metadata": {"annotations": {CORDON_ANNOTATION: "repair-1"}}, "spec": {"unschedulable": true}});
        assert_eq!(removal(&ours).unwrap()["spec"], json!({"unschedulable": null}));
        assert_eq!(removal(&json!({"metadata": {}, "spec": {"unschedulable": true}})), None);
    }

    #[test]
    fn a_finalizer_alone_leaves_annotations_unmentioned() {
        let live = json!({"metadata": {"finalizers": ["KopfFinalizerMarker"], "annotations": {"a": "b"}}});
        assert_eq!(removal(&live), Some(json!({"metadata": {"finalizers": []}})));
    }
}
