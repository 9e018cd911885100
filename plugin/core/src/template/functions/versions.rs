//! `semverCompare`: the part of the Masterminds grammar that charts use. Comparators joined by commas or spaces, alternatives by `||`, the
//! operators `= != > < >= <= ~ ^`, and versions with missing or `x` parts. A pre-release matches only where the constraint has one too.

use super::{Outcome, as_text};
use std::cmp::Ordering;
use tera::Value;

#[derive(Debug, Clone, PartialEq)]
struct Version {
    numbers: [u64; 3],
    /// How many numbers are given and not `x`.
    given: usize,
    prerelease: String,
}

pub(super) fn semver_compare(arguments: &[Value]) -> Outcome {
    let (constraint, text) = (as_text(&arguments[0])?, as_text(&arguments[1])?);
    let version =
        parse(text).filter(|version| version.given > 0).ok_or_else(|| format!("invalid semantic version: {text:?}"))?;
    let mut matches = false;
    for alternative in constraint.split("||") {
        matches |= all_match(alternative, &version, constraint)?;
    }
    Ok(matches.into())
}

fn all_match(alternative: &str, version: &Version, whole: &str) -> Result<bool, String> {
    if alternative.contains(" - ") {
        return Err(format!("the version range {whole:?} has a hyphen, which is not supported here; use >= and <="));
    }
    let mut rest = alternative.trim();
    let mut matches = true;
    let refused = || format!("improper constraint: {whole}");
    if rest.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let operator_end = rest.find(|next: char| !"=!<>~^".contains(next)).unwrap_or(rest.len());
        let (operator, after) = rest.split_at(operator_end);
        let after = after.trim_start();
        let end = after.find([',', ' ']).unwrap_or(after.len());
        let wanted = parse(&after[..end]).ok_or_else(refused)?;
        matches &= fits(operator, &wanted, version).ok_or_else(refused)?;
        rest = after[end..].trim_start_matches([',', ' ']);
    }
    Ok(matches)
}

fn fits(operator: &str, wanted: &Version, version: &Version) -> Option<bool> {
    if !version.prerelease.is_empty() && wanted.prerelease.is_empty() {
        return matches!(operator, "" | "=" | "!=" | ">" | "<" | ">=" | "=>" | "<=" | "=<" | "~" | "~>" | "^")
            .then_some(false);
    }
    let order = compare(version, wanted);
    let same_parts = |parts: usize| version.numbers[..parts] == wanted.numbers[..parts];
    Some(match operator {
        "" | "=" if wanted.given < 3 => same_parts(wanted.given),
        "" | "=" => order == Ordering::Equal,
        "!=" if wanted.given < 3 => !same_parts(wanted.given),
        "!=" => order != Ordering::Equal,
        ">" if wanted.given < 3 => order.is_gt() && !same_parts(wanted.given),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        ">=" | "=>" => order.is_ge(),
        "<=" | "=<" if wanted.given < 3 => order.is_le() || same_parts(wanted.given),
        "<=" | "=<" => order.is_le(),
        "~" | "~>" => order.is_ge() && same_parts(wanted.given.min(2)),
        "^" => order.is_ge() && same_parts(caret_parts(wanted)),
        _ => return None,
    })
}

/// `^` keeps everything up to the first number that is not zero.
fn caret_parts(wanted: &Version) -> usize {
    let first = wanted.numbers[..wanted.given].iter().position(|number| *number > 0);
    first.map_or(wanted.given, |at| at + 1)
}

fn compare(left: &Version, right: &Version) -> Ordering {
    left.numbers.cmp(&right.numbers).then_with(|| compare_prerelease(&left.prerelease, &right.prerelease))
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Whether a text is a version, complete or not: `1.2.3-rc.1`, `1.2`.
pub(crate) fn is_version(text: &str) -> bool {
    parse(text).is_some_and(|version| version.given > 0)
}

fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (numbers, prerelease) = text.split_once('-').map_or((text, ""), |(numbers, prerelease)| (numbers, prerelease));
    let mut version = Version { numbers: [0; 3], given: 0, prerelease: prerelease.to_string() };
    let mut open = false;
    for (at, part) in numbers.split('.').enumerate() {
        if at > 2 {
            return None;
        }
        if matches!(part, "x" | "X" | "*") {
            open = true;
            continue;
        }
        version.numbers[at] = part.parse().ok()?;
        if !open {
            version.given = at + 1;
        }
    }
    Some(version)
}
