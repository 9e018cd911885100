//! Where values come from: the files and flags that a person names, each read once and before anything else, so that nothing
//! on disk can change between the plan and its execution.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use mizar_core::chart::set::SetFlag;
use mizar_core::chart::{Chart, ChartError, ValueLayers, ValuesError};
use mizar_core::plan::saved::{GivenFile, GivenSet, GivenValues};
use mizar_core::yaml;

use crate::assets;
use crate::failure::{Failure, Kind};

/// No values file is larger; a file of another kind named by mistake may be.
const LIMIT: u64 = 4 * 1024 * 1024;

/// The name that means stdin.
const STDIN: &str = "-";

/// The flags about values and charts, as they were typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ValueFlags {
    /// `--profile`.
    pub profile: Option<String>,
    /// `-f`, in order; `-` is stdin.
    pub files: Vec<PathBuf>,
    /// `--set-json`, `--set`, `--set-string`, `--set-file`.
    pub sets: Vec<(SetFlag, String)>,
    /// `--chart`.
    pub chart: Option<PathBuf>,
}

/// The same with every file read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ValueSources {
    /// `--profile`.
    pub profile: Option<String>,
    /// Name and text of each values file.
    files: Vec<(String, String)>,
    /// Flags, and the contents that `--set-file` names.
    sets: Vec<(SetFlag, String)>,
    contents: BTreeMap<String, String>,
    /// The chart of `--chart`.
    pub chart: Option<Chart>,
}

impl ValueSources {
    /// A profile and nothing else.
    pub(crate) fn of_profile(profile: &str) -> Self {
        Self { profile: Some(profile.to_owned()), ..Self::default() }
    }

    /// Reads the files that the flags name.
    pub(crate) fn read(flags: ValueFlags) -> Result<Self, Failure> {
        let mut sources = Self { profile: flags.profile, sets: flags.sets, ..Self::default() };
        let mut stdin = flags.files.iter().filter(|path| *path == Path::new(STDIN)).count();
        if stdin > 1 {
            return Err(stdin_twice());
        }
        for path in &flags.files {
            sources.files.push((path.display().to_string(), read_values_file(path)?));
        }
        let set_files = sources.sets.iter().filter(|(flag, _)| *flag == SetFlag::File);
        for (_, text) in set_files {
            // Asked for the paths only; the layers below ask again for the contents.
            let paths = ValueLayers::new().add_set_file(text, &mut |path| {
                stdin += usize::from(path == STDIN);
                if stdin > 1 {
                    return Err(String::new());
                }
                let content = read_content(path).map_err(|reason| format!("cannot read {path}: {reason}"))?;
                sources.contents.insert(path.to_owned(), content.clone());
                Ok(content)
            });
            if stdin > 1 {
                return Err(stdin_twice());
            }
            paths?;
        }
        sources.chart = flags.chart.as_deref().map(assets::from_path).transpose()?;
        sources.check()?;
        Ok(sources)
    }

    /// What was read when a plan was saved, with the chart of now.
    pub(crate) fn given(values: GivenValues, chart: Option<&Path>) -> Result<Self, Failure> {
        let sources = Self {
            profile: values.profile,
            files: values.files.into_iter().map(|file| (file.name, file.text)).collect(),
            sets: values.sets.into_iter().map(|set| (set.flag, set.text)).collect(),
            contents: values.contents,
            chart: chart.map(assets::from_path).transpose()?,
        };
        sources.check()?;
        Ok(sources)
    }

    /// Everything that was read, to be kept with a plan.
    pub(crate) fn to_given(&self) -> GivenValues {
        let file = |(name, text): &(String, String)| GivenFile { name: name.clone(), text: text.clone() };
        let set = |(flag, text): &(SetFlag, String)| GivenSet { flag: *flag, text: text.clone() };
        GivenValues {
            profile: self.profile.clone(),
            files: self.files.iter().map(file).collect(),
            sets: self.sets.iter().map(set).collect(),
            contents: self.contents.clone(),
        }
    }

    /// What cannot be read at all is told before any cluster is asked.
    fn check(&self) -> Result<(), Failure> {
        let mut layers = ValueLayers::new();
        self.layers(&mut layers)?;
        Ok(layers.check()?)
    }

    /// Adds what the person said to `layers`.
    pub(super) fn layers(&self, layers: &mut ValueLayers) -> Result<(), Failure> {
        for (name, text) in &self.files {
            layers.add_file(name, text)?;
        }
        for (flag, text) in &self.sets {
            if *flag == SetFlag::File {
                layers.add_set_file(text, &mut |path| {
                    self.contents.get(path).cloned().ok_or_else(|| format!("{path} was not read"))
                })?;
            } else {
                layers.add_set(*flag, text);
            }
        }
        Ok(())
    }
}

fn stdin_twice() -> Failure {
    Failure::new(Kind::Usage, "stdin is named twice (-), and can be read once")
        .hint("give all but one of them as files")
}

fn read_values_file(path: &Path) -> Result<String, Failure> {
    let name = path.display();
    let bytes = read_limited(path).map_err(|reason| {
        let failure = Failure::new(Kind::Failed, format!("values file {name}: {reason}"));
        if path.to_string_lossy().contains("://") {
            return failure.hint(format!("fetch it first: curl -fsSL {name} | kubectl mizar … -f -"));
        }
        failure.hint("-f takes a YAML file; what can be set: kubectl mizar values")
    })?;
    let in_file = |error: yaml::YamlError| ChartError::Yaml {
        path: name.to_string(),
        position: error.position,
        message: error.message,
    };
    Ok(yaml::decode(bytes).map_err(in_file).map_err(ValuesError::from)?)
}

/// The content of a file that a flag names; `-` is stdin.
fn read_content(path: &str) -> Result<String, String> {
    let bytes = read_limited(Path::new(path))?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        format!("byte {} of it is not UTF-8 text", offset + 1)
    })
}

/// Reads a file of bounded size. A pipe is read like a file: it may be what a shell makes of `<(command)`.
fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let read = if path == Path::new(STDIN) {
        read_up_to_limit(io::stdin().lock())
    } else {
        File::open(path).and_then(read_up_to_limit)
    };
    let bytes = read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("it is larger than {} MiB", LIMIT / 1024 / 1024));
    }
    Ok(bytes)
}

fn read_up_to_limit(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
