//! Which lists of built-in kinds are really maps: their elements have a name of some sort, by which the server merges
//! them. All other lists, and every list of a custom resource, count as one value.

use serde_json::Value;

/// Field name of a list, and the fields that tell its elements apart. The first row that fits all elements counts.
const KEYED: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("secrets", &["name"]),
    ("webhooks", &["name"]),
    ("ports", &["containerPort", "protocol"]),
    ("ports", &["port", "protocol"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("ownerReferences", &["uid"]),
];

/// What tells an element apart from the others.
pub(super) type ElementKey = Vec<Value>;

/// Returns the keys of the elements of several lists of one field, list by list; nothing if the field's lists are plain
/// lists, or if these particular ones name an element twice or not at all.
pub(super) fn keys<const N: usize>(field: &str, lists: [&[Value]; N]) -> Option<[Vec<ElementKey>; N]> {
    KEYED.iter().filter(|(name, _)| *name == field).find_map(|(_, parts)| {
        let mut found = lists.map(|list| list.iter().map(|element| key(element, parts)).collect::<Option<Vec<_>>>());
        let unique = |keys: &Vec<ElementKey>| keys.iter().enumerate().all(|(at, key)| !keys[..at].contains(key));
        if found.iter().all(|keys| keys.as_ref().is_some_and(unique)) {
            Some(std::array::from_fn(|at| found[at].take().unwrap_or_default()))
        } else {
            None
        }
    })
}

fn key(element: &Value, parts: &[&str]) -> Option<ElementKey> {
    parts
        .iter()
        .map(|part| match element.get(part) {
            Some(Value::Null) | None => (*part == "protocol").then(|| Value::from("TCP")),
            Some(value) => Some(value.clone()),
        })
        .collect()
}

/// Returns what a person would call an element: its key in a few characters.
pub(super) fn label(key: &ElementKey) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    key.iter().map(text).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys_of(field: &str, list: &Value) -> Option<Vec<String>> {
        let [keys] = keys(field, [list.as_array().unwrap()])?;
        Some(keys.iter().map(label).collect())
    }

    #[test]
    fn elements_are_told_apart_by_the_fields_of_the_table() {
        assert_eq!(keys_of("containers", &json!([{"name": "a"}, {"name": "b"}])).unwrap(), ["a", "b"]);
        assert_eq!(keys_of("ports", &json!([{"containerPort": 50051}])).unwrap(), ["50051/TCP"]);
        assert_eq!(keys_of("ports", &json!([{"port": 53, "protocol": "UDP"}])).unwrap(), ["53/UDP"]);
    }

    #[test]
    fn other_lists_and_ambiguous_ones_are_plain() {
        assert_eq!(keys_of("tolerations", &json!([{"key": "a"}])), None);
        assert_eq!(keys_of("env", &json!([{"name": "a"}, {"name": "a"}])), None);
        assert_eq!(keys_of("env", &json!([{"value": "a"}])), None);
        assert_eq!(keys_of("env", &json!(["a"])), None);
    }
}
