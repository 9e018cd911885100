//! What a person is told when something fails: kind, message, causes, hints. And the exit codes.

use std::fmt;
use std::process::ExitCode;

use mizar_core::chart::{ChartError, RenderError, ValuesError};
use mizar_core::operation::Outcome;

use crate::cluster::connect::ConnectError;
use crate::cluster::{ApiFailure, Cause};

/// Why a command did not do what was asked; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It failed; values, schema and template errors too; `check` with a Fail.
    Failed,
    /// Wrong flags.
    Usage,
    /// A change refused by preflight or policy; nothing was changed.
    Refused,
    /// The cluster cannot be reached, or access is denied.
    Unreachable,
    /// A change was begun and did not end.
    PartlyApplied,
    /// Time ran out.
    TimedOut,
    /// A bug of ours.
    Bug,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The public exit code (docs/exit-codes.md).
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::PartlyApplied => 5,
            Self::TimedOut => 6,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

impl Kind {
    /// How a change that ended this way is recorded.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::TimedOut => Outcome::TimedOut,
            Self::Interrupted => Outcome::Interrupted,
            Self::PartlyApplied => Outcome::PartlyApplied,
            Self::Refused | Self::Usage | Self::Failed | Self::Unreachable | Self::Bug => Outcome::Failed,
        }
    }
}

impl From<Kind> for ExitCode {
    fn from(kind: Kind) -> Self {
        Self::from(kind.code())
    }
}

/// A failure as it is shown: `error:` line, further lines, `hint:` lines.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// One line: what failed.
    pub message: String,
    /// Further lines: causes, or each of many problems.
    pub details: Vec<String>,
    /// Commands to type or places to look.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with a message only.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// Adds a further line.
    #[must_use]
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, line: impl Into<String>) -> Self {
        self.hints.push(line.into());
        self
    }

    /// Adds what else failed; the kind, and so the exit code, stays.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.details.push(other.message);
        self.details.extend(other.details);
        for hint in other.hints {
            if !self.hints.contains(&hint) {
                self.hints.push(hint);
            }
        }
        self
    }

    /// The same failure after something was changed already.
    #[must_use]
    pub(crate) fn after_changes(mut self) -> Self {
        if !matches!(self.kind, Kind::TimedOut | Kind::Interrupted | Kind::Bug) {
            self.kind = Kind::PartlyApplied;
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        for detail in &self.details {
            write!(out, "\n  {detail}")?;
        }
        Ok(())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let failure = Self::new(Kind::Unreachable, error.to_string());
        match error {
            ConnectError::NoKubeconfig { .. } => failure.hint("name one: --kubeconfig FILE, or set KUBECONFIG"),
            ConnectError::NoContext { .. } | ConnectError::NoCurrentContext { .. } => {
                failure.hint("see them: kubectl config get-contexts")
            }
            ConnectError::BadToken { .. } => failure.hint("log in again, or copy the token without line breaks"),
            ConnectError::BadServer { .. } => failure.hint("write it like https://HOST:PORT"),
            ConnectError::BadFile { .. } | ConnectError::Kubeconfig(_) | ConnectError::Client(_) => {
                failure.hint("see what kubectl makes of it: kubectl config view")
            }
        }
    }
}

impl From<ApiFailure> for Failure {
    fn from(error: ApiFailure) -> Self {
        let server = &error.server;
        match &error.cause {
            Cause::Unreachable(reason) => {
                Self::new(Kind::Unreachable, format!("the server {server} cannot be reached: {reason}"))
                    .hint("is this the right cluster? kubectl config current-context")
                    .hint("does it answer? kubectl get --raw /readyz")
            }
            Cause::Tls(reason) => Self::new(Kind::Unreachable, format!("no secure connection to {server}: {reason}"))
                .hint("check certificate-authority in the kubeconfig, or name it: --certificate-authority FILE"),
            Cause::Unauthorized => Self::new(
                Kind::Unreachable,
                format!("you must be logged in to {server}: it does not accept the credentials"),
            )
            .hint("the token may have expired: log in again, then try: kubectl auth whoami"),
            Cause::Credentials(_) => Self::new(Kind::Unreachable, error.to_string()).hint("try: kubectl auth whoami"),
            Cause::Forbidden(_) => {
                Self::new(Kind::Unreachable, error.to_string()).hint("see what you may do: kubectl auth can-i --list")
            }
            Cause::TimedOut { .. } | Cause::Lost(_) | Cause::Busy { .. } => {
                Self::new(Kind::Unreachable, format!("{error}; the server is {server}"))
                    .hint("does the server answer? kubectl get --raw /readyz")
            }
            Cause::Server { .. } => Self::new(Kind::Failed, error.to_string())
                .hint("is the server well? kubectl get --raw '/readyz?verbose'")
                .hint("when it is, run the same command again"),
            Cause::NotKubernetes { .. } => Self::new(Kind::Unreachable, error.to_string())
                .hint(format!("is {server} a Kubernetes API server, or a proxy or log-in page?")),
            Cause::Conflict { fields, .. } if !fields.is_empty() => {
                let mut failure =
                    Self::new(Kind::Refused, format!("cannot {}: other managers own fields of it", error.what));
                for conflict in fields {
                    failure = failure.detail(format!("{} is owned by {}", conflict.field, conflict.manager));
                }
                failure.hint("undo that change, or have its owner release the field, then run this command again")
            }
            Cause::Refused(_) | Cause::Broken(_) => Self::new(Kind::Bug, error.to_string()),
            _ => Self::new(Kind::Failed, error.to_string()),
        }
    }
}

impl From<ChartError> for Failure {
    fn from(error: ChartError) -> Self {
        Self::new(Kind::Failed, error.to_string())
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        Self::new(Kind::Failed, error.to_string())
    }
}

impl From<ValuesError> for Failure {
    fn from(error: ValuesError) -> Self {
        let failure = Self::new(Kind::Failed, error.to_string());
        if !matches!(error, ValuesError::Schema { .. }) {
            return failure;
        }
        failure.hint("see all values and where they come from: kubectl mizar values --show-origin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_else_failed_is_told_and_the_exit_code_is_that_of_the_first() {
        let late = Failure::new(Kind::TimedOut, "late").detail("a").hint("look");
        let both = late.and(Failure::new(Kind::Failed, "unhealed").detail("b").hint("look").hint("repair"));
        assert_eq!((both.kind.code(), both.message.as_str()), (6, "late"));
        assert_eq!(
            (both.details, both.hints),
            (vec!["a".into(), "unhealed".into(), "b".into()], vec!["look".into(), "repair".into()])
        );
    }
}
