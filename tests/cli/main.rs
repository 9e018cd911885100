//! What a person types and reads, without a cluster: the real program in an empty environment.
//!
//! Every error is compared whole: exit code, stdout and stderr. `program` runs the program; each other file has one subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bundle;
mod bundle_role;
mod charts;
mod checks;
mod checks_page;
mod commands_page;
mod connection;
mod conventions_page;
#[path = "../docs/mod.rs"]
#[expect(dead_code, reason = "the journeys need the rest")]
mod docs;
mod events_page;
mod exit_codes;
mod facts;
mod fake_server;
mod flags;
mod formats;
mod help;
mod interrupted;
mod kubeconfig;
mod logins;
mod pages;
mod plain_output;
mod plugin;
mod private_files;
mod program;
mod proxies;
mod reader_role;
mod runbook;
mod secrets;
mod servers;
mod startup;
mod typed;
mod usage;
mod values;
mod values_files;
mod values_page;
mod writer_roles;
