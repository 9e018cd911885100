//! Time and room: whatever the cluster does, a bundle ends in time, is no larger than it may be, and names what is missing.

use std::fmt::Write as _;
use std::time::Duration;

use http::Response;
use http::request::Parts;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::unpacked::Unpacked;
use crate::cli::{Ended, Mizar};
use crate::cluster::{bed, installed};
use crate::proxy::{Manner, Proxy, Verdict, status};

/// Takes a bundle by way of a proxy.
async fn through(proxy: &Proxy, flags: &str) -> (Unpacked, Ended) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("b.tar.gz");
    let call = Mizar::nowhere().env("KUBECONFIG", proxy.kubeconfig()).args("bundle").args(flags);
    let ended = call.arg("-f").arg(&path).run().await;
    ended.exits(0);
    (Unpacked::read(&path, ended.stderr.clone()), ended)
}

/// A server that never answers some requests.
struct Stuck(fn(&str) -> bool);

impl Manner for Stuck {
    fn receive(&self, request: &mut Parts) -> Verdict {
        if (self.0)(request.uri.path()) { Verdict::Silence } else { Verdict::Forward }
    }
}

#[tokio::test]
async fn one_kind_that_never_comes_costs_no_other() {
    let bed = installed().await;
    let proxy = Proxy::before(&bed, Stuck(|path| path == "/apis/mizar.com/v1/droplets")).await;
    let (bundle, ended) = through(&proxy, "--timeout 12s").await;
    assert!(ended.took < Duration::from_secs(14), "{ended}");
    assert_eq!(bundle.missing("objects/droplets.mizar.com"), Some("time"));
    // The facts wait for every list.
    assert_eq!(bundle.missing("facts.json"), Some("time"));
    ended.tells(&["not in the bundle: objects/droplets.mizar.com: time was up", "not in the bundle: check.json"]);
    assert_eq!(bundle.paths("objects/nodes/").len(), 3);
    assert!(bundle.paths("logs/").len() > 3 && bundle.files.contains_key("operation.json"), "{ended}");
    bundle.is_well_formed();
}

#[tokio::test]
async fn a_list_that_is_given_up_by_its_own_limit_leaves_the_facts_whole() {
    let bed = installed().await;
    let proxy = Proxy::before(&bed, Stuck(|path| path == "/apis/mizar.com/v1/droplets")).await;
    let (bundle, ended) = through(&proxy, "--timeout 30s --request-timeout 2s").await;
    assert_eq!(bundle.missing("objects/droplets.mizar.com"), Some("failed"));
    ended.tells(&["objects/droplets.mizar.com: cannot list droplets: no answer within 2 s"]);
    assert_eq!(bundle.missing("facts.json"), None);
    let report = bundle.json("check.json");
    let unknown = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "unknown").count();
    assert!(unknown > 0, "{report:#}");
}

#[tokio::test]
async fn logs_that_no_kubelet_gives_are_named_one_by_one() {
    let bed = installed().await;
    let proxy = Proxy::before(&bed, Refusing).await;
    let (bundle, ended) = through(&proxy, "").await;
    assert_eq!(bundle.paths("logs/").len(), 0);
    let index = bundle.index();
    let logs: Vec<&str> =
        index["missing"].as_array().unwrap().iter().filter_map(|missing| missing["what"].as_str()).collect();
    assert!(logs.len() > 3 && logs.iter().all(|what| what.starts_with("logs/")), "{logs:?}");
    ended.tells(&[
        "/mizar-operator.log: cannot read the log of container mizar-operator of pod mizar-system/",
        "dial tcp",
    ]);
}

/// No kubelet can be reached.
struct Refusing;

impl Manner for Refusing {
    fn receive(&self, request: &mut Parts) -> Verdict {
        if request.uri.path().ends_with("/log") {
            let message = "Get \"https://10.0.0.1:10250/\": dial tcp: no route";
            Verdict::Answer(status(500, "InternalError", message))
        } else {
            Verdict::Forward
        }
    }
}

/// Logs that are larger than any bundle, and cannot be packed any smaller.
struct Endless;

impl Manner for Endless {
    fn receive(&self, request: &mut Parts) -> Verdict {
        if !request.uri.path().ends_with("/log") {
            return Verdict::Forward;
        }
        let mut seed = 88_172_645_463_325_252_u64;
        let mut noise = String::new();
        while noise.len() < 3 << 20 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            writeln!(noise, "x.{seed:016x}").unwrap();
        }
        Verdict::Answer(Response::builder().header("Content-Type", "text/plain").body(noise).unwrap())
    }
}

#[tokio::test]
async fn a_bundle_is_never_larger_than_it_may_be() {
    let bed = installed().await;
    let proxy = Proxy::before(&bed, Endless).await;
    let (bundle, ended) = through(&proxy, "--limit-size 1Mi").await;
    assert!(bundle.size <= 1 << 20, "{}", bundle.size);
    assert_eq!(bundle.paths("logs/").len(), 0);
    ended.tells(&["not in the bundle: logs/mizar-operator-", "did not fit any more"]);
    assert!(bundle.files.contains_key("objects/vpcs.mizar.com/default/vpc0.yaml"), "{ended}");
    bundle.is_well_formed();

    let (bundle, _) = through(&proxy, "--limit-size 5Mi").await;
    assert!(bundle.size <= 5 << 20, "{}", bundle.size);
    let taken = bundle.paths("logs/").len();
    assert!((1..10).contains(&taken), "some fit and some do not: {taken}");
    let left_out =
        bundle.index()["missing"].as_array().unwrap().iter().filter(|missing| missing["why"] == "size").count();
    assert!(left_out > 0);
}

#[tokio::test]
async fn who_stops_it_half_way_leaves_no_half_of_a_file() {
    let bed = bed().await;
    let folder = TempDir::new().unwrap();
    let proxy = Proxy::before(&bed, Stuck(|path| path == "/api/v1/nodes")).await;
    let running = Mizar::nowhere().env("KUBECONFIG", proxy.kubeconfig()).inside(folder.path()).args("bundle").start();
    proxy.silence().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "it has begun a file");
    running.signal(Signal::SIGINT);
    running.end().await.exits(130);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn where_no_bundle_can_be_written_nothing_is_read() {
    let bed = bed().await;
    let folder = TempDir::new().unwrap();
    for place in [folder.path().join("none/b.tar.gz"), folder.path().to_owned()] {
        let mark = bed.mark().await.unwrap();
        let ended = Mizar::on(&bed).args("bundle -f").arg(&place).run().await;
        ended.exits(1).tells(&[
            "cannot write the bundle to ",
            "hint: name another place: kubectl mizar bundle --output-file FILE",
        ]);
        assert!(bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/").count() <= 1, "{ended}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
