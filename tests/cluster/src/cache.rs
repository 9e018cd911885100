//! The folder outside the repository where built programs and running beds live, and the file locks in it.
//!
//! `$MIZAR_CACHE`, else `$XDG_CACHE_HOME/kubectl-mizar`, else `~/.cache/kubectl-mizar`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Why the cache folder or a lock in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither variable is set.
    #[error("no place for the cache: set MIZAR_CACHE to a folder (XDG_CACHE_HOME and HOME are not set either)")]
    NoPlace,
    /// A folder or file of the cache cannot be made or read.
    #[error("cannot use {} in the cache", path.display())]
    Unusable {
        /// What was to be used.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Somebody else held the lock for too long.
    #[error("{} was held by another process for more than {} s", path.display(), waited.as_secs())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
}

/// Returns the cache folder, which is made if it is missing.
pub fn root() -> Result<PathBuf, CacheError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("MIZAR_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("kubectl-mizar")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("kubectl-mizar")))
        .ok_or(CacheError::NoPlace)?;
    // Children run in other folders, so every path we hand out must be absolute.
    let root = std::path::absolute(&root).map_err(|source| CacheError::Unusable { path: root, source })?;
    make_folder(&root)?;
    Ok(root)
}

/// Returns the folder `name` of the cache, which is made if it is missing.
pub fn folder(name: &str) -> Result<PathBuf, CacheError> {
    let path = root()?.join(name);
    make_folder(&path)?;
    Ok(path)
}

fn make_folder(path: &Path) -> Result<(), CacheError> {
    fs::create_dir_all(path).map_err(|source| CacheError::Unusable { path: path.to_owned(), source })
}

/// An exclusive lock on a file, let go when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock if nobody has it.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, CacheError> {
        let unusable = |source| CacheError::Unusable { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Takes the lock, waiting for whoever has it; `waiting` is told once that we wait.
    pub fn acquire(path: &Path, patience: Duration, waiting: impl FnOnce()) -> Result<Self, CacheError> {
        if let Some(lock) = Self::try_acquire(path)? {
            return Ok(lock);
        }
        waiting();
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(lock);
            }
            // flock has no deadline of its own, so it is asked again.
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(CacheError::Held { path: path.to_owned(), waited: patience })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = FileLock::try_acquire(&path).unwrap();
        assert!(first.is_some());
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        drop(first);
        assert!(FileLock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn waiting_for_a_lock_ends_at_the_deadline_and_says_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = FileLock::try_acquire(&path).unwrap();
        let mut told = false;
        let error = FileLock::acquire(&path, Duration::from_millis(120), || told = true).unwrap_err();
        assert!(told);
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}
