//! Every link on a page leads somewhere.

use crate::docs::pages;
use crate::program::repository;

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
fn every_page_is_in_the_index() {
    let index = std::fs::read_to_string(repository().join("docs/README.md")).unwrap();
    for path in pages(repository()).iter().filter(|path| path.starts_with(repository().join("docs"))) {
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(name == "README.md" || index.contains(&format!("({name}")), "docs/README.md does not name {name}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    for path in pages(repository()) {
        let page = std::fs::read_to_string(&path).unwrap();
        for link in links(&page).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() && target.extension().is_some_and(|ending| ending == "md") {
                let known = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(known.contains(&anchor.to_owned()), "{}: {link}; there are {known:?}", path.display());
            }
        }
    }
}
