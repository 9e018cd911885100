//! Plays situations on a bed: makes each, has the program check and record the facts, and takes it back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mizar_bed::Bed;
use mizar_core::check::{self, Filters, Options, Phase, Report, Selection};
use mizar_core::facts::Facts;
use mizar_core::facts_file::{from_json, to_json};
use serde_json::{Value, json};

use super::situation::{Make, Origin, Situation};
use super::stage::{Stage, scratch};

/// How long a situation may take to come about, and to go.
const PATIENCE: Duration = Duration::from_secs(25);
/// Long enough that nothing is excused for being new.
const SETTLED: SignedDuration = SignedDuration::from_mins(30);

/// An install needs some hundred rights; a few tell as much where none is missing.
const RIGHTS_KEPT: usize = 3;

/// Whether the recorded facts are to be written anew.
pub(crate) fn is_blessing() -> bool {
    std::env::var_os("MIZAR_BLESS").is_some()
}

/// Plays all situations of a bed, each from the quiet state and back to it, and tells everything that was wrong.
pub(crate) async fn play(stage: &mut Stage<'_>, situations: &[Situation], quiet: Phase) {
    let quiet = Situation::quiet(quiet);
    let mut wrong = Vec::new();
    for situation in situations.iter().filter(|situation| is_wanted(situation)) {
        let Origin::Bed(make) = &situation.origin else { continue };
        stage.mark();
        if let Err(objections) = play_one(stage, situation, make).await {
            wrong.push(format!("{}:\n  {}", situation.name, objections.join("\n  ")));
        }
        stage.clear().await;
        if let Err(objections) = until_as_expected(stage, &quiet).await {
            let after = format!("after {}, nothing more can be tried", situation.name);
            wrong.push(format!("{after}:\n  {}", objections.join("\n  ")));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays all situations of a bed, each on top of the one before it.
pub(crate) async fn pile_up(bed: &Bed, situations: &[Situation]) {
    let mut stage = Stage::new(bed);
    for situation in situations {
        let Origin::Bed(make) = &situation.origin else { continue };
        if let Err(objections) = play_one(&mut stage, situation, make).await {
            panic!("{}:\n  {}", situation.name, objections.join("\n  "));
        }
    }
}

/// Whether a situation is to be played: all of them, or those whose names `MIZAR_SITUATIONS` holds.
fn is_wanted(situation: &Situation) -> bool {
    let wanted = std::env::var("MIZAR_SITUATIONS");
    wanted.map_or(true, |names| names.split(',').any(|name| name == situation.name))
}

async fn play_one(stage: &mut Stage<'_>, situation: &Situation, make: &Make) -> Result<(), Vec<String>> {
    let begun = Instant::now();
    make(stage).await;
    let facts = until_as_expected(stage, situation).await?;
    println!("{:>6.2} s  {}", begun.elapsed().as_secs_f64(), situation.name);
    if is_blessing() {
        bless(situation, facts);
    }
    Ok(())
}

/// Checks until a situation's expectations hold, and returns the facts by which they do.
async fn until_as_expected(stage: &Stage<'_>, situation: &Situation) -> Result<Facts, Vec<String>> {
    let begun = Instant::now();
    loop {
        let mut facts = record(stage, situation.phase).await;
        facts.gathered_at += situation.lasting;
        let objections = situation.objections(&judge(&facts, situation.phase));
        if objections.is_empty() {
            return Ok(facts);
        }
        if begun.elapsed() > PATIENCE {
            return Err(objections);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Has the program check and record, and asserts that the record is judged as the cluster was.
async fn record(stage: &Stage<'_>, phase: Phase) -> Facts {
    let file = scratch(stage.bed, "facts.json");
    let flags = if phase == Phase::Preflight { "check --pre -o json" } else { "check -o json" };
    let ended = stage.mizar().args(flags).arg("--save-facts").arg(&file).run().await;
    assert!(matches!(ended.code, Some(0 | 1)), "{ended}");
    let facts = read(&file);
    let live: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
    let replayed = json!(judge(&facts, phase).results);
    let pairs = live["checks"].as_array().unwrap().iter().zip(replayed.as_array().unwrap());
    let other: Vec<_> = pairs.filter(|(live, replayed)| live != replayed).collect();
    assert!(other.is_empty(), "the record is judged differently than the cluster: {other:#?}");
    facts
}

/// Judges facts at the moment at which they were gathered.
pub(crate) fn judge(facts: &Facts, phase: Phase) -> Report {
    let installed = check::release_namespace(facts).filter(|_| phase == Phase::Health).map(str::to_owned);
    let usual = Options::at(facts.gathered_at);
    let options = Options { namespace: installed.unwrap_or_else(|| usual.namespace.clone()), ..usual };
    Selection::new(phase, &Filters::default()).unwrap().judge(facts, &options).unwrap()
}

/// Reads recorded facts.
pub(crate) fn read(file: &Path) -> Facts {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Writes the facts of a situation, without what makes them large and is judged elsewhere.
fn bless(situation: &Situation, mut facts: Facts) {
    let of_access = situation.expected.iter().any(|expected| expected.id == "access");
    if let Some(plan) = facts.plan.as_mut().filter(|_| !of_access) {
        plan.needs.truncate(RIGHTS_KEPT);
    }
    let mut recorded = to_json(&facts, None);
    if let Some(path) = recorded.pointer_mut("/facts/client/known/kubectlPath") {
        // Not where it is on the machine of whoever recorded it.
        *path = json!("/usr/local/bin/kubectl");
    }
    fs::write(situation.file(), format!("{recorded:#}\n")).unwrap();
}

impl Situation {
    /// That nothing is wrong, however long it lasts.
    fn quiet(phase: Phase) -> Self {
        let quiet = match phase {
            Phase::Preflight => Self::before("before", "nothing is wrong"),
            Phase::Health => Self::after("healthy", "nothing is wrong"),
        };
        Self { lasting: SETTLED, ..quiet }
    }
}
