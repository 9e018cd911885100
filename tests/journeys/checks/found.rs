//! The beds on which the situations are played.

use std::time::{Duration, Instant};

use mizar_bed::Bed;
use mizar_core::check::Phase;
use serde_json::{Value, json};

use super::stage::Stage;
use super::{after, arktos, before, broken, not_recreated, run};
use crate::cli::Mizar;
use crate::cluster::{bed, create, items};

#[tokio::test]
async fn what_stands_in_the_way_of_an_install() {
    let bed = bed().await;
    run::play(&mut Stage::new(&bed), &before(), Phase::Preflight).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_network() {
    let bed = bed().await;
    Mizar::install(&bed).run().await.exits(0);
    run::pile_up(&bed, &not_recreated()).await;
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    put_to_use(&bed).await;
    run::play(&mut Stage::new(&bed), &after(), Phase::Health).await;
}

#[tokio::test]
async fn a_daemon_that_lost_what_it_had_programmed() {
    let bed = in_use().await;
    run::pile_up(&bed, &broken::daemon()).await;
}

#[tokio::test]
async fn an_operator_that_lost_its_memory() {
    let bed = in_use().await;
    run::pile_up(&bed, &broken::operator()).await;
}

#[tokio::test]
async fn an_operator_that_was_taken_away() {
    let bed = in_use().await;
    run::pile_up(&bed, &broken::removal()).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_network_on_arktos() {
    let bed = bed().await;
    let mut stage = Stage::new(&bed);
    arktos::arktos(&mut stage).await;
    let values = "--set systemSource.create=true --set daemon.priorityClassName= --set operator.priorityClassName=";
    Mizar::install(&bed).args(values).args("--recreate-pods").run().await.exits(0);
    arktos::default_network(&mut stage).await;
    put_to_use(&bed).await;
    run::play(&mut stage, &arktos::after(), Phase::Health).await;
}

/// A bed with a network that is in use.
async fn in_use() -> Bed {
    let bed = bed().await;
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    put_to_use(&bed).await;
    bed
}

/// Has pods and services of every kind use the network.
async fn put_to_use(bed: &Bed) {
    let labels = json!({"app": "web"});
    let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "registry.example/any:1"}]}});
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": pod}});
    create(bed, "/apis/apps/v1/namespaces/default/deployments", &web).await;
    let ports = json!([{"port": 80}]);
    for (name, spec) in [
        ("web", json!({"selector": labels, "ports": ports})),
        ("web-headless", json!({"selector": labels, "ports": ports, "clusterIP": "None"})),
        ("elsewhere", json!({"type": "ExternalName", "externalName": "example.com"})),
    ] {
        create(bed, "/api/v1/namespaces/default/services", &json!({"metadata": {"name": name}, "spec": spec})).await;
    }
    let begun = Instant::now();
    let runs = |pod: &&Value| pod["status"]["phase"] == "Running";
    while items(bed, "/api/v1/namespaces/default/pods").await.iter().filter(runs).count() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the pods of web do not run");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
