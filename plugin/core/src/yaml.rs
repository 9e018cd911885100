//! The one place that reads and writes YAML. Kubernetes tools speak the YAML 1.1 of one Go library, so both directions follow that library:
//! `0400` is octal, `yes` is a boolean, and what we write is byte for byte what Helm's `toYaml` writes.
//! Reading also remembers the line of every key, so that errors can say where. What the values mean is for the callers.

mod encoding;
mod number;
mod position;
mod reader;
mod scalar;
mod writer;

pub use encoding::decode;
pub use number::{format_float, with_float_numbers, with_plain_numbers};
pub use position::{Locations, Position};
pub use reader::{DuplicateKeys, Room, YamlError, read, read_all, read_located, read_values, read_within};
pub use writer::write;

#[cfg(test)]
mod tests;
