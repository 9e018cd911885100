//! The archive of one platform, by krew's rules: plain files only, program and licence at its top.

use mizar_bed::cargo;
use mizar_core::archive::{Entry, tar_gz};

use super::output;
use super::platform::Platform;
use crate::failure::Failure;

/// What kubectl runs to complete `kubectl mizar …`: its name and its text. The same as `kubectl mizar completion install` writes.
const ON_WINDOWS: (&str, &str) = ("kubectl_complete-mizar.cmd", "@kubectl-mizar __complete %*\r\n");
const ELSEWHERE: (&str, &str) = (
    "kubectl_complete-mizar",
    "#!/bin/sh\n# kubectl runs this to complete `kubectl mizar`.\nexec kubectl-mizar __complete \"$@\"\n",
);

/// Packs a program with the licence and the texts that it tells of itself.
pub(super) fn pack(platform: &Platform, program: &[u8], texts: &[Entry]) -> Result<Vec<u8>, Failure> {
    let licence = output::read(&cargo::workspace().join("LICENSE"))?;
    let (completion, script) = if platform.os == "windows" { ON_WINDOWS } else { ELSEWHERE };
    let mut entries = vec![
        Entry::program(platform.program(), program),
        Entry::program(completion, script),
        Entry::file("LICENSE", licence),
    ];
    entries.extend_from_slice(texts);
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    tar_gz(&entries).map_err(|source| Failure::File { path: platform.archive().into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::dist::platform::ALL;

    #[test]
    fn the_same_files_give_the_same_bytes_on_every_platform() {
        let texts = [Entry::file("completion/kubectl-mizar.bash", "complete")];
        for platform in &ALL {
            let archive = pack(platform, b"program", &texts).unwrap();
            assert_eq!(archive, pack(platform, b"program", &texts).unwrap(), "{platform}");
            assert_ne!(archive, pack(platform, b"another", &texts).unwrap(), "{platform}");
        }
    }
}
