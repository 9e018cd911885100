//! The plan of an uninstall in a file: saved by one person, carried out by another if it still means the same.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mizar_core::plan::saved::{Binding, Inputs};
use mizar_core::plan::unified;
use mizar_core::uninstall::{Origin, UNINSTALL, binding};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ground::Ground;
use super::{Request, Uninstall};
use crate::assets;
use crate::failure::Failure;
use crate::flow::saved_plan::{self, Bound};
use crate::report;

/// What stands for the name that an export gets when it is written.
const UNNAMED: &str = "mizar-export-TIME.yaml";

/// What a saved plan keeps of the request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Options {
    /// [`Request::crds`].
    pub(crate) crds: bool,
    /// [`Request::keep_node_state`].
    pub(crate) keep_node_state: bool,
    /// [`Request::keep_history`].
    pub(crate) keep_history: bool,
    /// [`Request::skip`].
    pub(crate) skip_node: BTreeSet<String>,
    /// [`Request::export`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) export: Option<PathBuf>,
}

impl Options {
    fn of(request: &Request) -> Self {
        Self {
            crds: request.crds,
            keep_node_state: request.keep_node_state,
            keep_history: request.keep_history,
            skip_node: request.skip.clone(),
            export: request.export.clone(),
        }
    }
}

impl Uninstall {
    /// The plan file that was named, if one was.
    pub(super) async fn open_plan(&mut self) -> Result<Bound, Failure> {
        let file = std::mem::take(&mut self.request.file);
        Bound::open(&self.run, UNINSTALL, file).await
    }

    /// Fails unless a plan that is carried out means the same as the one that was made now.
    pub(super) fn verify(&self, file: &Bound, ground: &Ground) -> Result<(), Failure> {
        let now = made_from(file, ground)?;
        let difference = |saved: &str| unified::between(saved, &self.plain(ground));
        file.verify_as(&self.run, || now, difference).map_err(|failure| {
            let stopped = ground.is_interrupted();
            let hint = stopped.then_some("what has stopped in the middle is finished by: kubectl mizar uninstall");
            hint.into_iter().fold(failure, Failure::hint)
        })
    }

    /// Writes the plan to the file that was named, if it is to be saved.
    pub(super) fn save_plan(&self, file: &Bound, ground: &Ground) -> Result<(), Failure> {
        let now = made_from(file, ground)?;
        let options = saved_plan::options(&Options::of(&self.request));
        let inputs = Inputs { options, ..Inputs::default() };
        file.save_as(&self.run, || now, inputs, &self.plain(ground))
    }

    /// How it is shown, without colours, and without a name that is another one each time.
    fn plain(&self, ground: &Ground) -> String {
        let export = self.request.export.as_ref().map_or_else(|| UNNAMED.into(), |path| path.display().to_string());
        report::uninstall::plain(&ground.plan, &export)
    }
}

fn made_from(file: &Bound, ground: &Ground) -> Result<Binding, Failure> {
    let files = assets::clean_node_files()?;
    let origin = Origin {
        cluster: file.cluster().to_owned(),
        namespace: ground.namespace.clone(),
        releases: saved_plan::newest(&ground.records),
        clean_up: json!([ground.clean_up, files.job, files.script]),
    };
    Ok(binding(&ground.plan, origin))
}
