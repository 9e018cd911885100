//! What came of each case, kept in a file of the cache, so that a run that was cut off goes on where it was.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::case::Case;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The run got over it and ended well.
    Overcome,
    /// The run stopped with this exit code, or none when it was killed, and said why; the same command then ended well.
    Rerun(Option<i32>),
    /// Its request was not made in this run.
    NotMet,
    /// What must be true was not.
    Wrong(String),
}

impl Outcome {
    /// In one word or two, for tables.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Overcome => "got over it".to_owned(),
            Self::Rerun(None) => "killed; a rerun finished it".to_owned(),
            Self::Rerun(Some(code)) => format!("stopped with exit {code} and a reason; a rerun finished it"),
            Self::NotMet => "not met".to_owned(),
            Self::Wrong(_) => "WRONG".to_owned(),
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    /// Reads what [`Outcome::word`] says; why something was wrong is not in it.
    fn from_str(word: &str) -> Result<Self, String> {
        let code = word.strip_prefix("stopped with exit ").and_then(|rest| rest.split(' ').next());
        let fixed = [Self::Overcome, Self::Rerun(None), Self::NotMet, Self::Wrong(String::new())];
        match (code.map(str::parse), fixed.into_iter().find(|outcome| outcome.word() == word)) {
            (Some(Ok(code)), _) => Ok(Self::Rerun(Some(code))),
            (_, Some(outcome)) => Ok(outcome),
            _ => Err(format!("no result: {word}")),
        }
    }
}

/// One line of the file.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// What the first run said of why it stopped.
    pub(crate) reason: String,
    /// How long the case took.
    pub(crate) millis: u64,
    /// Which build of the program.
    pub(crate) build: String,
    /// How often it was tried.
    pub(crate) attempts: u64,
    /// What came of the first try of two; blank if one was enough, or that was not noted.
    pub(crate) first: String,
}

/// The results, as lines of JSON.
pub(crate) struct Results {
    path: PathBuf,
    lines: Mutex<BTreeMap<String, Line>>,
}

impl Results {
    /// Reads what there is; forgets it first if `fresh`.
    pub(crate) fn open(fresh: bool) -> Self {
        let path = mizar_bed::cache::folder("faults").unwrap().join("results.jsonl");
        if fresh && path.exists() {
            fs::remove_file(&path).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        // The last line may have been cut off with the run.
        let lines = text.lines().filter_map(|line| read(&serde_json::from_str(line).ok()?));
        let lines = Mutex::new(lines.collect());
        Self { path, lines }
    }

    /// Whether a case is done: it was met, and all was as it must be.
    pub(crate) fn has(&self, case: &Case) -> bool {
        let line = self.of(case);
        line.is_some_and(|line| matches!(line.outcome, Outcome::Overcome | Outcome::Rerun(_)))
    }

    /// What came of a case last.
    pub(crate) fn of(&self, case: &Case) -> Option<Line> {
        self.lines.lock().unwrap().get(&case.to_string()).cloned()
    }

    /// Adds what came of a case.
    pub(crate) fn add(&self, case: &Case, line: &Line) {
        let (outcome, code, why) = match &line.outcome {
            Outcome::Overcome => ("overcome", None, ""),
            Outcome::Rerun(code) => ("rerun", *code, ""),
            Outcome::NotMet => ("not-met", None, ""),
            Outcome::Wrong(why) => ("wrong", None, why.as_str()),
        };
        let text = json!({"case": case.to_string(), "outcome": outcome, "exit": code, "why": why, "reason": line.reason,
            "millis": line.millis, "build": line.build, "attempts": line.attempts, "first": line.first});
        let mut lines = self.lines.lock().unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        writeln!(file, "{text}").unwrap();
        lines.insert(case.to_string(), line.clone());
    }
}

fn read(line: &Value) -> Option<(String, Line)> {
    let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let outcome = match line["outcome"].as_str()? {
        "overcome" => Outcome::Overcome,
        "rerun" => Outcome::Rerun(line["exit"].as_i64().and_then(|code| i32::try_from(code).ok())),
        "not-met" => Outcome::NotMet,
        _ => Outcome::Wrong(text("why")),
    };
    let number = |field: &str| line[field].as_u64().unwrap_or_default();
    let (millis, attempts) = (number("millis"), number("attempts"));
    let (reason, build, first) = (text("reason"), text("build"), text("first"));
    Some((text("case"), Line { outcome, reason, millis, build, attempts, first }))
}
