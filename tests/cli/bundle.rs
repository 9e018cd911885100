//! `kubectl mizar bundle` where there is no cluster, or only something that answers as one.

use serde_json::json;

use crate::fake_server::{Fake, Reply, SelfSigned, http, refusal};
use crate::program::Place;

fn files(place: &Place) -> Vec<String> {
    let names = std::fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name != ".kube").collect()
}

fn place_before(answer: fn(&str) -> Reply) -> (Place, Fake) {
    let server = Fake::with(&SelfSigned::of(&["127.0.0.1"], |_| {}), answer);
    let config = json!({"current-context": "c", "users": [{"name": "u", "user": {"token": "t"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url(), "certificate-authority": "ca.pem"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    let place = Place::with(".kube/config", config.to_string()).and(".kube/ca.pem", &server.certificate);
    (place.variable("MIZAR_TIME_SCALE", "0.3"), server)
}

#[test]
fn a_cluster_that_cannot_be_reached_leaves_no_file() {
    let place = Place::empty();
    let outcome = place.run(&["bundle", "--server", "https://127.0.0.1:1"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (4, ""), "{}", outcome.stderr);
    assert!(
        outcome.stderr.starts_with("error: The connection to the server 127.0.0.1:1 was refused"),
        "{}",
        outcome.stderr
    );
    assert_eq!(files(&place), [""; 0]);
    let (place, _server) = place_before(|_| refusal(401, "Unauthorized", "no"));
    let outcome = place.run(&["bundle"]);
    assert_eq!((outcome.code, files(&place)), (4, Vec::new()), "{}", outcome.stderr);
    let (place, _server) = place_before(|_| http("200 OK", "text/html", "<html>log in</html>"));
    let outcome = place.run(&["bundle"]);
    assert_eq!((outcome.code, files(&place)), (4, Vec::new()), "{}", outcome.stderr);
}

#[test]
fn a_server_that_refuses_everything_leaves_a_bundle_that_says_so() {
    for (answer, words) in [
        ((|_| refusal(403, "Forbidden", "not for you")) as fn(&str) -> Reply, "not for you"),
        (|_| refusal(500, "InternalError", "etcdserver: no leader"), "no leader"),
        (|_| refusal(404, "NotFound", "the server could not find it"), "checks"),
        (|_| http("200 OK", "application/json", "{}"), "checks"),
        (|_| http("200 OK", "application/json", "{\"items\": 5, \"metadata\": []}"), "checks"),
        (
            |_| http("200 OK", "application/json", "{\"items\": [5, null, {}, {\"metadata\": {\"name\": []}}]}"),
            "checks",
        ),
    ] {
        let (place, _server) = place_before(answer);
        let outcome = place.run(&["bundle", "--timeout", "20s"]);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(files(&place).join("") + "\n", outcome.stdout, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
}

#[test]
fn sizes_and_times_that_leave_no_room_are_refused_before_anything_is_asked() {
    let place = Place::empty();
    for (arguments, message) in [
        (
            &["bundle", "--limit-size", "1023Ki"][..],
            "error: --limit-size must be 1Mi or more: less leaves no room for anything\n",
        ),
        (&["bundle", "--timeout", "0"], "error: --timeout must be longer than nothing\n"),
        (&["bundle", "--since", "0s"], "error: --since must be longer than nothing\n"),
    ] {
        place.run(arguments).fails(2, message);
    }
}
