//! Where each file of a bed lies in its folder.

use std::path::{Path, PathBuf};

use crate::users::Role;

/// The folder of one bed.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// The layout of the bed in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the supervisor was asked to run.
    pub fn order(&self) -> PathBuf {
        self.folder.join("order.json")
    }

    /// What runs, for everyone who looks from outside.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    /// What exists when the bed is ready, which a reset restores.
    pub fn baseline(&self) -> PathBuf {
        self.folder.join("baseline.json")
    }

    /// The supervisor's control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    /// Every request that the API server got.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// What a program said.
    pub fn log(&self, program: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{program}.log"))
    }

    /// A file of the public key infrastructure.
    pub fn pki(&self, file: &str) -> PathBuf {
        self.folder.join("pki").join(file)
    }

    /// A configuration file of a component.
    pub fn configuration(&self, file: &str) -> PathBuf {
        self.folder.join("configuration").join(file)
    }

    /// etcd's data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// What `kubectl logs` shows for every pod.
    pub fn pod_log(&self) -> PathBuf {
        self.folder.join("podlog.txt")
    }

    /// The kubeconfig of a role.
    pub fn kubeconfig(&self, role: Role) -> PathBuf {
        self.folder.join("kubeconfigs").join(role.name())
    }

    /// A kubeconfig of a component.
    pub fn component_kubeconfig(&self, component: &str) -> PathBuf {
        self.configuration(&format!("{component}.kubeconfig"))
    }

    /// Commands for PATH that build themselves on first call.
    pub fn commands(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Every folder that must exist before anything starts; etcd makes its own.
    pub fn folders(&self) -> [PathBuf; 5] {
        ["logs", "pki", "configuration", "kubeconfigs", "bin"].map(|name| self.folder.join(name))
    }
}
