//! Servers that are not well: silent, busy, or out of reach just when the answer was on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Response, header};

use crate::cli::Mizar;
use crate::cluster::{assert_healthy_and_nothing_doubled, bed};
use crate::proxy::{Manner, Proxy, Verdict, is_write, status, take_one};

/// A server that takes connections and never says a word.
struct Silent;

impl Manner for Silent {
    fn receive(&self, _request: &mut Parts) -> Verdict {
        Verdict::Silence
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_called_unreachable_within_ten_seconds() {
    let bed = bed().await;
    let proxy = Proxy::before(&bed, Silent).await;
    for line in ["check", "install --profile dev -y"] {
        let ended = Mizar::on(&bed).env("KUBECONFIG", proxy.kubeconfig()).args(line).run().await;
        ended.exits(4).tells(&["no answer within 9 s", "kubectl get --raw /readyz"]);
        assert!(ended.took < Duration::from_secs(10), "{ended}");
    }
}

/// A server that has no time for some requests, as often as it is told.
struct Busy {
    is_meant: fn(&Parts) -> bool,
    refusals: AtomicUsize,
    answer: fn() -> Response<String>,
}

impl Manner for Busy {
    fn receive(&self, request: &mut Parts) -> Verdict {
        if (self.is_meant)(request) && take_one(&self.refusals) {
            Verdict::Answer((self.answer)())
        } else {
            Verdict::Forward
        }
    }
}

fn asking_for_patience(mut answer: Response<String>) -> Response<String> {
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

#[tokio::test]
async fn a_list_that_is_refused_once_is_asked_for_again_and_people_are_told() {
    let bed = bed().await;
    let busy = Busy {
        is_meant: |request| request.uri.path() == "/api/v1/nodes",
        refusals: AtomicUsize::new(1),
        answer: || asking_for_patience(status(503, "ServiceUnavailable", "the server is warming up")),
    };
    let proxy = Proxy::before(&bed, busy).await;
    let ended = Mizar::on(&bed).env("KUBECONFIG", proxy.kubeconfig()).args("check --pre").run().await;
    ended.exits(0).tells(&["list nodes", "warming up", "trying again in 1.0 s"]);
}

#[tokio::test]
async fn a_write_that_is_refused_for_now_is_sent_again() {
    let bed = bed().await;
    let busy = Busy {
        is_meant: is_write,
        refusals: AtomicUsize::new(3),
        // What the server's flow control sends is plain text.
        answer: || {
            let text = "Too many requests, please try again later.\n".to_owned();
            asking_for_patience(Response::builder().status(429).body(text).unwrap())
        },
    };
    let proxy = Proxy::before(&bed, busy).await;
    let ended = Mizar::install(&bed).env("KUBECONFIG", proxy.kubeconfig()).run().await;
    ended.exits(0).tells(&["HTTP 429", "trying again in 1.0 s"]);
    assert_healthy_and_nothing_doubled(&bed).await;
}

/// A server of which one answer is lost, after the request was carried out.
struct Lossy {
    is_meant: fn(&Parts) -> bool,
    losses: Arc<AtomicUsize>,
}

impl Manner for Lossy {
    fn receive(&self, request: &mut Parts) -> Verdict {
        if (self.is_meant)(request) && take_one(&self.losses) { Verdict::Lose } else { Verdict::Forward }
    }
}

/// Installs while one answer is lost, which nobody notices.
async fn assert_a_lost_answer_is_got_over(is_meant: fn(&Parts) -> bool) {
    let bed = bed().await;
    let losses = Arc::new(AtomicUsize::new(1));
    let proxy = Proxy::before(&bed, Lossy { is_meant, losses: losses.clone() }).await;
    // The claim is renewed every 1.5 seconds.
    Mizar::install(&bed).env("KUBECONFIG", proxy.kubeconfig()).impatient(0.2).run().await.exits(0);
    assert_eq!(losses.load(Ordering::SeqCst), 0, "no answer was lost");
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn a_list_that_is_lost_is_asked_for_again() {
    assert_a_lost_answer_is_got_over(|request| request.uri.path() == "/api/v1/nodes").await;
}

#[tokio::test]
async fn an_object_whose_creation_was_not_answered_is_ours() {
    let is_meant = |request: &Parts| request.method == "PATCH" && request.uri.path().contains("/serviceaccounts/");
    assert_a_lost_answer_is_got_over(is_meant).await;
}

#[tokio::test]
async fn a_claim_whose_renewal_was_not_answered_still_holds() {
    let is_meant = |request: &Parts| {
        let agent = request.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        request.method == "PUT" && agent.is_some_and(|agent| agent.ends_with("/lease"))
    };
    assert_a_lost_answer_is_got_over(is_meant).await;
}

#[tokio::test]
async fn a_record_whose_writing_was_not_answered_is_written() {
    let is_meant = |request: &Parts| request.method == "PUT" && request.uri.path().contains("/secrets/sh.helm.");
    assert_a_lost_answer_is_got_over(is_meant).await;
}

#[tokio::test]
async fn a_record_whose_creation_was_not_answered_is_ours() {
    let is_meant = |request: &Parts| request.method == "POST" && request.uri.path().ends_with("/mizar-system/secrets");
    assert_a_lost_answer_is_got_over(is_meant).await;
}
