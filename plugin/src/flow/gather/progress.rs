//! Tells that reading takes longer, and how far it is.

use std::cmp::Reverse;
use std::sync::PoisonError;
use std::time::Duration;

use mizar_core::event::{Event, ReadSoFar};
use tokio::time::{Instant, interval_at};

use super::reading::Counts;
use crate::report::Reporter;

/// Waits for `work`, and tells every `pause` how much has been read.
pub(super) async fn told<T>(
    work: impl Future<Output = T>,
    counts: &Counts,
    reporter: &dyn Reporter,
    pause: Duration,
) -> T {
    let begun = Instant::now();
    let mut ticks = interval_at(begun + pause, pause);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => reporter.event(&event(counts, begun.elapsed())),
        }
    }
}

fn event(counts: &Counts, elapsed: Duration) -> Event {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let mut read: Vec<ReadSoFar> =
        counts.iter().map(|(what, count)| ReadSoFar { what: what.clone(), count: *count }).collect();
    read.retain(|part| part.count > 0);
    read.sort_by_key(|part| Reverse(part.count));
    Event::ReadingProgressed { read, elapsed }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);

    impl Reporter for Heard {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[tokio::test]
    async fn only_a_reading_that_takes_longer_is_told_the_largest_list_first() {
        let (heard, pause) = (Heard::default(), Duration::from_millis(20));
        let counts: Counts = Arc::new(Mutex::new(vec![("nodes".into(), 5), ("vpcs".into(), 0), ("pods".into(), 50)]));
        assert_eq!(told(async { 7 }, &counts, &heard, pause).await, 7);
        assert!(heard.0.lock().unwrap().is_empty());
        told(tokio::time::sleep(pause * 5), &counts, &heard, pause).await;
        let events = heard.0.into_inner().unwrap();
        let Some(Event::ReadingProgressed { read, elapsed }) = events.first() else { panic!("{events:?}") };
        let read: Vec<_> = read.iter().map(|part| (part.what.as_str(), part.count)).collect();
        assert_eq!(read, [("pods", 50), ("nodes", 5)]);
        assert!(*elapsed >= pause);
    }
}
