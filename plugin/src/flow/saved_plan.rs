//! Plans in files: writing one that was shown, and carrying one out only if it still means the same here.
//!
//! A command that saves: make the plan, show it, [`Bound::save`] it. A command that carries one out: [`read`] it, make the plan
//! anew from what it says was asked for, [`Bound::verify`] that it is the same one, go on as always.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use mizar_core::answer::one_line;
use mizar_core::event::Event;
use mizar_core::object::ObjectRef;
use mizar_core::plan::saved::{Binding, Inputs, SavedPlan, SavedPlanError, chart_digest, compare};
use mizar_core::upgrade::ValueChanges;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::ground::{Ground, is_unfinished};
use super::prepare::PreparedRelease;
use super::records::Records;
use super::run::Run;
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::private_file;
use crate::report::{self, diff::Difference};

/// A plan of everything that our charts hold, with all values, is a tenth of this.
const LIMIT: u64 = 64 * 1024 * 1024;

/// What to do with a file, where one was named.
#[derive(Debug, Clone, Default)]
pub(crate) enum PlanFile {
    /// None was named.
    #[default]
    None,
    /// Write the plan there instead of carrying it out.
    Save(PathBuf),
    /// Carry out what it holds.
    Use(Box<SavedPlan>),
}

impl PlanFile {
    /// The plan to carry out, if there is one.
    pub(crate) fn saved(&self) -> Option<&SavedPlan> {
        match self {
            Self::Use(saved) => Some(saved),
            Self::None | Self::Save(_) => None,
        }
    }

    /// The namespace of the releases that it is about.
    pub(crate) fn namespace(&self) -> Option<String> {
        self.saved().map(|saved| saved.binding.namespace.clone())
    }
}

/// Writes a plan whole or not at all. Only its owner can read the file: it holds values as they were given.
fn write(path: &Path, plan: &SavedPlan) -> Result<(), Failure> {
    let text = format!("{:#}\n", plan.to_json());
    private_file::write(path, text.as_bytes())
        .map_err(|error| Failure::new(Kind::Failed, format!("cannot write the plan to {}: {error}", path.display())))
}

/// Reads a plan of `command`; `-` is stdin. Nothing is asked of a cluster.
pub(crate) fn read(path: &Path, command: &str) -> Result<SavedPlan, Failure> {
    let name = path.display();
    let again = format!("save one with this version: kubectl mizar {command} --save-plan FILE");
    let bytes = read_limited(path).map_err(|error| {
        Failure::new(Kind::Failed, format!("--use-plan: cannot read {name}: {error}")).hint(again.clone())
    })?;
    let no_plan = |reason: String| Failure::new(Kind::Usage, format!("--use-plan: {name} cannot be used: {reason}"));
    if bytes.len() as u64 > LIMIT {
        return Err(no_plan(format!("it is larger than {} MiB, and no plan is", LIMIT >> 20)).hint(again));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        no_plan(format!("byte {at} of it is not UTF-8 text")).hint(again.clone())
    })?;
    SavedPlan::from_json(&text, command).map_err(|error| {
        let failure = no_plan(error.to_string());
        match error {
            SavedPlanError::OtherCommand { found, .. } => {
                failure.hint(format!("carry it out: kubectl mizar {found} --use-plan {name}"))
            }
            SavedPlanError::Newer { .. } => failure
                .hint("carry it out with the version that made it: kubectl mizar version --client shows this one")
                .hint(again),
            _ => failure.hint(again),
        }
    })
}

/// What a command keeps of its flags in a plan.
pub(crate) fn options(kept: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(kept) {
        Ok(Value::Object(options)) => options,
        _ => Map::new(),
    }
}

/// Reads what a command kept of its flags; a plan that holds anything else is damaged.
pub(crate) fn read_options<T: DeserializeOwned>(plan: &SavedPlan) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(plan.inputs.options.clone())).map_err(|error| {
        let message =
            format!("--use-plan: the plan cannot be used: field plan.inputs.options: {}", one_line(&error.to_string()));
        Failure::new(Kind::Usage, message)
            .hint(format!("save one with this version: kubectl mizar {} --save-plan FILE", plan.command))
    })
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What tells this cluster from any other: the UID of a namespace that no cluster is without.
async fn cluster_id(cluster: &Cluster) -> Result<String, Failure> {
    let reference =
        ObjectRef { api_version: "v1".into(), kind: "Namespace".into(), namespace: None, name: "kube-system".into() };
    let namespace = cluster.get(&reference).await?;
    let uid = namespace.as_ref().and_then(|namespace| namespace["metadata"]["uid"].as_str()).map(str::to_owned);
    uid.filter(|uid| !uid.is_empty()).ok_or_else(|| {
        Failure::new(
            Kind::Failed,
            "this cluster cannot be told from others: it has no namespace kube-system with a UID; nothing was changed",
        )
        .hint("look at it: kubectl get namespace kube-system -o yaml")
    })
}

/// The plan file of a command that runs.
pub(crate) struct Bound {
    command: &'static str,
    file: PlanFile,
    /// What tells the cluster from others; blank where no file was named.
    cluster: String,
}

impl Bound {
    /// Begins with a file, if one was named. A plan of another cluster is refused before anything of this one is judged.
    pub(crate) async fn open(run: &Run, command: &'static str, file: PlanFile) -> Result<Self, Failure> {
        let cluster = match file {
            PlanFile::None => String::new(),
            PlanFile::Save(_) | PlanFile::Use(_) => {
                run.enter("plan");
                cluster_id(run.cluster()).await?
            }
        };
        if let PlanFile::Use(saved) = &file
            && saved.binding.cluster != cluster
        {
            verify(saved, &Binding { cluster: cluster.clone(), ..Binding::default() })?;
        }
        Ok(Self { command, file, cluster })
    }

    /// Fails unless a plan that is carried out means the same as the one that was made now; shows then what that one changes.
    pub(crate) fn verify(&self, run: &Run, ground: &Ground) -> Result<(), Failure> {
        let difference = |_: &str| Difference { plan: &ground.plan, values: &ValueChanges::default() }.text();
        self.verify_as(run, || self.binding(run, ground), difference).map_err(|failure| {
            let stopped = ground.stored.as_ref().is_some_and(|stored| is_unfinished(&stored.operation));
            let hint = stopped.then_some("what has stopped in the middle goes on by: kubectl mizar resume");
            hint.into_iter().fold(failure, Failure::hint)
        })
    }

    /// The same by what the plan of now was made from; `difference` is made of how the saved one was shown.
    pub(crate) fn verify_as(
        &self,
        run: &Run,
        now: impl FnOnce() -> Binding,
        difference: impl FnOnce(&str) -> String,
    ) -> Result<(), Failure> {
        let PlanFile::Use(saved) = &self.file else { return Ok(()) };
        let touched = verify(saved, &now()).inspect_err(|_| {
            run.reporter().pause();
            report::note(difference(&saved.shown).trim_end());
        })?;
        for object in touched {
            let message = "its status moved since the plan was saved, which changes nothing of the plan".to_owned();
            run.tell(Event::Warning { message, object: Some(object) });
        }
        Ok(())
    }

    /// Writes the plan to the file that was named, if it is to be saved.
    pub(crate) fn save(&self, run: &Run, ground: &Ground, inputs: Inputs, shown: &str) -> Result<(), Failure> {
        self.save_as(run, || self.binding(run, ground), inputs, shown)
    }

    /// The same by what the plan was made from.
    pub(crate) fn save_as(
        &self,
        run: &Run,
        made_from: impl FnOnce() -> Binding,
        inputs: Inputs,
        shown: &str,
    ) -> Result<(), Failure> {
        let PlanFile::Save(path) = &self.file else { return Ok(()) };
        let plan = SavedPlan {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.command.to_owned(),
            saved_at: run.cluster().now(),
            inputs,
            binding: made_from(),
            shown: shown.to_owned(),
        };
        write(path, &plan)?;
        let (path, command) = (path.display(), self.command);
        report::note(&format!("the plan is saved in {path}; carry it out: kubectl mizar {command} --use-plan FILE"));
        Ok(())
    }

    /// What tells the cluster from others.
    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// What the plan was made from.
    fn binding(&self, run: &Run, ground: &Ground) -> Binding {
        let number = |release: &PreparedRelease| (release.name.clone(), chart_digest(&json!(release.content.chart)));
        let charts = ground.prepared.releases.iter().map(number).collect();
        Binding::of(&ground.plan, self.cluster.clone(), run.namespace(), charts, newest(&ground.records))
    }
}

/// The newest revision of each release that is recorded.
pub(crate) fn newest(records: &Records) -> BTreeMap<String, u64> {
    let newest = records.histories.iter().filter_map(|history| history.last());
    newest.map(|stored| (stored.release.name.clone(), stored.release.revision)).collect()
}

/// Fails unless the plan that was made anew is the one that was saved. Returns the objects of which only the status moved.
fn verify(saved: &SavedPlan, now: &Binding) -> Result<Vec<ObjectRef>, Failure> {
    let comparison = compare(&saved.binding, now);
    if comparison.mismatches.is_empty() {
        return Ok(comparison.touched);
    }
    let mut failure = Failure::new(
        Kind::Refused,
        format!(
            "the saved plan of {:.0} is not carried out: what it was made from has changed; nothing was changed",
            saved.saved_at
        ),
    );
    for mismatch in &comparison.mismatches {
        // It names what a file says.
        failure = failure.detail(one_line(&mismatch.to_string()));
    }
    if saved.program != env!("CARGO_PKG_VERSION") {
        failure = failure.detail(format!(
            "it was made by kubectl-mizar {}; this is {}",
            one_line(&saved.program),
            env!("CARGO_PKG_VERSION")
        ));
    }
    Err(failure.hint(format!(
        "look at the plan as it is now, and save that: kubectl mizar {} --save-plan FILE",
        saved.command
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;
    use mizar_core::plan::saved::Inputs;

    use super::*;

    fn plan() -> SavedPlan {
        SavedPlan {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            command: "install".to_owned(),
            saved_at: Timestamp::UNIX_EPOCH,
            inputs: Inputs::default(),
            binding: Binding { cluster: "one".to_owned(), ..Binding::default() },
            shown: String::new(),
        }
    }

    #[test]
    fn a_plan_is_written_for_its_owner_alone_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write(&path, &plan()).unwrap();
        assert_eq!(read(&path, "install").unwrap(), plan());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(write(&folder.path().join("none/plan.json"), &plan()).is_err());
    }

    #[test]
    fn a_file_that_is_no_plan_of_this_command_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let failure = |content: &[u8], command: &str| {
            fs::write(&path, content).unwrap();
            read(&path, command).unwrap_err()
        };
        let content = plan().to_json();
        let mut newer = content.clone();
        newer["format"] = json!(9);
        let text = content.to_string();
        for (content, command, words, hint) in [
            (&b"\xff\xfe"[..], "install", "byte 1 of it is not UTF-8", "--save-plan FILE"),
            (b"", "install", "it is not JSON", "--save-plan FILE"),
            (&text.as_bytes()[..text.len() / 2], "install", "it is not JSON", "--save-plan FILE"),
            (text.as_bytes(), "uninstall", "a plan of `kubectl mizar install`", "kubectl mizar install --use-plan"),
            (newer.to_string().as_bytes(), "install", "format mizar.dev/v1 9", "the version that made it"),
        ] {
            let failure = failure(content, command);
            assert_eq!(failure.kind, Kind::Usage, "{failure}");
            assert!(failure.message.starts_with("--use-plan: ") && failure.message.contains("plan.json"), "{failure}");
            assert!(
                failure.message.contains(words) && failure.hints[0].contains(hint),
                "{failure} {:?}",
                failure.hints
            );
        }
        let failure = read(&folder.path().join("none"), "install").unwrap_err();
        assert_eq!(failure.kind, Kind::Failed, "{failure}");
    }

    #[test]
    fn what_has_moved_is_told_line_by_line() {
        let mut now = plan().binding;
        assert_eq!(verify(&plan(), &now).unwrap(), []);
        now.cluster = "two".to_owned();
        let failure = verify(&plan(), &now).unwrap_err();
        assert_eq!(failure.kind, Kind::Refused);
        assert!(failure.message.ends_with("nothing was changed"), "{failure}");
        assert!(failure.details[0].contains("another cluster"), "{:?}", failure.details);
    }
}
