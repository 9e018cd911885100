//! Drift for people: object by object what was recorded, what is there, and who set it.

use std::fmt::Write as _;

use mizar_core::release::drift::{Difference, Drift, DriftedField, DriftedObject};

use super::format::{self, Format};
use super::style::{ERROR, FAINT, GOOD, STRONG, WARN};
use crate::failure::Failure;

/// Drift in any form.
pub(crate) fn written(drift: &Drift, format: &Format) -> Result<String, Failure> {
    format.write_or(
        || drift.document(),
        || match format {
            Format::Name => format::names(drift.objects.iter().map(|object| object.object.resource_name())),
            _ => text(drift),
        },
    )
}

fn text(drift: &Drift) -> String {
    let mut text = String::new();
    for release in &drift.releases {
        let _infallible = writeln!(
            text,
            "{STRONG}Recorded:{STRONG:#} {} revision {} {}, in namespace {}",
            release.name, release.revision, release.status, release.namespace
        );
    }
    for object in &drift.objects {
        object_lines(&mut text, object);
    }
    let _infallible = match (drift.objects.len() - drift.unread().count(), drift.unread().count()) {
        (0, 0) => writeln!(text, "{GOOD}No drift:{GOOD:#} all {} objects are as they were recorded", drift.total),
        (0, unread) => writeln!(text, "{WARN}Unknown:{WARN:#} {unread} of {} objects could not be read", drift.total),
        (differ, 0) => writeln!(text, "{WARN}Drift:{WARN:#} {differ} of {} objects differ", drift.total),
        (differ, unread) => writeln!(
            text,
            "{WARN}Drift:{WARN:#} {differ} of {} objects differ, and {unread} could not be read",
            drift.total
        ),
    };
    text
}

fn object_lines(text: &mut String, object: &DriftedObject) {
    let (sign, style, told) = match &object.difference {
        Difference::Missing => ("-", ERROR, ": is missing".to_owned()),
        Difference::Deleting => ("-", ERROR, ": is being deleted".to_owned()),
        Difference::Changed { .. } => ("~", WARN, String::new()),
        Difference::Unread { why } => ("?", WARN, format!(": {why}")),
    };
    let (name, release) = (&object.object, &object.release);
    let _infallible = writeln!(text, "{style}{sign}{style:#} {name}{FAINT} (release {release}){FAINT:#}{told}");
    if let Difference::Changed { fields } = &object.difference {
        for field in fields {
            let _infallible = writeln!(text, "    {field}{}", setter(field));
        }
    }
}

/// Who set a field. What removed one leaves no note.
fn setter(field: &DriftedField) -> String {
    match field.by.as_slice() {
        [] => String::new(),
        owners => {
            let owners: Vec<String> = owners.iter().map(ToString::to_string).collect();
            format!("{FAINT}, set by {}{FAINT:#}", owners.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use mizar_core::object::ObjectRef;
    use mizar_core::plan::Owner;
    use mizar_core::release::Status;
    use mizar_core::release::drift::Compared;
    use serde_json::json;

    use super::*;

    fn drift(differences: Vec<Difference>) -> Drift {
        let object = |difference: Difference| DriftedObject {
            object: ObjectRef {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: Some("one".into()),
                name: "o".into(),
            },
            release: "mizar".into(),
            difference,
        };
        let release = Compared { name: "mizar".into(), namespace: "one".into(), revision: 2, status: Status::Deployed };
        Drift { releases: vec![release], total: 9, objects: differences.into_iter().map(object).collect() }
    }

    fn plain(drift: &Drift) -> String {
        anstream::adapter::strip_str(&text(drift)).to_string()
    }

    #[test]
    fn every_difference_says_what_it_is_and_who_made_it() {
        let owner = Owner {
            manager: "kubectl-edit".into(),
            operation: "Update".into(),
            subresource: String::new(),
            at: "2026-11-21T10:00:00Z".parse().ok(),
        };
        let field = |live, by| DriftedField { path: ".spec.replicas".into(), recorded: json!(1), live, by };
        let fields = vec![field(Some(json!(0)), vec![owner]), field(None, Vec::new())];
        let told = plain(&drift(vec![
            Difference::Changed { fields },
            Difference::Missing,
            Difference::Unread { why: "you are not allowed to get deployment.apps/o".into() },
        ]));
        assert_eq!(
            told,
            "Recorded: mizar revision 2 deployed, in namespace one\n\
             ~ Deployment one/o (release mizar)\n\
             \u{20}   .spec.replicas: 1 → 0, set by kubectl-edit at 2026-11-21T10:00:00Z\n\
             \u{20}   .spec.replicas: 1 → nothing\n\
             - Deployment one/o (release mizar): is missing\n\
             ? Deployment one/o (release mizar): you are not allowed to get deployment.apps/o\n\
             Drift: 2 of 9 objects differ, and 1 could not be read\n"
        );
    }

    #[test]
    fn nothing_and_not_knowing_are_told_apart() {
        assert!(plain(&drift(Vec::new())).ends_with("No drift: all 9 objects are as they were recorded\n"));
        let unread = plain(&drift(vec![Difference::Unread { why: "x".into() }]));
        assert!(unread.ends_with("Unknown: 1 of 9 objects could not be read\n"), "{unread}");
    }
}
