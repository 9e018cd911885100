//! kubectl's configuration.

/// The text of a file.
pub fn kubeconfig(data: &[u8]) {
    let _ = data;
}
