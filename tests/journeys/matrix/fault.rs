//! What can befall a request, and where.

use std::fmt;
use std::str::FromStr;

/// What befalls the program or a request at one point of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// SIGKILL before the request reaches the server.
    KillBefore,
    /// SIGKILL after the server has carried it out, before the answer.
    KillAfter,
    /// The server has carried it out; the connection is cut before the answer.
    Lost,
    /// The connection is cut before the server hears of it.
    Reset,
    /// 429 with Retry-After.
    TooMany,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// 504.
    GatewayTimeout,
    /// A watch whose connection is cut.
    WatchCut,
    /// A watch that is refused with 410.
    WatchGone,
    /// A watch that is accepted and then says 410.
    WatchExpired,
    /// A watch that says nothing, and does not end either.
    WatchSilent,
    /// The request stands still for 30 s, and arrives all the same.
    Stall,
    /// The API server is killed and started anew.
    ServerRestart,
    /// etcd stands still for 30 s.
    StoreStopped,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-C twice, while the request is not answered.
    InterruptTwice,
    /// SIGSTOP until the claim has run out, another run takes over and ends, SIGCONT.
    Stale,
}

/// Where a fault belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At every write.
    Write,
    /// Once per kind of write.
    KindOfWrite,
    /// Once per kind of read.
    Read,
    /// Once per kind of watch.
    Watch,
    /// Once per stage.
    Stage,
    /// Once per phase of the program, which has several stages.
    Phase,
}

impl Fault {
    /// All, the most harmful first.
    pub(crate) const ALL: [Self; 18] = [
        Self::KillBefore,
        Self::KillAfter,
        Self::Lost,
        Self::Reset,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::WatchCut,
        Self::WatchGone,
        Self::WatchExpired,
        Self::WatchSilent,
        Self::Interrupt,
        Self::InterruptTwice,
        Self::Stale,
        Self::Stall,
        Self::ServerRestart,
        Self::StoreStopped,
    ];

    /// The places where it is tried.
    pub(crate) fn places(self) -> &'static [Place] {
        match self {
            Self::KillAfter => &[Place::Write],
            Self::KillBefore
            | Self::Lost
            | Self::Reset
            | Self::TooMany
            | Self::Internal
            | Self::Unavailable
            | Self::GatewayTimeout => &[Place::Write, Place::Read],
            Self::WatchCut | Self::WatchGone | Self::WatchExpired | Self::WatchSilent => &[Place::Watch],
            Self::Stall
            | Self::ServerRestart
            | Self::StoreStopped
            | Self::Interrupt
            | Self::InterruptTwice
            | Self::Stale => &[Place::Stage],
        }
    }

    /// The same for a long command, whose requests are many and alike. What the one layer through which all requests go deals
    /// with, whoever asks, is tried once per kind of request; what comes from outside, once per phase.
    pub(crate) fn places_in_long_runs(self) -> &'static [Place] {
        match self {
            Self::KillBefore | Self::KillAfter => &[Place::Write],
            Self::Lost | Self::Internal => &[Place::KindOfWrite, Place::Read],
            Self::Reset | Self::TooMany | Self::Unavailable | Self::GatewayTimeout => &[Place::KindOfWrite],
            Self::Stall | Self::ServerRestart | Self::StoreStopped | Self::InterruptTwice => &[Place::Phase],
            Self::Interrupt
            | Self::Stale
            | Self::WatchCut
            | Self::WatchGone
            | Self::WatchExpired
            | Self::WatchSilent => self.places(),
        }
    }

    /// As it is typed.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::KillBefore => "kill-before",
            Self::KillAfter => "kill-after",
            Self::Lost => "lost-reply",
            Self::Reset => "reset",
            Self::TooMany => "429",
            Self::Internal => "500",
            Self::Unavailable => "503",
            Self::GatewayTimeout => "504",
            Self::WatchCut => "watch-cut",
            Self::WatchGone => "watch-410",
            Self::WatchExpired => "watch-expired",
            Self::WatchSilent => "watch-silent",
            Self::Stall => "stall-30s",
            Self::ServerRestart => "server-restart",
            Self::StoreStopped => "etcd-stopped-30s",
            Self::Interrupt => "ctrl-c",
            Self::InterruptTwice => "ctrl-c-twice",
            Self::Stale => "stale-holder",
        }
    }

    /// Whether the program is killed by it.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.id())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::id).join(", ");
        Self::ALL
            .into_iter()
            .find(|fault| fault.id() == text)
            .ok_or_else(|| format!("no fault {text}; there are: {}", known()))
    }
}
