//! What there is before a command of the matrix: founded once where what a case leaves is what the next one begins with, made
//! anew for every case where it is not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use mizar_bed::{Bed, Fault, FaultOrder};
use mizar_core::check::Thresholds;
use mizar_core::release::History;
use serde_json::Value;
use tempfile::TempDir;

use super::scenario::{SCALE, Scenario};
use super::{lifecycle, oracle};
use crate::adopt::apply_old_installation;
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, address_of_new_pod, items, names, send};
use crate::repair::{deployment, restart_operator};
use crate::restart::until;
use crate::uninstall::snapshot::Snapshot;

/// What there is before a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// An empty cluster.
    Empty,
    /// Mizar, and two pods that nobody would make again.
    InUse,
    /// Mizar in its second revision or a later one, and pods of a Deployment: those can be evicted.
    Released,
    /// What the script of old has installed, and pods of a Deployment.
    Old,
    /// Mizar, installed for this case, and two pods.
    ToBeLeft,
}

/// The two pods on the network that nobody would make again.
const PODS: [&str; 2] = ["a", "b"];

/// The two values of the daemon between which upgrades and rollbacks go.
const MEMORY: [&str; 2] = ["96Mi", "97Mi"];

/// With as few as this an old revision goes at each change.
const HISTORY_MAX: u64 = 3;

/// What belongs to one case: the words of its command, and what was there before it.
#[derive(Default)]
pub(crate) struct Errand {
    /// What is added to the command.
    pub(crate) words: String,
    /// What the daemons are to have at the end.
    pub(crate) memory: Option<String>,
    /// The pods of Mizar as they were, by name and UID.
    pub(crate) pods: BTreeMap<String, u64>,
    /// Everything that was there before Mizar was.
    pub(crate) before: Option<Snapshot>,
    folder: Option<TempDir>,
}

impl Errand {
    /// The file for what an uninstall saves.
    pub(crate) fn export(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.path().join("mizar.yaml"))
    }
}

/// The pods that are to be there again after an uninstall.
pub(crate) fn pods_of_others() -> Vec<String> {
    PODS.iter().map(|name| format!("/api/v1/namespaces/default/pods/{name}")).collect()
}

impl Ground {
    /// Whether a case that has ended well leaves what another one can begin with.
    pub(crate) fn lasts(self) -> bool {
        matches!(self, Self::InUse | Self::Released | Self::ToBeLeft)
    }

    /// Whether a run leaves something for the next one to find: then what the second one leaves counts.
    pub(crate) fn has_a_past(self) -> bool {
        matches!(self, Self::InUse | Self::Released)
    }

    /// How many revisions of a release are kept there.
    pub(crate) fn history_max(self) -> u64 {
        if self == Self::Released { HISTORY_MAX } else { 10 }
    }

    /// Brings a bed from its baseline to where cases of these commands can begin.
    pub(crate) async fn found(self, bed: &Bed) {
        let quick = FaultOrder { fault: Fault::Rounds { count: 1 }, node: None };
        bed.fault(quick).await.unwrap();
        match self {
            Self::Empty | Self::ToBeLeft => {}
            Self::InUse => {
                Mizar::install(bed).impatient(SCALE).run().await.exits(0);
                for pod in PODS {
                    address_of_new_pod(bed, pod).await;
                }
                // The second restart finds what the first has left, as all later ones will.
                Scenario::Restart.command(bed, &Errand::default()).run().await.exits(0);
            }
            Self::Released => {
                let first = format!("--recreate-pods {}", memory(MEMORY[0]));
                Mizar::install(bed).args(&first).impatient(SCALE).run().await.exits(0);
                deployment(bed, "web", 2).await;
                // Something to go back to; with the next change there are three, from then on one goes for each that comes.
                let second = memory(MEMORY[1]);
                Mizar::on(bed).args("upgrade -y").args(&second).impatient(SCALE).run().await.exits(0);
            }
            Self::Old => {
                apply_old_installation(bed).await;
                until_placeholders_have_settled(bed).await;
            }
        }
    }

    /// Makes the cluster so that the command has something to do, and says how it is called.
    pub(crate) async fn prepare(bed: &Bed, scenario: Scenario) -> Errand {
        match scenario {
            Scenario::Install | Scenario::Restart => Errand::default(),
            Scenario::Deadlock => {
                restart_operator(bed).await;
                until_placeholders_have_settled(bed).await;
                Errand::default()
            }
            Scenario::Upgrade => {
                let (_, deployed) = revisions(bed).await.pop().unwrap();
                let wanted = MEMORY.into_iter().find(|it| *it != deployed).unwrap();
                between_revisions(bed, memory(wanted), wanted).await
            }
            Scenario::Rollback => {
                let mut earlier = revisions(bed).await;
                let (_, deployed) = earlier.pop().unwrap();
                let (revision, wanted) = earlier.into_iter().rfind(|(_, memory)| *memory != deployed).unwrap();
                between_revisions(bed, revision.to_string(), &wanted).await
            }
            Scenario::Adopt => {
                let pods = oracle::pods(bed, scenario.namespace()).await;
                Errand { pods, ..Errand::default() }
            }
            Scenario::Uninstall => to_be_left(bed).await,
        }
    }
}

fn memory(amount: &str) -> String {
    format!("--set daemon.resources.requests.memory={amount}")
}

/// The revisions of the release, oldest first, with the value that differs.
async fn revisions(bed: &Bed) -> Vec<(u64, String)> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner=helm,name=mizar");
    let secrets = items(bed, &path).await;
    let history = History::from_secrets("mizar", &secrets);
    let value = |config: &Value| config["daemon"]["resources"]["requests"]["memory"].as_str().unwrap().to_owned();
    let told = history.records.iter().map(|it| &it.release);
    told.map(|it| (it.revision, value(&Value::Object(it.config.clone())))).collect()
}

async fn between_revisions(bed: &Bed, words: String, wanted: &str) -> Errand {
    lifecycle::until_all_pods_run(bed).await;
    until_placeholders_have_settled(bed).await;
    Errand {
        words: format!("{words} --history-max {HISTORY_MAX}"),
        memory: Some(wanted.to_owned()),
        pods: oracle::pods(bed, NAMESPACE).await,
        ..Errand::default()
    }
}

/// Installs what the case is to take out, on a cluster that is as it was before any.
async fn to_be_left(bed: &Bed) -> Errand {
    for pod in PODS {
        // Those of the case before are there, without a network.
        let _first_case = send(bed, "DELETE", &format!("/api/v1/namespaces/default/pods/{pod}"), None).await;
    }
    until("the pods of the case before are gone", async || {
        names(bed, "/api/v1/namespaces/default/pods").await.is_empty()
    })
    .await;
    let before = Snapshot::of(bed).await;
    // This often, a busy operator is now and then late for a check that is as impatient as the commands under test.
    Mizar::install(bed).impatient(3.0 * SCALE).run().await.exits(0);
    for pod in PODS {
        address_of_new_pod(bed, pod).await;
    }
    let pods = oracle::pods(bed, NAMESPACE).await;
    Errand { pods, before: Some(before), folder: Some(TempDir::new().unwrap()), ..Errand::default() }
}

/// A placeholder of the case before, whose pod is gone since, is nothing to be deleted before it has had the time to belong to
/// somebody: in the middle of a run it would be.
async fn until_placeholders_have_settled(bed: &Bed) {
    let time = Thresholds::default().scaled(SCALE).settling + SignedDuration::from_secs(1);
    let path = "/apis/mizar.com/v1/namespaces/default/endpoints?labelSelector=mizar.dev/holds-for";
    let placeholders = items(bed, path).await;
    let created = placeholders.iter().filter_map(|it| it["metadata"]["creationTimestamp"].as_str()?.parse().ok());
    if let Some(youngest) = created.max() {
        let left = time - Timestamp::now().duration_since(youngest);
        tokio::time::sleep(left.try_into().unwrap_or_default()).await;
    }
}
