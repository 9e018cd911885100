//! Values made to be hard to write: texts that look like something else, long lines, odd spaces, keys in every order.

use serde_json::{Map, Value, json};

/// A small generator of its own, so that a seed gives the same values everywhere.
pub(crate) struct Generator(u64);

const FRAGMENTS: [&str; 64] = [
    "a",
    "yes",
    "no",
    "on",
    "y",
    "n",
    "null",
    "~",
    "true",
    "0x1F",
    "0400",
    "1_000",
    "1e3",
    "1.5",
    ".5",
    "-1",
    "+1",
    "1:30",
    "12:30:45.5",
    "2001-01-01",
    "2001-12-14T21:59:43.10Z",
    "- ",
    "-",
    "---",
    "...",
    ": ",
    ":",
    "? ",
    "?",
    "# ",
    " #",
    "#",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a",
    "*a",
    "!tag",
    "|",
    ">",
    "'",
    "\"",
    "%",
    "@",
    "`",
    "\\",
    "=",
    "<<",
    " ",
    "  ",
    "\n",
    "\n\n",
    " \n",
    "\n ",
    "\t",
    "\r",
    "ä",
    "日本",
    "😀",
    "\u{a0}",
    "\u{2028}",
    "word word word word word word word word word word word word word word word word word word word",
];

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self) -> String {
        let parts = self.below(5);
        (0..parts).map(|_| FRAGMENTS[self.below(FRAGMENTS.len())]).collect()
    }

    fn key(&mut self) -> String {
        match self.below(4) {
            0 => format!("{}{}", ["a", "b", "item", "A_"][self.below(4)], self.below(200)),
            1 => format!("k{}{}", self.below(20), self.text().replace('\n', " ")),
            _ => self.text(),
        }
    }

    fn number(&mut self) -> Value {
        let digits = i64::try_from(self.below(2_000_000)).unwrap() - 1_000_000;
        #[expect(clippy::cast_precision_loss, reason = "any float will do")]
        let float = digits as f64;
        match self.below(6) {
            0 => json!(0),
            1 => json!(digits),
            2 => json!(float / 1000.0),
            3 => json!(float * 1e15),
            4 => json!(float * 1e-12),
            _ => json!(digits * 1_000_000),
        }
    }

    pub(crate) fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Value::Bool(self.below(2) == 0),
            1 => self.number(),
            2..=5 => Value::from(self.text()),
            6 => {
                let count = self.below(4);
                (0..count).map(|_| self.value(depth - 1)).collect()
            }
            _ => self.map(depth - 1).into(),
        }
    }

    fn map(&mut self, depth: usize) -> Map<String, Value> {
        let count = self.below(5);
        (0..count).map(|_| (self.key(), self.value(depth))).collect()
    }
}
