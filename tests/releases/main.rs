//! What is published, tried on those who take it: the real krew, the real Helm and a real registry.
//!
//! Nothing here needs a cluster. The archives hold the program of the test build; how a release is built is no concern of krew's.

#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failed test")]

mod charts;
mod krew;
mod manifest;
mod release;
mod server;
