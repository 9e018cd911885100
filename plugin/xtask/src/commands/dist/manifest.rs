//! The manifest by which krew installs the plugin, in two forms: for the archives of a release, and as the template from which
//! krew-release-bot makes that of each later release.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::VERSION;
use super::platform::{ALL, Platform, RELEASES};

/// Where a checksum is missing because nothing was built.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Marks such a checksum.
const NOT_BUILT: &str = " # not built";

const UNFINISHED: &str = "\
# No release holds these archives yet: this is what `cargo xtask dist --update` wrote last. A checksum marked \"not built\" is a placeholder;
# the release job writes this file anew from the archives of all platforms.
";

const HEAD: &str = "\
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: mizar
spec:
  version: \"@VERSION@\"
  homepage: https://github.com/CentaurusInfra/kubectl-mizar
  shortDescription: Check, repair and install the Mizar network
  description: |
    Looks after Mizar, a cluster network built on XDP and eBPF. Checks find
    what is wrong with a running Mizar without changing anything, and repairs
    heal it by a plan that says what they touch. No change breaks more than
    was agreed to: each is shown first, every wait says what it waits for,
    and what was interrupted goes on where it stopped.
  platforms:
";

/// The manifest for archives below `address`, by the checksums of those platforms that were built.
pub(super) fn krew(address: &str, checksums: &BTreeMap<String, String>) -> String {
    let tag = format!("v{VERSION}");
    let is_built = |platform: &Platform| checksums.contains_key(&platform.to_string());
    let note = if address == RELEASES && ALL.iter().all(is_built) { "" } else { UNFINISHED };
    let mut text = note.to_owned() + &HEAD.replace("@VERSION@", &tag);
    for platform in &ALL {
        let (checksum, mark) = match checksums.get(&platform.to_string()) {
            Some(checksum) => (checksum.as_str(), ""),
            None => (NO_CHECKSUM, NOT_BUILT),
        };
        let archive = platform.archive_of(&tag);
        let source = format!("uri: {address}/{tag}/{archive}\n    sha256: \"{checksum}\"{mark}");
        text.push_str(&entry(platform, &source));
    }
    text
}

/// The template for krew-release-bot, which fills in the addresses and checksums of a release by its tag.
pub(super) fn template() -> String {
    let tag = "{{ .TagName }}";
    let mut text = "\
# The template from which krew-release-bot makes the manifest of each release for krew's index. Written from the same text as
# krew-manifest.yaml by `cargo xtask dist --update`.
"
    .to_owned()
        + &HEAD.replace("@VERSION@", tag);
    for platform in &ALL {
        let archive = platform.archive_of(tag);
        text.push_str(&entry(platform, &format!("{{{{ addURIAndSha \"{RELEASES}/{tag}/{archive}\" .TagName }}}}")));
    }
    text
}

/// One platform. Four spaces before `source`: the bot has no other indentation for what it fills in.
fn entry(platform: &Platform, source: &str) -> String {
    let mut text = String::from("  - selector:\n      matchLabels:\n");
    let Platform { os, arch, .. } = platform;
    for line in [
        format!("        os: {os}"),
        format!("        arch: {arch}"),
        format!("    bin: {}", platform.program()),
        format!("    {source}"),
    ] {
        writeln!(text, "{line}").expect("writing to a string cannot fail");
    }
    text
}
