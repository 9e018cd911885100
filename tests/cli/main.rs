//! What a person types and reads, without a cluster: the real program in an empty environment.
//!
//! Every error is compared whole: exit code, stdout and stderr. `program` runs the program; each other file has one subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod charts;
mod checks;
mod checks_page;
mod commands_page;
mod connection;
mod exit_codes;
mod facts;
mod fake_server;
mod kubeconfig;
mod logins;
mod pages;
mod plain_output;
mod program;
mod proxies;
mod reader_role;
mod secrets;
mod servers;
mod usage;
mod values;
mod values_files;
mod values_page;
