//! Every command that a page tells people to type is one that the program takes, and every link leads somewhere.

use std::path::{Path, PathBuf};

use crate::program::{Place, repository};

/// The pages for people: those at the top, and those in docs/.
fn pages() -> Vec<PathBuf> {
    let folders = [repository().to_path_buf(), repository().join("docs"), repository().join("tests")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| is_page(path)).collect();
    for chart in ["charts/mizar", "charts/mizar-crds"] {
        pages.push(repository().join(chart).join("README.md"));
    }
    pages.sort();
    pages
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md")
}

/// The lines `kubectl mizar …` of a page's blocks, without comments and where the output goes.
fn commands(page: &str) -> Vec<Vec<&str>> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("kubectl mizar "));
    let ends = [" #", " | ", " > "];
    let typed = lines.map(|line| ends.iter().fold(line, |line, end| line.split(end).next().unwrap_or(line)));
    typed.map(|line| line.split_whitespace().collect()).collect()
}

/// Targets of links and pictures.
fn links(page: &str) -> Vec<&str> {
    let closed = |mark: &'static str, end: char| {
        page.split(mark).skip(1).filter_map(move |rest| rest.split_once(end)).map(|(target, _)| target)
    };
    closed("](", ')').chain(closed("src=\"", '"')).collect()
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let letters = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    let named = page.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    headings.map(letters).chain(named).collect()
}

#[test]
fn every_command_on_a_page_is_understood() {
    let place = Place::empty();
    let mut tried = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for mut arguments in commands(&page) {
            if arguments.contains(&"[OPTIONS]") {
                continue;
            }
            // What stands before --help is read, and nothing is done.
            arguments.push("--help");
            let outcome = place.run(&arguments);
            assert_eq!(
                outcome.code,
                0,
                "{}: kubectl mizar {}\n{}",
                path.display(),
                arguments.join(" "),
                outcome.stderr
            );
            tried += 1;
        }
    }
    assert!(tried > 30, "the blocks of the pages are found; {tried} commands were");
}

#[test]
fn every_link_leads_somewhere() {
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for link in links(&page).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() && is_page(&target) {
                let known = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(known.contains(&anchor.to_owned()), "{}: {link}; there are {known:?}", path.display());
            }
        }
    }
}
