//! A Mizar that nobody recorded: put there by kubectl, in namespace `default`, as the old installations are.

use super::{Place, Snapshot};
use crate::cli::Mizar;
use crate::cluster::{address_of_new_pod, bed, names};

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_by_kubectl_is_known_by_its_labels_and_names() {
    let bed = bed().await;
    let before = Snapshot::of(&bed).await;
    let folder = tempfile::TempDir::new().unwrap();
    let rendered = Mizar::nowhere().args("render --profile dev -n default").run().await;
    let file = folder.path().join("raw.yaml");
    std::fs::write(&file, &rendered.exits(0).stdout).unwrap();
    // What lies in no namespace of its own goes to default; the definitions take a moment.
    for _ in 0..2 {
        bed.kubectl().unwrap().args(["apply", "-n", "default", "-f"]).arg(&file).output().unwrap();
    }
    let address = address_of_new_pod(&bed, "one").await;
    println!("the network works: {address}");
    let place = Place { bed, before, folder };
    let ended = place.uninstall().args("--crds").run().await;
    ended.exits(0).tells(&["DaemonSet default/mizar-daemon", "3 nodes clean"]);
    place.nodes_are_clean(&[]).await;
    place.before.assert_now(&place.bed, &["/api/v1/namespaces/default/pods/one"], &[]).await;
    assert!(!names(&place.bed, "/api/v1/namespaces").await.contains(&"mizar-system".to_owned()));
}
