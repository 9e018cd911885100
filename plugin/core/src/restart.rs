//! The one safe way to restart Mizar's operator on a finished network, as a sequence that the facts drive.
//!
//! The operator keeps in its memory which addresses are in use, which nodes are wired and where Bouncers are. A new one
//! knows none of it: it hands out addresses that pods use, and waits for ever for things that wait for it. So no pod may
//! come to a node until every address in use is held by a placeholder that the new operator has seen, and a Bouncer is
//! made anew before its eyes.
//!
//! - this file: the steps, and which one is next;
//! - `acts`: what each step does, by what is there;
//! - [`leaks`]: what an earlier operator left behind;
//! - [`parts`]: Bouncers and Dividers that are gone;
//! - [`placeholder`]: Endpoints that keep an address;
//! - [`plan`]: what a restart would touch, for people.
//!
//! [`next`] looks at the facts alone, so the sequence can be killed anywhere and goes on where the cluster is. An upgrade
//! goes the same way and starts another operator.

mod acts;
mod leaks;
mod parts;
mod placeholder;
mod plan;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use acts::waits_on_a_node;
pub use leaks::{Leak, leaks};
pub use parts::{NewPart, missing_parts};
pub use placeholder::{Placeholder, missing};
pub use plan::{Obstacle, RestartPlan, plan};

use crate::facts::{DeploymentFact, Facts, PodFact, PodRole, Source};
use crate::object::ObjectId;
use crate::operation::RestartRecord;

/// The name of the operator's Deployment in all installations.
pub const OPERATOR: &str = "mizar-operator";

/// What must be read before anything can be decided.
pub const SOURCES: &[Source] = &[
    Source::Nodes,
    Source::Pods,
    Source::Deployments,
    Source::Droplets,
    Source::Vpcs,
    Source::Dividers,
    Source::Subnets,
    Source::Bouncers,
    Source::Endpoints,
];

/// The parts of the sequence, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Keep new pods from the nodes.
    Cordon,
    /// Send pods that wait for an address back to where they wait for a node.
    Waiting,
    /// Delete what an earlier operator left behind, while this one can take part. Not before: it hands out the address of
    /// what it does not know, and lets go of it once more with each thing that has it.
    Leaks,
    /// Stop the operator and see it gone.
    Stop,
    /// With no operator to see it: let Subnets be read back, hold addresses, delete what shares one with a living pod.
    Prepare,
    /// Start the operator and see it ready.
    Start,
    /// Make placeholders and Bouncers anew before its eyes, and wait until all the rest has followed.
    Wire,
    /// Let pods come to the nodes again.
    Uncordon,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 8] =
        [Self::Cordon, Self::Waiting, Self::Leaks, Self::Stop, Self::Prepare, Self::Start, Self::Wire, Self::Uncordon];

    /// Returns its name in records and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leaks => "leaks",
            Self::Cordon => "cordon",
            Self::Waiting => "waiting-pods",
            Self::Stop => "stop-operator",
            Self::Prepare => "hold-addresses",
            Self::Start => "start-operator",
            Self::Wire => "rewire",
            Self::Uncordon => "uncordon",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One thing to do. Each may be done again without harm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Act {
    /// Delete it; the operator takes part if it runs.
    Delete {
        /// What.
        object: ObjectId,
    },
    /// Delete it with nobody to see it.
    DeleteUnseen {
        /// What.
        object: ObjectId,
    },
    /// Delete a pod that waits for an address, if it still waits at that moment: whoever owns it creates it again.
    SendBack {
        /// The pod.
        pod: ObjectId,
        /// With nobody to see it.
        unseen: bool,
    },
    /// Keep new pods from a node, with our mark on it.
    Cordon {
        /// The node.
        node: String,
    },
    /// Take our mark off a node and let pods come again.
    Uncordon {
        /// The node.
        node: String,
    },
    /// Ask for so many pods of the operator.
    Scale {
        /// How many.
        replicas: u32,
    },
    /// Say in a Subnet that it is Provisioned, where a starting operator reads it.
    Remember {
        /// The Subnet.
        object: ObjectId,
    },
    /// Keep an address.
    Hold {
        /// For whom.
        placeholder: Placeholder,
    },
    /// Put a label on a node, so that the operator looks at it again and makes its Droplet.
    Show {
        /// The node.
        node: String,
    },
    /// Make a Bouncer or a Divider that is gone.
    Make {
        /// Which.
        part: NewPart,
    },
    /// Write the status of one of Mizar's objects.
    Status {
        /// Which.
        object: ObjectId,
        /// What.
        status: String,
    },
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Do this, in order, then look again. With nothing to do, wait for what was done.
    Do(Step, Vec<Act>),
    /// Everything is done.
    Done,
}

/// Who restarts, and what the record keeps of it.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    /// The mark on nodes that we cordon.
    pub id: &'a str,
    /// The namespace of the operator.
    pub namespace: &'a str,
    /// What the cluster does not tell.
    pub record: &'a RestartRecord,
}

/// Which run of the operator's process it is: a container that restarts forgets everything, its pod stays.
#[must_use]
pub fn run_of(operator: &PodFact) -> String {
    let started = operator.started().map(|started| started.to_string()).unwrap_or_default();
    format!("{} {started}", operator.uid)
}

/// The operator's Deployment.
#[must_use]
pub fn deployment<'a>(facts: &'a Facts, namespace: &str) -> Option<&'a DeploymentFact> {
    facts.deployments.items().iter().find(|it| it.name == OPERATOR && it.namespace == namespace)
}

/// The operator's pods, ending ones too: until a pod is gone its process may still write.
pub fn operators<'a>(facts: &'a Facts, namespace: &str) -> impl Iterator<Item = &'a PodFact> {
    let ended = |pod: &PodFact| pod.phase == "Failed" || pod.phase == "Succeeded";
    let pods = facts.pods.items().iter();
    pods.filter(move |pod| pod.role == PodRole::Operator && pod.namespace == namespace && !ended(pod))
}

/// Returns what comes next, by what is there.
#[must_use]
pub fn next(facts: &Facts, mark: Mark<'_>) -> Next {
    let pods: Vec<&PodFact> = operators(facts, mark.namespace).collect();
    let wanted = deployment(facts, mark.namespace).map_or(0, |deployment| deployment.replicas);
    let running = pods.iter().find(|pod| pod.deleting.is_none() && pod.ready);
    let is_wired = running.is_some_and(|pod| mark.record.wired.as_ref() == Some(&run_of(pod)));
    if mark.record.prepared && is_wired {
        let ours = acts::uncordon(facts);
        return if ours.is_empty() { Next::Done } else { Next::Do(Step::Uncordon, ours) };
    }
    // Before addresses are held, every operator is one that has to go.
    let must_stop = !pods.is_empty() && (!mark.record.prepared || wanted == 0);
    let steps = [
        (Step::Cordon, true, acts::cordon(facts)),
        // Also before a new one takes over: it may have crashed when nodes were open again.
        (Step::Waiting, running.is_some(), acts::waiting(facts)),
        (Step::Leaks, must_stop && running.is_some(), acts::leaks_seen(facts)),
    ];
    if let Some((step, _, acts)) = steps.into_iter().find(|(_, applies, acts)| *applies && !acts.is_empty()) {
        return Next::Do(step, acts);
    }
    // Where one is wanted and none is there, it may come at any moment.
    if must_stop || (pods.is_empty() && wanted > 0) {
        return Next::Do(Step::Stop, if wanted > 0 { vec![Act::Scale { replicas: 0 }] } else { Vec::new() });
    }
    if pods.is_empty() {
        let acts = acts::prepare(facts);
        return if acts.is_empty() {
            Next::Do(Step::Start, vec![Act::Scale { replicas: 1 }])
        } else {
            Next::Do(Step::Prepare, acts)
        };
    }
    if running.is_none() {
        return Next::Do(Step::Start, Vec::new());
    }
    Next::Do(Step::Wire, acts::wire(facts))
}
