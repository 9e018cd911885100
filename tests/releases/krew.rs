//! The real krew, in a home of its own, run as people run it: by the real kubectl, which then runs the plugin.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mizar_bed::{Program, programs};
use tempfile::TempDir;

use crate::release::{self, EARLIER_TAG, PLATFORMS, Release, TAG, text};

/// A person's machine: kubectl, krew, and an empty home.
struct Machine {
    home: TempDir,
    index: Option<PathBuf>,
    platform: Option<&'static str>,
}

impl Machine {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let found = programs::ensure(&[Program::Kubectl, Program::Krew, Program::ValidateKrewManifest]).unwrap();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for (name, program) in [
            ("kubectl", Program::Kubectl),
            ("kubectl-krew", Program::Krew),
            ("validate-krew-manifest", Program::ValidateKrewManifest),
        ] {
            symlink(&found[&program], bin.join(name)).unwrap();
        }
        Self { home, index: None, platform: None }
    }

    /// The same machine, which knows this index and no other; most commands of krew want one.
    fn with(mut self, index: &Index) -> Self {
        self.index = Some(index.0.path().to_owned());
        self.says(&["kubectl", "krew", "update"]);
        self
    }

    /// Where krew keeps what it installs.
    fn krew(&self) -> PathBuf {
        self.home.path().join("krew")
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(self.home.path().join("bin").join(line[0]));
        let path = format!(
            "{}:{}:{}",
            self.home.path().join("bin").display(),
            self.krew().join("bin").display(),
            std::env::var("PATH").unwrap()
        );
        command.args(&line[1..]).current_dir(self.home.path()).env_clear();
        command.env("PATH", path).env("HOME", self.home.path()).env("KREW_ROOT", self.krew());
        // Otherwise krew asks its home page for a newer krew now and then.
        command.env("KREW_NO_UPGRADE_CHECK", "1");
        if let Some(index) = &self.index {
            command.env("KREW_DEFAULT_INDEX_URI", index);
        }
        if let Some((os, arch)) = self.platform.and_then(|platform| platform.split_once('/')) {
            command.env("KREW_OS", os).env("KREW_ARCH", arch);
        }
        command
    }

    fn run(&self, line: &[&str]) -> Output {
        self.command(line).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command prints that must succeed.
    #[track_caller]
    fn says(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{}:\n{}", line.join(" "), text(&output));
        text(&output)
    }

    /// Writes the manifest under the name that krew wants for it.
    fn keeps(&self, manifest: &str) -> String {
        let path = self.home.path().join("mizar.yaml");
        fs::write(&path, manifest).unwrap();
        path.display().to_string()
    }

    fn installs(&self, release: &Release, platform: &str) -> Output {
        let manifest = format!("--manifest={}", self.keeps(&release.manifest()));
        let archive = format!("--archive={}", release.archive(platform).display());
        self.run(&["kubectl", "krew", "install", &manifest, &archive])
    }

    /// The versions of the plugin that are installed: only a terminal is told them by `krew list`.
    fn versions(&self) -> Vec<String> {
        let folders = fs::read_dir(self.krew().join("store/mizar")).unwrap().flatten();
        folders.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The files that krew laid down, with whether they may be run.
    fn installed(&self) -> Vec<(String, bool)> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut found = Vec::new();
        let top = self.krew().join("store/mizar").join(TAG);
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    let runs = entry.metadata().unwrap().permissions().mode() & 0o111 != 0;
                    found.push((entry.path().strip_prefix(&top).unwrap().display().to_string(), runs));
                }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn krew_installs_lists_and_removes_the_plugin_and_kubectl_runs_it() {
    let index = Index::with(&release::shared().manifest().replace(TAG, EARLIER_TAG));
    let machine = Machine::new().with(&index);
    let installed = machine.installs(release::shared(), release::this_platform());
    assert!(installed.status.success(), "{}", text(&installed));
    assert_eq!(machine.versions(), [TAG], "of the manifest, not of the index");
    assert!(machine.says(&["kubectl", "krew", "list"]).contains("mizar"));
    let version = machine.says(&["kubectl", "mizar", "version", "--client"]);
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");

    machine.says(&["kubectl", "krew", "uninstall", "mizar"]);
    assert!(!machine.says(&["kubectl", "krew", "list"]).contains("mizar"));
    assert!(!machine.run(&["kubectl", "mizar", "--version"]).status.success());
}

#[test]
fn krew_refuses_an_archive_that_is_not_the_one_of_the_manifest() {
    let machine = Machine::new();
    let manifest = format!("--manifest={}", machine.keeps(&release::shared().manifest()));
    let other = PLATFORMS.into_iter().find(|platform| *platform != release::this_platform()).unwrap();
    let archive = format!("--archive={}", release::shared().archive(other).display());
    let output = machine.run(&["kubectl", "krew", "install", &manifest, &archive]);
    assert!(!output.status.success());
    assert!(text(&output).contains("checksum"), "{}", text(&output));
}

#[test]
fn krew_lays_out_the_archives_of_all_platforms() {
    for platform in PLATFORMS {
        let machine = Machine { platform: Some(platform), ..Machine::new() };
        let installed = machine.installs(release::shared(), platform);
        assert!(installed.status.success(), "{platform}: {}", text(&installed));
        let (program, completion) = match platform {
            "windows/amd64" => ("kubectl-mizar.exe", "kubectl_complete-mizar.cmd"),
            _ => ("kubectl-mizar", "kubectl_complete-mizar"),
        };
        let mut expected = [
            ("LICENSE", false),
            ("completion/_kubectl-mizar", false),
            ("completion/kubectl-mizar.bash", false),
            ("completion/kubectl-mizar.fish", false),
            ("completion/kubectl-mizar.ps1", false),
            (program, true),
            (completion, true),
            ("man/kubectl-mizar.1", false),
        ]
        .map(|(path, runs)| (path.to_owned(), runs));
        expected.sort();
        assert_eq!(machine.installed(), expected, "{platform}");
    }
}

#[test]
fn krew_installs_from_an_index_and_upgrades_to_a_newer_version() {
    let release = release::shared();
    let index = Index::with(&release.manifest().replace(TAG, EARLIER_TAG));
    let machine = Machine::new().with(&index);
    let info = machine.says(&["kubectl", "krew", "info", "mizar"]);
    assert!(info.contains(EARLIER_TAG) && info.contains("https://github.com/CentaurusInfra/kubectl-mizar"), "{info}");
    machine.says(&["kubectl", "krew", "install", "mizar"]);
    assert_eq!(machine.versions(), [EARLIER_TAG]);

    index.publishes(&release.manifest());
    let upgraded = machine.says(&["kubectl", "krew", "upgrade", "mizar"]);
    assert_eq!(machine.versions(), [TAG], "{upgraded}");
    assert!(machine.says(&["kubectl", "mizar", "version", "--client"]).contains(env!("CARGO_PKG_VERSION")));
}

/// The whole of it: every platform is installed from the addresses in the manifest, and must lay down a licence.
#[test]
fn krew_s_index_would_take_the_manifest() {
    let machine = Machine::new();
    let manifest = machine.keeps(&release::shared().manifest());
    let said = machine.says(&["validate-krew-manifest", "-manifest", &manifest]);
    assert!(said.contains("all 5 spec.platforms installed fine"), "{said}");
}

/// The one in the repository, whose addresses answer only once it is released.
#[test]
fn krew_s_index_would_take_the_form_of_the_committed_manifest() {
    let machine = Machine::new();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../krew-manifest.yaml");
    let manifest = machine.keeps(&fs::read_to_string(committed).unwrap());
    let said = machine.says(&["validate-krew-manifest", "-skip-install", "-manifest", &manifest]);
    assert!(said.contains("structural validation OK"), "{said}");
}

/// An index of krew: a git repository with the manifest of the plugin in it.
struct Index(TempDir);

impl Index {
    fn with(manifest: &str) -> Self {
        let index = Self(TempDir::new().unwrap());
        fs::create_dir(index.0.path().join("plugins")).unwrap();
        index.git(&["init", "--quiet"]);
        index.publishes(manifest);
        index
    }

    fn publishes(&self, manifest: &str) {
        fs::write(self.0.path().join("plugins/mizar.yaml"), manifest).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "mizar"]);
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=test", "-c", "user.email=test@localhost"]).args(arguments);
        // Nothing of the person's git.
        command.current_dir(self.0.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {}: {}", arguments.join(" "), text(&output));
    }
}
