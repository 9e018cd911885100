//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod cluster;
pub(crate) mod demo;
pub(crate) mod deny;
pub(crate) mod dist;
pub(crate) mod fuzz;
pub(crate) mod picture;
pub(crate) mod programs;
pub(crate) mod test;
