//! The events: those of Mizar's own objects, of nodes, and of what a check complains about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mizar_core::bundle::index::Why;
use mizar_core::bundle::mask::{self, Owner};
use mizar_core::bundle::objects::is_event_of_mizar;
use mizar_core::bundle::{file_name, place};
use mizar_core::yaml;
use serde_json::Value;
use tokio::time::timeout_at;

use super::{Collection, Known};
use crate::cluster::read::Listing;

/// How many of a namespace are kept, the newest.
const MOST: usize = 2_000;

/// Where events of objects lie that are in no namespace, nodes among them, and those of the network's objects.
const OF_THE_CLUSTER: &str = "default";

/// Notes what is to come.
pub(super) fn expect(collection: &Collection<'_>, known: &Known) {
    for namespace in namespaces(known) {
        collection.sink.begin(&path_of(&namespace));
    }
}

pub(super) async fn collect(collection: &Collection<'_>, known: &Known) {
    for namespace in namespaces(known) {
        let path = path_of(&namespace);
        let mut newest = Newest::default();
        let at = format!("/api/v1/namespaces/{namespace}/events");
        let listing =
            Listing { path: &at, noun: "events", labels: "", fields: "", page_limit: 500, metadata_only: false };
        let read = collection.cluster.items(&listing, |event| {
            if is_event_of_mizar(&event, &known.in_question) {
                newest.take(event);
            }
        });
        let read = timeout_at(collection.limit_of_one(), read).await;
        if newest.left_out > 0 {
            let message = format!("{} older events; the newest {MOST} are here", newest.left_out);
            collection.sink.miss(&path, Why::Surplus, &message);
        }
        let text = newest.text();
        if !text.is_empty() {
            collection.sink.put(&path, text.as_bytes());
        }
        collection.settle(&path, read);
    }
}

fn namespaces(known: &Known) -> BTreeSet<String> {
    let own = [known.home.clone(), OF_THE_CLUSTER.to_owned()];
    own.into_iter().chain(known.in_question.iter().filter_map(|object| object.namespace.clone())).collect()
}

fn path_of(namespace: &str) -> String {
    format!("{}/{}.yaml", place::EVENTS, file_name(namespace))
}

/// The newest events, masked and written.
#[derive(Default)]
struct Newest {
    events: Vec<(Timestamp, String)>,
    left_out: usize,
}

impl Newest {
    fn take(&mut self, mut event: Value) {
        let times = ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/metadata/creationTimestamp"];
        let time = times.into_iter().find_map(|pointer| event.pointer(pointer)?.as_str()?.parse().ok());
        mask::object(&mut event, Owner::Mizar);
        self.events.push((time.unwrap_or_default(), yaml::write(&event)));
        if self.events.len() >= 2 * MOST {
            self.shrink();
        }
    }

    /// Forgets all but the newest.
    fn shrink(&mut self) {
        self.events.sort();
        let surplus = self.events.len().saturating_sub(MOST);
        self.events.drain(..surplus);
        self.left_out += surplus;
    }

    /// The events from old to new.
    fn text(mut self) -> String {
        self.shrink();
        self.events.iter().flat_map(|(_, event)| ["---\n", event]).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_are_kept_from_old_to_new() {
        let mut newest = Newest::default();
        for second in (0..5 * MOST).rev() {
            let time = Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
            newest.take(json!({"message": format!("at {second}, Bearer planted-1234"), "lastTimestamp": time}));
        }
        newest.shrink();
        assert_eq!(newest.left_out, 4 * MOST);
        let text = newest.text();
        assert!(
            text.starts_with("---\nlastTimestamp: \"1970-01-01T02:13:20Z\"\nmessage: at 8000, Bearer (masked)\n"),
            "{}",
            &text[..200]
        );
        assert_eq!(text.matches("---\n").count(), MOST);
    }
}
