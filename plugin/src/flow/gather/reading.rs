//! The one thread that makes facts of what arrives. It is apart from the requests, so that the next page travels while
//! this one is read; it is one, so that the facts need no lock and what it keeps lies together in memory.

use std::sync::{Arc, Mutex, PoisonError};

use mizar_core::facts::{Facts, Gap, PageVisitor, Source, read_page};
use mizar_core::object::{Object, ObjectRef};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::errand::Errand;
use crate::cluster::ApiFailure;
use crate::cluster::read::Taken;

/// Pages that may wait to be read: few, since they are what memory is needed for.
const WAITING: usize = 2;

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Reading {
    /// The facts.
    pub(super) facts: Facts,
    /// The objects to keep whole.
    pub(super) wanted: Vec<ObjectRef>,
    /// Those of them that were found.
    pub(super) live: Vec<Object>,
    /// Why some could not be read.
    pub(super) unread: Option<ApiFailure>,
}

/// How many objects of each list have been read.
pub(super) type Counts = Arc<Mutex<Vec<(String, usize)>>>;

/// What arrives.
enum Delivery {
    Page(Page),
    Object(Source, Value),
    Gap(Source, Gap),
    Unread(ApiFailure),
}

struct Page {
    errand: Arc<Errand>,
    bytes: Vec<u8>,
    next: oneshot::Sender<Option<String>>,
    read: oneshot::Sender<Result<(), Vec<u8>>>,
}

/// Where to deliver. The reading ends when the last of these is gone.
#[derive(Clone)]
pub(super) struct Desk(mpsc::Sender<Delivery>);

impl Desk {
    /// Starts to read.
    pub(super) fn open(reading: Reading, counts: &Counts) -> (Self, JoinHandle<Reading>) {
        let (sender, deliveries) = mpsc::channel(WAITING);
        let counts = counts.clone();
        (Self(sender), tokio::task::spawn_blocking(move || read_all(reading, deliveries, &counts)))
    }

    /// Delivers one page of a list.
    pub(super) async fn page(&self, errand: &Arc<Errand>, bytes: Vec<u8>) -> Taken {
        let ((next, position), (read, outcome)) = (oneshot::channel(), oneshot::channel());
        self.deliver(Delivery::Page(Page { errand: errand.clone(), bytes, next, read })).await;
        Taken { next: position, read: outcome }
    }

    /// Delivers the object that a source is.
    pub(super) async fn object(&self, source: Source, object: Value) {
        self.deliver(Delivery::Object(source, object)).await;
    }

    /// Says why a source has nothing to say.
    pub(super) async fn gap(&self, source: Source, gap: Gap) {
        self.deliver(Delivery::Gap(source, gap)).await;
    }

    /// Says why objects that are to be kept could not be read.
    pub(super) async fn unread(&self, failure: ApiFailure) {
        self.deliver(Delivery::Unread(failure)).await;
    }

    async fn deliver(&self, delivery: Delivery) {
        // The thread ends only after us; if it should have ended, whoever waits for its reading is told.
        let _gone = self.0.send(delivery).await;
    }
}

fn read_all(mut reading: Reading, mut deliveries: mpsc::Receiver<Delivery>, counts: &Counts) -> Reading {
    while let Some(delivery) = deliveries.blocking_recv() {
        match delivery {
            Delivery::Page(page) => reading.take(page, counts),
            Delivery::Object(source, object) => reading.facts.absorb_page(source, &object),
            Delivery::Gap(source, gap) => reading.facts.mark(source, gap),
            Delivery::Unread(failure) => {
                reading.unread.get_or_insert(failure);
            }
        }
    }
    reading
}

impl Reading {
    fn take(&mut self, page: Page, counts: &Counts) {
        let Page { errand, bytes, next, read } = page;
        if let Some(source) = errand.source {
            self.facts.begin(source);
        }
        let mut items = Items { reading: self, errand: &errand, next: Some(next), count: 0 };
        let whole = read_page(&bytes, errand.unread(), &mut items);
        let count = items.count;
        add(counts, &errand.noun, count);
        // Gone before the list goes on: the next page may be here already. Whoever stopped listening wants no page.
        let _nobody_listens = read.send(match whole {
            Ok(()) => {
                drop(bytes);
                Ok(())
            }
            Err(_) => Err(bytes),
        });
    }

    /// Keeps an object whole if it is wanted.
    fn keep(&mut self, api_version: &str, kind: &str, mut item: Value) {
        let name = item["metadata"]["name"].as_str().unwrap_or_default();
        let namespace = item["metadata"]["namespace"].as_str();
        let is_wanted = |wanted: &ObjectRef| {
            wanted.name == name
                && wanted.kind == kind
                && wanted.api_version == api_version
                && wanted.namespace.as_deref() == namespace
        };
        if self.wanted.iter().any(is_wanted) {
            item["apiVersion"] = json!(api_version);
            item["kind"] = json!(kind);
            self.live.extend(Object::new(item));
        }
    }
}

fn add(counts: &Counts, noun: &str, count: usize) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    match counts.iter_mut().find(|(known, _)| known == noun) {
        Some((_, sum)) => *sum += count,
        None => counts.push((noun.to_owned(), count)),
    }
}

/// Takes the items of one page.
struct Items<'a> {
    reading: &'a mut Reading,
    errand: &'a Errand,
    next: Option<oneshot::Sender<Option<String>>>,
    count: usize,
}

impl PageVisitor for Items<'_> {
    fn next(&mut self, position: Option<String>) {
        if let Some(next) = self.next.take() {
            // Whoever stopped listening wants no next page.
            let _nobody_listens = next.send(position);
        }
    }

    fn item(&mut self, item: Value) {
        self.count += 1;
        if let Some(source) = self.errand.source {
            self.reading.facts.absorb(source, &item);
        }
        if let Some((api_version, kind)) = &self.errand.kept {
            self.reading.keep(api_version, kind, item);
        }
    }
}
