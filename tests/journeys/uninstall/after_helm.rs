//! Helm takes away what it knows; the rest is what an uninstall finds.

use super::{Place, assert_orderly};

fn helm(place: &Place, release: &str) {
    let output = place.bed.helm4().unwrap().args(["uninstall", release, "-n", "mizar-system"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_helm_has_uninstalled_mizar_everything_it_left_goes() {
    let place = Place::installed().await;
    helm(&place, "mizar");
    let ended = place.uninstall().args("--crds").run().await;
    ended.exits(0).tells(&["3 nodes clean"]);
    place.is_as_before_but_for(&[]).await;
    place.nodes_are_clean(&[]).await;
    assert_orderly(&place, true).await;
    assert!(place.written("mizar.yaml").contains("kind: Vpc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_helm_has_uninstalled_both_releases_everything_they_left_goes() {
    let place = Place::installed().await;
    helm(&place, "mizar");
    helm(&place, "mizar-crds");
    place.uninstall().args("--crds").run().await.exits(0);
    place.is_as_before_but_for(&[]).await;
    place.nodes_are_clean(&[]).await;
}
