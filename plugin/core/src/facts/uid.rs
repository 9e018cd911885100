//! What tells an object from another that had its name. Every object has one and none is shared, so that it is kept as the
//! sixteen bytes that it is, not as the text that it is written as.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;

/// Lengths of the groups of a UUID.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// A UID: in practice a UUID, but anything is kept and written as it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Kept);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kept {
    Uuid([u8; 16]),
    Other(Text),
}

impl Uid {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Returns the bytes of a UUID, if it is written as [`Uid`] writes one.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens_stand_right = text.split('-').map(str::len).eq(GROUPS);
    let mut digits = text.bytes().filter(|byte| *byte != b'-');
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = digit(digits.next()?)? << 4 | digit(digits.next()?)?;
    }
    hyphens_stand_right.then_some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Self(uuid(text).map_or_else(|| Kept::Other(text.into()), Kept::Uuid))
    }
}

impl From<String> for Uid {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl PartialEq<&str> for Uid {
    fn eq(&self, other: &&str) -> bool {
        match self.0 {
            Kept::Uuid(bytes) => uuid(other) == Some(bytes),
            Kept::Other(text) => text == *other,
        }
    }
}

impl PartialEq<String> for Uid {
    fn eq(&self, other: &String) -> bool {
        *self == other.as_str()
    }
}

impl Default for Uid {
    /// That of an object without one.
    fn default() -> Self {
        Self(Kept::Other(Text::default()))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Other(text) => text.fmt(formatter),
            Kept::Uuid(bytes) => bytes.iter().enumerate().try_for_each(|(index, byte)| {
                let hyphen = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
                write!(formatter, "{hyphen}{byte:02x}")
            }),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    #[test]
    fn a_uuid_takes_little_room() {
        assert!(matches!(Uid::from(UUID).0, Kept::Uuid(_)));
        assert!(size_of::<Uid>() <= 20);
    }

    #[test]
    fn everything_is_written_as_it_came() {
        let upper = UUID.to_uppercase();
        let odd = ["", "uid-of-web", "-", &upper, &UUID[1..], "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "ü"];
        for text in odd.into_iter().chain([UUID, &format!("{UUID}0"), &format!("{UUID}-"), &UUID.replace('-', "_")]) {
            assert_eq!(Uid::from(text).to_string(), text);
            assert_eq!(Uid::from(text), text);
            let json = serde_json::to_string(&Uid::from(text)).unwrap();
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<Uid>(&json).unwrap(), Uid::from(text));
        }
    }

    #[test]
    fn only_equal_ones_are_equal() {
        assert_eq!(Uid::from(UUID), Uid::from(UUID));
        assert_ne!(Uid::from(UUID), Uid::from(UUID.replace('9', "8")));
        assert_ne!(Uid::from(UUID), Uid::from(UUID.to_uppercase()));
        assert_ne!(Uid::from(UUID), UUID.to_uppercase());
        assert!(Uid::from("").is_empty() && !Uid::from(UUID).is_empty());
    }
}
