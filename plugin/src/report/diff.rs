//! What would change, line by line, as `kubectl diff` and Helm's diff show it: object by object, then what stands in the way.

use std::fmt::Write as _;

use mizar_core::event::SCHEMA;
use mizar_core::plan::unified::unified;
use mizar_core::plan::{Action, Change, Plan, Stage};
use mizar_core::upgrade::ValueChanges;
use serde_json::{Value, json};

use super::format::{self, Format};
use super::plan::obstacles;
use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN};
use super::upgrade::values;
use crate::failure::Failure;

/// What `diff` shows.
pub(crate) struct Difference<'a> {
    /// What would be done.
    pub plan: &'a Plan,
    /// The values that are not what they were; none where nothing was recorded.
    pub values: &'a ValueChanges,
}

impl Difference<'_> {
    /// Lays it out in any form.
    pub(crate) fn write(&self, format: &Format) -> Result<String, Failure> {
        format.write_or(
            || self.document(),
            || match format {
                Format::Name => format::names(self.changes().map(|(_, change)| change.object.resource_name())),
                _ => self.text(),
            },
        )
    }

    fn changes(&self) -> impl Iterator<Item = (&Stage, &Change)> {
        let stages = self.plan.stages.iter();
        stages
            .flat_map(|stage| stage.changes.iter().filter(|change| change.writes()).map(move |change| (stage, change)))
    }

    /// Lines for people; a program that takes patches passes over all that is not one.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        text.push_str(&values(self.values));
        for (stage, change) in self.changes() {
            let (what, style) = match change.action {
                Action::Create => ("is new", GOOD),
                Action::Delete => ("goes", ERROR),
                _ => ("changes", WARN),
            };
            let release = stage.release.as_deref().map(|release| format!(", release {release}")).unwrap_or_default();
            let _infallible = writeln!(
                text,
                "{STRONG}{}{STRONG:#} {style}{what}{style:#} {FAINT}({}{release}){FAINT:#}",
                change.object, stage.name
            );
            for line in unified(change).unwrap_or_default().lines() {
                diff_line(&mut text, line);
            }
        }
        text.push_str(&obstacles(self.plan));
        text
    }

    fn document(&self) -> Value {
        let of_change = |(stage, change): (&Stage, &Change)| {
            let mut value = json!({"stage": stage.name, "site": stage.site, "release": stage.release});
            if let (Some(fields), Value::Object(own)) = (value.as_object_mut(), json!(change)) {
                fields.extend(own);
                fields.insert("diff".to_owned(), json!(unified(change)));
            }
            value
        };
        json!({
            "apiVersion": SCHEMA,
            "kind": "Diff",
            "digest": self.plan.digest(),
            "counts": self.plan.counts(),
            "changes": self.changes().map(of_change).collect::<Vec<_>>(),
            "conflicts": self.plan.conflicts,
            "refusals": self.plan.refusals,
            "values": self.values,
        })
    }
}

fn diff_line(text: &mut String, line: &str) {
    let style = match line.as_bytes() {
        [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => STRONG,
        [b'@', ..] => HINT,
        [b'-', ..] => ERROR,
        [b'+', ..] => GOOD,
        _ => anstyle::Style::new(),
    };
    let _infallible = writeln!(text, "{style}{line}{style:#}");
}

#[cfg(test)]
mod tests {
    use mizar_core::object::Object;
    use mizar_core::plan::{FieldChange, OwnObject, PlanInput, decide};
    use mizar_core::site::Site;

    use super::*;

    fn plan(live: &[Value], wanted: &[Value]) -> Plan {
        let object = |value: &Value| Object::new(value.clone()).unwrap();
        let own = wanted.iter().map(|value| OwnObject { site: Site::Management, object: object(value) });
        let live = live.iter().map(|value| (Site::Management, object(value)));
        decide(&PlanInput { own: own.collect(), live: live.collect(), ..PlanInput::default() })
    }

    fn secret(data: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"a": data}})
    }

    fn values() -> ValueChanges {
        let change = FieldChange { path: "vni".to_owned(), before: Some(json!(1)), after: Some(json!(2)) };
        ValueChanges { choices: vec![change], defaults: Vec::new() }
    }

    #[test]
    fn people_see_values_and_lines_and_nothing_secret() {
        let plan = plan(&[secret("b25l")], &[secret("dHdv")]);
        let text = Difference { plan: &plan, values: &values() }.write(&Format::Text).unwrap();
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "Values that you chose:
  vni: 1 → 2
Secret n/s changes (configuration)
--- live/n/secret/s
+++ planned/n/secret/s
@@ -1,6 +1,6 @@
 apiVersion: v1
 data:
-  a: (masked) before
+  a: (masked) after
 kind: Secret
 metadata:
   name: s
"
        );
        assert!(text.contains('\u{1b}'), "with colours for a terminal");
    }

    #[test]
    fn machines_get_the_same_in_a_document() {
        let plan = plan(&[secret("b25l")], &[secret("dHdv")]);
        let difference = Difference { plan: &plan, values: &values() };
        assert_eq!(difference.write(&Format::Name).unwrap(), "secret/s\n");
        let document: Value = serde_json::from_str(&difference.write(&Format::Json).unwrap()).unwrap();
        assert_eq!((&document["kind"], &document["counts"]["update"]), (&json!("Diff"), &json!(1)));
        let change = &document["changes"][0];
        assert_eq!((&change["stage"], &change["action"]), (&json!("configuration"), &json!("update")));
        assert!(change["diff"].as_str().unwrap().contains("+  a: (masked) after"), "{change}");
        assert_eq!(document["values"]["choices"][0]["path"], "vni");
        assert!(!document.to_string().contains("dHdv"));
    }

    #[test]
    fn nothing_is_shown_where_nothing_changes() {
        let plan = plan(&[secret("b25l")], &[secret("b25l")]);
        assert_eq!(Difference { plan: &plan, values: &ValueChanges::default() }.write(&Format::Text).unwrap(), "");
    }
}
