//! A restart of the operator while somebody else changes what it is about to delete.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use http::request::Parts;
use mizar_bed::Bed;
use serde_json::Value;

use crate::cli::Mizar;
use crate::cluster::{address_of_new_pod, assert_healthy_and_nothing_doubled, installed, items};
use crate::proxy::{Manner, Proxy, Verdict, take_one};
use crate::repair::restart_operator as restart_unsafely;
use crate::restart::{assert_all_addresses_differ, deploy, pods_of, runs, until};

const PODS: &str = "/api/v1/namespaces/default/pods/";

/// Somebody changes a pod just when its deletion has been sent.
struct ChangesWhatIsDeleted {
    kubectl: Mutex<Command>,
    changes: AtomicUsize,
}

impl ChangesWhatIsDeleted {
    fn once(bed: &Bed) -> Self {
        Self { kubectl: Mutex::new(bed.kubectl().unwrap()), changes: AtomicUsize::new(1) }
    }
}

impl Manner for ChangesWhatIsDeleted {
    fn receive(&self, request: &mut Parts) -> Verdict {
        let pod = request.uri.path().strip_prefix(PODS).filter(|_| request.method == "DELETE");
        if let Some(pod) = pod.filter(|_| take_one(&self.changes)) {
            let mut kubectl = self.kubectl.lock().unwrap();
            let labelled = kubectl.args(["label", "pod", pod, "somebody=was-here"]).output().unwrap();
            assert!(labelled.status.success(), "{labelled:?}");
        }
        Verdict::Forward
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_changed_since_it_was_looked_at_is_looked_at_again_before_it_is_sent_back() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    restart_unsafely(&bed).await;
    deploy(&bed, "waits", 1).await;
    let waits = |pod: &Value| pod["spec"]["nodeName"].is_string() && pod["status"]["hostIP"].is_string();
    until("a pod waits on a node", async || pods_of(&bed, "waits", waits).await == 1).await;
    let waiting = items(&bed, "/api/v1/namespaces/default/pods?labelSelector=app=waits").await.remove(0);
    let path = format!("{PODS}{}", waiting["metadata"]["name"].as_str().unwrap());

    let proxy = Proxy::before(&bed, ChangesWhatIsDeleted::once(&bed)).await;
    let mark = bed.mark().await.unwrap();
    let restart = Mizar::on(&bed).env("KUBECONFIG", proxy.kubeconfig()).args("repair --restart-operator -y").run();
    restart.await.exits(0);

    let asked = proxy.take_asked();
    let deletions = asked.iter().enumerate().filter(|(_, asked)| asked.method == "DELETE" && asked.uri == path);
    // The kubelet may change it too.
    let deletions: Vec<_> = deletions.collect();
    assert!(deletions.len() >= 2, "{deletions:#?}");
    let version = |body: &Value| body["preconditions"]["resourceVersion"].as_str().unwrap().to_owned();
    for again in deletions.windows(2) {
        let [(first, before), (second, after)] = again else { unreachable!() };
        assert_ne!(version(&before.body), version(&after.body));
        let looks = asked[*first..*second].iter().filter(|asked| asked.method == "GET" && asked.uri == path);
        assert_eq!(looks.count(), 1, "it looks again");
    }
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/").verb("delete").resource("pods");
    let codes: Vec<u16> = trail.entries().iter().filter(|entry| entry.uri == path).map(|entry| entry.code).collect();
    let (last, refused) = codes.split_last().unwrap();
    assert!(*last == 200 && !refused.is_empty() && refused.iter().all(|code| *code == 409), "{codes:?}");

    until("its successor runs", async || pods_of(&bed, "waits", runs).await == 1).await;
    assert_all_addresses_differ(&bed).await;
    assert_healthy_and_nothing_doubled(&bed).await;
}
