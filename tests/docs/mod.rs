//! What the pages tell people to type: every line of their shell blocks, for the tests that read and run them.
//!
//! Shared by tests/cli, which has every line understood, and tests/journeys, which has it run.

use std::path::{Path, PathBuf};

/// One line that a page tells people to type, without comments.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    /// The page, from the root of the repository.
    pub(crate) page: String,
    /// The number of the block on its page.
    pub(crate) block: usize,
    /// What is typed.
    pub(crate) text: String,
}

/// Programs that no test runs because a page names them, and why.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo ", "CI runs them itself, or they run these tests; those of xtask are understood by its own test"),
    ("eval \"$(cargo ", "as cargo"),
    ("git ", "about the reader's own clone"),
    ("kind ", "makes a cluster of containers; needs Docker"),
    ("docker ", "needs Docker"),
    ("gcloud ", "changes a project at Google"),
    ("aws ", "changes an account at Amazon"),
    ("crane ", "asks the registry for what it holds"),
    ("sudo ", "changes the machine"),
    ("source <(", "for the shell of a person"),
    ("kubectl mizar completion ", "tested with the real kubectl, without a cluster"),
    ("kubectl krew ", "tested with the real krew by the tests of releases"),
    ("helm pull oci://ghcr.io/", "tested with a registry on loopback by the tests of releases"),
    ("sha256sum ", "about the files of a release, which its tests compare"),
    ("gh ", "asks GitHub for what it has attested"),
];

impl Typed {
    /// The arguments of a `kubectl mizar …` line, up to where its output goes; nothing for another program.
    pub(crate) fn arguments(&self) -> Option<Vec<&str>> {
        let line = self.text.strip_prefix("kubectl mizar ")?;
        let line = [" | ", " >> ", " > "].iter().fold(line, |line, end| line.split(end).next().unwrap_or(line));
        Some(line.split_whitespace().map(|word| word.trim_matches('\'')).collect())
    }

    /// Why no test runs it, if none does.
    pub(crate) fn elsewhere(&self) -> Option<&'static str> {
        ELSEWHERE.iter().find(|(start, _)| self.text.starts_with(start)).map(|(_, reason)| *reason)
    }

    /// Whether the tests on a real control plane can run it.
    pub(crate) fn is_for_a_cluster(&self) -> bool {
        self.elsewhere().is_none() && ["kubectl ", "helm "].iter().any(|start| self.text.starts_with(start))
    }
}

/// The pages for people: those at the top, those in docs/ and tests/, and the charts'.
pub(crate) fn pages(root: &Path) -> Vec<PathBuf> {
    let folders = [root.to_path_buf(), root.join("docs"), root.join("tests")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_page).collect();
    pages.extend(["charts/mizar", "charts/mizar-crds"].map(|chart| root.join(chart).join("README.md")));
    pages.sort();
    pages
}

/// What pages, the notes of the charts and the heads of the roles tell people to type, in their order.
pub(crate) fn lines(root: &Path) -> Vec<Typed> {
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    let mut all = Vec::new();
    for path in pages(root) {
        all.extend(of_page(&name(&path), &std::fs::read_to_string(&path).unwrap()));
    }
    for (file, mark) in [
        ("charts/mizar/templates/NOTES.txt", "  "),
        ("charts/mizar-crds/templates/NOTES.txt", "  "),
        ("docs/rbac/reader.yaml", "#   "),
        ("docs/rbac/bundle.yaml", "#   "),
        ("docs/rbac/installer.yaml", "#   "),
        ("docs/rbac/repairer.yaml", "#   "),
        ("docs/rbac/upgrader.yaml", "#   "),
        ("docs/rbac/adopter.yaml", "#   "),
        ("docs/rbac/uninstaller.yaml", "#   "),
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let text = text.replace("{{ .Release.Namespace }}", "mizar-system");
        let marked: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(mark)).collect();
        all.extend(of_block(file, 0, &marked));
    }
    all
}

/// The languages of a page's blocks, in their order.
pub(crate) fn languages(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("```")).step_by(2).collect()
}

/// The commands of ours that a page names in its text, between backticks.
pub(crate) fn named(name: &str, page: &str) -> Vec<Typed> {
    let mut text = String::new();
    let mut is_block = false;
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        if !is_block && !is_fence {
            text.push_str(line);
            text.push('\n');
        }
    }
    let spans = text.split('`').skip(1).step_by(2);
    let words = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
    let ours = words.filter(|span| span.starts_with("kubectl mizar ") && !span.contains('…'));
    ours.map(|text| Typed { page: name.to_owned(), block: 0, text }).collect()
}

/// The section of the runbook with this heading.
pub(crate) fn section(root: &Path, heading: &str) -> String {
    let page = std::fs::read_to_string(root.join("docs/runbook.md")).unwrap();
    let rest = page.split(&format!("\n## {heading}\n")).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("docs/runbook.md has no section {heading:?}"));
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The checks that a section shows with one of these marks, `✗ … [unfinished-handlers]`.
pub(crate) fn shown(section: &str, marks: &[char]) -> Vec<String> {
    let found = section.lines().map(str::trim).filter(|line| line.starts_with(marks));
    found.filter_map(|line| line.strip_suffix(']')?.rsplit_once(" [").map(|(_, id)| id.to_owned())).collect()
}

fn of_page(name: &str, page: &str) -> Vec<Typed> {
    let mut lines = page.lines();
    let mut all = Vec::new();
    let mut block = 0;
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        block += 1;
        let content: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        match language {
            "sh" => all.extend(of_block(name, block, &content)),
            "console" => {
                let typed: Vec<&str> = content.iter().filter_map(|line| line.strip_prefix("$ ")).collect();
                all.extend(of_block(name, block, &typed));
            }
            // The help of a command.
            "text" => {
                let examples = content.iter().skip_while(|line| **line != "Examples:").skip(1);
                let examples = examples.take_while(|line| line.is_empty() || line.starts_with("  "));
                let typed: Vec<&str> = examples.filter_map(|line| line.strip_prefix("  ")).collect();
                all.extend(of_block(name, block, &typed));
            }
            _ => {}
        }
    }
    all
}

/// The lines of a block: those that end with a backslash go on, comments and blank ones are left out.
fn of_block(page: &str, block: usize, content: &[&str]) -> Vec<Typed> {
    let joined = content.join("\n").replace("\\\n", "");
    let typed = joined.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    let typed = typed.filter(|line| !line.is_empty() && !line.starts_with('#'));
    typed
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|text| Typed { page: page.to_owned(), block, text })
        .collect()
}
