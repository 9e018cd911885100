//! From bytes to text: UTF-8, or UTF-16 with a byte order mark, as shells of Windows write it. Go's YAML library knows both.

use super::position::Position;
use super::reader::YamlError;

/// Reads the bytes of a file as text; what is none is refused by the place of the first wrong byte.
pub fn decode(bytes: Vec<u8>) -> Result<String, YamlError> {
    match bytes.as_slice() {
        [0xff, 0xfe, units @ ..] => utf_16(units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => utf_16(units, u16::from_be_bytes),
        _ => utf_8(bytes),
    }
}

fn utf_8(bytes: Vec<u8>) -> Result<String, YamlError> {
    String::from_utf8(bytes).map_err(|error| {
        let (offset, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let before = String::from_utf8_lossy(&bytes[..offset]);
        let message = format!("byte 0x{:02X} is not UTF-8; is this a text file?", bytes[offset]);
        YamlError { position: Position::in_text(&before, before.len()), message }
    })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, YamlError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    let refused = |text: &str| YamlError {
        position: Position::in_text(text, text.len()),
        message: "this is not UTF-16, as the first bytes of the file say".to_owned(),
    };
    for character in char::decode_utf16(pairs.iter().copied().map(unit)) {
        text.push(character.map_err(|_| refused(&text))?);
    }
    if rest.is_empty() { Ok(text) } else { Err(refused(&text)) }
}
