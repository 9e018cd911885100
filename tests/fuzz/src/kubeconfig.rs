//! kubectl's configuration: read, and one destination chosen.

use std::path::Path;

use mizar_core::kubeconfig::{Flags, choose, parse};

/// The text of a file.
pub fn kubeconfig(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let config = match parse(text, Path::new("/home/user/.kube/config")) {
        Ok(config) => config,
        Err(error) => return crate::check(&error),
    };
    // Chosen by the file itself, and by names that are in it.
    let context = config.contexts.last().map(|named| named.name.clone());
    for context in [None, context, Some("other".to_owned())] {
        if let Err(error) = choose(&config, &Flags { context, ..Flags::default() }) {
            crate::check(&error);
        }
    }
}
