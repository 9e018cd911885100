//! A clean start takes one to three rounds.

use mizar_bed::{Bed, Fault};

use crate::cluster::{a_bed, apply_with_operators, list, order, scale_operator, state, until, until_provisioned};

/// Returns how often the handler of an object was put off.
async fn waits_of(bed: &Bed, object: &str) -> usize {
    let log = state(bed).await["operator"]["log"].clone();
    let lines = log.as_array().cloned().unwrap_or_default();
    let is_wait = |line: &str| line.contains(object) && line.contains("failed temporarily");
    lines.iter().filter(|line| line.as_str().is_some_and(is_wait)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_start_takes_as_many_rounds_as_ordered() {
    for (count, vpc, divider) in [(1, 0, 0), (2, 1, 0), (3, 1, 1)] {
        let bed = a_bed().await;
        order(&bed, Fault::Rounds { count }, None).await;
        apply_with_operators(&bed, 0);
        until("all daemons are ready", || {
            let all = list(&bed, "pods");
            let daemons = all.iter().filter(|pod| pod["metadata"]["labels"]["job"] == "mizar-daemon");
            daemons.filter(|pod| pod["status"]["containerStatuses"][0]["ready"] == true).count() == 3
        })
        .await;
        scale_operator(&bed, 1).await;
        until_provisioned(&bed).await;
        assert_eq!(waits_of(&bed, "Vpc default/vpc0").await, vpc, "rounds={count}");
        assert_eq!(waits_of(&bed, "Divider default/").await, divider, "rounds={count}");
        let subnet = waits_of(&bed, "Subnet default/net0").await;
        assert!((usize::from(count)..=usize::from(count) + 1).contains(&subnet), "rounds={count}: {subnet}");
    }
}
