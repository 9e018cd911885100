//! What was recorded, for people: the revisions of the releases, and what one of them changed.

use std::fmt::Write as _;

use jiff::Timestamp;
use mizar_core::release::changes::RevisionChanges;
use mizar_core::release::listing::{Listed, document};
use mizar_core::release::secret::secret_name;

use super::format::{self, Format};
use super::style::STRONG;
use super::{plan, table};
use crate::failure::Failure;

/// The revisions in any form.
pub(crate) fn written(revisions: &[Listed], format: &Format) -> Result<String, Failure> {
    format.write_or(
        || document(revisions),
        || match format {
            Format::Name => format::names(
                revisions.iter().map(|listed| format!("secret/{}", secret_name(&listed.release, listed.revision))),
            ),
            _ => revisions_table(revisions),
        },
    )
}

fn revisions_table(revisions: &[Listed]) -> String {
    let row = |listed: &Listed| {
        let version = if listed.app_version.is_empty() { "-" } else { &listed.app_version };
        vec![
            listed.release.clone(),
            listed.revision.to_string(),
            time(listed.updated),
            listed.status.to_string(),
            listed.chart.clone(),
            version.to_owned(),
            listed.description.clone(),
        ]
    };
    let heads = ["release", "revision", "updated", "status", "chart", "app version", "description"];
    table::columns(&heads, &revisions.iter().map(row).collect::<Vec<_>>())
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "unknown".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// What a revision changed, for people.
pub(crate) fn changes(changes: &RevisionChanges) -> String {
    let mut text = String::new();
    let (release, revision, status) = (&changes.release, changes.revision, changes.status);
    let (updated, description) = (time(changes.updated), &changes.description);
    let _infallible =
        writeln!(text, "{STRONG}Revision:{STRONG:#} {release} {revision}, {status}, {updated}: {description}");
    let _infallible = match changes.compared_with {
        Some(base) => writeln!(text, "{STRONG}Beside:{STRONG:#} revision {base}"),
        None => writeln!(text, "{STRONG}Beside:{STRONG:#} nothing, since it was the first"),
    };
    let chart = &changes.chart;
    let _infallible = match &changes.chart_before {
        Some(before) => writeln!(text, "{STRONG}Chart:{STRONG:#} {before} → {chart}"),
        None => writeln!(text, "{STRONG}Chart:{STRONG:#} {chart}"),
    };
    if !changes.values.is_empty() {
        let _infallible = writeln!(text, "{STRONG}Values:{STRONG:#}");
    }
    for value in &changes.values {
        let _infallible = writeln!(text, "  {value}");
    }
    text + &plan::objects(&changes.plan)
}

#[cfg(test)]
mod tests {
    use mizar_core::plan::{FieldChange, Plan};
    use mizar_core::release::Status;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_revision_changed_is_told_from_the_outside_in() {
        let value = FieldChange { path: ".vni".into(), before: Some(json!(1)), after: Some(json!(7)) };
        let mut it = RevisionChanges {
            release: "mizar".into(),
            namespace: "one".into(),
            revision: 2,
            status: Status::Superseded,
            description: "Upgrade complete".into(),
            updated: "2026-11-20T10:00:00Z".parse().ok(),
            compared_with: Some(1),
            chart_before: Some("mizar-0.1.0".into()),
            chart: "mizar-0.2.0".into(),
            values: vec![value],
            plan: Plan::default(),
        };
        let plain = |it: &RevisionChanges| anstream::adapter::strip_str(&changes(it)).to_string();
        assert_eq!(
            plain(&it),
            "Revision: mizar 2, superseded, 2026-11-20 10:00:00Z: Upgrade complete\n\
             Beside: revision 1\n\
             Chart: mizar-0.1.0 → mizar-0.2.0\n\
             Values:\n  .vni: 1 → 7\n\
             Objects: no objects\n"
        );
        it.compared_with = None;
        assert!(plain(&it).contains("Beside: nothing, since it was the first\n"));
    }
}
