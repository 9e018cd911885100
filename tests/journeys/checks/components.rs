//! Situations of Mizar's own workloads.

use serde_json::{Value, json};

use super::situation::Situation;
use super::stage::{Stage, workload};
use crate::cluster::get;

/// Of an installed network.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("operator-rolls", "the operator's Deployment would start a second one beside the first")
            .warns("operator-strategy", "Deployment mizar-system/mizar-operator")
            .made_by(async |stage: &mut Stage<'_>| {
                let strategy =
                    json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
                stage.edit(&workload("deployments/mizar-operator"), strategy).await;
            }),
        Situation::after("daemons-outdated", "the DaemonSet names a newer image than its pods run")
            .warns("daemon", "mizar-daemon")
            .warns("image-versions", "0.92")
            .made_by(async |stage: &mut Stage<'_>| image(stage, "daemonsets/mizar-daemon", "dropletd:0.92").await),
        Situation::after("operator-of-another-version", "the operator is to be of a newer version than the daemon")
            .warns("image-versions", "Deployment mizar-system/mizar-operator")
            .made_by(async |stage: &mut Stage<'_>| {
                stage.pause_operator().await;
                image(stage, "deployments/mizar-operator", "endpointopr:0.92").await;
            }),
    ]
}

/// Names another image in a workload's template.
pub(crate) async fn image(stage: &mut Stage<'_>, path: &str, image: &str) {
    let path = workload(path);
    let mut containers = get(stage.bed, &path).await["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["image"] = Value::String(format!("docker.io/mizarnet/{image}"));
    stage.edit(&path, json!({"spec": {"template": {"spec": {"containers": containers}}}})).await;
}
