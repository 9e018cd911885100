//! The programs of the test bed: which there are, and from which pinned Go module each is built.
//!
//! A program is known by its name; where it lies follows from its go.mod, go.sum and flags. How it is built is in
//! `programs::build`, where Go comes from in `programs::toolchain`.

mod build;
mod toolchain;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cache::{self, CacheError};

pub use build::BuildError;
pub use toolchain::ToolchainError;

/// Why a program cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No such program.
    #[error("there is no program called {0:?}: known are {known}", known = Program::names())]
    Unknown(String),
    /// A go.mod or go.sum cannot be read, or pins nothing.
    #[error("{}: {problem}", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no usable Go.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A program of the test bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of Kubernetes.
    KubeControllerManager,
    /// The scheduler.
    KubeScheduler,
    /// The command line client.
    Kubectl,
    /// Plays nodes and kubelets.
    Kwok,
    /// Helm 4, called `helm`.
    Helm4,
    /// Helm 3, called `helm` too.
    Helm3,
    /// The plugin manager of kubectl.
    Krew,
    /// What krew's index runs on a manifest that is offered to it.
    ValidateKrewManifest,
    /// A registry of the Open Container Initiative, where charts are published.
    Registry,
}

impl Program {
    /// Every program.
    pub const ALL: [Self; 11] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubectl,
        Self::Kwok,
        Self::Helm4,
        Self::Helm3,
        Self::Krew,
        Self::ValidateKrewManifest,
        Self::Registry,
    ];

    /// What a control plane with nodes needs.
    pub const CONTROL_PLANE: [Self; 6] =
        [Self::Etcd, Self::KubeApiserver, Self::KubeControllerManager, Self::KubeScheduler, Self::Kubectl, Self::Kwok];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kwok => "kwok",
            Self::Helm4 => "helm4",
            Self::Helm3 => "helm3",
            Self::Krew => "krew",
            Self::ValidateKrewManifest => "validate-krew-manifest",
            Self::Registry => "registry",
        }
    }

    /// The name of its file: Helm names its field manager after it, so both Helms are called `helm`.
    fn file(self) -> &'static str {
        match self {
            Self::Helm4 | Self::Helm3 => "helm",
            other => other.name(),
        }
    }

    fn module(self) -> Module {
        match self {
            Self::Etcd => Module::Etcd,
            Self::KubeApiserver | Self::KubeControllerManager | Self::KubeScheduler | Self::Kubectl => {
                Module::Kubernetes
            }
            Self::Kwok => Module::Kwok,
            Self::Helm4 => Module::Helm4,
            Self::Helm3 => Module::Helm3,
            Self::Krew | Self::ValidateKrewManifest => Module::Krew,
            Self::Registry => Module::Registry,
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Where it lies once built, by the pins of today.
    pub fn path(self) -> Result<PathBuf, ProgramError> {
        Ok(Recipe::read(self.module())?.folder()?.join(self.file()))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Program {
    type Err = ProgramError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let same = |program: &Self| program.name() == text;
        Self::ALL.into_iter().find(same).ok_or_else(|| ProgramError::Unknown(text.to_owned()))
    }
}

/// Returns the paths of `programs`; those that are missing are built first, with progress on stderr.
pub fn ensure(programs: &[Program]) -> Result<BTreeMap<Program, PathBuf>, ProgramError> {
    let mut found = BTreeMap::new();
    for &program in programs {
        let recipe = Recipe::read(program.module())?;
        let path = recipe.folder()?.join(program.file());
        if !path.is_file() {
            build::build(&recipe)?;
        }
        found.insert(program, path);
    }
    Ok(found)
}

/// A folder under `tests/cluster` with a go.mod; all its programs are built at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Module {
    Etcd,
    Kubernetes,
    Kwok,
    Helm4,
    Helm3,
    Krew,
    Registry,
}

impl Module {
    fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Kubernetes => "kubernetes",
            Self::Kwok => "kwok",
            Self::Helm4 => "helm4",
            Self::Helm3 => "helm3",
            Self::Krew => "krew",
            Self::Registry => "registry",
        }
    }

    /// The Go module that the programs come from, whose pinned version is their version.
    fn go_module(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::Kubernetes => "k8s.io/kubernetes",
            Self::Kwok => "sigs.k8s.io/kwok",
            Self::Helm4 => "helm.sh/helm/v4",
            Self::Helm3 => "helm.sh/helm/v3",
            Self::Krew => "sigs.k8s.io/krew",
            Self::Registry => "github.com/distribution/distribution/v3",
        }
    }

    /// The one file that is built, or nothing when the module holds several programs, named by Go.
    fn single_file(self) -> Option<&'static str> {
        match self {
            Self::Kubernetes | Self::Krew => None,
            Self::Helm4 | Self::Helm3 => Some("helm"),
            single => Some(single.name()),
        }
    }

    /// Version stamps, without which the programs call themselves v0.0.0 and clients cannot parse their version.
    fn stamps(self, version: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Kubernetes => {
                let (major, minor) = major_and_minor(version);
                vec![
                    ("k8s.io/component-base/version.gitVersion", version.to_owned()),
                    ("k8s.io/component-base/version.gitMajor", major),
                    ("k8s.io/component-base/version.gitMinor", minor),
                ]
            }
            Self::Helm4 => vec![("helm.sh/helm/v4/internal/version.version", version.to_owned())],
            // An unstamped `helm template` of Helm 3 pretends to talk to Kubernetes 1.20.
            Self::Helm3 => vec![
                ("helm.sh/helm/v3/internal/version.version", version.to_owned()),
                ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor", "1".to_owned()),
                ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor", "36".to_owned()),
                ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor", "1".to_owned()),
                ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor", "36".to_owned()),
            ],
            Self::Etcd | Self::Kwok | Self::Krew | Self::Registry => Vec::new(),
        }
    }
}

fn major_and_minor(version: &str) -> (String, String) {
    let mut parts = version.trim_start_matches('v').split('.').map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// All that decides what a build gives: the module's files and the flags.
#[derive(Debug)]
struct Recipe {
    module: Module,
    source: PathBuf,
    version: String,
    flags: Vec<String>,
    key: String,
}

impl Recipe {
    fn read(module: Module) -> Result<Self, ProgramError> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(module.name());
        let read = |name: &str| {
            let path = source.join(name);
            std::fs::read_to_string(&path)
                .map_err(|error| ProgramError::Module { path, problem: format!("cannot be read: {error}") })
        };
        let (go_mod, go_sum) = (read("go.mod")?, read("go.sum")?);
        let version = pinned_version(&go_mod, module.go_module()).ok_or_else(|| ProgramError::Module {
            path: source.join("go.mod"),
            problem: format!("does not require {}", module.go_module()),
        })?;
        let flags = flags(module, &version);
        let key = key(&[&go_mod, &go_sum, &flags.join("\n")]);
        Ok(Self { module, source, version, flags, key })
    }

    /// The folder of the finished programs.
    fn folder(&self) -> Result<PathBuf, CacheError> {
        Ok(cache::folder("programs")?.join(format!("{}-{}", self.module.name(), self.key)))
    }
}

fn flags(module: Module, version: &str) -> Vec<String> {
    let mut ld_flags = "-s -w".to_owned();
    for (name, value) in module.stamps(version) {
        ld_flags.push_str(" -X ");
        ld_flags.push_str(name);
        ld_flags.push('=');
        ld_flags.push_str(&value);
    }
    // Two compilers at a time: the control plane needs 2 GB of memory to build as it is.
    ["-mod=readonly", "-p", "2", "-trimpath", "-buildvcs=false", "-pgo=off", "-ldflags", &ld_flags]
        .map(str::to_owned)
        .to_vec()
}

/// Finds `MODULE vX.Y.Z` among the requirements of a go.mod.
fn pinned_version(go_mod: &str, module: &str) -> Option<String> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim_start().trim_start_matches("require ").split_whitespace();
        let version = (words.next() == Some(module)).then(|| words.next()).flatten()?;
        version.starts_with('v').then(|| version.to_owned())
    })
}

fn key(parts: &[&str]) -> String {
    use fmt::Write as _;

    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(6).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_recipe_with_its_version_pinned() {
        for program in Program::ALL {
            let recipe = Recipe::read(program.module()).unwrap();
            assert!(recipe.version.starts_with('v'), "{program}: {}", recipe.version);
            assert_eq!(program.name().parse::<Program>().unwrap(), program);
        }
    }

    #[test]
    fn the_control_plane_is_stamped_with_the_version_that_go_mod_pins() {
        let flags = flags(Module::Kubernetes, "v1.36.4");
        assert!(flags.last().unwrap().ends_with("version.gitVersion=v1.36.4 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"));
    }

    #[test]
    fn a_pin_is_found_in_a_block_and_on_a_line_of_its_own() {
        let block = "require (\n\ta.b/c v1.2.3 // indirect\n\ta.b/cd v9.0.0\n)\n";
        assert_eq!(pinned_version(block, "a.b/c").as_deref(), Some("v1.2.3"));
        assert_eq!(pinned_version("require a.b/c v4.5.6\n", "a.b/c").as_deref(), Some("v4.5.6"));
        assert_eq!(pinned_version("replace a.b/c => d.e/f v1.0.0\n", "a.b/c"), None);
    }

    #[test]
    fn another_flag_or_file_gives_another_folder() {
        assert_ne!(key(&["a", "b"]), key(&["ab", ""]));
        assert_eq!(key(&["a"]).len(), 12);
    }

    #[test]
    fn an_unknown_program_names_those_that_exist() {
        let error = "helm5".parse::<Program>().unwrap_err().to_string();
        assert!(error.contains("helm5") && error.contains("kube-apiserver"), "{error}");
    }
}
