//! What a request asks for, told in the same words in every run, so that a point of one run is found again in another.

use http::header;
use http::request::Parts;

use crate::proxy::NameInBody;

/// The operator, the API server and the addresses of pods make these names up.
const MADE_UP: [&str; 5] = ["pods", "events", "endpoints", "bouncers", "dividers"];

/// A request, without what differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `apply`, `merge`, `patch`, `delete`; `renew` for a lease; with `try-`
    /// before it where the server is to store nothing.
    pub(crate) verb: String,
    /// The plural of the resource, or a path that is none.
    pub(crate) resource: String,
    /// The object's name, `*` where it is made up, blank for a collection.
    pub(crate) name: String,
    /// What the program says it is at: `apply`.
    pub(crate) phase: String,
}

impl Request {
    /// Reads it off its head.
    pub(crate) fn of(parts: &Parts) -> Self {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let phase = agent.rsplit_once('/').map_or("", |(_, phase)| phase).to_owned();
        let in_body = parts.extensions.get::<NameInBody>().cloned().unwrap_or_default().0;
        let (resource, named) = resource_and_name(parts.uri.path());
        let name = if named.is_empty() { in_body } else { named };
        let verb = verb(parts, &phase, name.is_empty());
        let plural = resource.split_once('.').map_or(resource.as_str(), |(plural, _)| plural);
        let is_made_up = !name.is_empty() && MADE_UP.contains(&plural);
        let name = if is_made_up { "*".to_owned() } else { without_revision(&name, agent) };
        Self { verb, resource, name, phase }
    }

    /// Whether it is to change something; asking for one's own rights is not.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch") && !self.resource.starts_with("selfsubject")
    }

    /// The kind of request: `list:pods`.
    pub(crate) fn kind(&self) -> String {
        format!("{}:{}", self.verb, self.resource)
    }

    /// The very request: `apply:daemonsets/mizar-daemon`.
    pub(crate) fn key(&self) -> String {
        if self.name.is_empty() { self.kind() } else { format!("{}/{}", self.kind(), self.name) }
    }
}

/// Upgrades and rollbacks follow on each other, each with another revision; of other commands it is always the first.
fn without_revision(name: &str, agent: &str) -> String {
    let goes_on = agent.contains(" upgrade/") || agent.contains(" rollback/");
    match name.strip_prefix("sh.helm.release.v1.").and_then(|rest| rest.rsplit_once(".v")) {
        Some((release, _)) if goes_on => format!("sh.helm.release.v1.{release}.vN"),
        _ => name.to_owned(),
    }
}

fn verb(parts: &Parts, phase: &str, is_collection: bool) -> String {
    let query = parts.uri.query().unwrap_or_default();
    let has = |wanted: &str| query.split('&').any(|pair| pair == wanted);
    let content = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let verb = match parts.method.as_str() {
        "GET" if has("watch=true") => "watch",
        "GET" if is_collection && query.contains("limit=") => "list",
        "GET" => "get",
        "POST" => "create",
        "PUT" if phase == "lease" => "renew",
        "PUT" => "update",
        "PATCH" if content.contains("apply-patch") => "apply",
        "PATCH" if content.contains("merge-patch") => "merge",
        "PATCH" => "patch",
        _ => "delete",
    };
    if has("dryRun=All") { format!("try-{verb}") } else { verb.to_owned() }
}

/// The plural and the name in a path of the API, or the path itself.
fn resource_and_name(path: &str) -> (String, String) {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let rest = match segments.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] if !rest.is_empty() => rest,
        _ => return (path.to_owned(), String::new()),
    };
    let rest = match rest {
        ["namespaces", _, inner @ ..] if !inner.is_empty() => inner,
        other => other,
    };
    match rest {
        [plural] => ((*plural).to_owned(), String::new()),
        [plural, name] => ((*plural).to_owned(), (*name).to_owned()),
        [plural, name, part, ..] => (format!("{plural}.{part}"), (*name).to_owned()),
        [] => (path.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, content: &str, agent: &str) -> String {
        let request = http::Request::builder().method(method).uri(uri);
        let request = request.header(header::CONTENT_TYPE, content).header(header::USER_AGENT, agent);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(NameInBody("named".to_owned()));
        Request::of(&parts).key()
    }

    #[test]
    fn a_request_is_told_without_what_differs_from_run_to_run() {
        let agent = "kubectl-mizar/0.1.0 (linux/x86_64) install/apply";
        let lease = "kubectl-mizar/0.1.0 (linux/x86_64) install/lease";
        let secret = "/api/v1/namespaces/mizar-system/secrets/mizar-operation?fieldManager=x";
        let upgrade = "kubectl-mizar/0.1.0 (linux/x86_64) upgrade/apply";
        let revision = "/api/v1/namespaces/mizar-system/secrets/sh.helm.release.v1.mizar.v12";
        let daemon = "/apis/apps/v1/namespaces/mizar-system/daemonsets/mizar-daemon";
        let apply = "application/apply-patch+yaml";
        for (method, uri, content, agent, told) in [
            ("PUT", secret, "application/json", agent, "update:secrets/mizar-operation"),
            ("PUT", secret, "application/json", lease, "renew:secrets/mizar-operation"),
            ("PATCH", daemon, apply, agent, "apply:daemonsets/mizar-daemon"),
            ("PATCH", &format!("{daemon}?a=b&dryRun=All"), apply, agent, "try-apply:daemonsets/mizar-daemon"),
            ("POST", "/api/v1/namespaces", "application/json", agent, "create:namespaces/named"),
            ("GET", "/api/v1/namespaces/mizar-system", "", agent, "get:namespaces/mizar-system"),
            ("DELETE", "/apis/mizar.com/v1/namespaces/default/endpoints/a-1", "", agent, "delete:endpoints/*"),
            ("POST", "/api/v1/namespaces/default/pods/web-1/eviction", "", upgrade, "create:pods.eviction/*"),
            ("PUT", revision, "application/json", upgrade, "update:secrets/sh.helm.release.v1.mizar.vN"),
            ("PUT", revision, "application/json", agent, "update:secrets/sh.helm.release.v1.mizar.v12"),
            ("GET", "/version", "", agent, "get:/version/named"),
        ] {
            assert_eq!(request(method, uri, content, agent), told);
        }
    }
}
