//! What commands do, in steps that they share: gather facts, prepare objects, plan, deploy, wait, record.
//!
//! A flow reads and writes through [`crate::cluster`], asks `mizar-core` what to do, and tells every event to the
//! reporter. It never prints and never knows flags.

pub(crate) mod abort;
pub(crate) mod apply;
pub(crate) mod bundle;
pub(crate) mod consent;
pub(crate) mod cordon;
pub(crate) mod definitions;
pub(crate) mod deploy;
pub(crate) mod diff;
pub(crate) mod drift;
pub(crate) mod examine;
pub(crate) mod facts_file;
pub(crate) mod follow;
pub(crate) mod gather;
pub(crate) mod ground;
pub(crate) mod install;
pub(crate) mod judge;
pub(crate) mod look;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod operation;
pub(crate) mod prepare;
pub(crate) mod records;
pub(crate) mod recreate;
pub(crate) mod releases;
pub(crate) mod repair;
pub(crate) mod restart;
pub(crate) mod resume;
pub(crate) mod rolling;
pub(crate) mod run;
pub(crate) mod saved_plan;
pub(crate) mod status;
pub(crate) mod surroundings;
pub(crate) mod telling;
pub(crate) mod treat;
pub(crate) mod treatment;
pub(crate) mod undo;
pub(crate) mod uninstall;
pub(crate) mod upgrade;
pub(crate) mod value_sources;
pub(crate) mod versions;
pub(crate) mod wait;
pub(crate) mod workloads;
pub(crate) mod write_mode;
