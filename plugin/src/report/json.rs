//! One event a line on stdout, for machines.

use mizar_core::event::Event;

use super::Reporter;

/// Writes every event as a line of JSON.
pub(crate) struct JsonLines;

impl Reporter for JsonLines {
    fn event(&self, event: &Event) {
        // A stream that nobody reads must not stop the change that it tells about.
        let _written = super::data(&format!("{}\n", event.to_json_line(jiff::Timestamp::now())));
    }
}
