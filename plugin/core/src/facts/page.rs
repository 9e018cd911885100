//! One page of a list, read item by item from the bytes that came: what no fact is made of is passed over, and each item
//! is gone before the next one is read. So the memory of a reader is that of a page, however many there are.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::unread::Unread;

/// What takes a page.
pub trait PageVisitor {
    /// Takes where the next page begins, nothing on the last one. Told as early as the page tells it: built-in kinds
    /// have it in front of their items, custom ones behind them.
    fn next(&mut self, position: Option<String>);

    /// Takes one item.
    fn item(&mut self, item: Value);
}

/// Reads a page. Fails if the bytes are not JSON, broken off, or no list; some items may have been taken by then.
pub fn read_page(bytes: &[u8], unread: &'static [Unread], visitor: &mut dyn PageVisitor) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_map(List { unread, visitor })?;
    deserializer.end()
}

/// Reads one object, as a watch sends it, without what is passed over.
pub fn read_object<'de, D: Deserializer<'de>>(deserializer: D, unread: &'static [Unread]) -> Result<Value, D::Error> {
    Trimmed(unread).deserialize(deserializer)
}

/// The list itself.
struct List<'a> {
    unread: &'static [Unread],
    visitor: &'a mut dyn PageVisitor,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(default, rename = "continue")]
    position: Option<String>,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of Kubernetes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self { unread, visitor } = self;
        let (mut items, mut told) = (false, false);
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "items" if items => return Err(A::Error::duplicate_field("items")),
                "items" => {
                    fields.next_value_seed(Items { unread, visitor: &mut *visitor })?;
                    items = true;
                }
                "metadata" if told => return Err(A::Error::duplicate_field("metadata")),
                "metadata" => {
                    let metadata: Option<ListMetadata> = fields.next_value()?;
                    let position = metadata.and_then(|metadata| metadata.position);
                    visitor.next(position.filter(|position| !position.is_empty()));
                    told = true;
                }
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !items {
            return Err(A::Error::missing_field("items"));
        }
        if !told {
            visitor.next(None);
        }
        Ok(())
    }
}

/// The items of a list; Go writes an empty one as null.
struct Items<'a> {
    unread: &'static [Unread],
    visitor: &'a mut dyn PageVisitor,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the items of a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element_seed(Trimmed(self.unread))? {
            self.visitor.item(item);
        }
        Ok(())
    }
}

/// A value without what nobody reads of it.
#[derive(Clone, Copy)]
struct Trimmed(&'static [Unread]);

impl<'de> DeserializeSeed<'de> for Trimmed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0.is_empty() { Value::deserialize(deserializer) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Trimmed {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        // Lists count for nothing: what is said of one container holds for all.
        while let Some(item) = items.next_element_seed(self)? {
            kept.push(item);
        }
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            match self.0.iter().find(|unread| unread.key == key) {
                Some(Unread { below: [], .. }) => {
                    fields.next_value::<IgnoredAny>()?;
                }
                Some(unread) => {
                    kept.insert(key, fields.next_value_seed(Self(unread.below))?);
                }
                None => {
                    kept.insert(key, fields.next_value()?);
                }
            }
        }
        Ok(Value::Object(kept))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::facts::samples::now;
    use crate::facts::{Facts, Source};

    /// Everything that a page tells, in the order in which it tells it.
    #[derive(Default)]
    struct Told {
        events: Vec<&'static str>,
        position: Option<String>,
        items: Vec<Value>,
    }

    impl PageVisitor for Told {
        fn next(&mut self, position: Option<String>) {
            self.events.push("next");
            self.position = position;
        }

        fn item(&mut self, item: Value) {
            self.events.push("item");
            self.items.push(item);
        }
    }

    fn told(text: &str, unread: &'static [Unread]) -> serde_json::Result<Told> {
        let mut told = Told::default();
        read_page(text.as_bytes(), unread, &mut told).map(|()| told)
    }

    #[test]
    fn a_built_in_kind_tells_the_next_page_before_its_items_and_a_custom_one_after_them() {
        let built_in = r#"{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"abc"},"items":[{},{}]}"#;
        let custom = r#"{"apiVersion":"v1","items":[{},{}],"kind":"XList","metadata":{"continue":"def"}}"#;
        let (built_in, custom) = (told(built_in, &[]).unwrap(), told(custom, &[]).unwrap());
        assert_eq!(
            (built_in.events.as_slice(), built_in.position.as_deref()),
            (&["next", "item", "item"][..], Some("abc"))
        );
        assert_eq!(
            (custom.events.as_slice(), custom.position.as_deref()),
            (&["item", "item", "next"][..], Some("def"))
        );
    }

    #[test]
    fn the_last_page_says_that_it_is_the_last() {
        for text in [
            r#"{"metadata":{"continue":""},"items":[]}"#,
            r#"{"metadata":{},"items":null}"#,
            r#"{"metadata":null,"items":[]}"#,
            r#"{"items":[]}"#,
        ] {
            let told = told(text, &[]).unwrap();
            assert_eq!((told.events.as_slice(), told.position), (&["next"][..], None), "{text}");
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in [
            "",
            "<html>",
            "null",
            "[]",
            "7",
            "{}",
            r#"{"kind":"Status","metadata":{}}"#,
            r#"{"items":{}}"#,
            r#"{"items":"none"}"#,
            r#"{"items":[],"items":[]}"#,
            r#"{"metadata":{},"items":[],"metadata":{"continue":"x"}}"#,
            r#"{"metadata":7,"items":[]}"#,
            r#"{"items":[]} and more"#,
        ] {
            assert!(told(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_cut_off_anywhere_is_an_error() {
        let page =
            json!({"metadata": {"continue": "a"}, "items": [{"metadata": {"name": "n", "labels": {"a": "ü\n"}}}]});
        let text = page.to_string();
        for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
            assert!(told(&text[..length], &[]).is_err(), "{}", &text[..length]);
        }
    }

    #[test]
    fn of_two_equal_keys_the_last_one_counts_as_everywhere_else() {
        let text = r#"{"items":[{"spec":{"a":1,"a":2},"spec":{"b":1}}]}"#;
        let item = &told(text, &[Unread { key: "metadata", below: &[] }]).unwrap().items[0];
        let whole: Value = serde_json::from_str(text).unwrap();
        assert_eq!(*item, whole["items"][0]);
    }

    #[test]
    fn huge_texts_are_passed_over_or_kept_whole() {
        let huge = "x\\\"\u{1F600}".repeat(300_000);
        let text = json!({"items": [{"metadata": {"managedFields": [{"f": huge}], "name": huge}}]}).to_string();
        let item = &told(&text, Source::Pods.unread()).unwrap().items[0];
        assert_eq!(*item, json!({"metadata": {"name": huge}}));
    }

    /// Any JSON, mostly of the fields that objects have.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            prop::sample::select(vec![
                "",
                "Running",
                "True",
                "10.20.0.7",
                "2026-03-01T12:00:00Z",
                "kube-dns",
                "7",
                "ü\"\n"
            ])
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 60, 6, |inner| {
            let keys = prop::sample::select(vec![
                "metadata",
                "spec",
                "status",
                "name",
                "namespace",
                "labels",
                "annotations",
                "managedFields",
                "containers",
                "containerStatuses",
                "conditions",
                "type",
                "status",
                "addresses",
                "images",
                "env",
                "volumes",
                "nodeName",
                "podIP",
                "ownerReferences",
                "tolerations",
                "state",
                "waiting",
                "reason",
                "k8s-app",
                "template",
                "image",
                "kopf.zalando.org/last-handled-configuration",
                "kopf.zalando.org/x",
                "key",
                "operator",
                "versions",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((keys, inner), 0..6).prop_map(|fields| {
                    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn facts_of_a_streamed_page_are_those_of_the_whole_one(items in prop::collection::vec(any_value(), 0..6)) {
            let page = json!({"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items});
            for source in Source::ALL.iter().copied().filter(|source| source.is_list()) {
                let (mut whole, mut streamed) = (Facts::new(now()), Facts::new(now()));
                whole.absorb_page(source, &page);
                streamed.absorb_page(source, &json!({"items": told(&page.to_string(), source.unread()).unwrap().items}));
                prop_assert_eq!(&whole, &streamed, "{:?}", source);
            }
        }

        #[test]
        fn without_anything_to_pass_over_nothing_changes(items in prop::collection::vec(any_value(), 0..6)) {
            let text = json!({ "items": items }).to_string();
            prop_assert_eq!(told(&text, &[]).unwrap().items, items);
        }
    }
}
