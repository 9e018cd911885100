//! Whole journeys: the real program on a real control plane with simulated nodes, judged by what it says, what is there
//! afterwards, and what the API server's audit log saw. What needs no cluster is tested in tests/cli.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says how long it took")]

mod adopt;
mod audit_oracle;
mod bad_cluster;
mod bad_records;
mod budget;
mod bundle;
mod check_output;
mod checks;
mod cli;
mod clock;
mod cluster;
#[path = "../docs/mod.rs"]
#[expect(dead_code, reason = "tests/cli needs the rest")]
mod docs;
mod drift;
mod facts;
mod faults;
mod helm;
mod history;
mod install;
mod killed;
mod matrix;
mod old_server;
mod order;
mod plan;
mod plugin;
mod proxy;
mod reader_role;
mod readonly;
mod refused;
mod repair;
mod rerun;
mod restart;
mod restart_killed;
mod restart_race;
mod runbook;
mod secrets;
mod status;
mod terminal;
mod typed;
mod uninstall;
mod unwell_server;
mod upgrade;
mod writer_roles;
