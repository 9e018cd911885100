//! Facts about Mizar's own objects and their definitions. All fields are loose: the operator writes blanks first, and
//! numbers as text or as numbers.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reading::{
    condition, count, has_finalizer, list, map, moment, symbol_or_blank, text, text_or_blank, time, uid,
};
use super::workload::HelmMark;
use super::{FromObject, Text, Uid, facts_from_objects};
use crate::kind::MIZAR_GROUP;
use crate::object::{ObjectId, ObjectRef};

/// What kopf, the operator's framework, notes on every object; anything else under its prefix is a handler at work.
const KOPF_PREFIX: &str = "kopf.zalando.org/";
const KOPF_BOOKKEEPING: &[&str] = &["last-handled-configuration", "touch-dummy", "kopf-managed"];

/// The label by which a placeholder names the pod, by UID, whose address it keeps while the operator is restarted.
pub const HOLD_LABEL: &str = "mizar.dev/holds-for";

/// The label by which a placeholder names the run of the operator that was seen to learn of it. The operator writes no time
/// on what it did not make itself.
pub const KNOWN_LABEL: &str = "mizar.dev/known-to";

/// A handler of the operator that has not ended: the only trace of some failures, since `spec.status` may already say
/// Provisioned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// `endpoint_opr_on_endpoint_provisioned`.
    pub handler: Text,
    /// When it was first tried.
    pub started: Option<Timestamp>,
    /// How often it was tried.
    pub retries: u32,
    /// What it said last.
    pub message: Option<String>,
}

/// What all of Mizar's objects have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MizarObject {
    /// Its name.
    pub name: Text,
    /// Its namespace; the operator knows `default` only.
    pub namespace: Text,
    /// What tells it from another object that had this name.
    pub uid: Uid,
    /// When it was created, by the server's clock.
    pub created: Option<Timestamp>,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
    /// `spec.status`: `Init`, `Provisioned` or blank.
    pub status: Text,
    /// When it became Provisioned last, to the second: the operator counts `spec.provisiondelay` from the creation, also
    /// when the object was set back to Init and provisioned again.
    pub provisioned: Option<Timestamp>,
    /// Whether the operator's finalizer is on it: without an operator it cannot be deleted.
    pub finalizer: bool,
    /// The UID of the pod whose address this object only keeps: one of our placeholders, by its label [`HOLD_LABEL`].
    pub holds_for: Option<Uid>,
    /// The run of the operator that knows this placeholder, by its label [`KNOWN_LABEL`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_to: Option<Text>,
    /// Handlers of the operator that have not ended.
    pub retries: Box<[Retry]>,
}

impl MizarObject {
    /// Reads what all kinds share.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let created = time(object, "/metadata/creationTimestamp");
        let labels = map(object, "/metadata/labels");
        Self {
            name: symbol_or_blank(object, "/metadata/name"),
            namespace: symbol_or_blank(object, "/metadata/namespace"),
            uid: uid(object),
            created,
            deleting: time(object, "/metadata/deletionTimestamp"),
            status: symbol_or_blank(object, "/spec/status"),
            provisioned: created.and_then(|created| provisioned(object, created)),
            finalizer: has_finalizer(object),
            holds_for: labels.get(HOLD_LABEL).map(|uid| Uid::from(uid.as_str())),
            known_to: labels.get(KNOWN_LABEL).map(|run| run.as_str().into()),
            retries: retries(object),
        }
    }

    /// Returns what a change of this very object must name.
    #[must_use]
    pub fn id(&self, kind: &str) -> ObjectId {
        let object = ObjectRef {
            api_version: format!("{MIZAR_GROUP}/v1"),
            kind: kind.to_owned(),
            namespace: Some(self.namespace.to_string()),
            name: self.name.to_string(),
        };
        ObjectId { object, uid: self.uid.to_string() }
    }

    /// Whether the operator has finished with it, as far as its status tells.
    #[must_use]
    pub fn is_provisioned(&self) -> bool {
        self.status == "Provisioned"
    }

    /// Returns when it was finished, or else, what a person or a chart made without times, when it came to be.
    #[must_use]
    pub fn finished(&self) -> Option<Timestamp> {
        self.provisioned.filter(|_| self.is_provisioned()).or(self.created)
    }
}

fn provisioned(object: &Value, created: Timestamp) -> Option<Timestamp> {
    let seconds: f64 = text(object, "/spec/provisiondelay")?.parse().ok()?;
    created.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

fn retries(object: &Value) -> Box<[Retry]> {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let handlers = annotations.into_iter().flatten().filter_map(|(key, value)| {
        let handler = key.strip_prefix(KOPF_PREFIX)?;
        (!KOPF_BOOKKEEPING.contains(&handler)).then_some((handler, value.as_str().unwrap_or_default()))
    });
    let read = |(handler, progress): (&str, &str)| {
        let progress: Value = serde_json::from_str(progress).unwrap_or_default();
        Retry {
            handler: handler.into(),
            started: text(&progress, "/started").and_then(|started| moment(&started)),
            retries: count(&progress, "/retries").unwrap_or_default(),
            message: text(&progress, "/message"),
        }
    };
    handlers.map(read).collect()
}

/// Declares a kind of Mizar's objects: each field comes from the spec, as text, or as a count where it says so.
macro_rules! mizar_kinds {
    ($($(#[$about:meta])* $fact:ident { $($(#[$field_about:meta])* $field:ident: $kind:ident from $key:literal),* $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $fact {
            /// What all kinds share.
            pub object: MizarObject,
            $($(#[$field_about])* pub $field: mizar_kinds!(@type $kind),)*
        }

        impl $fact {
            /// Reads an object of this kind.
            #[must_use]
            pub fn from_object(object: &Value) -> Self {
                Self {
                    object: MizarObject::from_object(object),
                    $($field: mizar_kinds!(@read $kind)(object, concat!("/spec/", $key)),)*
                }
            }
        }

        facts_from_objects!($fact);
    )+};
    (@type text) => { Text };
    (@type count) => { Option<u32> };
    (@read text) => { symbol_or_blank };
    (@read count) => { count };
}

mizar_kinds! {
    /// A node as Mizar sees it. Its name is the host name that the daemon reported, not the node's name.
    DropletFact {
        /// The InternalIP of its node.
        main_ip: text from "main_ip",
        /// The address of the interface that carries the pod network.
        ip: text from "ip",
        /// The hardware address of that interface.
        mac: text from "mac",
        /// The name of that interface.
        itf: text from "itf",
    }

    /// A virtual network.
    VpcFact {
        /// The base of its range.
        ip: text from "ip",
        /// The prefix length of its range.
        prefix: text from "prefix",
        /// Its number on the wire.
        vni: text from "vni",
        /// How many Dividers it wants.
        dividers: count from "dividers",
    }

    /// What forwards between the subnets of a Vpc.
    DividerFact {
        /// Its Vpc.
        vpc: text from "vpc",
        /// The Droplet it was placed on.
        droplet: text from "droplet",
    }

    /// A range within a Vpc from which pods get their addresses.
    SubnetFact {
        /// The base of its range.
        ip: text from "ip",
        /// The prefix length of its range.
        prefix: text from "prefix",
        /// Its Vpc's number on the wire.
        vni: text from "vni",
        /// Its Vpc.
        vpc: text from "vpc",
        /// How many Bouncers it wants.
        bouncers: count from "bouncers",
        /// The key that the operator reads instead of the status when it starts.
        kind: text from "type",
    }

    /// What forwards within a Subnet.
    BouncerFact {
        /// Its Vpc.
        vpc: text from "vpc",
        /// Its Subnet.
        net: text from "net",
        /// The Droplet it was placed on.
        droplet: text from "droplet",
    }

    /// An address on a virtual network: of a pod (`simple`), a service (`scaled`) or a node (`host`).
    EndpointFact {
        /// `simple`, `scaled`, `host` or `gateway`.
        kind: text from "type",
        /// Its address.
        ip: text from "ip",
        /// The number of its Vpc on the wire.
        vni: text from "vni",
        /// Its Vpc.
        vpc: text from "vpc",
        /// Its Subnet.
        net: text from "net",
        /// The Droplet it lives on.
        droplet: text from "droplet",
        /// The name of its pod, without the namespace.
        pod: text from "pod",
    }
}

impl EndpointFact {
    /// Whether it is the one of this pod: it holds only the pod's name, its own name also the namespace, as
    /// `POD-NAMESPACE-TENANT-INTERFACE`. On Kubernetes the tenant is blank, and what goes on after a single hyphen is the
    /// rest of a longer namespace.
    #[must_use]
    pub fn belongs_to(&self, namespace: &str, pod: &str) -> bool {
        let rest = self.object.name.strip_prefix(pod).and_then(|rest| rest.strip_prefix('-'));
        self.pod == pod
            && rest
                .and_then(|rest| rest.strip_prefix(namespace))
                .is_some_and(|rest| rest.starts_with("--") || rest.starts_with('-') && !rest.contains("--"))
    }
}

/// One definition of group mizar.com.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DefinitionFact {
    /// `bouncers.mizar.com`.
    pub name: String,
    /// `Bouncer`.
    pub kind: String,
    /// The release it belongs to.
    pub helm: Option<HelmMark>,
    /// Whether the server serves it.
    pub established: bool,
    /// Whether its names clash with no other.
    pub names_accepted: bool,
    /// The versions it serves.
    pub served: Vec<String>,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
}

impl DefinitionFact {
    /// Reads a CustomResourceDefinition.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let holds = |name: &str| condition(object, name).is_some_and(|(status, _)| status == "True");
        let is_served = |version: &&Value| version.pointer("/served").and_then(Value::as_bool).unwrap_or_default();
        Self {
            name: text_or_blank(object, "/metadata/name"),
            kind: text_or_blank(object, "/spec/names/kind"),
            helm: HelmMark::from_object(object),
            established: holds("Established"),
            names_accepted: holds("NamesAccepted"),
            served: list(object, "/spec/versions")
                .iter()
                .filter(is_served)
                .filter_map(|version| text(version, "/name"))
                .collect(),
            deleting: time(object, "/metadata/deletionTimestamp"),
        }
    }
}

impl FromObject for DefinitionFact {
    fn concerns(object: &Value) -> bool {
        text(object, "/spec/group").is_some_and(|group| group == crate::kind::MIZAR_GROUP)
    }

    fn read(object: &Value) -> Self {
        Self::from_object(object)
    }
}
