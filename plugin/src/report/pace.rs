//! How often a log hears of what goes on. A pipe is no live view: a part says that it begins, now and then how far it is,
//! and that it has ended.

use std::time::{Duration, Instant};

use mizar_core::event::Event;

/// What goes on is told after so long without a word.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Tells apart what is worth a line.
#[derive(Default)]
pub(super) struct Pace {
    /// Whether objects are only counted: those of a repair are in its plan, and there may be thousands.
    counts_objects: bool,
    /// When the last line was written.
    told: Option<Instant>,
}

impl Pace {
    /// Whether an event is worth a line, which is then taken as written.
    pub(super) fn is_news(&mut self, event: &Event, now: Instant) -> bool {
        if let Event::Started { command, .. } = event {
            self.counts_objects = matches!(command.as_str(), "repair" | "uninstall");
        }
        let goes_on = match event {
            Event::StageProgressed { .. } | Event::ReadingProgressed { .. } => true,
            Event::ObjectApplied { .. } => self.counts_objects,
            _ => false,
        };
        let is_news = !goes_on || self.told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY);
        if is_news {
            self.told = Some(now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use mizar_core::event::{ApplyResult, StepResult};
    use mizar_core::object::ObjectRef;
    use mizar_core::site::Site;

    use super::*;

    fn started(command: &str) -> Event {
        Event::Started { command: command.into(), version: "1".into(), clusters: Vec::new(), namespace: "n".into() }
    }

    fn stage_started() -> Event {
        Event::StageStarted { stage: "leaks".into(), site: Site::Management, total: 100 }
    }

    fn progressed(done: usize) -> Event {
        let (stage, elapsed) = ("leaks".to_owned(), Duration::from_secs(1));
        Event::StageProgressed { stage, done, total: 100, waiting_for: Vec::new(), elapsed }
    }

    fn deleted() -> Event {
        let object = ObjectRef {
            api_version: "mizar.com/v1".into(),
            kind: "Endpoint".into(),
            namespace: Some("default".into()),
            name: "e".into(),
        };
        Event::ObjectApplied { object, site: Site::Management, result: ApplyResult::Deleted }
    }

    fn finished() -> Event {
        let (summary, stage) = ("100 acts".to_owned(), "leaks".to_owned());
        Event::StageFinished { summary, stage, result: StepResult::Succeeded, elapsed: Duration::from_secs(1) }
    }

    /// Which of the events, each a second after the one before, are told.
    fn told(events: &[Event]) -> Vec<usize> {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        let mut seconds = 0;
        let is_told = |event: &Event| {
            seconds += 1;
            pace.is_news(event, begun + Duration::from_secs(seconds))
        };
        let told: Vec<bool> = events.iter().map(is_told).collect();
        (0..events.len()).filter(|index| told[*index]).collect()
    }

    #[test]
    fn a_part_of_a_repair_begins_says_every_ten_seconds_how_far_it_is_and_ends() {
        let mut events = vec![started("repair"), stage_started()];
        events.extend((0..25).map(progressed));
        events.push(finished());
        assert_eq!(told(&events), [0, 1, 11, 21, 27]);
    }

    #[test]
    fn the_objects_of_a_repair_are_no_lines_and_those_of_an_install_are() {
        let events = |command| [vec![started(command), stage_started()], vec![deleted(); 9], vec![finished()]].concat();
        assert_eq!(told(&events("repair")), [0, 1, 11]);
        assert_eq!(told(&events("install")).len(), 12);
    }

    #[test]
    fn a_reading_that_takes_long_is_told_at_once_and_then_now_and_then() {
        let reading = Event::ReadingProgressed { read: Vec::new(), elapsed: Duration::from_secs(2) };
        assert_eq!(told(&vec![reading; 22]), [0, 10, 20]);
    }
}
