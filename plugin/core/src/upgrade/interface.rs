//! Which versions of Mizar's parts understand each other. What they send to each other carries no version, and a difference of a
//! few bytes goes unnoticed until packets are lost: operator, daemon and node programs must be of one generation of it.
//!
//! Source: the changes of Mizar's own interface files (`trn_rpc_protocol.x`, `interface.proto`, `builtins.proto`) from release to
//! release.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The generation of the interfaces, by version. Versions of one generation may run side by side.
const GENERATIONS: &[(&str, u32, &str)] = &[
    ("0.7", 1, ""),
    ("0.8", 2, "calls between operator and daemon were added"),
    ("0.9", 3, "calls between operator and daemon were added"),
    ("0.91", 4, "the call that deletes an interface has another request"),
    ("dev-next", 5, "what the operator tells a daemon of an interface has six bytes more"),
];

/// How an installed version and a wanted one go together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "pair")]
pub enum Pair {
    /// Their parts may run side by side.
    Compatible,
    /// Their parts misunderstand each other.
    Incompatible {
        /// What is installed.
        from: String,
        /// What is wanted.
        to: String,
        /// What changed between them.
        why: String,
    },
    /// Nobody knows.
    Unknown {
        /// The version that is not known.
        version: String,
    },
}

impl Pair {
    /// Judges two versions, `0.91` or `v0.91`. What is the same goes together, whatever it is.
    #[must_use]
    pub fn of(from: &str, to: &str) -> Self {
        let (from, to) = (plain(from), plain(to));
        if from == to {
            return Self::Compatible;
        }
        let unknown = |version: &str| Self::Unknown { version: version.to_owned() };
        let Some((old, _)) = generation(from) else { return unknown(from) };
        let Some((new, _)) = generation(to) else { return unknown(to) };
        if old == new {
            return Self::Compatible;
        }
        let between = |generation: &&(&str, u32, &str)| generation.1 > old.min(new) && generation.1 <= old.max(new);
        let changes: Vec<&str> = GENERATIONS.iter().filter(between).map(|(_, _, change)| *change).collect();
        Self::Incompatible { from: from.to_owned(), to: to.to_owned(), why: changes.join("; ") }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compatible => formatter.write_str("the versions understand each other"),
            Self::Incompatible { from, to, why } => {
                write!(formatter, "Mizar {from} and {to} misunderstand each other: {why}")
            }
            Self::Unknown { version } => {
                write!(formatter, "whether Mizar {version} understands the other version is not known")
            }
        }
    }
}

/// Whether this is a version whose interfaces are known.
#[must_use]
pub fn is_known(version: &str) -> bool {
    generation(plain(version)).is_some()
}

fn plain(version: &str) -> &str {
    match version.strip_prefix('v') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => rest,
        _ => version,
    }
}

fn generation(version: &str) -> Option<(u32, &'static str)> {
    GENERATIONS.iter().find(|(known, _, _)| *known == version).map(|(_, generation, change)| (*generation, *change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_version_goes_with_itself_also_under_an_unknown_name() {
        for (one, other) in [("0.91", "v0.91"), ("mine", "mine"), ("v0.8", "0.8")] {
            assert_eq!(Pair::of(one, other), Pair::Compatible);
        }
    }

    #[test]
    fn generations_misunderstand_each_other_in_both_directions() {
        for (from, to) in [("0.91", "dev-next"), ("dev-next", "v0.91")] {
            let pair = Pair::of(from, to);
            assert!(pair.to_string().ends_with("six bytes more"), "{pair}");
        }
        let Pair::Incompatible { why, .. } = Pair::of("0.8", "0.91") else { panic!() };
        assert_eq!(why.matches(';').count(), 1, "every change on the way is named: {why}");
    }

    #[test]
    fn what_nobody_knows_is_named() {
        assert_eq!(Pair::of("0.91", "mine"), Pair::Unknown { version: "mine".into() });
        assert_eq!(Pair::of("vnext", "0.91"), Pair::Unknown { version: "vnext".into() });
        assert!(is_known("v0.9") && !is_known("latest"));
    }
}
