//! What Mizar changes on a node itself: files, links and settings that outlast every pod, until somebody takes them away.

use std::collections::BTreeSet;

use serde::Serialize;

const CONFIGURATION: &str = "10-mizarcni.conf";

/// What is saved before the first change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Saved {
    cni_files: BTreeSet<String>,
    mtu: u32,
    offloads: bool,
}

/// A node, as far as Mizar changes it.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own on the node")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Host {
    cni_files: BTreeSet<String>,
    mtu: u32,
    offloads: bool,
    transitd: bool,
    xdp: bool,
    mizar_files: bool,
    links: BTreeSet<String>,
    saved: Option<Saved>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            cni_files: [String::from("10-flannel.conflist")].into(),
            mtu: 1500,
            offloads: true,
            transitd: false,
            xdp: false,
            mizar_files: false,
            links: BTreeSet::new(),
            saved: None,
        }
    }
}

impl Host {
    /// The daemon's pod starts: what is there is saved once, then Mizar makes the node its own.
    pub(crate) fn take_over(&mut self) {
        if self.saved.is_none() {
            let (cni_files, mtu, offloads) = (self.cni_files.clone(), self.mtu, self.offloads);
            self.saved = Some(Saved { cni_files, mtu, offloads });
        }
        self.cni_files = [CONFIGURATION.to_owned()].into();
        self.mtu = 9000;
        self.offloads = false;
        self.transitd = true;
        self.xdp = true;
        self.mizar_files = true;
        self.links.clear();
    }

    /// A pod or the host itself is given a link.
    pub(crate) fn link(&mut self, endpoint: &str) {
        self.links.insert(endpoint.to_owned());
    }

    /// Gives everything back. Returns what the script writes at its end.
    pub(crate) fn clean(&mut self) -> String {
        let mut done = Vec::new();
        let mut note = |was: bool, what: String| done.extend(was.then_some(what));
        note(self.transitd, "stopped transitd".to_owned());
        note(!self.links.is_empty(), format!("deleted {} links", self.links.len()));
        note(self.mizar_files, "removed files and folders of Mizar".to_owned());
        (self.transitd, self.xdp, self.mizar_files) = (false, false, false);
        self.links.clear();
        self.cni_files.remove(CONFIGURATION);
        if let Some(saved) = self.saved.take() {
            note(true, format!("restored {} CNI files", saved.cni_files.len()));
            self.cni_files.extend(saved.cni_files);
            self.mtu = saved.mtu;
            self.offloads = saved.offloads;
        }
        serde_json::json!({"done": done, "problems": []}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_cleaned_is_as_it_was_however_often_a_daemon_started() {
        let mut host = Host::default();
        host.take_over();
        host.link("web");
        host.take_over();
        assert_ne!(host, Host::default());
        assert!(host.clean().contains("restored 1 CNI files"));
        assert_eq!(host, Host::default());
        assert_eq!(host.clean(), r#"{"done":[],"problems":[]}"#);
    }
}
