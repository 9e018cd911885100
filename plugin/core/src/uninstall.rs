//! Taking Mizar out: what goes, what stays, who loses the network by it, and what each object carries that is not its own.
//!
//! Like a repair it is planned from what is there, so that one that was killed is finished by planning it again. Only what
//! cannot be seen is recorded: which nodes are clean, and where the custom resources were saved.
//!
//! - `survey`: what was read, trimmed; `plan`: what is done of it;
//! - `binding`: what a plan was made from, for one that is saved and carried out later;
//! - `belongs`: which objects are Mizar's, by record, by mark and by name;
//! - `traces`: what the operator leaves on objects of others;
//! - `export`: the custom resources as a file that can be applied again;
//! - `job`, `node`: the Job that cleans a node, and what became of it;
//! - `namespace`: whether a namespace is ours to delete;
//! - `rights`: what must be allowed beforehand; `outcome`: what is told and written at the end.

mod belongs;
mod binding;
mod export;
mod job;
mod namespace;
mod node;
mod outcome;
mod plan;
mod rights;
mod survey;
mod traces;

pub use belongs::{Belongs, CUSTOM_KINDS, belongs, custom_kinds, known_objects};
pub use binding::{Origin, binding};
pub use export::{Export, ExportError};
pub use job::{CleanUp, JOB_LABEL, JobError, JobTemplate, job_name};
pub use namespace::{MADE_BY, NAMESPACED, foreign, is_made_by_us};
pub use node::{NodeOutcome, NodeRecord, NodeState, judge_pod};
pub use outcome::UninstallResult;
pub use plan::{Depends, Stays, UninstallPlan, Unreachable, Wish, plan};
pub use rights::{Extent, needs};
pub use survey::{MARKED_KINDS, NamespaceSeen, Survey, Traced};
pub use traces::{Traces, removal};

/// The command, as the record of an operation names it.
pub const UNINSTALL: &str = "uninstall";

/// The parts of an uninstall, in the order in which they are done: names of stages in records and events.
pub const STAGES: [&str; 10] = [
    "operator-gone",
    "export",
    "custom-resources",
    "traces",
    "daemon-gone",
    "clean-nodes",
    "release",
    "definitions-gone",
    "records",
    "namespace-gone",
];
