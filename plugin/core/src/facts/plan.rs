//! What an install would bring, as far as checks need to know: read from the rendered objects, before any is written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::Need;
use super::placement::Placement;
use super::reading::{list, text, text_or_blank};
use crate::kind::MIZAR_GROUP;

/// What an install would bring, as far as checks need to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Plan {
    /// The range of the pod network, `10.20.0.0/16`, when it is known.
    pub pod_network: Option<String>,
    /// Where its daemon goes.
    pub placement: Placement,
    /// The rights that it needs.
    pub needs: Vec<Need>,
    /// Where its operator may go, when it brings one.
    pub operator: Option<Placement>,
    /// The images of its pods, each once.
    pub images: Vec<String>,
    /// The operator's image among them; blank when it brings none.
    pub operator_image: String,
    /// The API versions of its objects, `apps/v1`, each once; without those that the install itself defines.
    pub api_versions: Vec<String>,
    /// The pod templates that ask for a priority class.
    pub priorities: Vec<PriorityUse>,
}

/// A pod template that asks for a priority class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PriorityUse {
    /// The object with the template, `DaemonSet mizar-daemon`.
    pub object: String,
    /// Its namespace.
    pub namespace: String,
    /// `system-node-critical`.
    pub class: String,
}

impl Plan {
    /// Reads what rendered objects bring; `namespace` is that of objects that name none. Range, placement of the daemon
    /// and rights are the caller's to add.
    #[must_use]
    pub fn of_objects<'a>(objects: impl IntoIterator<Item = &'a Value>, namespace: &str) -> Self {
        let mut plan = Self::default();
        for object in objects {
            let version = text_or_blank(object, "/apiVersion");
            if !version.starts_with(MIZAR_GROUP) {
                add_once(&mut plan.api_versions, version);
            }
            plan.add_template(object, namespace);
        }
        plan
    }

    fn add_template(&mut self, object: &Value, namespace: &str) {
        const POD: &str = "/spec/template/spec";
        let (kind, name) = (text_or_blank(object, "/kind"), text_or_blank(object, "/metadata/name"));
        let Some(pod) = object.pointer(POD) else { return };
        let containers = list(pod, "/initContainers").iter().chain(list(pod, "/containers"));
        for image in containers.filter_map(|container| text(container, "/image")) {
            add_once(&mut self.images, image);
        }
        if kind == "Deployment" {
            self.operator = Some(Placement::from_object(object));
            self.operator_image = text_or_blank(pod, "/containers/0/image");
        }
        if let Some(class) = text(pod, "/priorityClassName") {
            let namespace = text(object, "/metadata/namespace").unwrap_or_else(|| namespace.to_owned());
            self.priorities.push(PriorityUse { object: format!("{kind} {name}"), namespace, class });
        }
    }
}

fn add_once(list: &mut Vec<String>, entry: String) {
    if !list.contains(&entry) {
        list.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_objects_bring_is_told_once() {
        let template = |image: &str| {
            json!({"spec": {"nodeName": "node-1", "priorityClassName": "system-cluster-critical",
                "containers": [{"name": "main", "image": image}]}})
        };
        let objects = [
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "mizar-daemon", "namespace": "n"},
                "spec": {"template": template("dropletd:0.91")}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mizar-operator"},
                "spec": {"template": template("endpointopr:0.91")}}),
            json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {"name": "vpc0"}}),
        ];
        let plan = Plan::of_objects(&objects, "home");
        assert_eq!(plan.api_versions, ["apps/v1"]);
        assert_eq!(plan.images, ["dropletd:0.91", "endpointopr:0.91"]);
        assert_eq!(plan.operator_image, "endpointopr:0.91");
        assert_eq!(plan.operator.unwrap().node, "node-1");
        let priorities: Vec<_> = plan.priorities.iter().map(|use_| (&*use_.object, &*use_.namespace)).collect();
        assert_eq!(priorities, [("DaemonSet mizar-daemon", "n"), ("Deployment mizar-operator", "home")]);
    }
}
