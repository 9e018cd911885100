//! Facts about Arktos: how it is told from Kubernetes, and how its parts and Mizar's operator find each other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reading::{list, text, text_or_blank, time};
use super::{Absorb, Facts, facts_from_objects};

/// The resource that only Arktos' core API has.
const TENANTS: &str = "tenants";
/// The group of Arktos' own definitions.
const GROUP: &str = "arktos.futurewei.com/";

impl Facts {
    /// Whether the server is Arktos, by what it serves and never by its version, which builds change at will: tenants in
    /// the core API, or Arktos' own group. That group is added later than the server, so that its absence alone tells
    /// nothing. Nothing when the core API was not read and no group tells.
    #[must_use]
    pub fn is_arktos(&self) -> Option<bool> {
        let has_group = self.api_groups.known().is_some_and(|groups| groups.of_arktos().is_some());
        let has_tenants = self.core_api.known().map(|api| api.tenants().is_some());
        if has_group { Some(true) } else { has_tenants }
    }
}

/// ConfigMap default/mizar-grpc-service, by which Arktos finds the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrpcServiceFact {
    /// Its key `host`, the address of the operator's node.
    pub host: String,
    /// When it was created; the operator writes it once and never again.
    pub created: Option<Timestamp>,
}

impl Absorb for GrpcServiceFact {
    fn absorb(&mut self, object: &Value) {
        self.host = text_or_blank(object, "/data/host");
        self.created = time(object, "/metadata/creationTimestamp");
    }
}

/// One network of an Arktos tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArktosNetworkFact {
    /// Its tenant.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// `mizar` or `flat`.
    pub kind: String,
    /// `Ready`, `Pending`, `Failed`, `Unknown`, `Terminating`.
    pub phase: String,
    /// The Vpc that Arktos keeps for it, `system-default-network`; blank when it names none.
    pub vpc: String,
}

impl ArktosNetworkFact {
    /// Reads a Network of group arktos.futurewei.com.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        Self {
            tenant: text_or_blank(object, "/metadata/tenant"),
            name: text_or_blank(object, "/metadata/name"),
            kind: text_or_blank(object, "/spec/type"),
            phase: text_or_blank(object, "/status/phase"),
            vpc: text_or_blank(object, "/spec/vpcID"),
        }
    }
}

/// What the server's core API holds: the surest sign of Arktos, which leaves its version blank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CoreApiFact {
    /// The names of its resources, without subresources.
    pub resources: Vec<String>,
}

impl CoreApiFact {
    /// Returns the resource that only Arktos has, where it is served.
    #[must_use]
    pub fn tenants(&self) -> Option<&str> {
        self.resources.iter().map(String::as_str).find(|name| *name == TENANTS)
    }
}

impl Absorb for CoreApiFact {
    fn absorb(&mut self, object: &Value) {
        let names = list(object, "/resources").iter().filter_map(|resource| text(resource, "/name"));
        self.resources = names.filter(|name| !name.contains('/')).collect();
    }
}

/// The API groups that the server serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiGroupsFact {
    /// Group and version, `apps/v1`.
    pub versions: Vec<String>,
}

impl ApiGroupsFact {
    /// Returns a version of Arktos' own group, where it is served.
    #[must_use]
    pub fn of_arktos(&self) -> Option<&str> {
        self.versions.iter().map(String::as_str).find(|name| name.starts_with(GROUP))
    }
}

impl Absorb for ApiGroupsFact {
    fn absorb(&mut self, object: &Value) {
        let versions = |group| list(group, "/versions").iter().filter_map(|version| text(version, "/groupVersion"));
        self.versions = list(object, "/groups").iter().flat_map(versions).collect();
    }
}

/// ConfigMap kube-system/system-source, which switches Mizar to Arktos.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemSourceFact {
    /// Its key `name`; an operator that finds the ConfigMap without this key does nothing at all.
    pub name: Option<String>,
    /// When it was created; the operator looks for it once, when it starts.
    pub created: Option<Timestamp>,
}

impl Absorb for SystemSourceFact {
    fn absorb(&mut self, object: &Value) {
        self.name = text(object, "/data/name");
        self.created = time(object, "/metadata/creationTimestamp");
    }
}

facts_from_objects!(ArktosNetworkFact);
