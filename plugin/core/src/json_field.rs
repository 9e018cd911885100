//! Reads what other versions and hands have written as JSON, and names the field that cannot be.

use serde::de::DeserializeOwned;
use serde_json::Deserializer;

use crate::json;

/// Reads a text; what cannot be read is told by its field, or, if it is no JSON, by its place.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    json::check_weight(text).map_err(|error| format!("JSON: {error}"))?;
    let mut reader = Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (field, inner) = (error.path().to_string(), error.inner());
        if inner.is_data() && field != "." {
            let message = inner.to_string();
            format!("field {field}: {}", message.split(" at line ").next().unwrap_or(&message))
        } else {
            format!("JSON: {inner}")
        }
    })?;
    reader.end().map_err(|error| format!("JSON: {error}"))?;
    Ok(read)
}
