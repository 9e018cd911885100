//! `repair --plan` only reads.

use mizar_bed::Fault;

use super::{SCALE, SETTLING, deployment, fault, mizar, restart_operator};
use crate::cli::Mizar;
use crate::cluster::{changes, installed, send};

/// Everything that a remedy is known for, as far as it can be wrong at once: whatever form the plan is shown in, and
/// whatever is asked for, nothing is written, and nothing is even tried.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_writes_nothing_whatever_is_wrong_and_whatever_is_asked() {
    let bed = installed().await;
    deployment(&bed, "web", 3).await;
    // A daemon that was restarted, a deadlock, a node without host Endpoint, addresses that nobody keeps, and name servers
    // from before Mizar.
    tokio::time::sleep(SETTLING).await;
    fault(&bed, Fault::DaemonRestart, Some("node-2")).await;
    restart_operator(&bed).await;
    send(&bed, "DELETE", &mizar("endpoints/node-3-default--hostep-1"), None).await.unwrap();
    tokio::time::sleep(SETTLING).await;
    let mark = bed.mark().await.unwrap();
    let plan = async |flags: &str| Mizar::on(&bed).args(&format!("repair --plan {flags}")).impatient(SCALE).run().await;
    let whole = plan("").await;
    whole.exits(0).prints(&["(operator-memory)", "(node-programming)", "node-2", "node-3", "(cut-off-pods)"]);
    for flags in ["--only deadlock", "--only leaks,placeholders", "--restart-operator", "-y", "-o json"] {
        plan(flags).await.exits(0);
    }
    let asked = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    assert!(asked.count() > 0);
    let written = changes(&asked);
    assert!(written.is_empty(), "{}", written.summary());
    assert!(
        asked.entries().iter().all(|entry| ["get", "list", "watch"].contains(&entry.verb.as_str())),
        "{}",
        asked.summary()
    );
}
