//! What no fact is made of. It is most of what a server sends; passing it over is several times as quick as reading it.
//!
//! Who reads a new field removes it here; a test tells when that was forgotten.

use super::Source;

/// A field of an object, by its key: passed over, or some of what is below it. Lists count for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// The key.
    pub key: &'static str,
    /// What of it is passed over; all of it if this is empty.
    pub below: &'static [Self],
}

const fn all(key: &'static str) -> Unread {
    Unread { key, below: &[] }
}

const fn some(key: &'static str, below: &'static [Unread]) -> Unread {
    Unread { key, below }
}

/// Of every object: what others keep about it, often more than the object itself.
const BOOKKEEPING: Unread = some(
    "metadata",
    &[
        all("managedFields"),
        some(
            "annotations",
            &[
                all("kubectl.kubernetes.io/last-applied-configuration"),
                all("kopf.zalando.org/last-handled-configuration"),
            ],
        ),
    ],
);

const CONTAINER: &[Unread] = &[
    all("args"),
    all("command"),
    all("env"),
    all("envFrom"),
    all("lifecycle"),
    all("livenessProbe"),
    all("ports"),
    all("readinessProbe"),
    all("resources"),
    all("securityContext"),
    all("startupProbe"),
    all("volumeDevices"),
    all("volumeMounts"),
];

const CONTAINER_STATUS: &[Unread] =
    &[all("allocatedResources"), all("containerID"), all("resources"), all("user"), all("volumeMounts")];

/// All but whether it is an `emptyDir`.
const VOLUME: &[Unread] = &[
    all("configMap"),
    all("csi"),
    all("downwardAPI"),
    all("hostPath"),
    all("name"),
    all("persistentVolumeClaim"),
    all("projected"),
    all("secret"),
];

const POD: &[Unread] = &[
    BOOKKEEPING,
    some(
        "spec",
        &[
            all("affinity"),
            some("containers", CONTAINER),
            some("initContainers", CONTAINER),
            all("ephemeralContainers"),
            all("securityContext"),
            all("topologySpreadConstraints"),
            some("volumes", VOLUME),
        ],
    ),
    some(
        "status",
        &[
            some("containerStatuses", CONTAINER_STATUS),
            some("initContainerStatuses", CONTAINER_STATUS),
            all("ephemeralContainerStatuses"),
            all("hostIPs"),
            all("podIPs"),
        ],
    ),
];

const NODE: &[Unread] = &[
    BOOKKEEPING,
    some("status", &[all("allocatable"), all("capacity"), all("images"), all("volumesAttached"), all("volumesInUse")]),
];

const SCHEMAS: &[Unread] = &[
    BOOKKEEPING,
    some("spec", &[some("versions", &[all("additionalPrinterColumns"), all("schema")]), all("conversion")]),
];

const OTHER: &[Unread] = &[BOOKKEEPING];

impl Source {
    /// Returns what of its objects no fact is made of.
    #[must_use]
    pub const fn unread(self) -> &'static [Unread] {
        match self {
            Self::Pods => POD,
            Self::Nodes => NODE,
            Self::Definitions => SCHEMAS,
            _ => OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::facts::Facts;
    use crate::facts::samples::now;

    /// Every path that is passed over.
    fn paths(unread: &[Unread]) -> Vec<Vec<&'static str>> {
        let below = |field: &Unread| match field.below {
            [] => vec![vec![field.key]],
            below => paths(below).into_iter().map(|rest| [&[field.key], rest.as_slice()].concat()).collect(),
        };
        unread.iter().flat_map(below).collect()
    }

    /// An object that has most of what facts are made of, of any kind.
    fn an_object() -> Value {
        json!({
            "metadata": {
                "name": "a", "namespace": "b", "uid": "c", "creationTimestamp": "2026-03-01T11:00:00Z",
                "labels": {"job": "mizar-daemon", "owner": "helm", "name": "mizar", "version": "1"},
                "annotations": {"kopf.zalando.org/handler": "{\"retries\":3}", "meta.helm.sh/release-name": "mizar"},
            },
            "spec": {
                "nodeName": "n", "group": "mizar.com", "names": {"kind": "Vpc"},
                "containers": [{"name": "x", "image": "y"}], "initContainers": [{"name": "z", "image": "y"}],
                "versions": [{"name": "v1", "served": true}],
            },
            "status": {
                "phase": "Running", "hostIP": "h", "podIP": "p",
                "containerStatuses": [{"name": "x", "ready": true, "restartCount": 1}],
                "initContainerStatuses": [{"name": "z", "ready": true, "restartCount": 1}],
                "addresses": [{"type": "InternalIP", "address": "i"}], "conditions": [{"type": "Ready", "status": "True"}],
            },
        })
    }

    fn put(object: &mut Value, path: &[&str], value: &Value) {
        match (path, object) {
            ([], object) => *object = value.clone(),
            (_, Value::Array(items)) => items.iter_mut().for_each(|item| put(item, path, value)),
            ([key, rest @ ..], object) => put(&mut object[*key], rest, value),
        }
    }

    fn facts_of(source: Source, object: &Value) -> Facts {
        let mut facts = Facts::new(now());
        facts.absorb(source, object);
        facts
    }

    #[test]
    fn what_is_passed_over_is_read_by_nobody() {
        let values = [
            json!("Running"),
            json!("2026-03-01T12:00:00Z"),
            json!(7),
            json!(true),
            json!(["x"]),
            json!([{"name": "x", "value": "x", "type": "Ready", "status": "False", "key": "x", "ip": "10.20.0.9"}]),
            json!({"x": "x", "name": "x", "started": "2026-03-01T12:00:00Z", "retries": 7, "cpu": "1"}),
        ];
        for source in Source::ALL.iter().copied().filter(|source| source.is_list()) {
            let expected = facts_of(source, &an_object());
            assert!(expected.gap(source).is_none(), "{source:?}");
            for path in paths(source.unread()) {
                for value in &values {
                    let mut object = an_object();
                    put(&mut object, &path, value);
                    assert_eq!(facts_of(source, &object), expected, "{source:?} reads {}", path.join("."));
                }
            }
        }
    }
}
