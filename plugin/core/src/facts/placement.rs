//! Where the pods of a DaemonSet or a Deployment go, as the cluster decides it: node selector, required node affinity, taints and
//! tolerations. What only prefers is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::NodeFact;
use super::reading::{list, map, text, text_or_blank, texts};

/// What keeps pods away from a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl Taint {
    /// Reads the taints of a Node.
    pub(super) fn of_node(node: &Value) -> Vec<Self> {
        let taints = list(node, "/spec/taints").iter().map(|taint| Self {
            key: text_or_blank(taint, "/key"),
            value: text_or_blank(taint, "/value"),
            effect: text_or_blank(taint, "/effect"),
        });
        taints.collect()
    }
}

/// The taint of a cordoned node.
const CORDON: &str = "node.kubernetes.io/unschedulable";

/// Taints that the controller of DaemonSets lets its pods tolerate, whatever their template says.
const TOLERATED_ANYHOW: &[&str] = &[
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    CORDON,
    "node.kubernetes.io/network-unavailable",
];

/// Taints that the server lets every pod tolerate for some minutes. They come and go with the node's state, and only
/// with the effect NoExecute.
const TOLERATED_FOR_A_WHILE: &[&str] = &["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// What a node must have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// Labels and their values.
    pub selector: BTreeMap<String, String>,
    /// Alternatives of the required node affinity, where there is one.
    pub terms: Option<Vec<Term>>,
    /// What the pods tolerate; nothing where it is not known, which tolerates everything.
    pub tolerations: Option<Vec<Toleration>>,
    /// The only node they go to, without asking the scheduler; blank for any.
    pub node: String,
}

/// One alternative: all of its requirements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Term {
    /// About labels.
    pub labels: Vec<Requirement>,
    /// About fields, of which there is only `metadata.name`.
    pub fields: Vec<Requirement>,
}

/// One requirement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirement {
    /// The label or field.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.
    pub operator: String,
    /// What it is compared with.
    pub values: Vec<String>,
}

/// What a pod tolerates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// The taint's key; blank for all.
    pub key: String,
    /// `Equal` or `Exists`.
    pub operator: String,
    /// The taint's value.
    pub value: String,
    /// The taint's effect; blank for all.
    pub effect: String,
}

/// Whether a cordon does not keep a pod from being placed.
pub(super) fn tolerates_cordon(pod: &Value) -> bool {
    let cordon = Taint { key: CORDON.to_owned(), value: String::new(), effect: "NoSchedule".to_owned() };
    list(pod, "/spec/tolerations").iter().map(Toleration::read).any(|toleration| toleration.covers(&cordon))
}

impl Placement {
    /// Reads a DaemonSet or a Deployment.
    #[must_use]
    pub fn from_object(workload: &Value) -> Self {
        const POD: &str = "/spec/template/spec";
        let required =
            workload.pointer(&format!("{POD}/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"));
        let tolerations = list(workload, &format!("{POD}/tolerations")).iter().map(Toleration::read);
        Self {
            selector: map(workload, &format!("{POD}/nodeSelector")),
            terms: required.map(|required| list(required, "/nodeSelectorTerms").iter().map(Term::read).collect()),
            tolerations: Some(tolerations.collect()),
            node: text_or_blank(workload, &format!("{POD}/nodeName")),
        }
    }

    /// Says why a node gets no pod of the daemon; nothing if it gets one.
    #[must_use]
    pub fn refuses(&self, node: &NodeFact) -> Option<String> {
        self.refusal(node, "daemon", |taint| TOLERATED_ANYHOW.contains(&taint.key.as_str()))
    }

    /// Says why a node does not take the operator, whose Deployment gets no tolerations of its own as a DaemonSet does;
    /// nothing if it may take it.
    #[must_use]
    pub fn refuses_operator(&self, node: &NodeFact) -> Option<String> {
        self.refusal(node, "operator", |taint| {
            // Who names a node passes by the scheduler, and by what only the scheduler looks at.
            taint.effect == "NoSchedule" && !self.node.is_empty()
                || taint.effect == "NoExecute" && TOLERATED_FOR_A_WHILE.contains(&taint.key.as_str())
        })
    }

    fn refusal(&self, node: &NodeFact, whose: &str, passes: impl Fn(&Taint) -> bool) -> Option<String> {
        if !self.node.is_empty() && self.node != node.name {
            return Some(format!("is not {}, which the {whose}'s nodeName asks for", self.node));
        }
        if let Some((key, value)) = self.selector.iter().find(|(key, value)| node.label(key) != Some(value.as_str())) {
            return Some(format!("has no label {key}={value}, which the {whose}'s nodeSelector asks for"));
        }
        if self.terms.as_ref().is_some_and(|terms| !terms.iter().any(|term| term.accepts(node))) {
            return Some(format!("does not fit the {whose}'s node affinity"));
        }
        let tolerations = self.tolerations.as_ref()?;
        let kept_off = node.taints.iter().find(|taint| {
            taint.effect != "PreferNoSchedule"
                && !passes(taint)
                && !tolerations.iter().any(|toleration| toleration.covers(taint))
        })?;
        Some(format!("has the taint {}:{}, which the {whose} does not tolerate", kept_off.key, kept_off.effect))
    }
}

impl Term {
    fn read(term: &Value) -> Self {
        let requirements = |field: &str| list(term, field).iter().map(Requirement::read).collect();
        Self { labels: requirements("/matchExpressions"), fields: requirements("/matchFields") }
    }

    /// A term without any requirement accepts nothing.
    fn accepts(&self, node: &NodeFact) -> bool {
        let name = Some(node.name.as_str());
        !(self.labels.is_empty() && self.fields.is_empty())
            && self.labels.iter().all(|requirement| requirement.holds(node.label(&requirement.key)))
            && self.fields.iter().all(|requirement| requirement.key == "metadata.name" && requirement.holds(name))
    }
}

impl Requirement {
    pub(super) fn read(requirement: &Value) -> Self {
        Self {
            key: text_or_blank(requirement, "/key"),
            operator: text_or_blank(requirement, "/operator"),
            values: texts(requirement, "/values"),
        }
    }

    pub(super) fn holds(&self, value: Option<&str>) -> bool {
        let listed = value.is_some_and(|value| self.values.iter().any(|one| one == value));
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        let pair = number(value).zip(number(self.values.first().map(String::as_str)));
        match self.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => pair.is_some_and(|(value, limit)| value > limit),
            "Lt" => pair.is_some_and(|(value, limit)| value < limit),
            _ => false,
        }
    }
}

impl Toleration {
    fn read(toleration: &Value) -> Self {
        Self {
            key: text_or_blank(toleration, "/key"),
            operator: text(toleration, "/operator").unwrap_or_else(|| "Equal".to_owned()),
            value: text_or_blank(toleration, "/value"),
            effect: text_or_blank(toleration, "/effect"),
        }
    }

    fn covers(&self, taint: &Taint) -> bool {
        let key = self.key.is_empty() && self.operator == "Exists" || self.key == taint.key;
        let value = self.operator == "Exists" || self.value == taint.value;
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        key && value && effect
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::samples::a_node;

    fn placement(pod: &Value) -> Placement {
        Placement::from_object(&json!({"spec": {"template": {"spec": pod}}}))
    }

    fn affinity(requirement: &Value) -> Value {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}}}})
    }

    #[test]
    fn a_node_without_the_label_gets_no_pod_and_the_label_is_named() {
        let refusal = placement(&json!({"nodeSelector": {"disktype": "ssd"}})).refuses(&a_node(1)).unwrap();
        assert_eq!(refusal, "has no label disktype=ssd, which the daemon's nodeSelector asks for");
        let mut node = a_node(1);
        node.labels.insert("disktype".into(), "ssd".into());
        assert_eq!(placement(&json!({"nodeSelector": {"disktype": "ssd"}})).refuses(&node), None);
    }

    #[test]
    fn operators_mean_what_the_scheduler_means() {
        let mut node = a_node(1);
        node.labels.insert("size".into(), "7".into());
        for (operator, values, fits) in [
            ("In", json!(["7"]), true),
            ("NotIn", json!(["7"]), false),
            ("Exists", json!([]), true),
            ("DoesNotExist", json!([]), false),
            ("Gt", json!(["6"]), true),
            ("Lt", json!(["6"]), false),
            ("Near", json!(["7"]), false),
        ] {
            let requirement = json!({"key": "size", "operator": operator, "values": values});
            assert_eq!(placement(&affinity(&requirement)).refuses(&node).is_none(), fits, "{operator}");
        }
    }

    #[test]
    fn an_affinity_without_a_term_fits_nothing() {
        let nothing = json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": []}}}});
        assert!(placement(&nothing).refuses(&a_node(1)).is_some());
    }

    #[test]
    fn a_taint_keeps_the_daemon_off_unless_it_is_tolerated() {
        let mut node = a_node(1);
        node.taints = vec![Taint { key: "gpu".into(), value: "yes".into(), effect: "NoSchedule".into() }];
        assert!(placement(&json!({})).refuses(&node).unwrap().contains("the taint gpu:NoSchedule"));
        for toleration in [
            json!({"operator": "Exists"}),
            json!({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}),
            json!({"key": "gpu", "value": "yes"}),
        ] {
            assert_eq!(placement(&json!({"tolerations": [toleration]})).refuses(&node), None);
        }
        node.taints[0].key = "node.kubernetes.io/not-ready".into();
        assert_eq!(placement(&json!({})).refuses(&node), None);
    }
}
