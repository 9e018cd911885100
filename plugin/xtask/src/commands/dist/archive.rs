//! The archive of one platform, by krew's rules: plain files only, program and licence at its top.

use mizar_bed::cargo;
use mizar_core::archive::{Entry, tar_gz};

use super::output;
use super::platform::Platform;
use crate::failure::Failure;

/// Packs a program with the licence and the texts that it tells of itself.
pub(super) fn pack(platform: &Platform, program: &[u8], texts: &[Entry]) -> Result<Vec<u8>, Failure> {
    let licence = output::read(&cargo::workspace().join("LICENSE"))?;
    let mut entries = vec![Entry::program(platform.program(), program), Entry::file("LICENSE", licence)];
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
