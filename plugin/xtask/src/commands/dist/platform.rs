//! The platforms that are released: the one table from which archives, manifests and the hosted workflow are named.

use std::fmt;

use super::VERSION;
use crate::failure::Failure;

/// Where releases are published, by tag.
pub(super) const RELEASES: &str = "https://github.com/CentaurusInfra/kubectl-mizar/releases/download";

/// An operating system and a processor, as Go and so krew call them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
    /// What Rust calls it, linked for release: Linux without a C library of the machine's.
    pub(super) target: &'static str,
}

const fn platform(os: &'static str, arch: &'static str, target: &'static str) -> Platform {
    Platform { os, arch, target }
}

/// Every platform that is released.
pub(super) const ALL: [Platform; 5] = [
    platform("linux", "amd64", "x86_64-unknown-linux-musl"),
    platform("linux", "arm64", "aarch64-unknown-linux-musl"),
    platform("darwin", "amd64", "x86_64-apple-darwin"),
    platform("darwin", "arm64", "aarch64-apple-darwin"),
    platform("windows", "amd64", "x86_64-pc-windows-msvc"),
];

impl Platform {
    /// The platform of a name such as `linux/amd64`.
    pub(super) fn named(name: &str) -> Result<&'static Self, String> {
        let known = || ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let found = ALL.iter().find(|platform| platform.to_string() == name);
        found.ok_or_else(|| format!("{name} is no platform that is released: {}", known()))
    }

    /// The platform on which this runs.
    pub(super) fn of_this_machine() -> Result<&'static Self, Failure> {
        let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self::named(&format!("{os}/{arch}")).map_err(Failure::Platform)
    }

    /// The name of the program on it.
    pub(super) fn program(&self) -> &'static str {
        if self.os == "windows" { "kubectl-mizar.exe" } else { "kubectl-mizar" }
    }

    /// What the names of its files begin with.
    pub(super) fn stem(&self) -> String {
        self.stem_of(&format!("v{VERSION}"))
    }

    /// The name of its archive.
    pub(super) fn archive(&self) -> String {
        self.archive_of(&format!("v{VERSION}"))
    }

    /// The name of its archive under a tag, or under what stands for one. One form everywhere: krew reads it on every platform, and
    /// Windows has had a tar of its own since 2018.
    pub(super) fn archive_of(&self, tag: &str) -> String {
        format!("{}.tar.gz", self.stem_of(tag))
    }

    fn stem_of(&self, tag: &str) -> String {
        format!("kubectl-mizar-{tag}-{}-{}", self.os, self.arch)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What validate-krew-manifest knows.
    const KREW: [&str; 11] = [
        "windows/386",
        "windows/amd64",
        "windows/arm64",
        "linux/386",
        "linux/amd64",
        "linux/arm",
        "linux/arm64",
        "linux/ppc64le",
        "darwin/386",
        "darwin/amd64",
        "darwin/arm64",
    ];

    #[test]
    fn krew_knows_every_platform_and_each_is_there_once() {
        let mut names: Vec<String> = ALL.iter().map(ToString::to_string).collect();
        assert!(names.iter().all(|name| KREW.contains(&name.as_str())), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
