//! What commands do, in steps that they share: gather facts, prepare objects, plan, deploy, wait, record.
//!
//! A flow reads and writes through [`crate::cluster`], asks `mizar-core` what to do, and tells every event to the
//! reporter. It never prints and never knows flags.

pub mod deploy;
pub mod gather;
pub mod install;
pub mod judge;
pub mod network;
pub mod operation;
pub mod prepare;
pub mod records;
pub mod recreate;
pub mod wait;
pub mod workloads;
