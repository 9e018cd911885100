//! What a person is told when something fails: kind, message, causes, hints. And the exit codes.

use std::fmt;
use std::process::ExitCode;

use mizar_core::chart::{ChartError, RenderError, ValuesError};
use mizar_core::kubeconfig::ChooseError;
use mizar_core::operation::Outcome;

use crate::cluster::connect::ConnectError;
use crate::cluster::{ApiFailure, Cause, TlsTrouble};

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

/// The exit code of `diff` when something would change, which is no failure.
pub(crate) const CHANGES_FOUND: u8 = 10;

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

    /// Adds what to do, line by line, or else what is always worth a look.
    #[must_use]
    fn hints_or(mut self, lines: Option<&str>, otherwise: &str) -> Self {
        let lines = lines.unwrap_or(otherwise).lines().map(str::trim).filter(|line| !line.is_empty());
        self.hints.extend(lines.map(ToOwned::to_owned));
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
            ConnectError::Choose(ChooseError::NoContext { .. } | ChooseError::NoCurrentContext { .. }) => {
                failure.hint("see them: kubectl config get-contexts")
            }
            ConnectError::Choose(ChooseError::NotThere { flag: "--user", .. }) => {
                failure.hint("see them: kubectl config get-users")
            }
            ConnectError::Choose(ChooseError::NotThere { .. }) => failure.hint("see them: kubectl config get-clusters"),
            ConnectError::Choose(ChooseError::Usage(_)) => Self { kind: Kind::Usage, ..failure },
            ConnectError::Choose(ChooseError::Wrong(wrong)) | ConnectError::Wrong(wrong) => {
                failure.hints_or(wrong.hint.as_deref(), "see what kubectl makes of it: kubectl config view")
            }
            ConnectError::BadFile { .. } | ConnectError::Client(_) => {
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
            Cause::ConnectionRefused => {
                let host = server.split_once("://").map_or(server.as_str(), |(_, host)| host);
                let message = format!(
                    "The connection to the server {host} was refused - did you specify the right host or port?"
                );
                Self::new(Kind::Unreachable, message)
                    .hint("is this the right cluster? kubectl config current-context")
                    .hint("does it answer? kubectl get --raw /readyz")
            }
            Cause::Tls(trouble) => Self::new(Kind::Unreachable, format!("no secure connection to {server}: {trouble}"))
                .hint(tls_hint(trouble)),
            Cause::Unauthorized => Self::new(
                Kind::Unreachable,
                format!("You must be logged in to the server (Unauthorized): {server} does not accept the credentials"),
            )
            .hint("the token may have expired: log in again, then try: kubectl auth whoami"),
            Cause::Credentials { message, hint } => {
                Self::new(Kind::Unreachable, message.clone()).hints_or(hint.as_deref(), "try: kubectl auth whoami")
            }
            Cause::Redirect { to, .. } => Self::new(Kind::Unreachable, error.to_string())
                .hint(format!("is {to} the right address? name it: --server URL")),
            Cause::Garbled(_) | Cause::TooLarge { .. } => Self::new(Kind::Unreachable, error.to_string())
                .hint(format!("is {server} a Kubernetes API server, and no proxy before it at fault? kubectl version")),
            Cause::Forbidden(_) => {
                Self::new(Kind::Unreachable, error.to_string()).hint("see what you may do: kubectl auth can-i --list")
            }
            Cause::TimedOut { .. } | Cause::Lost(_) | Cause::Busy { .. } => {
                Self::new(Kind::Unreachable, format!("{error}; the server is {server}"))
                    .hint("does the server answer? kubectl get --raw /readyz")
            }
            Cause::NotKubernetes { status, start } if *status == 0 || start.contains("HTTPS server") => {
                let other = match server.split_once("://") {
                    Some(("http", host)) => format!("https://{host}"),
                    Some((_, host)) => format!("http://{host}"),
                    None => server.clone(),
                };
                Self::new(Kind::Unreachable, error.to_string())
                    .hint(format!("does it speak another scheme? --server {other}"))
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
            Cause::NotAdmitted { rule, .. } => Self::new(Kind::Refused, error.to_string()).hint(rule.hint()),
            Cause::Refused(_) | Cause::Broken(_) => Self::new(Kind::Bug, error.to_string()),
            _ => Self::new(Kind::Failed, error.to_string()),
        }
    }
}

fn tls_hint(trouble: &TlsTrouble) -> String {
    match trouble {
        TlsTrouble::OtherName(names) => {
            let name = names.first().map_or("NAME", String::as_str);
            format!("is it the right server? then name it as its certificate does: --tls-server-name {name}")
        }
        TlsTrouble::Expired => "have the certificate renewed; is the clock of this machine right? date".to_owned(),
        TlsTrouble::NotYetValid => "is the clock of this machine right? date".to_owned(),
        TlsTrouble::NoTls => "does it speak plain http, or is this the port of something else?".to_owned(),
        TlsTrouble::ClientRefused => {
            "check client-certificate in the kubeconfig, or name yours: --client-certificate FILE --client-key FILE"
                .to_owned()
        }
        TlsTrouble::UnknownAuthority | TlsTrouble::Other(_) => {
            "check certificate-authority in the kubeconfig, or name it: --certificate-authority FILE".to_owned()
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
        match error {
            ValuesError::Schema { .. } => {
                failure.hint("see all values and where they come from: kubectl mizar values --show-origin")
            }
            ValuesError::Set(error) => failure.hint(format!("write it like this: {}", error.flag.example())),
            ValuesError::File(_) => failure.hint("see how a values file is written: kubectl mizar values"),
            ValuesError::UnknownProfile { profile, .. } => {
                failure.hint(format!("a profile is a file of the chart: values-{profile}.yaml"))
            }
        }
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
