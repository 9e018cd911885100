//! What a server answers: refusals, pages of lists, objects and lines of a watch, and facts kept in a file.

use mizar_core::answer::{Refusal, beginning};
use mizar_core::facts::{Facts, PageVisitor, Source, read_object, read_page};
use mizar_core::{facts_file, object::Object};
use serde_json::{Value, json};

/// Items as the product takes them: each becomes a fact and is dropped.
struct Absorbed<'a>(&'a mut Facts, Source);

impl PageVisitor for Absorbed<'_> {
    fn next(&mut self, _: Option<String>) {}

    fn item(&mut self, item: Value) {
        self.0.absorb(self.1, &item);
    }
}

#[derive(Default)]
struct Items(Vec<Value>);

impl PageVisitor for Items {
    fn next(&mut self, _: Option<String>) {}

    fn item(&mut self, item: Value) {
        self.0.push(item);
    }
}

/// The first byte chooses what was asked for, the rest is the answer.
pub fn api_reply(data: &[u8]) {
    let [source, body @ ..] = data else { return };
    let source = Source::ALL[usize::from(*source) % Source::ALL.len()];
    assert!(beginning(body).chars().count() <= 301);
    if let Some(refusal) = Refusal::read(body) {
        assert!(refusal.message.chars().count() <= 301);
    }
    let now = "2026-01-01T00:00:00Z".parse().expect("it is a time");
    let mut streamed = Facts::new(now);
    if crate::once() {
        let read = read_page(body, source.unread(), &mut Absorbed(&mut streamed, source));
        return read.map_or_else(|error| crate::check(&error), drop);
    }
    let mut items = Items::default();
    if read_page(body, source.unread(), &mut items).is_ok() {
        streamed.absorb_page(source, &json!({"items": items.0}));
    }
    let whole: Option<Value> = serde_json::from_slice(body).ok();
    if let Some(whole) = &whole {
        let mut facts = Facts::new(now);
        facts.absorb_page(source, whole);
        facts.absorb_rules(None, whole);
        facts.absorb_answer(whole);
        // What is read can be kept, and comes back.
        let kept = facts_file::to_json(&facts, None).to_string();
        assert_eq!(facts_file::from_json(&kept).expect("we wrote it"), facts);
        if let Err(error) = Object::new(whole.clone()) {
            crate::check(&error);
        }
    }
    for line in body.split(|byte| *byte == b'\n').take(100) {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        if let Ok(object) = read_object(&mut deserializer, source.unread()) {
            streamed.absorb(source, &object);
        }
    }
    if let Err(error) = std::str::from_utf8(body).map_or(Ok(Facts::new(now)), facts_file::from_json) {
        crate::check(&error);
    }
}
