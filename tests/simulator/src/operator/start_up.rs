//! What a process of the operator does before it watches: it finds out where it is, loads what it finds, and makes sure
//! of the built-in network.

use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use super::{
    SYSTEM_SOURCE, Source,
    handling::create_time,
    memory::{DEFAULT_IP, DEFAULT_PREFIX, DEFAULT_SUBNET, DEFAULT_VNI, DEFAULT_VPC, Memory},
    status::Status,
    writer::Writer,
};
use crate::{
    api::{Objects, RequestError},
    object::{Key, Kind, Object, fields},
};

/// The process ends before it has begun.
#[derive(Debug, Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("custom resource definition {0} is missing")]
    DefinitionMissing(String),
}

/// What a process knows when it begins to watch.
pub(super) struct Started {
    pub(super) source: Source,
    pub(super) memory: Memory,
}

/// Starts a process; `host` is the address of its node.
pub(super) async fn start(writer: &Writer, status: &Status, host: &str) -> Result<Started, StartError> {
    let (namespace, name) = SYSTEM_SOURCE;
    let config_map = writer.mizar.get(&Key::namespaced(Kind::ConfigMap, namespace, name)).await?;
    let source = Source::of(config_map.as_ref());
    match source {
        Source::Kubernetes => {}
        Source::Unreadable => return Ok(Started { source, memory: Memory::default() }),
        Source::Arktos => {
            status.log("Cluster is Arktos.");
            if let Err(error) = writer.publish(host).await {
                status.failed(&error);
            }
        }
    }
    // In the order of Mizar's loader, which lists droplets where it means bouncers.
    let mut objects = Vec::new();
    for kind in [Kind::Droplet, Kind::Divider, Kind::Vpc, Kind::Droplet, Kind::Subnet, Kind::Endpoint] {
        objects.extend(list(&writer.mizar, kind).await?);
    }
    let definitions = writer.kopf.list(Kind::CustomResourceDefinition).await?;
    for kind in Kind::MIZAR {
        let name = kind.definition_name();
        if !definitions.iter().any(|definition| definition.name() == name) {
            return Err(StartError::DefinitionMissing(name));
        }
    }
    let mut memory = Memory::load(&objects);
    for kind in memory.add_built_in_network() {
        let (name, spec) = built_in(kind);
        // Like every creation that is refused: it is logged, and the object taken to exist.
        if let Err(error) = writer.create(kind, name, &spec).await {
            status.failed(&error);
        }
    }
    status.log("started; watching");
    Ok(Started { source, memory })
}

async fn list(objects: &Objects, kind: Kind) -> Result<Vec<Object>, StartError> {
    match objects.list(kind).await {
        Err(error) if error.code() == Some(404) => Err(StartError::DefinitionMissing(kind.definition_name())),
        other => Ok(other?),
    }
}

/// Returns name and specification of the network that the operator makes by itself.
fn built_in(kind: Kind) -> (&'static str, Value) {
    let now = create_time(Timestamp::now());
    if kind == Kind::Vpc {
        let spec = fields([
            ("createtime", now),
            ("dividers", json!(1)),
            ("ip", json!(DEFAULT_IP)),
            ("prefix", json!(DEFAULT_PREFIX)),
            ("status", json!("Init")),
            ("vni", json!(DEFAULT_VNI)),
        ]);
        return (DEFAULT_VPC, spec);
    }
    let spec = fields([
        ("bouncers", json!(1)),
        ("createtime", now),
        ("ip", json!(DEFAULT_IP)),
        ("prefix", json!(DEFAULT_PREFIX)),
        ("status", json!("Init")),
        ("vni", json!(DEFAULT_VNI)),
        ("vpc", json!(DEFAULT_VPC)),
    ]);
    (DEFAULT_SUBNET, spec)
}
