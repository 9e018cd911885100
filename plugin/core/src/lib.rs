//! Everything kubectl-mizar decides. One line a module; the values flow facts → plan → events.
pub mod address;
pub mod chart;
pub mod check;
pub mod event;
pub mod facts;
pub mod health;
pub mod image;
pub mod kind;
pub mod network;
pub mod object;
pub mod operation;
pub mod plan;
pub mod release;
pub mod site;
pub mod template;
pub mod timing;
pub mod yaml;
