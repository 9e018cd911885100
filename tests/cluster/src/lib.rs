//! The test bed: a real Kubernetes control plane on loopback with simulated nodes and a simulated Mizar.
//!
//! Programs are built from pinned Go modules (`programs`); one supervisor process runs each bed (`supervisor`); people
//! use beds by name (`lifecycle`, from `cargo xtask cluster`), tests take one of a pool (`Bed`).
//!
//! ```no_run
//! # async fn example() -> Result<(), mizar_bed::BedError> {
//! let bed = mizar_bed::Bed::acquire(mizar_bed::BedOptions { nodes: 5, ..Default::default() }).await?;
//! let pods = bed.kubectl()?.args(["get", "pods", "--all-namespaces"]).output();
//! let reads = bed.audit().await?.by(mizar_bed::Role::Admin).verb("list").count();
//! # Ok(()) }
//! ```

#![expect(clippy::must_use_candidate, reason = "the crate is only for tests and xtask; a forgotten path harms nobody")]

pub mod audit;
pub mod bare_lists;
mod baseline;
pub mod bed;
pub mod cache;
pub mod cargo;
pub mod client;
pub mod commands;
pub mod control;
mod control_plane;
pub mod counted;
pub mod layout;
pub mod lifecycle;
pub mod nodes;
mod pki;
pub mod process;
pub mod programs;
pub mod progress;
mod reset;
pub mod seed;
pub mod state;
mod supervisor;
pub mod users;

pub use mizar_simulator::{Fault, FaultOrder};

pub use audit::{AuditEntry, AuditMark, AuditTrail};
pub use bed::{Bed, BedError, BedOptions};
pub use control_plane::ControlPlaneError;
pub use pki::PkiError;
pub use programs::Program;
pub use reset::ResetError;
pub use state::{BedKind, KubernetesVersion};
pub use supervisor::{SuperviseError, supervise};
pub use users::Role;
