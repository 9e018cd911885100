//! Helm's flags for values, and those that choose the chart.

use std::path::PathBuf;

use clap::Args;
use mizar_core::chart::set::SetFlag;

use crate::flow::value_sources::ValueFlags;

/// The charts that the program brings, as --to takes them.
pub(crate) const EMBEDDED: &str = "embedded";

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Values options")]
pub(crate) struct ValuesArgs {
    /// Base values: dev takes any image, prod demands digests
    #[arg(long, value_name = "PROFILE", value_parser = ["dev", "prod"])]
    pub(crate) profile: Option<String>,

    /// Values file; - reads stdin; may be repeated, the last one wins
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Value on the command line: key=value,key2[0]=value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// Value that stays text: key=value
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,

    /// Value from a file: key=path
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,

    /// Value as JSON: key=json, or a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) set_json: Vec<String>,

    /// Use this chart, a folder or packed, instead of the built-in one of its name
    #[arg(long, value_name = "DIR|TGZ")]
    pub(crate) chart: Option<PathBuf>,
}

impl ValuesArgs {
    /// The flags that give values, and whether they were typed.
    pub(crate) fn given(&self) -> [(&'static str, bool); 6] {
        [
            ("--profile", self.profile.is_some()),
            ("--values", !self.files.is_empty()),
            ("--set", !self.set.is_empty()),
            ("--set-string", !self.set_string.is_empty()),
            ("--set-file", !self.set_file.is_empty()),
            ("--set-json", !self.set_json.is_empty()),
        ]
    }

    /// What was typed, in the order in which Helm lets the flags win.
    pub(crate) fn to_flags(&self) -> ValueFlags {
        let flags = [
            (SetFlag::Json, &self.set_json),
            (SetFlag::Typed, &self.set),
            (SetFlag::Text, &self.set_string),
            (SetFlag::File, &self.set_file),
        ];
        ValueFlags {
            profile: self.profile.clone(),
            files: self.files.clone(),
            sets: flags.iter().flat_map(|(flag, texts)| texts.iter().map(|text| (*flag, text.clone()))).collect(),
            chart: self.chart.clone(),
        }
    }
}
