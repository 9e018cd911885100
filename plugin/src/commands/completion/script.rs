//! The program that kubectl asks for completions of `kubectl mizar`, and where it has to lie.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// As kubectl looks for it; on Windows a batch file is found, too.
const NAME: &str = if cfg!(windows) { "kubectl_complete-mizar.cmd" } else { "kubectl_complete-mizar" };

const TEXT: &str = if cfg!(windows) {
    "@kubectl-mizar __complete %*\r\n"
} else {
    "#!/bin/sh\n# kubectl runs this to complete `kubectl mizar`.\nexec kubectl-mizar __complete \"$@\"\n"
};

/// The folder through which the plugin was found: that of its link, where kubectl looks for the script, too.
pub(super) fn folder_of_plugin(called: Option<&OsStr>, path: Option<&OsStr>) -> Option<PathBuf> {
    let called = Path::new(called?);
    match called.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Some(parent.to_path_buf()),
        _ => std::env::split_paths(path?).find(|folder| folder.join(called).is_file()),
    }
}

/// Whether programs are looked for in a folder.
pub(super) fn is_on_path(folder: &Path, path: Option<&OsStr>) -> bool {
    let same = |other: &PathBuf| other == folder || other.canonicalize().ok() == folder.canonicalize().ok();
    path.is_some_and(|path| std::env::split_paths(path).filter(|other| other.is_dir()).any(|other| same(&other)))
}

/// Writes it, and makes it a program.
pub(super) fn write(folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(NAME);
    std::fs::write(&path, TEXT)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(path)
}
