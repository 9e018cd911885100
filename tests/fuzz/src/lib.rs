//! What the fuzz targets do with their bytes. Every function reads them as one kind of input of the product; it must neither panic nor
//! hang, and what it gives back must hold what is asserted. Errors are answers: they are looked at only to see that they can be printed.

mod api_reply;
mod chart_text;
mod json_value;
mod kubeconfig;
mod records;
mod set;
mod values;
mod yaml;

pub use api_reply::api_reply;
pub use chart_text::chart_text;
pub use kubeconfig::kubeconfig;
pub use records::{helm_record, operation_record};
pub use set::set;
pub use values::values;
pub use yaml::{yaml_reader, yaml_writer};

/// Stands between the parts of an input that has several.
const BETWEEN: &str = "\n8<\n";

fn parts(data: &[u8]) -> Option<std::str::Split<'_, &'static str>> {
    std::str::from_utf8(data).ok().map(|text| text.split(BETWEEN))
}

/// Whether an input is to be read once and nothing more, because it is measured what that takes.
fn once() -> bool {
    std::env::var_os("MIZAR_FUZZ_ONCE").is_some()
}

/// An error must have something to say, and not the whole input again.
fn check(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "an error without words: {error:?}");
}
