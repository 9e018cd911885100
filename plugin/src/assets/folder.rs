//! A chart that a person names: a folder, read as Helm reads it (links are followed, and all that is not a file is refused), or
//! a packed chart.

use std::io;
use std::path::{Path, PathBuf};

use mizar_core::archive::{Limits, unpack};
use mizar_core::chart::{Chart, ChartError};

use crate::failure::{Failure, Kind};

/// No chart has more files, or more bytes of them; a folder named by mistake may.
const MOST_FILES: usize = 5_000;
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// The chart in a folder, or in an archive as `helm package` makes it.
pub(crate) fn from_path(path: &Path) -> Result<Chart, Failure> {
    if path.is_file() {
        return load(path, unpacked(path)?);
    }
    if !path.join("Chart.yaml").is_file() {
        return Err(no_chart(path));
    }
    let mut reader = Reader { folder: path, files: Vec::new(), bytes: 0 };
    reader.read(path, &mut Vec::new())?;
    load(path, reader.files)
}

/// The files of a packed chart, without the folder that all of them lie in.
fn unpacked(path: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let name = path.display();
    let size = path.metadata().map_err(|error| unreadable(path, &error))?.len();
    let wrong = |why: String| {
        Failure::new(Kind::Failed, format!("{name} {why}"))
            .hint("name the folder that holds Chart.yaml, or a chart that helm package made: --chart PATH")
    };
    if size > MOST_BYTES {
        return Err(wrong("is too large for a packed chart".to_owned()));
    }
    let archive = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let limits = Limits { files: MOST_FILES, bytes: MOST_BYTES };
    let files = unpack(&archive, limits).map_err(|error| wrong(error.to_string()))?;
    let below =
        |(path, data): (String, Vec<u8>)| Some((path.trim_start_matches("./").split_once('/')?.1.to_owned(), data));
    Ok(files.into_iter().filter_map(below).collect())
}

fn load(folder: &Path, files: Vec<(String, Vec<u8>)>) -> Result<Chart, Failure> {
    Chart::load(files).map_err(|error| {
        let failure = |message| Failure::new(Kind::Failed, message);
        match error {
            ChartError::Dependencies { .. } => {
                failure(error.to_string()).hint(format!("render it with Helm: helm template NAME {}", folder.display()))
            }
            ChartError::Library { .. } => failure(error.to_string()),
            // All others begin with the name of a file.
            _ => failure(folder.join(error.to_string()).display().to_string()),
        }
    })
}

/// What a person may have named instead of the folder of a chart, and how to get from there to one.
fn no_chart(folder: &Path) -> Failure {
    let name = folder.display();
    let failure = |message: String| Failure::new(Kind::Failed, message);
    let address = folder.to_string_lossy().contains("://");
    if address {
        return failure(format!("{name} is an address, and --chart takes a folder or a packed chart"))
            .hint(format!("fetch it first: helm pull {name}"));
    }
    match folder.metadata() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            failure(format!("cannot read the chart: {name}: {error}"))
                .hint("name the folder that holds Chart.yaml: --chart DIR")
        }
        _ => failure(format!("{name} is no chart: it has no Chart.yaml"))
            .hint("name the folder that holds Chart.yaml: --chart DIR"),
    }
}

struct Reader<'a> {
    folder: &'a Path,
    files: Vec<(String, Vec<u8>)>,
    bytes: u64,
}

impl Reader<'_> {
    /// Reads what a folder holds; `above` are the folders that it lies in, by their true names.
    fn read(&mut self, folder: &Path, above: &mut Vec<PathBuf>) -> Result<(), Failure> {
        let true_name = folder.canonicalize().map_err(|error| unreadable(folder, &error))?;
        if above.contains(&true_name) {
            return Err(wrong(folder, "is a link to a folder that it lies in"));
        }
        above.push(true_name);
        for entry in folder.read_dir().map_err(|error| unreadable(folder, &error))? {
            let path = entry.map_err(|error| unreadable(folder, &error))?.path();
            let found = path.metadata().map_err(|error| unreadable(&path, &error))?;
            if found.is_dir() {
                self.read(&path, above)?;
            } else if found.is_file() {
                self.take(&path, found.len())?;
            } else {
                return Err(wrong(&path, "is a device, a pipe or a socket, not a file"));
            }
        }
        above.pop();
        Ok(())
    }

    fn take(&mut self, path: &Path, size: u64) -> Result<(), Failure> {
        self.bytes += size;
        if self.bytes > MOST_BYTES || self.files.len() >= MOST_FILES {
            let folder = self.folder.display();
            let limits = format!("{MOST_FILES} files and {} MiB", MOST_BYTES / 1024 / 1024);
            let message = format!("{folder} is too large for a chart ({limits}); too much was {}", path.display());
            return Err(Failure::new(Kind::Failed, message).hint("name the folder that holds Chart.yaml: --chart DIR"));
        }
        let content = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let name = path.strip_prefix(self.folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
        self.files.push((name, content));
        Ok(())
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot read the chart: {}: {error}", path.display()))
}

fn wrong(path: &Path, why: &str) -> Failure {
    Failure::new(Kind::Failed, format!("cannot read the chart: {} {why}", path.display()))
}
