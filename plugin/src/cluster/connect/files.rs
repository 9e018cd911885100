//! Finding and reading kubeconfig files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use mizar_core::kubeconfig::{Kubeconfig, parse};

use super::{ConnectError, Target, in_cluster};

/// No kubeconfig is larger; a device or a file of another kind may be endless.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// Everything that the files say. A missing file among those of `KUBECONFIG` is passed over, as kubectl does; one that was
/// named by a flag must be there. Where there is none at all, a pod's own account serves.
pub(super) fn load(target: &Target) -> Result<Kubeconfig, ConnectError> {
    if let Some(path) = &target.kubeconfig {
        return read(path);
    }
    let (paths, named) = match &target.kubeconfig_variable {
        Some(variable) if !variable.is_empty() => (std::env::split_paths(variable).collect::<Vec<_>>(), "KUBECONFIG"),
        _ => (target.home.iter().map(|home| home.join(".kube/config")).collect(), "home"),
    };
    let present: Vec<&PathBuf> = paths.iter().filter(|path| path.exists()).collect();
    if present.is_empty() {
        if let Some(own) = in_cluster::kubeconfig(target.service.as_ref(), Path::new(in_cluster::ACCOUNT)) {
            return Ok(own);
        }
        if target.flags.server.is_some() {
            return Ok(Kubeconfig::default());
        }
        let looked_at = if paths.is_empty() {
            vec!["--kubeconfig".into(), "KUBECONFIG".into(), "~/.kube/config".into()]
        } else {
            paths.iter().map(|path| format!("{} ({named})", path.display())).collect()
        };
        return Err(ConnectError::NoKubeconfig { looked_at });
    }
    let mut merged = Kubeconfig::default();
    for path in present {
        merged = merged.merged_with(read(path)?);
    }
    Ok(merged)
}

fn read(path: &Path) -> Result<Kubeconfig, ConnectError> {
    let bad = |reason: String| ConnectError::BadFile { path: path.to_owned(), reason };
    let bytes = bounded(path, FILE_LIMIT).map_err(bad)?;
    let text = String::from_utf8(bytes).map_err(|_| bad("is no text".to_owned()))?;
    Ok(parse(&text, path)?)
}

/// The bytes of a regular file of at most `limit` bytes; why not, otherwise.
pub(super) fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > limit {
        return Err(format!("it is no file of at most {} MiB", limit / 1024 / 1024));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n";

    fn folder_with(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn missing_files_of_the_variable_are_skipped() {
        let (_folder, path) = folder_with("k", FILE);
        let variable = std::env::join_paths([Path::new("/nowhere/x"), &path]).unwrap();
        let target = Target { kubeconfig_variable: Some(variable), ..Target::default() };
        assert_eq!(load(&target).unwrap().current_context.as_deref(), Some("a"));
    }

    #[test]
    fn an_explicit_file_must_exist() {
        let target = Target { kubeconfig: Some("/nowhere/config".into()), ..Target::default() };
        let text = load(&target).unwrap_err().to_string();
        assert!(text.starts_with("kubeconfig /nowhere/config: "), "{text}");
    }

    #[test]
    fn no_kubeconfig_says_where_it_looked() {
        let target = Target { home: Some("/nowhere".into()), ..Target::default() };
        let text = load(&target).unwrap_err().to_string();
        assert_eq!(text, "no kubeconfig found; looked at /nowhere/.kube/config (home)");
    }
}
