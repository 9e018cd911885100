//! Reading objects: single ones, and collections page by page.

use mizar_core::facts::{PageVisitor, read_page};
use mizar_core::object::ObjectRef;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::path::{object, query_value};
use super::{ApiFailure, Call, Cause, Cluster, PAGE_LIMIT};

/// A collection to list, page by page.
#[derive(Debug, Clone)]
pub(crate) struct Listing<'a> {
    /// The path of the collection.
    pub path: &'a str,
    /// What it is, for error texts: "pods".
    pub noun: &'a str,
    /// A label selector, blank for all.
    pub labels: &'a str,
    /// A field selector, blank for all.
    pub fields: &'a str,
    /// Objects per page: bounds memory.
    pub page_limit: u32,
    /// Says that names, labels and annotations are enough.
    pub metadata_only: bool,
}

/// What becomes of a page that was handed over.
pub(crate) struct Taken {
    /// Where the next page begins, nothing on the last one; told as soon as it is known.
    pub next: oneshot::Receiver<Option<String>>,
    /// Whether all of it could be read; the bytes if not.
    pub read: oneshot::Receiver<Result<(), Vec<u8>>>,
}

impl Cluster {
    /// Reads one object; none if it is not there.
    pub(crate) async fn get(&self, reference: &ObjectRef) -> Result<Option<Value>, ApiFailure> {
        let what = format!("read {reference}");
        let Some(path) = object(reference) else {
            return Err(self.unknown_kind(&what));
        };
        self.get_path(&path, what).await
    }

    /// Reads any path, for `/version` and API groups; none on 404.
    pub(crate) async fn get_path(&self, path: &str, what: impl Into<String>) -> Result<Option<Value>, ApiFailure> {
        match self.send(&Call::get(path, what)).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Hands a collection to `each`, object by object, so that no more than one page is in memory.
    ///
    /// Fails with `NotFound` if the kind is not served.
    pub(crate) async fn items(&self, listing: &Listing<'_>, each: impl FnMut(Value)) -> Result<(), ApiFailure> {
        let mut each = Each { each, position: None };
        self.raw_pages(listing, |bytes| {
            let ((next, position), (read, outcome)) = (oneshot::channel(), oneshot::channel());
            let whole = read_page(&bytes, &[], &mut each);
            // Both are listened to: they are returned.
            let _told = (next.send(each.position.take()), read.send(whole.map_err(|_| bytes)));
            std::future::ready(Taken { next: position, read: outcome })
        })
        .await
    }

    /// Hands a collection to `take`, page by page, as the bytes that came. As soon as a page has told where the next one
    /// begins, that is asked for: it travels while the first is read.
    ///
    /// Fails with `NotFound` if the kind is not served.
    pub(crate) async fn raw_pages<T>(
        &self,
        listing: &Listing<'_>,
        mut take: impl FnMut(Vec<u8>) -> T,
    ) -> Result<(), ApiFailure>
    where
        T: Future<Output = Taken>,
    {
        let mut page = self.page(listing, "", 0).await?;
        loop {
            // Pages of a list are alike.
            let expected = page.len() + page.len() / 16;
            let Taken { next, read } = take(page).await;
            // Nothing is told of a page that cannot be read; `read` says so.
            let Ok(Some(position)) = next.await else {
                return self.was_read(listing, read).await;
            };
            let (following, whole) =
                tokio::join!(self.page(listing, &position, expected), self.was_read(listing, read));
            whole?;
            page = following?;
        }
    }

    /// Hands a text that is no JSON, such as a log, to `each`, piece by piece as it comes. It is asked for once: what has been
    /// handed over cannot be taken back.
    pub(crate) async fn text(&self, uri: String, what: String, mut each: impl FnMut(&[u8])) -> Result<(), ApiFailure> {
        let call = Call::get(uri, what);
        let after = self.timing.request;
        let late = |_| self.failure(&call, Cause::TimedOut { after });
        let (_, mut body) = timeout(after, self.open(&call)).await.map_err(late)??;
        while let Some(piece) = timeout(after, self.piece(&call, &mut body)).await.map_err(late)?? {
            each(&piece);
        }
        Ok(())
    }

    async fn page(&self, listing: &Listing<'_>, position: &str, expected: usize) -> Result<Vec<u8>, ApiFailure> {
        let mut uri = format!("{}?limit={}", listing.path, listing.page_limit);
        for (key, value) in
            [("labelSelector", listing.labels), ("fieldSelector", listing.fields), ("continue", position)]
        {
            if !value.is_empty() {
                uri.extend(["&", key, "=", &query_value(value)]);
            }
        }
        let mut call = Call::get(uri, format!("list {}", listing.noun));
        call.metadata_only = listing.metadata_only;
        call.expected = expected;
        call.limit = PAGE_LIMIT;
        Ok(self.send_for_bytes(&call).await?.1)
    }

    async fn was_read(
        &self,
        listing: &Listing<'_>,
        read: oneshot::Receiver<Result<(), Vec<u8>>>,
    ) -> Result<(), ApiFailure> {
        let what = format!("list {}", listing.noun);
        match read.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(bytes)) => {
                Err(ApiFailure { what, server: self.server().to_owned(), cause: Cause::not_json(200, &bytes) })
            }
            Err(_) => Err(self.broken(&what, "nobody read the answer")),
        }
    }

    pub(super) fn unknown_kind(&self, what: &str) -> ApiFailure {
        self.broken(what, "this kind of object is not in our table")
    }

    /// A failure of ours.
    pub(crate) fn broken(&self, what: &str, reason: &str) -> ApiFailure {
        ApiFailure { what: what.to_owned(), server: self.server().to_owned(), cause: Cause::Broken(reason.to_owned()) }
    }
}

/// Hands the items of a page on and remembers where the next one begins.
struct Each<F> {
    each: F,
    position: Option<String>,
}

impl<F: FnMut(Value)> PageVisitor for Each<F> {
    fn next(&mut self, position: Option<String>) {
        self.position = position;
    }

    fn item(&mut self, item: Value) {
        (self.each)(item);
    }
}
