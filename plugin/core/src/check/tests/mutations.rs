//! Whatever a user's facts hold, checks answer: facts are mutated at random and every check must come to a result that
//! keeps its promises.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A place in a JSON value, by numbers that are taken modulo what there is.
fn place<'a>(mut value: &'a mut Value, path: &[u16]) -> &'a mut Value {
    for step in path {
        let step = usize::from(*step);
        // The parent is given back where a leaf or an empty list ends the way.
        let size = match &*value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if size == 0 {
            break;
        }
        value = match value {
            Value::Array(items) => &mut items[step % size],
            Value::Object(fields) => fields.values_mut().nth(step % size).expect("within the size"),
            _ => unreachable!("only lists and objects have a size"),
        };
    }
    value
}

/// Other values that a field may have: of the same type, so that the facts can still be read.
fn mutate(value: &mut Value, how: u8) {
    const TEXTS: &[&str] = &[
        "",
        "Init",
        "Provisioned",
        "scaled",
        "host",
        "simple",
        "0.0.0.0",
        "10.20.0.2",
        "::1",
        "999",
        "node-1",
        "a/b@c:d",
        "ü",
    ];
    *value = match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => {
            let times = ["1970-01-01T00:00:00Z", "2026-03-01T11:59:59Z", "9999-12-30T22:00:00Z"];
            times[usize::from(how) % times.len()].into()
        }
        Value::String(_) => TEXTS[usize::from(how) % TEXTS.len()].into(),
        Value::Bool(flag) => (!*flag).into(),
        Value::Number(_) => [0, 1, 4_000_000_000_u64][usize::from(how) % 3].into(),
        Value::Array(items) if how.is_multiple_of(2) => items.iter().chain(items.iter()).cloned().collect(),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Null | Value::Object(_) => return,
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_facts_make_a_check_panic_or_break_its_promises(
        sample in 0..3_u8,
        changes in prop::collection::vec((prop::collection::vec(any::<u16>(), 2..7), any::<u8>()), 1..12),
    ) {
        let facts = [a_cluster_before, a_healthy_cluster, a_healthy_arktos][usize::from(sample)]();
        let mut json = serde_json::to_value(facts).unwrap();
        for (path, how) in &changes {
            mutate(place(&mut json, path), *how);
        }
        // Some changes hit what is no free text, such as the role of a pod.
        let Ok(facts) = serde_json::from_value::<Facts>(json) else { return Ok(()) };
        for check in CHECKS {
            let result = check.run(&facts, &options());
            prop_assert!(!result.message.is_empty(), "{}", check.id);
            prop_assert_eq!(result.hint.is_some(), result.status.asks_for_action(), "{}", check.id);
            let blank = result.evidence.iter().any(|entry| entry.node.as_deref() == Some(""));
            prop_assert!(!blank, "{}: {:?}", check.id, result.evidence);
        }
    }
}
