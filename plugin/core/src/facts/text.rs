//! Texts that are kept once, however many objects have them: a cluster has tens of thousands of pods and few node names,
//! phases and owners. What is kept is never given back, which is right for a program that reads a cluster and ends.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts per block of the table.
const BLOCK: usize = 4096;
/// Blocks of the table: for 64 million texts.
const BLOCKS: usize = 16 * 1024;
/// Bytes that are allocated at once for short texts.
const ROOM: usize = 64 * 1024;

type Block = Box<[OnceLock<&'static str>]>;

/// Every text but the blank one, by its number. Reading takes no lock.
static TABLE: [OnceLock<Block>; BLOCKS] = [const { OnceLock::new() }; BLOCKS];
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// A text that is kept once however often it occurs, for the names and addresses that tens of thousands of objects share;
/// it reads like a `&str` and costs four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text(NonZeroU32);

impl Text {
    /// Returns it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        let (block, place) = place(self.0);
        let block = TABLE.get(block).and_then(OnceLock::get);
        block.and_then(|block| block.get(place)?.get()).copied().unwrap_or_default()
    }
}

/// Returns the block of the table and the place in it.
const fn place(number: NonZeroU32) -> (usize, usize) {
    let number = number.get() as usize;
    (number / BLOCK, number % BLOCK)
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).number(text)
    }
}

/// The texts that were seen, to find one again.
#[derive(Default)]
struct Known {
    texts: HashSet<ByContent, RandomState>,
    /// What is left of the bytes that were allocated last.
    room: &'static mut [u8],
}

impl Known {
    fn number(&mut self, text: &str) -> Text {
        if let Some(ByContent(known)) = self.texts.get(text) {
            return *known;
        }
        // One is the blank text, which is not in the table.
        let number = u32::try_from(self.texts.len() + 2).ok().and_then(NonZeroU32::new);
        let number = number.expect("as many different texts do not fit into memory");
        let (block, place) = place(number);
        let empty = || (0..BLOCK).map(|_| OnceLock::new()).collect();
        TABLE[block].get_or_init(empty)[place].get_or_init(|| self.keep(text));
        self.texts.insert(ByContent(Text(number)));
        Text(number)
    }

    /// Copies a text next to the one before.
    fn keep(&mut self, text: &str) -> &'static str {
        if text.len() > ROOM / 16 {
            return Box::leak(Box::from(text));
        }
        if text.len() > self.room.len() {
            self.room = Box::leak(vec![0; ROOM].into_boxed_slice());
        }
        let (bytes, rest) = std::mem::take(&mut self.room).split_at_mut(text.len());
        self.room = rest;
        bytes.copy_from_slice(text.as_bytes());
        std::str::from_utf8(bytes).expect("it is a copy of a text")
    }
}

/// A text that is found by what it says.
struct ByContent(Text);

impl Borrow<str> for ByContent {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

impl Hash for ByContent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl PartialEq for ByContent {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for ByContent {}

impl Default for Text {
    /// The blank text.
    fn default() -> Self {
        Self(NonZeroU32::MIN)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        other == self
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        other == *self
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        other == self
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_different_ones_are_not() {
        let texts: Vec<String> = (0..10_000).map(|number| format!("text-{number}")).collect();
        let first: Vec<Text> = texts.iter().map(Text::from).collect();
        let second: Vec<Text> = texts.iter().rev().map(Text::from).collect();
        assert!(first.iter().eq(second.iter().rev()));
        assert!(first.iter().zip(&texts).all(|(kept, text)| kept == text && kept.as_str() == text));
        assert_eq!(first.iter().map(|text| text.0).collect::<HashSet<_>>().len(), texts.len());
    }

    #[test]
    fn the_blank_text_is_the_default() {
        assert_eq!(Text::from(""), Text::default());
        assert!(Text::default().is_empty());
    }

    #[test]
    fn long_and_foreign_texts_are_kept_whole() {
        for text in ["ü\u{1F600}".repeat(3), "x".repeat(ROOM / 16), "y".repeat(ROOM / 16 + 1), "ü".repeat(ROOM)] {
            assert_eq!(Text::from(&text), text);
        }
    }

    #[test]
    fn they_are_ordered_as_what_they_say() {
        let (later, earlier) = (Text::from("order-b"), Text::from("order-a"));
        assert!(earlier < later);
    }

    #[test]
    fn threads_agree() {
        let texts = || (0..5000).map(|number| Text::from(format!("shared-{number}"))).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(texts)).collect();
        let expected = texts();
        assert!(threads.into_iter().all(|thread| thread.join().is_ok_and(|found| found == expected)));
    }

    #[test]
    fn it_is_written_and_read_as_a_text() {
        let text = Text::from("10.20.0.7");
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"10.20.0.7\"");
        assert_eq!(serde_json::from_str::<Text>("\"10.20.0.7\"").unwrap(), text);
    }
}
