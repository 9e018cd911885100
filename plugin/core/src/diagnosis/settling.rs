//! What is not done yet and may still come by itself: a check does not cry about it, and no remedy is taken against it.
//!
//! The operator works in rounds. What these rules let pass is judged by the others when the time is over, so that a check
//! that fails and a repair that finds nothing to do never meet.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Moment;
use super::index::daemons;
use super::operator::operator_run;
use super::runs::run_began;
use crate::facts::{Facts, Text};
use crate::network::{Network, Part, PartState, Wait, served_nodes};

/// Something that may still come by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settling {
    /// The part of the network that waits for it.
    pub part: Part,
    /// The object that waits, `node node-3`.
    pub object: String,
    /// For what, `has no Droplet yet (192.168.0.3)`.
    pub reason: String,
    /// From when on it is wrong.
    pub until: Timestamp,
}

/// Returns what the parts of the network wait for and may still get, in their order.
#[must_use]
pub fn settling(facts: &Facts, moment: &Moment) -> Vec<Settling> {
    let nodes = served_nodes(facts);
    let network = Network::of(facts, &nodes);
    let patience = Patience::of(facts, moment);
    Part::ALL.iter().flat_map(|part| patience.all(&network.part(*part))).collect()
}

/// Returns until when a part may still be finished by itself; nothing if it is, or if something that it waits for is
/// overdue.
#[must_use]
pub fn settles(facts: &Facts, state: &PartState, moment: &Moment) -> Option<Timestamp> {
    if state.failed.is_some() {
        return None;
    }
    let patience = Patience::of(facts, moment);
    let ends: Option<Vec<Timestamp>> = state.waiting_for.iter().map(|wait| patience.end(state.part, wait)).collect();
    ends?.into_iter().max()
}

/// How long everything is waited for.
struct Patience<'a> {
    moment: &'a Moment,
    /// When the operator started, which then looks at everything anew.
    operator: Option<Timestamp>,
    /// Since when the daemon of each node runs.
    daemons: HashMap<Text, Timestamp>,
}

impl<'a> Patience<'a> {
    fn of(facts: &Facts, moment: &'a Moment) -> Self {
        let began = daemons(facts).into_iter().filter_map(|(node, daemon)| Some((node, run_began(daemon)?)));
        Self { moment, operator: operator_run(facts).map(|run| run.started), daemons: began.collect() }
    }

    fn all(&self, state: &PartState) -> Vec<Settling> {
        let of_wait = |wait: &Wait| {
            let until = self.end(state.part, wait)?;
            Some(Settling { part: state.part, object: wait.object.clone(), reason: wait.reason.clone(), until })
        };
        let waits = if state.failed.is_some() { &[][..] } else { &state.waiting_for[..] };
        waits.iter().filter_map(of_wait).collect()
    }

    /// Returns until when something may still come, if that is not over. Nothing comes without an operator.
    fn end(&self, part: Part, wait: &Wait) -> Option<Timestamp> {
        let began = match part {
            Part::Droplets => {
                let daemon = wait.node.as_deref().and_then(|node| self.daemons.get(&Text::from(node)).copied());
                let since = wait.since?.max(self.operator?);
                daemon.map_or(since, |daemon| since.max(daemon))
            }
            // A Bouncer that was Init when the operator started is given up, or placed soon.
            Part::Bouncers => wait.since?.max(self.operator?),
            Part::Vpcs | Part::Dividers | Part::Subnets | Part::HostEndpoints => wait.since?,
        };
        let until = began.checked_add(self.moment.settling).ok()?;
        (until > self.moment.now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::check::{Options, Phase, Status, evaluate};
    use crate::facts::samples::*;
    use crate::facts::{PodFact, PodRole};
    use crate::repair::{Wish, plan};

    fn ago(seconds: i64) -> Option<Timestamp> {
        now().checked_sub(SignedDuration::from_secs(seconds)).ok()
    }

    fn pod(facts: &mut Facts, role: PodRole) -> &mut PodFact {
        facts.pods.edit().iter_mut().find(|pod| pod.role == role).expect("a pod of Mizar")
    }

    /// The node is so old and has no Droplet.
    fn node_joined(facts: &mut Facts, seconds: i64) {
        facts.droplets.edit().remove(0);
        facts.nodes.edit()[0].created = ago(seconds);
    }

    fn daemon_started(facts: &mut Facts, seconds: i64) {
        facts.droplets.edit().remove(0);
        pod(facts, PodRole::Daemon).created = ago(seconds);
    }

    fn operator_started(facts: &mut Facts, seconds: i64) {
        facts.droplets.edit().remove(0);
        pod(facts, PodRole::Operator).containers[0].started = ago(seconds);
    }

    fn droplet_came(facts: &mut Facts, seconds: i64) {
        facts.endpoints.edit().remove(0);
        facts.droplets.edit()[0].object.created = ago(seconds);
    }

    fn droplet_is_made(facts: &mut Facts, seconds: i64) {
        let object = &mut facts.droplets.edit()[0].object;
        (object.status, object.created) = ("Init".into(), ago(seconds));
    }

    fn vpc_is_made(facts: &mut Facts, seconds: i64) {
        let mut vpc = a_vpc();
        vpc.object.name = "vpc1".into();
        (vpc.object.status, vpc.object.created) = ("Init".into(), ago(seconds));
        facts.vpcs.edit().push(vpc);
    }

    fn bouncer_was_init(facts: &mut Facts, seconds: i64) {
        facts.bouncers.edit()[0].object.status = "Init".into();
        let operator = pod(facts, PodRole::Operator);
        (operator.created, operator.containers[0].started) = (ago(seconds), ago(seconds));
    }

    fn subnet_goes(facts: &mut Facts, seconds: i64) {
        facts.subnets.edit()[0].object.finalizer = true;
        facts.subnets.edit()[0].object.deleting = ago(seconds);
    }

    /// What may settle, which check tells of it, and whether `repair` has something to do or to say when it does not.
    type Row = (fn(&mut Facts, i64), &'static str, bool);

    const TABLE: &[Row] = &[
        (node_joined, "droplets", true),
        (daemon_started, "droplets", true),
        (operator_started, "droplets", true),
        (droplet_came, "host-endpoints", true),
        (bouncer_was_init, "bouncers", true),
        (subnet_goes, "subnets", true),
        (droplet_is_made, "droplets", false),
        (vpc_is_made, "vpcs", false),
    ];

    #[test]
    fn what_is_young_is_a_warning_with_an_end_and_what_is_old_is_a_failure() {
        let options = Options::at(now());
        for (index, (wrong, check, heals)) in TABLE.iter().enumerate() {
            let case = format!("row {index}, {check}");
            let mut facts = a_healthy_cluster();
            wrong(&mut facts, 5);
            let result = evaluate(Phase::Health, &facts, &options).result(check).expect("a check").clone();
            assert_eq!(result.status, Status::Warn, "{case}: {}", result.message);
            assert_eq!(result.settles, ago(-55), "{case}");
            let hint = result.hint.unwrap_or_default();
            assert!(hint.starts_with("look again in 55 s; `kubectl mizar check --wait`"), "{case}: {hint}");
            let settling = settling(&facts, &options.moment());
            assert!(settling.iter().any(|one| Some(one.until) == ago(-55)), "{case}: {settling:?}");
            assert_eq!(result.remedy, None, "{case}");

            let mut facts = a_healthy_cluster();
            wrong(&mut facts, 60);
            let result = evaluate(Phase::Health, &facts, &options).result(check).expect("a check").clone();
            assert_eq!((result.status, result.settles), (Status::Fail, None), "{case}: {}", result.message);
            let moment = options.moment();
            let of_check = super::settling(&facts, &moment).into_iter().filter(|one| word(one.part) == *check);
            assert_eq!(of_check.count(), 0, "{case}");
            let plan = plan(&facts, &moment, &Wish::default());
            assert_eq!(!plan.is_empty() || !plan.beyond.is_empty(), *heals, "{case}: {plan:?}");
        }
    }

    fn word(part: Part) -> String {
        part.to_string().to_lowercase().replace(' ', "-")
    }

    #[test]
    fn what_is_overdue_is_not_excused_by_what_is_young() {
        let mut facts = a_healthy_cluster();
        facts.droplets.edit().remove(0);
        node_joined(&mut facts, 5);
        let state = {
            let nodes = served_nodes(&facts);
            Network::of(&facts, &nodes).part(Part::Droplets)
        };
        assert_eq!(state.waiting_for.len(), 2);
        let moment = Options::at(now()).moment();
        assert_eq!(settles(&facts, &state, &moment), None);
        let young: Vec<String> = settling(&facts, &moment).into_iter().map(|one| one.object).collect();
        assert_eq!(young, ["node node-1"], "the young one may still come");
    }

    #[test]
    fn without_an_operator_no_droplet_comes() {
        let mut facts = a_healthy_cluster();
        node_joined(&mut facts, 5);
        facts.pods.edit().retain(|pod| pod.role != PodRole::Operator);
        assert_eq!(settling(&facts, &Options::at(now()).moment()), []);
    }

    #[test]
    fn nothing_settles_where_all_is_there() {
        assert_eq!(settling(&a_healthy_cluster(), &Options::at(now()).moment()), []);
    }
}
