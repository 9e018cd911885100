//! What the user may do, as the server's self-reviews tell, and how a right is decided from that: the rules that hold
//! are evaluated as the server's RBAC would; an answered access review beats them. Which rights are needed is told by
//! [`crate::check::access`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Absorb;
use super::reading::{flag, list, text, text_or_blank, texts};

/// One right.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Right {
    /// `create`, or `*`.
    pub verb: String,
    /// The API group, blank for the core group.
    pub group: String,
    /// `pods`, `pods/status`; blank for a right on a path.
    pub resource: String,
    /// The namespace; nothing means the whole cluster.
    pub namespace: Option<String>,
    /// One object; nothing means any.
    pub name: Option<String>,
    /// A path outside the API's resources, `/version`.
    pub path: Option<String>,
}

impl Right {
    /// Returns a right in the whole cluster.
    #[must_use]
    pub fn new(verb: &str, group: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), group: group.to_owned(), resource: resource.to_owned(), ..Self::default() }
    }

    /// Returns the same right in one namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Returns the same right on one object.
    #[must_use]
    pub fn on(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Returns the SelfSubjectAccessReview that asks the server for it.
    #[must_use]
    pub fn access_review(&self) -> Value {
        let spec = if let Some(path) = &self.path {
            json!({"nonResourceAttributes": {"path": path, "verb": self.verb}})
        } else {
            let (resource, subresource) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
            let mut attributes = Map::new();
            for (key, value) in [
                ("verb", self.verb.as_str()),
                ("group", &self.group),
                ("resource", resource),
                ("subresource", subresource),
                ("namespace", self.namespace.as_deref().unwrap_or_default()),
                ("name", self.name.as_deref().unwrap_or_default()),
            ] {
                if !value.is_empty() {
                    attributes.insert(key.to_owned(), value.into());
                }
            }
            json!({"resourceAttributes": attributes})
        };
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec})
    }
}

impl fmt::Display for Right {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.verb)?;
        if let Some(path) = &self.path {
            return write!(formatter, "{path}");
        }
        write!(formatter, "{}", self.resource)?;
        if !self.group.is_empty() {
            write!(formatter, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(formatter, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(formatter, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// A right that is needed, and what makes it unnecessary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Need {
    /// The right.
    pub right: Right,
    /// Rights that together replace it; none means that nothing does.
    pub unless: Vec<Right>,
    /// What it is needed for, `to install DaemonSet mizar-system/mizar-daemon`.
    pub purpose: String,
}

/// One rule of a role or of a review.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    /// The verbs, `*` for all.
    pub verbs: Vec<String>,
    /// The groups, `*` for all.
    pub api_groups: Vec<String>,
    /// The resources: `*`, `pods`, `pods/status`, `*/scale`.
    pub resources: Vec<String>,
    /// The only objects it holds for; none means all.
    pub resource_names: Vec<String>,
    /// Paths outside the API's resources; a star at the end stands for anything.
    #[serde(rename = "nonResourceURLs")]
    pub non_resource_urls: Vec<String>,
}

impl PolicyRule {
    /// Reads a rule.
    #[must_use]
    pub fn from_object(rule: &Value) -> Self {
        Self {
            verbs: texts(rule, "/verbs"),
            // The core group is the blank text, which `texts` would drop.
            api_groups: list(rule, "/apiGroups").iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
            resources: texts(rule, "/resources"),
            resource_names: texts(rule, "/resourceNames"),
            non_resource_urls: texts(rule, "/nonResourceURLs"),
        }
    }

    /// Whether the rule gives the right, wherever the rule holds.
    #[must_use]
    pub fn grants(&self, right: &Right) -> bool {
        if !has(&self.verbs, &right.verb) {
            return false;
        }
        if let Some(path) = &right.path {
            return self.non_resource_urls.iter().any(|pattern| path_matches(pattern, path));
        }
        let any_object = self.resource_names.is_empty();
        let this_object = right.name.as_ref().is_some_and(|name| self.resource_names.contains(name));
        has(&self.api_groups, &right.group) && self.has_resource(&right.resource) && (any_object || this_object)
    }

    fn has_resource(&self, wanted: &str) -> bool {
        let any_with_subresource = wanted.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
        has(&self.resources, wanted) || any_with_subresource.is_some_and(|pattern| self.resources.contains(&pattern))
    }

    /// Returns the single rights that make up the rule, in a namespace or in the whole cluster.
    #[must_use]
    pub fn rights(&self, namespace: Option<&str>) -> Vec<Right> {
        let names: Vec<Option<&String>> =
            if self.resource_names.is_empty() { vec![None] } else { self.resource_names.iter().map(Some).collect() };
        let mut rights = Vec::new();
        for verb in &self.verbs {
            for path in &self.non_resource_urls {
                rights.push(Right { verb: verb.clone(), path: Some(path.clone()), ..Right::default() });
            }
            for group in &self.api_groups {
                for resource in &self.resources {
                    rights.extend(names.iter().map(|name| Right {
                        namespace: namespace.map(ToOwned::to_owned),
                        name: name.cloned(),
                        ..Right::new(verb, group, resource)
                    }));
                }
            }
        }
        rights
    }
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == wanted)
}

fn path_matches(pattern: &str, path: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == path, |start| path.starts_with(start))
}

/// The rules that hold in a namespace, as a SelfSubjectRulesReview tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleSet {
    /// The rules.
    pub rules: Vec<PolicyRule>,
    /// Whether there may be more: an authorizer that cannot list its rules.
    pub incomplete: bool,
    /// Why.
    pub error: Option<String>,
}

impl RuleSet {
    /// Reads a SelfSubjectRulesReview, or its status alone.
    #[must_use]
    pub fn from_review(review: &Value) -> Self {
        let status = review.get("status").unwrap_or(review);
        let rules = list(status, "/resourceRules").iter().chain(list(status, "/nonResourceRules"));
        Self {
            rules: rules.map(PolicyRule::from_object).collect(),
            incomplete: flag(status, "/incomplete"),
            error: text(status, "/evaluationError"),
        }
    }

    fn grants(&self, right: &Right) -> bool {
        self.rules.iter().any(|rule| rule.grants(right))
    }
}

/// An answered SelfSubjectAccessReview.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessAnswer {
    /// What was asked.
    pub right: Right,
    /// Whether it is allowed.
    pub allowed: bool,
    /// What the server said to it.
    pub reason: Option<String>,
}

impl AccessAnswer {
    /// Reads an answered review; nothing when it has no status.
    #[must_use]
    pub fn from_review(review: &Value) -> Option<Self> {
        let status = review.get("status")?;
        let attribute = |field: &str| text_or_blank(review, &format!("/spec/resourceAttributes/{field}"));
        let subresource = attribute("subresource");
        let resource = attribute("resource");
        let path = text(review, "/spec/nonResourceAttributes/path");
        let verb = text(review, "/spec/nonResourceAttributes/verb").unwrap_or_else(|| attribute("verb"));
        Some(Self {
            right: Right {
                verb,
                group: attribute("group"),
                resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
                namespace: text(review, "/spec/resourceAttributes/namespace"),
                name: text(review, "/spec/resourceAttributes/name"),
                path,
            },
            allowed: flag(status, "/allowed"),
            reason: text(status, "/reason"),
        })
    }
}

/// Whether the user has a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No.
    Refused,
    /// The rules may be incomplete and nobody asked for this right by itself.
    Open,
}

/// All that the self-reviews told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permissions {
    /// The rules by namespace; under the blank name those that hold in the whole cluster.
    pub rules: BTreeMap<String, RuleSet>,
    /// The single questions that were answered.
    pub answers: Vec<AccessAnswer>,
}

impl Permissions {
    /// Decides a right.
    #[must_use]
    pub fn decide(&self, right: &Right) -> Decision {
        if let Some(answer) = self.answers.iter().find(|answer| answer.right == *right) {
            return if answer.allowed { Decision::Allowed } else { Decision::Refused };
        }
        // A review of a namespace includes what holds in the whole cluster, so that one review decides.
        let cluster_wide = self.rules.get("");
        let here = right.namespace.as_ref().and_then(|namespace| self.rules.get(namespace));
        if cluster_wide.into_iter().chain(here).any(|rules| rules.grants(right)) {
            return Decision::Allowed;
        }
        match if right.namespace.is_some() { here } else { cluster_wide } {
            Some(rules) if !rules.incomplete => Decision::Refused,
            _ => Decision::Open,
        }
    }

    /// Decides a need: its right, or else what replaces it.
    #[must_use]
    pub fn decide_need(&self, need: &Need) -> Decision {
        let direct = self.decide(&need.right);
        if direct == Decision::Allowed || need.unless.is_empty() {
            return direct;
        }
        let replaced = need.unless.iter().map(|right| self.decide(right));
        match replaced.max_by_key(|decision| severity(*decision)) {
            Some(Decision::Allowed) => Decision::Allowed,
            Some(Decision::Refused) | None => direct,
            Some(Decision::Open) => Decision::Open,
        }
    }

    /// Returns the rights that only the server can decide, each once.
    #[must_use]
    pub fn open_questions(&self, needs: &[Need]) -> Vec<Right> {
        let open = needs.iter().filter(|need| self.decide_need(need) == Decision::Open);
        let mut rights: Vec<Right> = open
            .flat_map(|need| std::iter::once(&need.right).chain(&need.unless))
            .filter(|right| self.decide(right) == Decision::Open)
            .cloned()
            .collect();
        rights.sort();
        rights.dedup();
        rights
    }
}

/// What replaces a need holds only together, so that one refusal outweighs any open question.
const fn severity(decision: Decision) -> u8 {
    match decision {
        Decision::Allowed => 0,
        Decision::Open => 1,
        Decision::Refused => 2,
    }
}

impl Absorb for Permissions {
    fn absorb(&mut self, object: &Value) {
        self.answers.extend(AccessAnswer::from_review(object));
    }
}
