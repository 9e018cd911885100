//! What is installed: a copy of our chart with many ConfigMaps more, the same files for every tool.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mizar_bed::cargo;

use crate::failure::Failure;

/// Sets the one value that the first of the ConfigMaps shows.
pub(super) const CHANGE: &str = "global.generated=second";
/// The namespace of the releases.
pub(super) const NAMESPACE: &str = "mizar-system";

/// Both charts.
pub(super) struct Charts {
    /// The definitions, as they are.
    pub(super) definitions: PathBuf,
    /// Mizar, with the ConfigMaps.
    pub(super) mizar: PathBuf,
}

impl Charts {
    /// Copies the chart into `folder` and adds the ConfigMaps.
    pub(super) fn copy(folder: &Path, objects: u16) -> Result<Self, Failure> {
        let charts = cargo::workspace().join("charts");
        let mizar = folder.join("mizar");
        let made = copy_folder(&charts.join("mizar"), &mizar).and_then(|()| add_objects(&mizar, objects));
        made.map_err(|source| Failure::File { path: mizar.clone(), source })?;
        Ok(Self { definitions: charts.join("mizar-crds"), mizar })
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, to) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy_folder(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

fn add_objects(chart: &Path, objects: u16) -> io::Result<()> {
    let values = chart.join("values.yaml");
    let text = fs::read_to_string(&values)?;
    fs::write(&values, format!("{text}\nglobal:\n  generated: first\n"))?;
    for number in 0..objects {
        let path = chart.join(format!("templates/configuration/generated-{number:03}.yaml"));
        fs::write(path, config_map(number))?;
    }
    Ok(())
}

/// About as much text as a small configuration file.
fn config_map(number: u16) -> String {
    let value = if number == 0 { "{{ .Values.global.generated | quote }}" } else { "first" };
    let lines = (0..10).map(|line| format!("    option-{line} = {number}\n")).collect::<Vec<_>>().concat();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: generated-{number:03}\n  namespace: {{{{ .Release.Namespace }}}}\n  \
         labels:\n    {{{{- include \"mizar.labels\" (dict \"context\" . \"component\" \"configuration\") | nindent 4 }}}}\n\
         data:\n  value: {value}\n  settings: |\n{lines}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_changes_the_first_object_and_no_other() {
        assert!(config_map(0).contains("value: {{ .Values.global.generated | quote }}\n"));
        assert!(config_map(1).contains("value: first\n"));
        assert!(config_map(1).contains("  namespace: {{ .Release.Namespace }}\n  labels:\n    {{- include"));
    }
}
