//! `.helmignore`: which files are no part of the chart.

use super::ChartError;

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

/// Go's `filepath.Match`: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes.
fn glob(pattern: &str, text: &str) -> bool {
    let mut characters = pattern.chars();
    let Some(first) = characters.next() else { return text.is_empty() };
    let rest = characters.as_str();
    let mut text_characters = text.chars();
    match first {
        '*' => {
            let end = text.find('/').unwrap_or(text.len());
            (0..=end).rev().filter(|at| text.is_char_boundary(*at)).any(|at| glob(rest, &text[at..]))
        }
        '?' => text_characters.next().is_some_and(|next| next != '/') && glob(rest, text_characters.as_str()),
        '[' => {
            let Some(close) = rest.find(']') else { return false };
            let (class, after) = (&rest[..close], &rest[close + 1..]);
            text_characters.next().is_some_and(|next| in_class(class, next)) && glob(after, text_characters.as_str())
        }
        literal => {
            let (literal, rest) = if literal == '\\' {
                let mut escaped = rest.chars();
                (escaped.next().unwrap_or('\\'), escaped.as_str())
            } else {
                (literal, rest)
            };
            text_characters.next() == Some(literal) && glob(rest, text_characters.as_str())
        }
    }
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
