//! The life of one pod's containers as a pure state machine: what happens next, given the faults and the time.
//!
//! All containers of a pod move together. How a state looks in the API is `status`'s matter; what is true of a pod
//! at the moment is found out by the kubelet.

use std::time::Duration;

use jiff::Timestamp;

/// The exit code of a process that was ended by SIGKILL.
pub(crate) const KILLED: i64 = 137;

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// One step of a container's start, and the run of an init container.
    pub(crate) step: Duration,
    /// From a container's start to its crash, under that fault.
    pub(crate) crash: Duration,
    /// The first pause of a crash loop; it doubles up to the longest.
    pub(crate) back_off: Duration,
    pub(crate) longest_back_off: Duration,
    /// How long a pod waits for its network before that is reported, and reported again.
    pub(crate) sandbox: Duration,
    /// From one failed readiness probe to the next report.
    pub(crate) probe: Duration,
}

/// What is true of a pod now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Situation {
    pub(crate) images: Vec<String>,
    pub(crate) init_containers: usize,
    pub(crate) pull_fails: bool,
    pub(crate) crashes: bool,
    pub(crate) never_ready: bool,
    /// How long after its start the pod becomes ready.
    pub(crate) ready_after: Duration,
    /// The pod's address, once its network is there.
    pub(crate) address: Option<String>,
    /// The main process ended by itself, with this code.
    pub(crate) exited: Option<i64>,
    /// The pod is being deleted and its containers are to be gone.
    pub(crate) ended: Option<i64>,
    /// The containers are killed now, end with this code, and start anew in their pod.
    pub(crate) killed: Option<i64>,
}

/// Where the containers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Creating,
    Initializing { index: usize },
    PullFailing { backing_off: bool },
    Running { ready: bool },
    Crashed,
    BackingOff,
    Ended { exit_code: i64 },
}

/// How the containers ended the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastExit {
    pub(crate) code: i64,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
}

/// Something to tell in an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    PullFailed,
    PullBackOff,
    NoNetwork,
    Unhealthy,
    BackOff,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lifecycle {
    pub(crate) phase: Phase,
    /// When the phase began.
    pub(crate) since: Timestamp,
    /// When the pod was first seen on its node.
    pub(crate) accepted: Timestamp,
    /// When the containers started last.
    pub(crate) started: Option<Timestamp>,
    pub(crate) restarts: i64,
    pub(crate) last_exit: Option<LastExit>,
    pub(crate) initialized: bool,
    pub(crate) address: Option<String>,
    images: Vec<String>,
    crashes_in_a_row: u32,
    told: Option<Timestamp>,
    /// The next start is another one of containers that ran before.
    restarting: bool,
}

impl Lifecycle {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            phase: Phase::Creating,
            since: now,
            accepted: now,
            started: None,
            restarts: 0,
            last_exit: None,
            initialized: false,
            address: None,
            images: Vec::new(),
            crashes_in_a_row: 0,
            told: None,
            restarting: false,
        }
    }

    /// Takes up a pod that runs already, as a kubelet does after its own restart.
    pub(crate) fn adopt(started: Timestamp, restarts: i64, address: &str, ready: bool, images: Vec<String>) -> Self {
        Self {
            phase: Phase::Running { ready },
            started: Some(started),
            restarts,
            initialized: true,
            address: Some(address.to_owned()),
            images,
            ..Self::new(started)
        }
    }

    /// Whether the containers run, so that a process in them is alive.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Running { ready: true }
    }

    /// Whether the containers have ever started, and the pod is not at its end.
    pub(crate) fn has_started(&self) -> bool {
        self.started.is_some() && !self.is_at_its_end()
    }

    /// Whether the pod was deleted and its containers are gone.
    pub(crate) fn is_at_its_end(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = now;
        self.told = None;
    }

    /// Makes all moves that are due. Returns what is to be told, in order.
    pub(crate) fn advance(&mut self, now: Timestamp, situation: &Situation, pace: &Pace) -> Vec<Notice> {
        let mut notices = Vec::new();
        // Each move leads to another phase, and no phase is entered twice at one moment, so this ends.
        for _ in 0..16 {
            let before = (self.phase.clone(), self.since);
            self.move_once(now, situation, pace, &mut notices);
            if before == (self.phase.clone(), self.since) {
                break;
            }
        }
        notices
    }

    fn move_once(&mut self, now: Timestamp, situation: &Situation, pace: &Pace, notices: &mut Vec<Notice>) {
        if matches!(self.phase, Phase::Ended { .. }) {
            return;
        }
        if let Some(exit_code) = situation.ended {
            self.note_exit(exit_code, now);
            self.enter(Phase::Ended { exit_code }, now);
            return;
        }
        let failing = matches!(self.phase, Phase::PullFailing { .. });
        if situation.pull_fails && !failing {
            self.restarting |= self.is_running();
            self.note_exit(KILLED, now);
            self.enter(Phase::PullFailing { backing_off: false }, now);
            notices.push(Notice::PullFailed);
            return;
        }
        match self.phase.clone() {
            Phase::Creating => self.move_creating(now, situation, pace, notices),
            Phase::Initializing { index } if self.is_due(now, pace.step) => {
                if index + 1 < situation.init_containers {
                    self.enter(Phase::Initializing { index: index + 1 }, now);
                } else {
                    self.initialized = true;
                    self.start(now);
                }
            }
            Phase::PullFailing { .. } if !situation.pull_fails && self.is_due(now, pace.step) => {
                self.enter(Phase::Creating, now);
            }
            Phase::PullFailing { backing_off: false } if self.is_due(now, pace.step) => {
                self.enter(Phase::PullFailing { backing_off: true }, now);
                notices.push(Notice::PullBackOff);
            }
            Phase::Running { ready } => self.move_running(ready, now, situation, pace, notices),
            Phase::Crashed if self.is_due(now, pace.step) => {
                self.enter(Phase::BackingOff, now);
                notices.push(Notice::BackOff);
            }
            Phase::BackingOff if self.is_due(now, self.back_off(pace)) => {
                self.restarting = true;
                self.start(now);
            }
            Phase::Initializing { .. }
            | Phase::PullFailing { .. }
            | Phase::Crashed
            | Phase::BackingOff
            | Phase::Ended { .. } => {}
        }
    }

    fn move_creating(&mut self, now: Timestamp, situation: &Situation, pace: &Pace, notices: &mut Vec<Notice>) {
        if situation.address.is_none() && self.address.is_none() {
            if self.may_tell(now, pace.sandbox) {
                notices.push(Notice::NoNetwork);
            }
            return;
        }
        if !self.is_due(now, pace.step) {
            return;
        }
        if self.address.is_none() {
            self.address.clone_from(&situation.address);
        }
        self.images.clone_from(&situation.images);
        if self.initialized || situation.init_containers == 0 {
            self.initialized = true;
            self.start(now);
        } else {
            self.enter(Phase::Initializing { index: 0 }, now);
        }
    }

    fn move_running(
        &mut self,
        ready: bool,
        now: Timestamp,
        situation: &Situation,
        pace: &Pace,
        notices: &mut Vec<Notice>,
    ) {
        let running_for = self.started.map_or(Duration::ZERO, |started| elapsed(started, now));
        let crash = situation.crashes && running_for >= pace.crash;
        if let Some(code) = situation.exited.or(crash.then_some(1)) {
            self.crashes_in_a_row += 1;
            self.note_exit(code, now);
            self.enter(Phase::Crashed, now);
            return;
        }
        // Killed, or another image in the same pod: the container is started anew, the pod stays.
        if situation.killed.is_some() || self.images != situation.images {
            self.note_exit(situation.killed.unwrap_or(0), now);
            self.restarting = true;
            self.enter(Phase::Creating, now);
            return;
        }
        let should_be_ready = !situation.never_ready && running_for >= situation.ready_after;
        if should_be_ready != ready {
            self.enter(Phase::Running { ready: should_be_ready }, now);
        }
        // A probe before its time is no failure; the slow and the dead are told.
        let late = situation.never_ready || situation.ready_after > pace.probe;
        // A pod loses its readiness by a failed probe, so that one is told at once.
        let pause = if ready { Duration::ZERO } else { pace.probe };
        if !should_be_ready && late && self.may_tell(now, pause) {
            notices.push(Notice::Unhealthy);
        }
        if should_be_ready && running_for > self.back_off(pace) {
            self.crashes_in_a_row = 0;
        }
    }

    fn start(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.restarting) {
            self.restarts += 1;
        }
        self.started = Some(now);
        self.enter(Phase::Running { ready: false }, now);
    }

    fn note_exit(&mut self, code: i64, now: Timestamp) {
        if let (true, Some(started)) = (self.is_running(), self.started) {
            self.last_exit = Some(LastExit { code, started, finished: now });
        }
    }

    fn back_off(&self, pace: &Pace) -> Duration {
        let doubled = 2_u32.saturating_pow(self.crashes_in_a_row.saturating_sub(1).min(16));
        pace.back_off.saturating_mul(doubled).min(pace.longest_back_off)
    }

    fn is_due(&self, now: Timestamp, after: Duration) -> bool {
        elapsed(self.since, now) >= after
    }

    /// Whether something is to be told now, which was not told within the pause. Takes note of it.
    fn may_tell(&mut self, now: Timestamp, pause: Duration) -> bool {
        let due = elapsed(self.told.unwrap_or(self.since), now) >= pause;
        if due {
            self.told = Some(now);
        }
        due
    }

    /// Returns how long nothing will happen if nothing changes; `None` if for ever.
    pub(crate) fn pause(&self, now: Timestamp, situation: &Situation, pace: &Pace) -> Option<Duration> {
        let after = |since: Timestamp, wait: Duration| wait.saturating_sub(elapsed(since, now));
        let told = self.told.unwrap_or(self.since);
        match self.phase {
            Phase::Creating if situation.address.is_none() && self.address.is_none() => Some(after(told, pace.sandbox)),
            Phase::Creating | Phase::Initializing { .. } | Phase::Crashed => Some(after(self.since, pace.step)),
            Phase::PullFailing { backing_off } if !backing_off || !situation.pull_fails => {
                Some(after(self.since, pace.step))
            }
            Phase::BackingOff => Some(after(self.since, self.back_off(pace))),
            Phase::Running { ready } => {
                let started = self.started.unwrap_or(self.since);
                let crash = situation.crashes.then(|| after(started, pace.crash));
                let probe = (!ready).then(|| after(told, pace.probe));
                let ready = (!ready && !situation.never_ready).then(|| after(started, situation.ready_after));
                [crash, probe, ready].into_iter().flatten().min()
            }
            Phase::PullFailing { .. } | Phase::Ended { .. } => None,
        }
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        step: Duration::from_secs(1),
        crash: Duration::from_secs(2),
        back_off: Duration::from_secs(10),
        longest_back_off: Duration::from_secs(40),
        sandbox: Duration::from_secs(10),
        probe: Duration::from_secs(5),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn healthy() -> Situation {
        Situation {
            images: vec!["daemon:1".to_owned()],
            init_containers: 1,
            address: Some("127.1.0.1".to_owned()),
            ..Situation::default()
        }
    }

    /// Lets time pass second by second. Returns what was told.
    fn pass(life: &mut Lifecycle, seconds: std::ops::RangeInclusive<i64>, situation: &Situation) -> Vec<Notice> {
        seconds.flat_map(|second| life.advance(at(second), situation, &PACE)).collect()
    }

    fn a_running_pod() -> Lifecycle {
        let mut life = Lifecycle::new(at(0));
        pass(&mut life, 0..=3, &healthy());
        assert!(life.is_ready());
        life
    }

    #[test]
    fn a_pod_is_created_initialized_run_and_ready() {
        let mut life = Lifecycle::new(at(0));
        life.advance(at(0), &healthy(), &PACE);
        assert_eq!(life.phase, Phase::Creating);
        life.advance(at(1), &healthy(), &PACE);
        assert_eq!(life.phase, Phase::Initializing { index: 0 });
        let slow = Situation { ready_after: Duration::from_secs(3), ..healthy() };
        life.advance(at(2), &slow, &PACE);
        assert_eq!(life.phase, Phase::Running { ready: false });
        assert_eq!(life.pause(at(3), &slow, &PACE), Some(Duration::from_secs(2)));
        life.advance(at(5), &slow, &PACE);
        assert!(life.is_ready());
        assert_eq!(life.restarts, 0);
    }

    #[test]
    fn a_pod_without_network_stays_in_creation_and_says_so_again_and_again() {
        let mut life = Lifecycle::new(at(0));
        let waiting = Situation { address: None, ..healthy() };
        assert_eq!(pass(&mut life, 0..=25, &waiting), [Notice::NoNetwork, Notice::NoNetwork]);
        assert_eq!(life.phase, Phase::Creating);
        pass(&mut life, 26..=28, &healthy());
        assert!(life.is_running());
    }

    #[test]
    fn a_crash_loop_takes_effect_at_once_counts_restarts_and_heals_when_lifted() {
        let mut life = a_running_pod();
        let crashing = Situation { crashes: true, ..healthy() };
        let told = pass(&mut life, 4..=5, &crashing);
        assert_eq!((life.phase.clone(), told.len()), (Phase::BackingOff, 1));
        assert_eq!(life.last_exit.unwrap().code, 1);
        pass(&mut life, 6..=15, &crashing);
        assert_eq!((life.is_running(), life.restarts), (true, 1));
        pass(&mut life, 16..=18, &crashing);
        assert_eq!(life.phase, Phase::BackingOff);
        pass(&mut life, 19..=60, &healthy());
        assert_eq!((life.is_ready(), life.restarts), (true, 2));
    }

    #[test]
    fn a_pull_error_stops_a_running_pod_and_lets_it_back_when_lifted() {
        let mut life = a_running_pod();
        let failing = Situation { pull_fails: true, ..healthy() };
        assert_eq!(pass(&mut life, 4..=9, &failing), [Notice::PullFailed, Notice::PullBackOff]);
        assert_eq!(life.phase, Phase::PullFailing { backing_off: true });
        assert_eq!(life.pause(at(9), &failing, &PACE), None);
        pass(&mut life, 10..=12, &healthy());
        assert_eq!((life.is_ready(), life.restarts), (true, 1));
    }

    #[test]
    fn a_pod_that_is_never_ready_loses_readiness_at_once_and_says_why() {
        let mut life = a_running_pod();
        let dead = Situation { never_ready: true, ..healthy() };
        let told = pass(&mut life, 4..=10, &dead);
        assert_eq!(life.phase, Phase::Running { ready: false });
        assert_eq!(told, [Notice::Unhealthy, Notice::Unhealthy]);
        pass(&mut life, 11..=11, &healthy());
        assert_eq!((life.is_ready(), life.restarts), (true, 0));
    }

    #[test]
    fn another_image_restarts_the_container_in_its_pod() {
        let mut life = a_running_pod();
        let newer = Situation { images: vec!["daemon:2".to_owned()], ..healthy() };
        pass(&mut life, 4..=6, &newer);
        assert_eq!((life.is_ready(), life.restarts), (true, 1));
    }

    #[test]
    fn a_killed_container_starts_anew_in_its_pod_without_a_pause() {
        let mut life = a_running_pod();
        let before = life.started;
        life.advance(at(4), &Situation { killed: Some(KILLED), ..healthy() }, &PACE);
        assert_eq!((life.is_running(), life.last_exit.map(|exit| exit.code)), (false, Some(KILLED)));
        pass(&mut life, 5..=6, &healthy());
        assert_eq!((life.is_ready(), life.restarts), (true, 1));
        assert!(life.started > before);
    }

    #[test]
    fn a_process_that_ends_by_itself_is_started_again() {
        let mut life = a_running_pod();
        life.advance(at(4), &Situation { exited: Some(1), ..healthy() }, &PACE);
        assert_eq!(life.phase, Phase::Crashed);
        pass(&mut life, 5..=15, &healthy());
        assert_eq!((life.is_ready(), life.restarts), (true, 1));
    }
}
