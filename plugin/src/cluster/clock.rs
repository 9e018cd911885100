//! What time it is by the server's clock. Times in objects are the server's, and clocks of machines may be hours apart: how old
//! something is, and whether somebody still renews a claim, is counted by the clock that wrote the times.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, header};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Answers take their time, and `Date` has whole seconds: less than this is no difference.
const SAME: SignedDuration = SignedDuration::from_secs(10);
/// From here on a person is told.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_mins(1);

/// How far the server's clock is from ours, by its last answer.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    ahead: Mutex<Option<SignedDuration>>,
}

impl ServerClock {
    /// Notes the `Date` of an answer that came at `ours`; returns what to tell about it.
    pub(super) fn note(&self, headers: &HeaderMap, ours: Timestamp) -> Option<String> {
        let date = headers.get(header::DATE)?.to_str().ok().and_then(date)?;
        let ahead = date.duration_since(ours);
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        (ahead.abs() >= WORTH_A_WORD).then(|| difference(ahead))
    }

    /// The time by the server's clock, if it ever told.
    pub(super) fn at(&self, ours: Timestamp) -> Option<Timestamp> {
        let ahead = (*self.ahead.lock().unwrap_or_else(PoisonError::into_inner))?;
        if ahead.abs() < SAME { Some(ours) } else { ours.checked_add(ahead).ok() }
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<Timestamp> {
    let date = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn difference(ahead: SignedDuration) -> String {
    let minutes = (ahead.abs().as_secs() + 30) / 60;
    let apart = match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    };
    let direction = if ahead.is_negative() { "ahead of" } else { "behind" };
    format!("the clock of this machine is {apart} {direction} the server's; ages are counted by the server's clock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(date: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::DATE, date.parse().unwrap())])
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_is_off_is_told_and_the_servers_counts() {
        for (ours, told, now) in [
            ("2026-11-06T08:49:40.5Z", None, "2026-11-06T08:49:40.5Z"),
            ("2026-11-06T08:49:07Z", None, "2026-11-06T08:49:37Z"),
            ("2026-11-06T09:49:37Z", Some("1 h 00 min ahead of"), "2026-11-06T08:49:37Z"),
            ("2026-11-06T07:44:37Z", Some("1 h 05 min behind"), "2026-11-06T08:49:37Z"),
            ("2026-11-06T08:47:37Z", Some("2 min behind"), "2026-11-06T08:49:37Z"),
        ] {
            let clock = ServerClock::default();
            assert_eq!(clock.at(at(ours)), None);
            let said = clock.note(&headers("Fri, 06 Nov 2026 08:49:37 GMT"), at(ours));
            let wanted = told.map(|apart| {
                format!("the clock of this machine is {apart} the server's; ages are counted by the server's clock")
            });
            assert_eq!(said, wanted, "{ours}");
            assert_eq!(clock.at(at(ours)), Some(at(now)), "{ours}");
        }
    }

    #[test]
    fn an_answer_without_a_date_tells_nothing() {
        let clock = ServerClock::default();
        let now = at("2026-11-06T08:49:37Z");
        for headers in [HeaderMap::new(), headers("yesterday"), headers("Fri, 06 Nov 2026 08:49:37 +0100")] {
            assert_eq!((clock.note(&headers, now), clock.at(now)), (None, None));
        }
    }
}
