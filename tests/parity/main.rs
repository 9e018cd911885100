//! Our rendering against the real `helm template`, byte for byte: our own charts over every switch, and scratch charts for what the charts do
//! not use. Helm is built by the test bed from its pinned module; `MIZAR_HELM` names another one.

#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failed test")]

mod charts;
mod generator;
mod helm;
mod templates;
mod values;
mod yaml;
