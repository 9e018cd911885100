//! kubectl's configuration.

/// A file.
pub fn kubeconfig(data: &[u8]) {
    let _ = data;
}
