//! A look at Mizar's pods while one waits for them: what keeps each from being ready, or from being made at all.

use std::time::Duration;

use jiff::Timestamp;
use mizar_core::health::{self, PodTrouble};
use mizar_core::object::Object;
use serde_json::Value;

use super::run::Run;
use super::wait::Patience;
use crate::cluster::admission::Rule;
use crate::cluster::read::Listing;

/// The reason of events of controllers whose pods the server does not admit.
const REFUSED: &str = "FailedCreate";

/// Lists the pods once and says what keeps each from being ready. A list that fails or takes too long says nothing: the
/// wait goes on.
pub(super) async fn look(run: &Run, patience: &Patience<'_>, waited: Duration) -> Vec<PodTrouble> {
    run.enter("look");
    let limit = run.timing().progress;
    let mut troubles = tokio::time::timeout(limit, troubles(run, patience)).await.unwrap_or_default();
    if troubles.is_empty() && !patience.pods.is_empty() {
        let refused = tokio::time::timeout(limit, refused(run, patience, waited)).await.ok().flatten();
        troubles.extend(refused);
    }
    run.enter("wait");
    troubles
}

async fn troubles(run: &Run, patience: &Patience<'_>) -> Vec<PodTrouble> {
    let path = format!("/api/v1/namespaces/{}/pods", run.namespace());
    let listing =
        Listing { path: &path, noun: "pods", labels: patience.pods, fields: "", page_limit: 500, metadata_only: false };
    let mut troubles = Vec::new();
    let looked = run
        .cluster()
        .items(&listing, |mut item| {
            item["apiVersion"] = "v1".into();
            item["kind"] = "Pod".into();
            if let Ok(pod) = Object::new(item) {
                troubles.extend(health::pod::trouble(&pod));
            }
        })
        .await;
    if let Err(failure) = looked {
        tracing::debug!(%failure, "look");
    }
    troubles.sort_by(|a, b| b.ends_early.cmp(&a.ends_early).then_with(|| a.node.cmp(&b.node)));
    troubles
}

/// A pod that the server does not admit is nowhere to be seen; only an event of its controller tells. One from before the
/// wait may tell of what is over.
async fn refused(run: &Run, patience: &Patience<'_>, waited: Duration) -> Option<PodTrouble> {
    let owner = patience.pods.split_once('=')?.1;
    let began = run.cluster().now().checked_sub(waited).ok()?;
    let is_meant = |event: &Value| text(&event["involvedObject"]["name"]).starts_with(owner);
    let (at, event) = newest_event(run, &format!("reason={REFUSED}"), is_meant).await?;
    // Events have whole seconds.
    if at.as_second() < began.as_second() {
        return None;
    }
    let (kind, name) = (text(&event["involvedObject"]["kind"]), text(&event["involvedObject"]["name"]));
    Some(PodTrouble {
        node: None,
        pod: format!("of {kind} {}/{name}", run.namespace()),
        container: None,
        reason: REFUSED.to_owned(),
        message: text(&event["message"]).to_owned(),
        restarts: 0,
        since: None,
        ends_early: true,
    })
}

/// The last event of a pod, `reason: message`.
pub(super) async fn last_event(run: &Run, trouble: &PodTrouble) -> Option<String> {
    if trouble.reason == REFUSED {
        return None;
    }
    let name = trouble.pod.rsplit('/').next().unwrap_or(&trouble.pod);
    let (_, event) = newest_event(run, &format!("involvedObject.name={name}"), |_| true).await?;
    Some(format!("{}: {}", text(&event["reason"]), text(&event["message"])))
}

async fn newest_event(run: &Run, fields: &str, is_meant: impl Fn(&Value) -> bool) -> Option<(Timestamp, Value)> {
    let path = format!("/api/v1/namespaces/{}/events", run.namespace());
    let listing = Listing { path: &path, noun: "events", labels: "", fields, page_limit: 500, metadata_only: false };
    let mut newest: Option<(Timestamp, Value)> = None;
    run.cluster()
        .items(&listing, |event| {
            let times = [&event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
            let time = times.into_iter().find_map(|time| time.as_str()?.parse().ok()).unwrap_or_default();
            if is_meant(&event) && newest.as_ref().is_none_or(|(earlier, _)| *earlier <= time) {
                newest = Some((time, event));
            }
        })
        .await
        .ok()?;
    newest
}

/// What to type to see more of a trouble, and what its rule asks for.
pub(super) fn hints(namespace: &str, trouble: &PodTrouble) -> Vec<String> {
    let name = trouble.pod.rsplit('/').next().unwrap_or(&trouble.pod);
    if trouble.reason != REFUSED {
        return vec![format!("kubectl -n {namespace} describe pod {name}")];
    }
    let kind = trouble.pod.split(' ').nth(1).unwrap_or("daemonset").to_lowercase();
    let rule = Rule::of(&trouble.message).map(|rule| rule.hint().replace("NAME", namespace));
    rule.into_iter().chain([format!("kubectl -n {namespace} describe {kind} {name}")]).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
