//! Files that may hold what was read of a cluster: whole or not there at all, and readable for their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a file with mode 0600, whatever the umask says and whatever mode a file of that name had.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::begin(path)?;
    draft.write_all(bytes)?;
    draft.finish()
}

/// A file that is being written and takes its place when it is whole; dropped before, it leaves nothing.
///
/// It is written beside its place under a name that nobody can guess, and takes it in one step. A link is replaced by the
/// file and not followed: what it leads to may be somebody else's. Devices and pipes take what they are given.
pub(crate) struct Draft {
    path: PathBuf,
    writing: Writing,
}

enum Writing {
    Beside(NamedTempFile),
    Into(File),
}

impl Draft {
    /// Begins a file, so that a place where none can be is known before anything is read for it.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        if cannot_be_replaced(&path) {
            let writing = Writing::Into(OpenOptions::new().write(true).open(&path)?);
            return Ok(Self { path, writing });
        }
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let file = tempfile::Builder::new().prefix(".kubectl-mizar-").tempfile_in(folder_of(&path)).map_err(plain)?;
        Ok(Self { path, writing: Writing::Beside(file) })
    }

    /// Puts the file into its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.writing {
            Writing::Into(mut file) => file.flush(),
            Writing::Beside(file) => {
                file.as_file().sync_all()?;
                file.persist(self.path).map(drop).map_err(|error| plain(error.error))
            }
        }
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writing {
            Writing::Beside(file) => file.write(bytes),
            Writing::Into(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writing {
            Writing::Beside(file) => file.flush(),
            Writing::Into(file) => file.flush(),
        }
    }
}

/// Whether a file could be written there, without writing it.
pub(crate) fn probe(path: &Path) -> io::Result<()> {
    if cannot_be_replaced(path) {
        return OpenOptions::new().write(true).open(path).map(drop);
    }
    tempfile::Builder::new().prefix(".kubectl-mizar-").tempfile_in(folder_of(path)).map(drop).map_err(plain)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// `/dev/stdout` may lead to a file, but its name is no place for one.
fn cannot_be_replaced(path: &Path) -> bool {
    let is_of_the_system = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    is_of_the_system || fs::metadata(path).is_ok_and(|known| !known.is_file() && !known.is_dir())
}

/// The cause without the name beside it, which says nothing to anybody. The library tells the cause in its text alone.
fn plain(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((cause, _)) => io::Error::new(error.kind(), cause),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_could_read_is_readable_for_its_owner_alone_afterwards() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.json");
        fs::write(&path, "old and much longer").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, "new"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [theirs, link] = ["theirs", "link"].map(|name| folder.path().join(name));
        fs::write(&theirs, "theirs").unwrap();
        std::os::unix::fs::symlink(&theirs, &link).unwrap();
        write(&link, b"ours").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!((mode(&link), fs::read_to_string(&theirs).unwrap().as_str()), (0o600, "theirs"));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_takes_what_it_is_given_and_stays_one() {
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::symlink_metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_is_not_finished_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.tar.gz");
        fs::write(&path, "the one before").unwrap();
        let mut draft = Draft::begin(&path).unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_to_string(&path).unwrap(), "the one before");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_fails_leaves_nothing_and_is_told_without_the_name_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(&folder.path().join("none/facts.json"), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(".kubectl-mizar-"), "{error}");
        let error = write(folder.path(), b"x").unwrap_err();
        assert!(!error.to_string().contains(".kubectl-mizar-"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
