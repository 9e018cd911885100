//! A first install that fails, and is taken back by itself.

use tempfile::TempDir;

use super::SCALE;
use super::snapshot::Snapshot;
use crate::cli::{Ended, Mizar};
use crate::cluster::bed;

async fn install(bed: &mizar_bed::Bed, words: &str) -> Ended {
    let folder = TempDir::new().unwrap();
    Mizar::install(bed).args(words).impatient(SCALE).env("TMPDIR", folder.path()).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_install_that_fails_leaves_the_cluster_as_it_was_if_that_was_asked_for() {
    let bed = bed().await;
    let before = Snapshot::of(&bed).await;
    let failed = install(&bed, "--set images.daemon.tag=0.91-nopull --on-failure rollback").await;
    assert!(failed.code == Some(5) || failed.code == Some(6), "{failed}");
    failed.tells(&[
        "ImagePullBackOff",
        "going back to a cluster without Mizar",
        "everything that was changed is taken back",
    ]);
    before.assert_now(&bed, &[], &[]).await;
    // Nothing is in the way of another try.
    install(&bed, "").await.exits(0);
}
