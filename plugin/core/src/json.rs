//! How much memory a JSON text will take, told before it is read: a small text can hold very many values.

use serde_json::Value;
use thiserror::Error;

/// What the values of one text may take.
const MAX_WEIGHT: usize = 64 * 1024 * 1024;
/// What a map takes besides its fields: room for four is made at once.
const MAP_WEIGHT: usize = 500;
/// What any other value takes besides its text.
const VALUE_WEIGHT: usize = size_of::<Value>() + 8;

/// A text with too many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its values would take more than {} MiB", MAX_WEIGHT >> 20)]
pub(crate) struct TooHeavy;

/// Refuses a text whose values would take too much memory, whether or not it is JSON.
pub(crate) fn check_weight(text: &[u8]) -> Result<(), TooHeavy> {
    let (mut weight, mut in_text, mut escaped) = (text.len(), false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => weight += MAP_WEIGHT,
            b'[' | b',' | b':' if !in_text => weight += VALUE_WEIGHT,
            _ => {}
        }
    }
    if weight > MAX_WEIGHT { Err(TooHeavy) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_values_weigh_more_than_their_text() {
        assert_eq!(check_weight("[],".repeat(500_000).as_bytes()), Err(TooHeavy));
        assert_eq!(check_weight("{},".repeat(150_000).as_bytes()), Err(TooHeavy));
        assert_eq!(check_weight(format!("[{}]", "7,".repeat(100_000)).as_bytes()), Ok(()));
    }

    #[test]
    fn what_stands_in_a_text_is_no_value() {
        assert_eq!(check_weight(format!("\"{}\"", "[,\\\"".repeat(1_000_000)).as_bytes()), Ok(()));
    }
}
