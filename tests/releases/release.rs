//! A release made by `cargo xtask dist`, once for all tests: this machine's platform with the real program, the others with a file in
//! its place, on a server on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::server;

/// The version of the workspace, as tags have it.
pub(crate) const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));
/// A version before it, of which nothing was ever released.
pub(crate) const EARLIER_TAG: &str = "v0.0.1";
/// Every platform, as krew names them.
pub(crate) const PLATFORMS: [&str; 5] = ["linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"];

/// A release, and where it can be fetched.
pub(crate) struct Release {
    folder: PathBuf,
    /// Of the server, below which there is a folder for each tag.
    pub(crate) address: String,
}

/// The release that all tests share.
pub(crate) fn shared() -> &'static Release {
    static RELEASE: OnceLock<Release> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let folder = scratch("release");
        let address = server::serve(&folder);
        let made = pack(&folder.join(TAG), &address);
        assert!(made.status.success(), "{}", text(&made));
        copy(&folder.join(TAG), &folder.join(EARLIER_TAG), |name| name.replace(TAG, EARLIER_TAG));
        Release { folder, address }
    })
}

impl Release {
    /// The manifest that lies beside the archives.
    pub(crate) fn manifest(&self) -> String {
        fs::read_to_string(self.file("krew-manifest.yaml")).unwrap()
    }

    /// A file of the release.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(TAG).join(name)
    }

    /// The archive of a platform.
    pub(crate) fn archive(&self, platform: &str) -> PathBuf {
        self.file(&format!("kubectl-mizar-{TAG}-{}.tar.gz", platform.replace('/', "-")))
    }
}

/// Packs a release into a folder.
pub(crate) fn pack(into: &Path, address: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["dist", "--address", address, "--output"]).arg(into);
    let here = this_platform();
    for platform in PLATFORMS {
        let program = if platform == here { program().to_owned() } else { stand_in() };
        command.arg("--binary").arg(format!("{platform}={}", program.display()));
    }
    command.output().unwrap()
}

/// Linux or macOS, as krew names them: the test bed runs nowhere else.
pub(crate) fn this_platform() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "darwin/arm64",
        ("macos", _) => "darwin/amd64",
        (_, "aarch64") => "linux/arm64",
        _ => "linux/amd64",
    }
}

/// The program of the test build, without what a debugger needs.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = mizar_bed::cargo::build("kubectl-mizar").unwrap();
        let path = scratch("program").join("kubectl-mizar");
        let stripped = Command::new("strip").arg("-o").arg(&path).arg(built).status().unwrap();
        assert!(stripped.success());
        path
    })
}

/// An empty folder that outlives the tests, until the next ones want it: nobody is there to remove what all tests share.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("releases").join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What stands for a program that cannot run here.
fn stand_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}

fn copy(from: &Path, to: &Path, name: impl Fn(&str) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(name(&entry.file_name().to_string_lossy()))).unwrap();
    }
}

/// All that a program printed.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
