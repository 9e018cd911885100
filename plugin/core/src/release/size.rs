//! Whether a record fits into a Secret, and what is large in one that does not. Asked before anything is changed: Helm finds
//! out when the change has begun.

use std::fmt;

use super::record::Release;
use super::secret::{self, SIZE_LIMIT};

/// What a record may still grow by, packed, until its change has ended: its description names what failed, and its hooks the
/// times of their runs.
const RESERVE: usize = 8 * 1024;

/// How many of the largest parts are named.
const PARTS_NAMED: usize = 3;

/// A record that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// The release.
    pub release: String,
    /// How large its record is, packed.
    pub size: usize,
    /// What it consists of and how large that is alone, packed; the largest first.
    pub parts: Vec<(String, usize)>,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = SIZE_LIMIT - RESERVE;
        write!(
            formatter,
            "the record of release {} is too large for a Secret: {} bytes, packed, and it may have {limit}; most of it is ",
            self.release, self.size
        )?;
        let named: Vec<String> =
            self.parts.iter().take(PARTS_NAMED).map(|(part, size)| format!("{part} ({size} bytes)")).collect();
        formatter.write_str(&named.join(", "))
    }
}

impl std::error::Error for TooLarge {}

/// Says why a record would not fit into a Secret, now or when its change has ended.
#[must_use]
pub fn too_large(release: &Release) -> Option<TooLarge> {
    let text = serde_json::to_vec(release).map_or(usize::MAX, |json| json.len());
    // What fits as it is fits packed: nearly every record.
    if text / 3 * 4 + RESERVE < SIZE_LIMIT {
        return None;
    }
    let size = secret::packed(release).len();
    (size + RESERVE > SIZE_LIMIT).then(|| TooLarge { release: release.name.clone(), size, parts: parts(release) })
}

/// The parts of a record, each packed alone, the largest first.
fn parts(release: &Release) -> Vec<(String, usize)> {
    let size = |bytes: &[u8]| secret::packed_bytes(bytes).len();
    let chart = &release.chart;
    let text_of = |value: &serde_json::Value| value.to_string().into_bytes();
    let mut parts = vec![
        ("its manifest".to_owned(), size(release.manifest.as_bytes())),
        ("the values that were chosen".to_owned(), size(&serde_json::to_vec(&release.config).unwrap_or_default())),
        ("the chart's values.yaml".to_owned(), size(&text_of(&chart.values))),
        ("the chart's Chart.yaml".to_owned(), size(&text_of(&chart.metadata))),
        ("the chart's values.schema.json".to_owned(), size(chart.schema.as_deref().unwrap_or_default())),
        ("its notes".to_owned(), size(release.info.notes.as_bytes())),
    ];
    parts.extend(release.hooks.iter().map(|hook| (format!("hook {}", hook.path), size(hook.manifest.as_bytes()))));
    let files = chart.templates.iter().chain(&chart.files);
    parts.extend(files.map(|file| (format!("chart file {}", file.name), size(&file.data))));
    parts.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    parts
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::record::FileRecord;

    /// Bytes that gzip cannot shrink.
    pub(in crate::release) fn noise(length: usize) -> Vec<u8> {
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    fn release(files: &[(&str, usize)]) -> Release {
        let mut release: Release = serde_json::from_value(json!({"name": "mizar", "version": 1,
            "info": {"status": "pending-install"}, "manifest": "---\na: b\n"}))
        .unwrap();
        release.chart.files =
            files.iter().map(|(name, length)| FileRecord::new((*name).to_owned(), noise(*length))).collect();
        release
    }

    #[test]
    fn a_record_that_does_not_fit_says_how_large_it_is_and_what_is_large_in_it() {
        let error = too_large(&release(&[("small", 10), ("files/big", 800_000), ("files/other", 100_000)])).unwrap();
        assert!(error.size > SIZE_LIMIT, "{}", error.size);
        let text = error.to_string();
        assert!(text.starts_with("the record of release mizar is too large for a Secret: "), "{text}");
        let (big, other) =
            (text.find("chart file files/big (").unwrap(), text.find("chart file files/other (").unwrap());
        assert!(big < other && !text.contains("small"), "{text}");
    }

    #[test]
    fn a_record_must_leave_room_for_how_its_change_ends() {
        let (mut fits, mut does_not) = (700_000, 800_000);
        while does_not - fits > 1_000 {
            let middle = usize::midpoint(fits, does_not);
            if too_large(&release(&[("x", middle)])).is_some() { does_not = middle } else { fits = middle }
        }
        let mut largest = release(&[("x", fits)]);
        assert!(secret::packed(&largest).len() <= SIZE_LIMIT - RESERVE);
        largest.info.description = noise(4_000).iter().map(|byte| char::from(byte % 64 + 48)).collect();
        assert!(secret::packed(&largest).len() <= SIZE_LIMIT, "a long reason still fits");
    }

    #[test]
    fn ordinary_records_fit() {
        assert_eq!(too_large(&release(&[("README.md", 300_000)])), None);
        let mut long = release(&[]);
        long.manifest = "a: b\n".repeat(1_000_000);
        assert_eq!(too_large(&long), None, "what shrinks is not judged by its length");
    }
}
