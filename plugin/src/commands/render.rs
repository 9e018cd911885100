//! `kubectl mizar render`: the manifests, without a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mizar_core::chart::Chart;
use mizar_core::chart::ValueLayers;
use mizar_core::chart::render::{ReleaseInfo, Rendered, render};
use mizar_core::object::Object;
use mizar_core::plan::StageName;
use serde_json::{Value, json};

use crate::cli::format::OF_MANIFESTS;
use crate::cli::values::ValuesArgs;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::prepare::{charts, merge};
use crate::flow::records::DEFAULT_NAMESPACE;
use crate::flow::value_sources::ValueSources;
use crate::report;
use crate::report::format::{self, Format};

/// Print the manifests that would be installed
///
/// Makes no request. Prints what `helm template` prints for the same charts and values: definitions first, then Mizar. With --chart that chart alone.
#[derive(Debug, Clone, Args)]
#[command(
    visible_alias = "template",
    after_help = "Examples:
  # What the dev profile installs
  kubectl mizar render --profile dev

  # Compare with what runs
  kubectl mizar render --profile dev | kubectl diff -f -

  # One file per object, in one folder per stage
  kubectl mizar render --profile dev --output-dir out/"
)]
pub(crate) struct RenderArgs {
    /// Name of the release
    #[arg(long, value_name = "NAME", requires = "chart", value_parser = crate::cli::name::parse)]
    release_name: Option<String>,

    /// Write one file per object into a folder per stage, instead of to stdout
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml", value_parser = OF_MANIFESTS, conflicts_with = "output_dir")]
    output: Format,

    #[command(flatten)]
    values: ValuesArgs,
}

pub(crate) fn run(context: &Context, args: &RenderArgs) -> Result<ExitCode, Failure> {
    let namespace = context.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let sources = ValueSources::read(args.values.to_flags())?;
    let rendered = if let Some(chart) = &sources.chart {
        let name = args.release_name.as_deref().unwrap_or(&chart.metadata.name);
        vec![one(chart, &sources, namespace, name)?]
    } else {
        let [definitions, mizar] = charts(None)?;
        let values = ValueLayers::new().merge(&definitions)?;
        let info = release_info("mizar-crds", namespace);
        vec![render(&definitions, &values.values, &info)?, one(&mizar, &sources, namespace, "mizar")?]
    };
    match &args.output_dir {
        Some(folder) => write_files(folder, &rendered)?,
        None => match &args.output {
            Format::Yaml => {
                for rendered in &rendered {
                    report::data(&rendered.template_output())?;
                }
            }
            Format::Name => report::data(&format::names(names(&rendered)))?,
            output => report::data(&output.write_or(|| list(&rendered), String::new)?)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// The objects of all charts, hooks last, as manifests show them.
fn objects(rendered: &[Rendered]) -> impl Iterator<Item = &Value> {
    let documents = rendered.iter().flat_map(|rendered| {
        let hooks = rendered.hooks.iter().map(|hook| &hook.document);
        rendered.documents.iter().chain(hooks)
    });
    documents.filter_map(|document| document.value.as_ref())
}

fn list(rendered: &[Rendered]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects(rendered).collect::<Vec<_>>()})
}

fn names(rendered: &[Rendered]) -> impl Iterator<Item = String> {
    let objects = objects(rendered).filter_map(|value| Object::new(value.clone()).ok());
    objects.map(|object| object.reference().resource_name())
}

fn one(chart: &Chart, sources: &ValueSources, namespace: &str, name: &str) -> Result<Rendered, Failure> {
    let (values, _) = merge(chart, sources.profile.as_deref(), &Value::Null, sources)?;
    Ok(render(chart, &values.values, &release_info(name, namespace))?)
}

fn release_info(name: &str, namespace: &str) -> ReleaseInfo {
    ReleaseInfo { name: name.to_owned(), namespace: namespace.to_owned(), revision: 1, is_install: true }
}

fn write_files(folder: &Path, rendered: &[Rendered]) -> Result<(), Failure> {
    let mut written = 0;
    for rendered in rendered {
        let hooks = rendered.hooks.iter().map(|hook| &hook.document);
        for document in rendered.documents.iter().chain(hooks) {
            let Some(value) = &document.value else { continue };
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (text("/kind"), text("/metadata/name"));
            let stage = StageName::of(document.stage.as_deref(), kind);
            let file = format!("{}-{}.yaml", kind.to_lowercase(), name.replace([':', '/'], "-"));
            let path = folder.join(stage.as_str()).join(file);
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&path, format!("{}\n", document.text.trim_end())))
                .map_err(|error| {
                    Failure::new(Kind::Failed, format!("cannot write {}: {error}", path.display()))
                        .hint("name a folder that you may write to: --output-dir DIR")
                })?;
            written += 1;
        }
    }
    report::note(&format!("{written} files written below {}", folder.display()));
    Ok(())
}
