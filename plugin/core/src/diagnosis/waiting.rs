//! Objects that the operator wants to finish and cannot: it tries again and again, and says what it waits for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Moment;
use crate::facts::{Facts, MizarObject};
use crate::object::ObjectId;

/// An object that stays as it is, although the operator is at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingObject {
    /// The object.
    pub object: ObjectId,
    /// What the operator says that it waits for; blank if it says nothing.
    pub message: String,
    /// Since when it is tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

/// Returns the objects that are not Provisioned and have been tried for too long to come by themselves.
#[must_use]
pub fn waiting_objects(facts: &Facts, moment: &Moment) -> Vec<WaitingObject> {
    let droplets = facts.droplets.items().iter().map(|fact| ("Droplet", &fact.object));
    let vpcs = facts.vpcs.items().iter().map(|fact| ("Vpc", &fact.object));
    let dividers = facts.dividers.items().iter().map(|fact| ("Divider", &fact.object));
    let subnets = facts.subnets.items().iter().map(|fact| ("Subnet", &fact.object));
    let bouncers = facts.bouncers.items().iter().map(|fact| ("Bouncer", &fact.object));
    let endpoints = facts.endpoints.items().iter().map(|fact| ("Endpoint", &fact.object));
    let all = droplets.chain(vpcs).chain(dividers).chain(subnets).chain(bouncers).chain(endpoints);
    all.filter_map(|(kind, object)| waits(kind, object, moment)).collect()
}

fn waits(kind: &str, object: &MizarObject, moment: &Moment) -> Option<WaitingObject> {
    if object.is_provisioned() || object.deleting.is_some() {
        return None;
    }
    let retry = object.retries.first()?;
    let since = retry.started.or(object.created);
    let message = retry.message.as_deref().unwrap_or_default().trim_end_matches('.').to_owned();
    moment.is_older(since, moment.slow).then(|| WaitingObject { object: object.id(kind), message, since })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Options;
    use crate::facts::samples::{a_healthy_cluster, a_retry, minutes_ago, now};
    use crate::repair::{Wish, plan};

    fn with_a_divider_tried_since(minutes: i64, status: &str) -> Facts {
        let mut facts = a_healthy_cluster();
        let divider = &mut facts.dividers.edit()[0].object;
        (divider.status, divider.retries) = (status.into(), Box::new([a_retry("handler", minutes_ago(minutes))]));
        facts
    }

    #[test]
    fn what_is_tried_for_too_long_waits_in_vain_and_what_is_provisioned_or_young_does_not() {
        let moment = Options::at(now()).moment();
        let waiting = |minutes, status| waiting_objects(&with_a_divider_tried_since(minutes, status), &moment);
        assert_eq!(waiting(3, "Init").len(), 1);
        assert_eq!(waiting(3, "Init")[0].object.object.kind, "Divider");
        assert_eq!(waiting(1, "Init"), []);
        assert_eq!(waiting(3, "Provisioned"), []);
    }

    #[test]
    fn a_plan_with_nothing_to_do_names_what_waits() {
        let moment = Options::at(now()).moment();
        let named = |facts: &Facts| {
            let beyond = plan(facts, &moment, &Wish::default()).beyond;
            beyond.iter().any(|beyond| beyond.what.contains("tries again and again"))
        };
        let mut facts = with_a_divider_tried_since(3, "Init");
        assert!(named(&facts));
        facts.endpoints.edit().retain(|endpoint| endpoint.kind != "host");
        assert!(!named(&facts), "what is done about the nodes may help");
    }
}
