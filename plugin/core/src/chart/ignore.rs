//! `.helmignore`: which files are no part of the chart.

use super::ChartError;

/// Every file of a chart is held against every line.
const MOST_LINES: usize = 1000;
const LONGEST_LINE: usize = 4096;

/// The rules of one `.helmignore`, with Helm's own in front.
pub(super) struct Rules(Vec<Rule>);

struct Rule {
    pattern: String,
    negated: bool,
    folders_only: bool,
    /// Matched against the whole path; otherwise against the last part of it.
    whole_path: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self(vec![Rule { pattern: "templates/.?*".into(), negated: false, folders_only: false, whole_path: true }])
    }
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self, ChartError> {
        let mut rules = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if at >= MOST_LINES {
                return Err(ChartError::Ignore { line: at + 1, message: format!("more than {MOST_LINES} lines") });
            }
            if line.len() > LONGEST_LINE {
                return Err(ChartError::Ignore { line: at + 1, message: format!("longer than {LONGEST_LINE} bytes") });
            }
            if line.contains("**") {
                return Err(ChartError::Ignore { line: at + 1, message: "** is not supported".into() });
            }
            let (negated, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
            let (folders_only, pattern) = pattern.strip_suffix('/').map_or((false, pattern), |rest| (true, rest));
            let (rooted, pattern) = pattern.strip_prefix('/').map_or((false, pattern), |rest| (true, rest));
            let whole_path = rooted || pattern.contains('/');
            rules.push(Rule { pattern: pattern.into(), negated, folders_only, whole_path });
        }
        rules.extend(Self::default().0);
        Ok(Self(rules))
    }

    /// Whether a file, or a folder it is in, is ignored.
    pub(super) fn ignores(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        folders.into_iter().any(|folder| self.matches(folder, true)) || self.matches(path, false)
    }

    fn matches(&self, path: &str, folder: bool) -> bool {
        for rule in &self.0 {
            let subject = if rule.whole_path { path } else { path.rsplit('/').next().unwrap_or(path) };
            let fits = glob(&rule.pattern, subject);
            if rule.negated {
                if (rule.folders_only && !folder) || !fits {
                    return true;
                }
            } else if fits && (folder || !rule.folders_only) {
                return true;
            }
        }
        false
    }
}

/// Go's `filepath.Match`: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes. After a mismatch only the last `*` takes more, which
/// is enough and takes no longer than the product of both lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut star = None;
    loop {
        if let Some(after) = pattern.strip_prefix('*') {
            star = Some((after, text));
            pattern = after;
        } else if let Some(rest) = one(pattern, text) {
            (pattern, text) = rest;
        } else if pattern.is_empty() && text.is_empty() {
            return true;
        } else {
            let Some((after, from)) = star else { return false };
            let mut rest = from.chars();
            if rest.next().is_none_or(|taken| taken == '/') {
                return false;
            }
            star = Some((after, rest.as_str()));
            (pattern, text) = (after, rest.as_str());
        }
    }
}

/// Matches one character that is no `*`; gives the rests of pattern and text.
fn one<'a>(pattern: &'a str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let mut characters = pattern.chars();
    let first = characters.next()?;
    let rest = characters.as_str();
    let mut text_characters = text.chars();
    let next = text_characters.next()?;
    let (matches, rest) = match first {
        '?' => (next != '/', rest),
        '[' => rest.split_once(']').map_or((false, ""), |(class, rest)| (in_class(class, next), rest)),
        '\\' => {
            let mut escaped = rest.chars();
            (escaped.next().unwrap_or('\\') == next, escaped.as_str())
        }
        literal => (literal == next, rest),
    };
    matches.then_some((rest, text_characters.as_str()))
}

fn in_class(class: &str, character: char) -> bool {
    let (negated, class) = class.strip_prefix('^').map_or((false, class), |rest| (true, rest));
    let mut members = class.chars().peekable();
    let mut found = false;
    while let Some(low) = members.next() {
        let high = if members.peek() == Some(&'-') {
            members.next();
            members.next().unwrap_or(low)
        } else {
            low
        };
        found |= (low..=high).contains(&character);
    }
    found != negated
}
