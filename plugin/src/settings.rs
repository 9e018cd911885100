//! The one list of environment variables that the program reads (kubectl's own apart: KUBECONFIG, NO_COLOR, TERM).

use std::ffi::OsString;
use std::io::IsTerminal as _;

use jiff::SignedDuration;
use mizar_core::check::Thresholds;
use mizar_core::timing::Timing;
use tracing_subscriber::EnvFilter;

/// Scales every duration of the product; for tests. `0.1` makes everything ten times as impatient.
const TIME_SCALE: &str = "MIZAR_TIME_SCALE";

/// Makes this machine's clock go wrong by so many seconds; for tests.
const CLOCK_AHEAD: &str = "MIZAR_CLOCK_AHEAD";
/// In which a shell that has loaded our script says its name, and asks for what may be typed next.
pub(crate) const COMPLETE: &str = "MIZAR_COMPLETE";

/// Where evidence of a change that failed goes; `false` means that none is taken.
const EVIDENCE: &str = "MIZAR_EVIDENCE";

/// Helm's own: how many revisions of a release are kept.
pub(crate) const MAX_HISTORY: &str = "HELM_MAX_HISTORY";

/// Where kubectl tells a plugin its own path.
pub(crate) const KUBECTL_PATH: &str = "KUBECTL_PATH";

/// The folder for evidence of a change that failed, or `false`; nothing if nobody says.
pub(crate) fn evidence() -> Option<OsString> {
    std::env::var_os(EVIDENCE).filter(|place| !place.is_empty())
}

/// The durations of this run.
pub(crate) fn timing() -> Timing {
    time_scale().map_or_else(Timing::default, |factor| Timing::default().scaled(factor))
}

/// The ages from which on a check finds something worth a word.
pub(crate) fn thresholds() -> Thresholds {
    time_scale().map_or_else(Thresholds::default, |factor| Thresholds::default().scaled(factor))
}

/// How many revisions Helm is told to keep.
pub(crate) fn max_history() -> Option<String> {
    std::env::var(MAX_HISTORY).ok()
}

fn time_scale() -> Option<f64> {
    let factor = std::env::var(TIME_SCALE).ok()?.parse::<f64>().ok()?;
    (factor.is_finite() && factor > 0.0).then_some(factor)
}

/// How far the clock is made to be ahead.
pub(crate) fn clock_ahead() -> SignedDuration {
    let seconds = std::env::var(CLOCK_AHEAD).ok().and_then(|seconds| seconds.parse().ok());
    SignedDuration::from_secs(seconds.unwrap_or_default())
}

/// Starts the log on stderr: silent at level 0; requests from 6 on, as kubectl's levels go. No level shows headers or bodies, so no
/// credentials; and no library speaks, for kube logs whole answers that it cannot read.
pub(crate) fn start_logging(level: u8) {
    let directives = match level {
        0 => return,
        1..=5 => "kubectl_mizar=info",
        6..=8 => "kubectl_mizar=debug",
        _ => "kubectl_mizar=trace,rustls=debug,hyper_util=debug",
    };
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(directives)).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    // A second start in the same process (tests) keeps the first log.
    let _already_started = log.with_target(false).try_init();
}
