//! Which proxy is asked, by kubectl's rules.

use crate::fake_server::{Fake, http, refusal};
use crate::program::Place;

/// A proxy that lets nobody through.
fn proxy() -> Fake {
    Fake::plain(|_| http("502 Bad Gateway", "text/plain", "no"))
}

/// A server that no name server knows.
const AFAR: &str = "https://api.mizar.invalid:6443";

#[test]
fn the_proxy_of_the_environment_is_asked_for_servers_elsewhere() {
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        let proxy = proxy();
        let with_login = proxy.url().replace("http://", "http://me:hunter2@");
        let outcome = Place::empty().variable(variable, &with_login).run(&["env", "--server", AFAR]);
        let heard = proxy.heard();
        assert!(heard[0].starts_with("connect api.mizar.invalid:6443 "), "{heard:?}");
        assert!(heard[0].contains("proxy-authorization: basic "), "{heard:?}");
        assert_eq!(outcome.code, 4);
        let shown = format!("through the proxy {} (HTTPS_PROXY)", proxy.url());
        assert!(outcome.stderr.contains(&shown), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
}

#[test]
fn what_no_proxy_lists_is_reached_directly() {
    for listed in ["mizar.invalid", ".invalid,", "other, api.mizar.invalid:6443", "*"] {
        let proxy = proxy();
        let place = Place::empty().variable("HTTPS_PROXY", &proxy.url()).variable("NO_PROXY", listed);
        let outcome = place.run(&["env", "--server", AFAR]);
        assert_eq!((proxy.heard().len(), outcome.code), (0, 4), "{listed}: {}", outcome.stderr);
    }
}

#[test]
fn this_machine_is_never_reached_through_the_environments_proxy() {
    let (proxy, server) = (proxy(), Fake::secure(|_| refusal(403, "Forbidden", "no")));
    let place = Place::with("ca.pem", &server.certificate).variable("HTTPS_PROXY", &proxy.url());
    place.run(&["env", "--server", &server.url(), "--certificate-authority", "ca.pem"]);
    assert!(proxy.heard().is_empty() && !server.heard().is_empty());
}

#[test]
fn the_proxy_of_the_kubeconfig_is_asked_also_for_this_machine() {
    let (proxy, server) = (proxy(), Fake::secure(|_| refusal(403, "Forbidden", "no")));
    let config = serde_json::json!({"current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url(), "proxy-url": proxy.url()}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}]});
    let place = Place::with("k", config.to_string()).variable("NO_PROXY", "*");
    let outcome = place.run(&["env", "--kubeconfig", "k"]);
    assert!(server.heard().is_empty() && !proxy.heard().is_empty(), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(": cluster \"c\", proxy-url)"), "{}", outcome.stderr);
}

#[test]
fn a_variable_that_holds_no_proxy_is_named() {
    let place = Place::empty().variable("HTTPS_PROXY", "ftp://me:hunter2@proxy");
    place.run(&["env", "--server", AFAR]).fails(
        4,
        "error: HTTPS_PROXY: is no proxy address: it must start with http://, https:// or socks5://
hint: write it like http://HOST:PORT or socks5://HOST:PORT
",
    );
}
