//! When a wanted value and a live one are the same although they are written differently: what the server leaves out,
//! what it rewrites, and what may be a number or a string.

use serde_json::Value;

/// Where in an object a value stands, as far as it matters for comparing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The field it is the value of; for an element, the field of its list.
    pub(super) field: &'a str,
    /// The field of the map around it.
    pub(super) parent: &'a str,
    /// Whether the object is of a built-in kind, so that the rules of those hold.
    pub(super) built_in: bool,
}

/// Maps whose keys are not fields but names that people choose; an empty string in them is a value like any other.
const NAME_MAPS: &[&str] = &[
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "selector",
    "data",
    "binaryData",
    "stringData",
    "limits",
    "requests",
    "hard",
];

/// Maps whose values are amounts, which the server rewrites ("1000m" to "1").
const AMOUNT_MAPS: &[&str] = &["limits", "requests", "hard", "capacity"];

/// Fields for which leaving them out means something else than `false` or 0.
const NEVER_BLANK: &[&str] = &[
    "automountServiceAccountToken",
    "allowPrivilegeEscalation",
    "enableServiceLinks",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "tolerationSeconds",
    "replicas",
    "served",
    "storage",
];

impl<'a> Place<'a> {
    /// Returns the place of a field of the map that stands here.
    pub(super) fn inside(self, field: &'a str) -> Self {
        Self { field, parent: self.field, built_in: self.built_in }
    }

    /// Whether a map here holds names that people choose, so that its entries are independent of each other.
    pub(super) fn is_name_map(self) -> bool {
        NAME_MAPS.contains(&self.field)
    }

    /// Whether the server would leave this value out of what it stores.
    pub(super) fn is_blank(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Bool(false) => self.zero_is_blank(),
            Value::Number(number) => number.as_f64() == Some(0.0) && self.zero_is_blank(),
            Value::String(text) => text.is_empty() && self.zero_is_blank(),
            Value::Bool(true) => false,
        }
    }

    fn zero_is_blank(self) -> bool {
        self.built_in && !NAME_MAPS.contains(&self.parent) && !NEVER_BLANK.contains(&self.field)
    }

    /// Whether two values that are neither maps nor lists mean the same.
    pub(super) fn same(self, one: &Value, other: &Value) -> bool {
        if one == other {
            return true;
        }
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
            (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
                number.to_string() == *text || (self.is_amount() && same_amount(&number.to_string(), text))
            }
            (Value::String(one), Value::String(other)) => self.is_amount() && same_amount(one, other),
            _ => false,
        }
    }

    fn is_amount(self) -> bool {
        AMOUNT_MAPS.contains(&self.parent) || self.field == "sizeLimit"
    }
}

fn same_amount(one: &str, other: &str) -> bool {
    match (amount(one), amount(other)) {
        // Two spellings of one amount differ by rounding of the last bit at most.
        (Some(one), Some(other)) => (one - other).abs() <= one.abs().max(other.abs()) * 1e-12,
        _ => false,
    }
}

/// Reads a Kubernetes quantity.
fn amount(text: &str) -> Option<f64> {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let (digits, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1.0));
    digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place<'a>(parent: &'a str, field: &'a str) -> Place<'a> {
        Place { field, parent, built_in: true }
    }

    #[test]
    fn amounts_are_equal_whatever_their_spelling() {
        let cpu = place("requests", "cpu");
        for (one, other) in [
            (json!("1000m"), json!("1")),
            (json!(1), json!("1")),
            (json!(0.1), json!("100m")),
            (json!("1024Mi"), json!("1Gi")),
            (json!("1e3"), json!("1k")),
        ] {
            assert!(cpu.same(&one, &other), "{one} and {other}");
        }
        assert!(!cpu.same(&json!("1Gi"), &json!("1G")));
        assert!(!place("data", "size").same(&json!("1000m"), &json!("1")));
    }

    #[test]
    fn numbers_equal_their_strings_and_nothing_else() {
        let port = place("httpGet", "port");
        assert!(port.same(&json!(80), &json!("80")));
        assert!(port.same(&json!(1), &json!(1.0)));
        assert!(!port.same(&json!(80), &json!("http")));
        assert!(!port.same(&json!(true), &json!("true")));
    }

    #[test]
    fn what_built_in_kinds_leave_out_is_blank() {
        assert!(place("spec", "hostIPC").is_blank(&json!(false)));
        assert!(place("spec", "minReadySeconds").is_blank(&json!(0)));
        assert!(place("spec", "tolerations").is_blank(&json!([])));
        assert!(!place("spec", "automountServiceAccountToken").is_blank(&json!(false)));
        assert!(!place("labels", "node-role").is_blank(&json!("")));
        let custom = Place { field: "droplet", parent: "spec", built_in: false };
        assert!(!custom.is_blank(&json!("")));
        assert!(custom.is_blank(&json!(null)));
    }
}
