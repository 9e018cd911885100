//! A list that is followed: what a watch tells is worked into its facts, one object at a time, so that they are those of a
//! list read now and in its order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::reading::symbol_or_blank;
use super::{FromObject, Text};

/// What tells an object from the others of its list; in the order in which a server lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    namespace: Text,
    name: Text,
}

impl Key {
    /// Returns the key of an object as the server sent it.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        Self {
            namespace: symbol_or_blank(object, "/metadata/namespace"),
            name: symbol_or_blank(object, "/metadata/name"),
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.namespace == other.namespace {
            return self.name.cmp(&other.name);
        }
        // Servers sort by `namespace/name` as one text: `a-b/x` comes before `a/x`.
        let bytes = |key: &Self| key.namespace.as_str().bytes().chain([b'/']).chain(key.name.as_str().bytes());
        bytes(self).cmp(bytes(other))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Objects as they are now, and nothing for those that are gone.
pub type Changes = BTreeMap<Key, Option<Value>>;

/// Which objects the facts of a followed list were made of, in the same order.
#[derive(Debug, Default)]
pub struct Roll(Vec<Key>);

impl Roll {
    /// Returns the objects, in order.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Works changes into the facts of the list. An object that changed so that no fact is made of it any more is gone, too.
    pub(super) fn work_in<T: FromObject>(&mut self, facts: &mut Vec<T>, changes: &Changes) {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for (key, object) in changes {
            let fact = object.as_ref().filter(|object| T::concerns(object)).map(T::read);
            match (self.0.binary_search(key), fact) {
                (Ok(place), Some(fact)) => facts[place] = fact,
                (Ok(place), None) => gone.push(place),
                (Err(_), Some(fact)) => new.push((*key, fact)),
                (Err(_), None) => {}
            }
        }
        strike(&mut self.0, &gone);
        strike(facts, &gone);
        let place = |key: &Key| self.0.binary_search(key).unwrap_or_else(|place| place);
        let places: Vec<usize> = new.iter().map(|(key, _)| place(key)).collect();
        let (keys, new): (Vec<Key>, Vec<T>) = new.into_iter().unzip();
        insert(&mut self.0, &places, keys);
        insert(facts, &places, new);
    }
}

/// Takes out what is at these places, which ascend.
fn strike<T>(list: &mut Vec<T>, places: &[usize]) {
    if places.is_empty() {
        return;
    }
    let mut left = places.iter().peekable();
    let mut place = 0;
    list.retain(|_| {
        let is_gone = left.next_if(|gone| **gone == place).is_some();
        place += 1;
        !is_gone
    });
}

/// Puts each item before what was at its place; places ascend.
fn insert<T>(list: &mut Vec<T>, places: &[usize], items: Vec<T>) {
    // A list that is being read comes in order: all goes to its end.
    if places.first().is_none_or(|first| *first == list.len()) {
        list.extend(items);
        return;
    }
    let mut old = std::mem::replace(list, Vec::with_capacity(list.len() + items.len())).into_iter();
    let mut taken = 0;
    for (place, item) in places.iter().zip(items) {
        list.extend(old.by_ref().take(place - taken));
        taken = *place;
        list.push(item);
    }
    list.extend(old);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Facts, Source};
    use super::*;

    fn pod(namespace: &str, name: &str, node: &str) -> Value {
        json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"nodeName": node}})
    }

    fn listed<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Facts {
        let mut facts = Facts::default();
        facts.begin(Source::Pods);
        objects.into_iter().for_each(|object| facts.absorb(Source::Pods, object));
        facts
    }

    #[test]
    fn keys_are_in_the_order_of_a_servers_list() {
        let key = |namespace, name| Key::of(&pod(namespace, name, ""));
        let mut keys = [key("a", "x"), key("a-b", "x"), key("a", "b"), key("", "z"), key("a.b", "y")];
        keys.sort_unstable();
        assert_eq!(keys, [key("", "z"), key("a-b", "x"), key("a.b", "y"), key("a", "b"), key("a", "x")]);
    }

    #[test]
    fn what_no_fact_is_made_of_any_more_is_gone() {
        let definition = |group: &str| json!({"metadata": {"name": "vpcs.mizar.com"}, "spec": {"group": group}});
        let (mut facts, mut roll) = (Facts::default(), Roll::default());
        for (group, left) in [("mizar.com", 1), ("example.com", 0)] {
            let object = definition(group);
            facts.follow(Source::Definitions, &mut roll, &Changes::from([(Key::of(&object), Some(object))]));
            assert_eq!((facts.definitions.items().len(), roll.keys().len()), (left, left), "{group}");
        }
    }

    #[test]
    fn a_list_that_was_followed_and_is_empty_was_read() {
        let mut facts = Facts::default();
        facts.follow(Source::Pods, &mut Roll::default(), &Changes::new());
        assert_eq!((facts.gap(Source::Pods), facts.pods.items().len()), (None, 0));
    }

    proptest! {
        #[test]
        fn facts_that_follow_a_list_are_those_of_the_list(
            bursts in prop::collection::vec(
                prop::collection::vec((0_u8..3, 0_u8..12, prop::option::of(0_u8..4)), 0..8), 0..12)
        ) {
            let mut there: BTreeMap<Key, Value> = BTreeMap::new();
            let (mut facts, mut roll) = (listed([]), Roll::default());
            for burst in bursts {
                let mut changes = Changes::new();
                for (namespace, name, node) in burst {
                    let namespace = ["a", "a-b", "b"][usize::from(namespace)];
                    let object = pod(namespace, &format!("p{name}"), &format!("n{}", node.unwrap_or_default()));
                    let key = Key::of(&object);
                    match node {
                        Some(_) => there.insert(key, object.clone()),
                        None => there.remove(&key),
                    };
                    changes.insert(key, node.map(|_| object));
                }
                facts.follow(Source::Pods, &mut roll, &changes);
                prop_assert_eq!(&facts, &listed(there.values()));
                prop_assert_eq!(roll.keys(), there.keys().copied().collect::<Vec<_>>());
            }
        }
    }
}
