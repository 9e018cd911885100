//! The report of a whole run: a table in docs/faults.md, and every case in docs/faults-matrix.tsv.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use super::case::Case;
use super::fault::Fault;
use super::results::{Line, Outcome, Results};
use super::scenario::Scenario;
use crate::cli::root;

/// The table of the page is between these lines.
const BEGIN: &str = "<!-- the table: written by `cargo xtask test --exhaustive` -->";
const END: &str = "<!-- end of the table -->";

/// Writes what came of the cases. Of commands that were not tried this time the report keeps what it says.
pub(crate) fn write(all: &[Case], results: &Results) {
    let path = root().join("docs/faults-matrix.tsv");
    let tried: BTreeSet<Scenario> = all.iter().map(|case| case.scenario).collect();
    let mut known: Vec<(Case, Line)> = read(&fs::read_to_string(&path).unwrap());
    known.retain(|(case, _)| !tried.contains(&case.scenario));
    let total = known.len() + all.len();
    known.extend(all.iter().filter_map(|case| Some((case.clone(), results.of(case)?))));
    known.sort_by_key(|(case, _)| case.scenario);
    fs::write(path, every_case(&known)).unwrap();
    let path = root().join("docs/faults.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page says where the table begins");
    let (_, after) = rest.split_once(END).expect("the page says where the table ends");
    fs::write(path, format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(total, &known))).unwrap();
}

/// Reads the table of all cases.
fn read(text: &str) -> Vec<(Case, Line)> {
    let row = |line: &str| {
        let [scenario, fault, point, word, attempts, first, build, reason] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("no row: {line}"));
        let case = format!("{scenario}/{fault}/{point}").parse().unwrap();
        let [first, build, reason] = [first, build, reason].map(str::to_owned);
        let (outcome, attempts) = (word.parse().unwrap(), attempts.parse().unwrap());
        (case, Line { outcome, reason, millis: 0, build, attempts, first })
    };
    text.lines().skip(1).map(row).collect()
}

fn every_case(known: &[(Case, Line)]) -> String {
    let mut text = "command\tfault\tpoint\tresult\tattempts\tfirst try\tbuild\tthe first run said\n".to_owned();
    for (case, line) in known {
        let Line { outcome, attempts, first, build, reason, .. } = line;
        let (word, reason) = (outcome.word(), reason.replace('\t', " "));
        let Case { scenario, fault, point } = case;
        writeln!(text, "{scenario}\t{fault}\t{point}\t{word}\t{attempts}\t{first}\t{build}\t{reason}").unwrap();
    }
    text
}

#[derive(Default)]
struct Row {
    points: usize,
    overcome: usize,
    rerun: usize,
    not_met: usize,
    wrong: usize,
    codes: BTreeSet<String>,
}

fn table(total: usize, known: &[(Case, Line)]) -> String {
    let mut rows: BTreeMap<(Scenario, usize), Row> = BTreeMap::new();
    let mut sums = Row::default();
    for (case, line) in known {
        let at = Fault::ALL.iter().position(|fault| *fault == case.fault).unwrap_or_default();
        for row in [rows.entry((case.scenario, at)).or_default(), &mut sums] {
            row.points += 1;
            match &line.outcome {
                Outcome::Overcome => row.overcome += 1,
                Outcome::NotMet => row.not_met += 1,
                Outcome::Wrong(_) => row.wrong += 1,
                Outcome::Rerun(code) => {
                    row.rerun += 1;
                    row.codes.insert(code.map_or_else(|| "killed".to_owned(), |code| code.to_string()));
                }
            }
        }
    }
    let mut builds: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, line) in known {
        *builds.entry(&line.build).or_default() += 1;
    }
    let mut builds: Vec<usize> = builds.into_values().collect();
    builds.sort_unstable_by(|one, other| other.cmp(one));
    let builds = builds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let again = known.iter().filter(|(_, line)| line.attempts > 1).count();
    let mut text = format!(
        "{} of {total} cases were run, by these numbers with each build of the program (the table of all cases names it): {}; \
         {again} of them were tried twice, since the first try went wrong or did not meet its point. The run got over the fault in {} cases; in {} it was killed or stopped with a \
         reason, and the same command then finished the work; {} did not meet their point; {} went wrong.\n\n",
        sums.points, builds, sums.overcome, sums.rerun, sums.not_met, sums.wrong
    );
    text.push_str("| command | fault | points | got over it | a rerun finished it | first exit | not met | wrong |\n");
    text.push_str("|---|---|--:|--:|--:|---|--:|--:|\n");
    for ((scenario, at), row) in &rows {
        let Row { points, overcome, rerun, not_met, wrong, codes } = row;
        let codes = codes.iter().cloned().collect::<Vec<_>>().join(", ");
        let fault = Fault::ALL[*at];
        writeln!(text, "| {scenario} | {fault} | {points} | {overcome} | {rerun} | {codes} | {not_met} | {wrong} |")
            .unwrap();
    }
    text
}
