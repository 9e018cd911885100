//! What was chosen in an old installation, as values of our chart: it goes on with the same images, gates and interface.
//! What the chart has by default is not repeated, so that it can move with the chart later.

use serde_json::{Map, Value, json};

use crate::image::ImageReference;

/// How the text of a variable is written as a value.
#[derive(Clone, Copy)]
enum Written {
    Switch,
    Number,
    Text,
}

/// The variables that somebody may have set, with the value of the chart that sets them now.
const VARIABLES: &[(&str, &[&str], Written)] = &[
    ("FEATUREGATE_BWQOS", &["featureGates", "bandwidthQos"], Written::Switch),
    ("FEATUREGATE_OFFLOAD_XDP", &["featureGates", "xdpOffload"], Written::Switch),
    ("FEATUREGATE_KUBEMARK_NETWORK_PERF", &["featureGates", "kubemarkNetworkPerf"], Written::Switch),
    ("MIZAR_ITF", &["networkInterface"], Written::Text),
    ("CLUSTER_VPC_VNI", &["vni"], Written::Number),
    ("KUBERNETES_SERVICE_HOST", &["operator", "apiServer", "host"], Written::Text),
    ("KUBERNETES_SERVICE_PORT", &["operator", "apiServer", "port"], Written::Number),
];

/// Returns the values by which our chart, whose own are `defaults` and whose images have the tag `version` where none is
/// named, keeps what live daemons and operator were given.
#[must_use]
pub fn kept_values(daemon: &Value, operator: &Value, defaults: &Value, version: &str) -> Value {
    let mut kept = json!({});
    keep_images(&mut kept, daemon, operator, defaults, version);
    for (variable, path, written) in VARIABLES {
        let value = variable_of(daemon, variable).or_else(|| variable_of(operator, variable));
        if let Some(value) = value.and_then(|text| read(text, *written)) {
            keep(&mut kept, path, value, defaults);
        }
    }
    if let Some(node) = operator.pointer("/spec/template/spec/nodeName") {
        keep(&mut kept, &["operator", "nodeName"], node.clone(), defaults);
    }
    let secrets = [daemon, operator].map(|workload| workload.pointer("/spec/template/spec/imagePullSecrets"));
    if let Some(secrets) = secrets.into_iter().flatten().next() {
        keep(&mut kept, &["imagePullSecrets"], secrets.clone(), defaults);
    }
    kept
}

fn keep_images(kept: &mut Value, daemon: &Value, operator: &Value, defaults: &Value, version: &str) {
    let places =
        [("init", daemon, "initContainers"), ("daemon", daemon, "containers"), ("operator", operator, "containers")];
    let images = places.map(|(role, workload, list)| {
        let name = workload.pointer(&format!("/spec/template/spec/{list}/0/image")).and_then(Value::as_str);
        (role, name.and_then(|name| ImageReference::parse(name).ok()))
    });
    let registry = defaults.pointer("/images/registry").and_then(Value::as_str).unwrap_or_default();
    // The chart has one registry for all three; where they have others, each carries its own in its name.
    let others = images.iter().any(|(_, image)| image.as_ref().is_some_and(|image| image.registry != registry));
    if others {
        keep(kept, &["images", "registry"], json!(""), defaults);
    }
    for (role, image) in images.into_iter().filter_map(|(role, image)| Some((role, image?))) {
        let repository =
            if others { format!("{}/{}", image.registry, image.repository) } else { image.repository.clone() };
        keep(kept, &["images", role, "repository"], json!(repository), defaults);
        match (image.digest, image.tag) {
            (Some(digest), _) => keep(kept, &["images", role, "digest"], json!(digest), defaults),
            (None, tag) => {
                let tag = tag.unwrap_or_else(|| "latest".to_owned());
                if tag != version {
                    keep(kept, &["images", role, "tag"], json!(tag), defaults);
                }
            }
        }
    }
}

fn variable_of<'a>(workload: &'a Value, name: &str) -> Option<&'a str> {
    let containers = workload.pointer("/spec/template/spec/containers")?.as_array()?;
    let variables = containers.iter().filter_map(|container| container.get("env")?.as_array()).flatten();
    variables.filter(|variable| variable["name"] == name).find_map(|variable| variable["value"].as_str())
}

/// Reads a text as Mizar does; one that it cannot use says nothing.
fn read(text: &str, written: Written) -> Option<Value> {
    match written {
        Written::Switch => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(json!(true)),
            "false" | "0" => Some(json!(false)),
            _ => None,
        },
        Written::Number => text.parse::<u32>().ok().map(|number| json!(number)),
        Written::Text => (!text.is_empty()).then(|| json!(text)),
    }
}

/// Notes a value, unless the chart has it by itself.
fn keep(kept: &mut Value, path: &[&str], value: Value, defaults: &Value) {
    let default = path.iter().try_fold(defaults, |at, key| at.get(key));
    if default == Some(&value) {
        return;
    }
    let Some((last, parents)) = path.split_last() else { return };
    let mut at = kept;
    for key in parents {
        let Some(fields) = at.as_object_mut() else { return };
        at = fields.entry(*key).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(fields) = at.as_object_mut() {
        fields.insert((*last).to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Value {
        json!({
            "images": {"registry": "docker.io",
                "init": {"repository": "mizarnet/mizar", "tag": "", "digest": ""},
                "daemon": {"repository": "mizarnet/dropletd", "tag": "", "digest": ""},
                "operator": {"repository": "mizarnet/endpointopr", "tag": "", "digest": ""}},
            "featureGates": {"bandwidthQos": false, "xdpOffload": false, "kubemarkNetworkPerf": false},
            "networkInterface": "", "vni": 1, "imagePullSecrets": [],
            "operator": {"nodeName": "", "apiServer": {"host": "", "port": 0}},
        })
    }

    fn daemon(init: &str, image: &str, env: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"initContainers": [{"name": "node-init", "image": init}],
            "containers": [{"name": "mizar-daemon", "image": image, "env": env}]}}}})
    }

    fn operator(image: &str, env: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": [{"name": "mizar-operator", "image": image, "env": env}]}}}})
    }

    fn of(daemon: &Value, operator: &Value) -> Value {
        kept_values(daemon, operator, &defaults(), "0.91")
    }

    #[test]
    fn the_released_files_chose_nothing_that_the_chart_has_not() {
        let gate = json!([{"name": "FEATUREGATE_BWQOS", "value": "false"}]);
        let daemon = daemon("mizarnet/mizar:0.91", "mizarnet/dropletd:0.91", &gate);
        assert_eq!(of(&daemon, &operator("mizarnet/endpointopr:0.91", &gate)), json!({}));
    }

    #[test]
    fn what_was_chosen_is_kept() {
        let daemon = daemon(
            "mizarnet/mizar:dev",
            "mizarnet/dropletd",
            &json!([{"name": "FEATUREGATE_BWQOS", "value": "True"}, {"name": "MIZAR_ITF", "value": "ens5"},
                    {"name": "FEATUREGATE_OFFLOAD_XDP", "value": "perhaps"}]),
        );
        let mut operator = operator(
            "mizarnet/endpointopr@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            &json!([{"name": "CLUSTER_VPC_VNI", "value": "7"},
                    {"name": "KUBERNETES_SERVICE_HOST", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
                    {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"}]),
        );
        operator["spec"]["template"]["spec"]["nodeName"] = json!("tp-master");
        operator["spec"]["template"]["spec"]["imagePullSecrets"] = json!([{"name": "key"}]);
        assert_eq!(
            of(&daemon, &operator),
            json!({
                "images": {"init": {"tag": "dev"}, "daemon": {"tag": "latest"},
                    "operator": {"digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111"}},
                "featureGates": {"bandwidthQos": true}, "networkInterface": "ens5", "vni": 7,
                "operator": {"apiServer": {"port": 6443}, "nodeName": "tp-master"},
                "imagePullSecrets": [{"name": "key"}],
            })
        );
    }

    #[test]
    fn images_of_other_registries_carry_them_in_their_names() {
        let daemon = daemon("localhost:5000/mizar:a", "localhost:5000/dropletd:a", &json!([]));
        assert_eq!(
            of(&daemon, &operator("localhost:5000/endpointopr:a", &json!([]))),
            json!({"images": {"registry": "",
                "init": {"repository": "localhost:5000/mizar", "tag": "a"},
                "daemon": {"repository": "localhost:5000/dropletd", "tag": "a"},
                "operator": {"repository": "localhost:5000/endpointopr", "tag": "a"}}})
        );
    }

    #[test]
    fn what_is_no_workload_chose_nothing() {
        assert_eq!(of(&json!(null), &json!({"spec": []})), json!({}));
    }
}
