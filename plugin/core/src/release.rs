//! Releases as Helm records them, so that Helm can go on with what this product installed and the other way round.
//!
//! - [`record`]: the content of a record, as JSON.
//! - [`secret`]: how a record is packed into a Secret, and read back from one that anybody may have damaged.
//! - [`lifecycle`]: the states a record goes through, with Helm's own words.
//! - [`history`]: all records of one release: which is last, which is deployed, which may go.
//! - [`listing`]: the same, revision by revision, for people and programs.
//! - [`manifest`]: the objects that a record lists, with their stages.
//! - [`changes`]: what one revision changed, told from the records alone.
//! - [`drift`]: in what the cluster differs from what is recorded.
//! - [`size`]: whether a record fits into a Secret, before anything is changed, and what is large in it.
//!
//! Written as Helm 4 writes and read by Helm 3 as well. Reading and writing Secrets is left to the caller.

pub mod changes;
pub mod drift;
pub mod history;
pub mod lifecycle;
pub mod listing;
pub mod manifest;
pub mod record;
pub mod secret;
pub mod size;

pub use history::History;
pub use lifecycle::NewRelease;
pub use record::{ChartRecord, FileRecord, HookRecord, HookRun, Info, Release, Status};
pub use secret::{RecordError, StoredRelease};
