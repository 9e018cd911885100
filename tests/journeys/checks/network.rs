//! Situations of the network that the operator builds: parts that are missing, misplaced or stuck.

use serde_json::{Value, json};

use super::situation::Situation;
use super::stage::{Stage, mizar};
use crate::cluster::names;

/// Of an installed network.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("droplet-blank", "a Droplet has no hardware address").fails("droplets", "mac").made_by(
            async |stage: &mut Stage<'_>| {
                stage.edit(&mizar("droplets/node-2"), json!({"spec": {"mac": ""}})).await;
            },
        ),
        Situation::after("vpc-without-status", "vpc0 has no status").fails("vpcs", "Vpc vpc0").made_by(
            async |stage: &mut Stage<'_>| {
                stage.edit(&mizar("vpcs/vpc0"), json!({"spec": {"status": ""}})).await;
            },
        ),
        Situation::after("divider-misplaced", "the Divider is on a Droplet that does not exist")
            .fails("dividers", "Divider vpc0-d-")
            .made_by(async |stage: &mut Stage<'_>| misplace(stage, "dividers").await),
        Situation::after("bouncer-misplaced", "the Bouncer is on a Droplet that does not exist")
            .fails("bouncers", "Bouncer net0-b-")
            .made_by(async |stage: &mut Stage<'_>| misplace(stage, "bouncers").await),
        Situation::after("subnet-without-vpc", "a Subnet is of a Vpc that does not exist, and waits for it")
            .fails("subnets", "Subnet lost")
            .fails("bouncers", "Subnet lost")
            .warns("stuck-objects", "Subnet lost")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| stage.create(&mizar("subnets"), lost_subnet()).await),
        Situation::after("operator-gave-up", "the same Subnet, an hour later")
            .fails("stuck-objects", "Subnet lost")
            .fails("subnets", "Subnet lost")
            .fails("bouncers", "Subnet lost")
            .lasting(70)
            .made_by(async |stage: &mut Stage<'_>| stage.create(&mizar("subnets"), lost_subnet()).await),
        Situation::after("host-endpoint-missing", "the Endpoint by which a node reaches pods was deleted")
            .fails("host-endpoints", "Droplet node-2")
            .lasting(1)
            .made_by(async |stage: &mut Stage<'_>| {
                let endpoints = names(stage.bed, &mizar("endpoints")).await;
                let host = endpoints.iter().find(|name| name.starts_with("node-2-default--hostep")).unwrap();
                stage.delete(&mizar(&format!("endpoints/{host}"))).await;
            }),
        Situation::after("object-astray", "somebody made a Vpc in another namespace")
            .warns("objects-namespace", "vpcs.mizar.com kube-system/astray")
            .fails("dividers", "Vpc astray")
            .lasting(1)
            .made_by(async |stage: &mut Stage<'_>| {
                let spec =
                    json!({"ip": "10.98.0.0", "prefix": "16", "vni": "98", "dividers": 0, "status": "Provisioned"});
                let vpc =
                    json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {"name": "astray"}, "spec": spec});
                stage.create("/apis/mizar.com/v1/namespaces/kube-system/vpcs", vpc).await;
            }),
    ]
}

fn lost_subnet() -> Value {
    let spec = json!({"ip": "10.99.0.0", "prefix": "16", "vni": "", "vpc": "gone", "bouncers": 1, "status": "Init"});
    json!({"apiVersion": "mizar.com/v1", "kind": "Subnet", "metadata": {"name": "lost"}, "spec": spec})
}

async fn misplace(stage: &mut Stage<'_>, plural: &str) {
    let names = names(stage.bed, &mizar(plural)).await;
    stage.edit(&mizar(&format!("{plural}/{}", names[0])), json!({"spec": {"droplet": "node-9"}})).await;
}
