//! Servers that are not well-behaved: one line that says what is wrong, what to do, the right exit code, in bounded time
//! and memory.

use std::time::{Duration, Instant};

use rcgen::date_time_ymd;

use crate::fake_server::{Fake, Reply, SelfSigned, blunt, http, refusal, resetting, silent};
use crate::program::{Outcome, Place};

/// Runs a command against this address; none here may take long.
fn look(place: &Place, url: &str, more: &[&str]) -> Outcome {
    let begun = Instant::now();
    let arguments: Vec<&str> = ["env", "--server", url].into_iter().chain(more.iter().copied()).collect();
    let outcome = place.run(&arguments);
    assert!(begun.elapsed() < Duration::from_secs(40), "took {:?}", begun.elapsed());
    outcome
}

/// Asserts exit code 4, one line that says what is wrong, and a hint; no form that only a programmer reads.
#[track_caller]
fn is_told(outcome: &Outcome, error: &str, hint: &str) {
    let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", outcome.stderr);
    assert!(errors[0].contains(error), "{error:?} is not in:\n{}", outcome.stderr);
    assert!(errors[0].len() < 700, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&format!("hint: {hint}")), "{hint:?} is not in:\n{}", outcome.stderr);
    for form in ["Error {", "Some(", "Custom", "hyper", "rustls", "\u{1b}"] {
        assert!(!outcome.stderr.contains(form), "{form} is in:\n{}", outcome.stderr);
    }
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
}

fn plain(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Outcome {
    look(&Place::empty(), &Fake::plain(answer).url(), &[])
}

#[test]
fn answers_that_no_api_server_gives() {
    for (body, error) in [
        (
            "<html>\n<title>Log in</title>\u{1b}[31m</html>",
            "not from a Kubernetes API server (HTTP 200: <html> <title>Log in",
        ),
        ("", "the answer cannot be read: it is empty (HTTP 200)"),
        ("{\"kind\":\"NodeList\",\"items\":[{\"met", "the answer cannot be read: EOF while parsing"),
        ("just words", "not from a Kubernetes API server (HTTP 200: just words)"),
    ] {
        let outcome = plain(move |_| http("200 OK", "text/html", body));
        is_told(&outcome, error, "is http://127.0.0.1:");
    }
}

#[test]
fn json_nested_without_end_is_no_way_to_crash_us() {
    let outcome = plain(|_| http("200 OK", "application/json", &"[".repeat(1 << 20)));
    is_told(&outcome, "the answer cannot be read: ", "is http://127.0.0.1:");
}

#[test]
fn a_page_of_a_proxy_that_has_no_server() {
    let outcome = plain(|_| http("502 Bad Gateway", "text/html", "<html><h1>502 Bad Gateway</h1></html>"));
    is_told(&outcome, "(HTTP 502: <html><h1>502 Bad Gateway</h1></html>)", "is http://127.0.0.1:");
}

#[test]
fn a_redirect_is_not_followed_and_what_is_secret_in_it_is_not_shown() {
    let outcome = plain(|_| {
        Reply::Bytes(
            b"HTTP/1.1 302 Found\r\nlocation: https://sso.example.com/in?code=hunter2\r\ncontent-length: 0\r\n\r\n"
                .into(),
        )
    });
    is_told(
        &outcome,
        "the server answers HTTP 302 and points to https://sso.example.com/in",
        "is https://sso.example.com/in the right",
    );
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
}

#[test]
fn an_endless_answer_is_cut() {
    let outcome = plain(|_| {
        // Only the first piece has a head; what follows is more of the same text.
        let mut start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"items\": [\"".to_vec();
        start.resize(1 << 20, b'x');
        Reply::Endless(start)
    });
    is_told(&outcome, "the answer is larger than ", "is http://127.0.0.1:");
}

#[test]
fn endless_headers_are_cut() {
    let outcome = plain(|_| Reply::Endless(b"HTTP/1.1 200 OK\r\nx: y\r\n".repeat(1000)));
    is_told(&outcome, "the answer is not from a Kubernetes API server", "does it speak another scheme?");
}

#[test]
fn who_is_not_let_in_is_told_so_as_kubectl_tells_it() {
    let outcome = plain(|_| refusal(401, "Unauthorized", "Unauthorized"));
    is_told(&outcome, "You must be logged in to the server (Unauthorized)", "the token may have expired");
}

#[test]
fn a_refused_connection_is_told_in_the_words_of_kubectl() {
    let outcome = look(&Place::empty(), "https://127.0.0.1:1", &[]);
    let error = "error: The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?";
    is_told(&outcome, error, "is this the right cluster? kubectl config current-context");
}

#[test]
fn a_connection_that_is_cut_is_tried_again_and_the_person_is_told() {
    for url in [resetting(), Fake::plain(|_| Reply::Close).url()] {
        let place = Place::empty().variable("MIZAR_TIME_SCALE", "0.1");
        let outcome = look(&place, &url, &[]);
        is_told(&outcome, "the connection was lost before the answer came", "does the server answer?");
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (_listener, url) = silent();
    let place = Place::empty().variable("MIZAR_TIME_SCALE", "0.1");
    let outcome = look(&place, &url, &["--insecure-skip-tls-verify"]);
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&url), "{}", outcome.stderr);
}

#[test]
fn a_request_may_take_as_long_as_was_asked_for_and_without_end_if_that_was_zero() {
    // Later than a server is given when nobody says how long.
    let late = Fake::plain(|_| {
        std::thread::sleep(Duration::from_millis(3500));
        refusal(401, "Unauthorized", "no")
    });
    let asked = |limit: &'static [&'static str]| {
        let (url, place) = (late.url(), Place::empty().variable("MIZAR_TIME_SCALE", "0.1"));
        std::thread::spawn(move || look(&place, &url, limit))
    };
    for (limit, error) in [
        (&[][..], "no answer within 2.7 s"),
        (&["--request-timeout", "500ms"], "no answer within 0.5 s"),
        (&["--request-timeout", "1m"], "does not accept the credentials"),
        (&["--request-timeout", "0"], "does not accept the credentials"),
    ]
    .map(|(limit, error)| (asked(limit), error))
    {
        let outcome = limit.join().unwrap();
        assert!(outcome.stderr.contains(error), "{error:?} is not in:\n{}", outcome.stderr);
        assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    }
}

#[test]
fn plain_http_where_tls_is_expected_and_the_other_way_round() {
    let outcome = look(&Place::empty(), &format!("https://{}", blunt()), &["--insecure-skip-tls-verify"]);
    is_told(&outcome, "it does not speak TLS", "does it speak plain http");

    let words = "Client sent an HTTP request to an HTTPS server.\n";
    let outcome = plain(move |_| http("400 Bad Request", "text/plain", words));
    is_told(
        &outcome,
        "Client sent an HTTP request to an HTTPS server.",
        "does it speak another scheme? --server https://127.0.0.1:",
    );
}

#[test]
fn certificates_that_do_not_hold() {
    let now = |_: &str| refusal(403, "Forbidden", "no");
    let good = SelfSigned::of(&["127.0.0.1"], |_| {});
    let place = Place::with("other.pem", &good.certificate);
    let stranger = Fake::with(&SelfSigned::of(&["127.0.0.1"], |_| {}), now);
    let outcome = look(&place, &stranger.url(), &["--certificate-authority", "other.pem"]);
    is_told(
        &outcome,
        "its certificate is signed by an unknown authority",
        "check certificate-authority in the kubeconfig",
    );

    for (change, error, hint) in [
        (2020, "its certificate has expired", "have the certificate renewed"),
        (4000, "its certificate is not valid yet", "is the clock of this machine right?"),
    ] {
        let own = SelfSigned::of(&["127.0.0.1"], |params| {
            params.not_before = date_time_ymd(change - 1, 1, 1);
            params.not_after = date_time_ymd(change, 1, 1);
        });
        let outcome = trusted(&Fake::with(&own, now), &[]);
        is_told(&outcome, error, hint);
    }

    let named = Fake::with(&SelfSigned::of(&["api.example.com"], |_| {}), now);
    let outcome = trusted(&named, &[]);
    is_told(
        &outcome,
        "its certificate is for api.example.com",
        "is it the right server? then name it as its certificate does: --tls-server-name api.example.com",
    );
    trusted(&named, &["--tls-server-name", "api.example.com"]);
    assert!(!named.heard().is_empty(), "with its name the server is asked");
}

fn trusted(server: &Fake, more: &[&str]) -> Outcome {
    let place = Place::with("ca.pem", &server.certificate);
    let arguments: Vec<&str> = ["--certificate-authority", "ca.pem"].into_iter().chain(more.iter().copied()).collect();
    look(&place, &server.url(), &arguments)
}

#[test]
fn warnings_of_the_server_are_told_once() {
    let server = Fake::plain(|_| {
        let body = "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"no\"}";
        let length = body.len();
        let warning = "warning: 299 - \"this is old\"";
        Reply::Bytes(format!("HTTP/1.1 403 Forbidden\r\n{warning}\r\ncontent-length: {length}\r\n\r\n{body}").into())
    });
    let outcome = look(&Place::empty(), &server.url(), &[]);
    assert!(server.heard().len() > 1);
    assert_eq!(outcome.stderr.matches("Warning: this is old\n").count(), 1, "{}", outcome.stderr);
}
