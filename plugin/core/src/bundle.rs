//! The support bundle: what goes into it, where that lies in the archive, and what is left out of it.
//!
//! - [`objects`]: which objects are read, and which of them are Mizar's;
//! - [`logs`]: whose logs are taken, and in which order, since there may not be room for all;
//! - [`records`]: what is kept of the releases and of the last change;
//! - [`mask`]: what must not leave the cluster: passwords, tokens, keys;
//! - [`archive`]: the packed file, which does not get larger than it may;
//! - [`index`]: what is in it, and what could not be had.
//!
//! Nothing here reads a cluster or a clock.

pub mod archive;
pub mod index;
pub mod logs;
pub mod mask;
pub mod objects;
pub mod records;

/// `kubectl mizar bundle`'s own files, by their names in the archive.
pub mod place {
    /// What is in the bundle, and what could not be had.
    pub const INDEX: &str = "index.json";
    /// Which version everything has.
    pub const VERSION: &str = "version.json";
    /// What kind of cluster it is; the document that `env` shows, without the facts.
    pub const ENVIRONMENT: &str = "environment.json";
    /// The facts, as `check --facts` takes them.
    pub const FACTS: &str = "facts.json";
    /// The report of `check`, as `check --baseline` takes it.
    pub const CHECK: &str = "check.json";
    /// The same for people.
    pub const CHECK_TEXT: &str = "check.txt";
    /// The record of the last change.
    pub const OPERATION: &str = "operation.json";
    /// Helm's records, by release and revision.
    pub const RELEASES: &str = "releases";
    /// Objects, by kind.
    pub const OBJECTS: &str = "objects";
    /// Events, by namespace.
    pub const EVENTS: &str = "events";
    /// Logs, by pod.
    pub const LOGS: &str = "logs";
}

/// Returns a name as every system can have it as the name of a file: `mizar:operator` is none on Windows.
#[must_use]
pub fn file_name(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    if name.chars().all(|letter| letter == '.') { "_".repeat(name.len().max(1)) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_files() {
        for (name, file) in [
            ("mizar-daemon-x2x", "mizar-daemon-x2x"),
            ("mizar:operator", "mizar_operator"),
            ("10.0.0.1", "10.0.0.1"),
            ("..", "__"),
            ("a/../b", "a_.._b"),
            ("", "_"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
