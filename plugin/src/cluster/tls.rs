//! Why a secure connection failed, in words. The TLS library's own are for developers.

use std::fmt;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// What is wrong with the certificate or the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsTrouble {
    /// Nobody we trust signed the certificate.
    UnknownAuthority,
    /// The certificate is too old.
    Expired,
    /// The certificate is too new.
    NotYetValid,
    /// The certificate is for other names: these.
    OtherName(Vec<String>),
    /// Who answers speaks no TLS.
    NoTls,
    /// The server wants a client certificate, or another one.
    ClientRefused,
    /// Anything else.
    Other(String),
}

impl fmt::Display for TlsTrouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => out.write_str("its certificate is signed by an unknown authority"),
            Self::Expired => out.write_str("its certificate has expired"),
            Self::NotYetValid => out.write_str("its certificate is not valid yet"),
            Self::OtherName(names) if names.is_empty() => out.write_str("its certificate is for another name"),
            Self::OtherName(names) => write!(out, "its certificate is for {}", names.join(", ")),
            Self::NoTls => out.write_str("it does not speak TLS"),
            Self::ClientRefused => out.write_str("it does not accept our client certificate, or wants one"),
            Self::Other(reason) => out.write_str(reason),
        }
    }
}

impl From<&Error> for TlsTrouble {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(reason) => from_certificate(reason),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NoTls,
            Error::AlertReceived(alert) => from_alert(*alert),
            Error::PeerIncompatible(_) => Self::Other("it has no TLS version or cipher in common with us".into()),
            Error::PeerMisbehaved(_) | Error::InvalidMessage(_) => Self::Other("it does not follow TLS".into()),
            other => Self::Other(other.to_string()),
        }
    }
}

fn from_certificate(reason: &CertificateError) -> TlsTrouble {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsTrouble::UnknownAuthority,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsTrouble::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsTrouble::NotYetValid,
        CertificateError::NotValidForName => TlsTrouble::OtherName(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsTrouble::OtherName(presented.iter().map(|name| bare_name(name)).collect())
        }
        CertificateError::Revoked => TlsTrouble::Other("its certificate was revoked".into()),
        CertificateError::BadEncoding => TlsTrouble::Other("its certificate cannot be read".into()),
        other => TlsTrouble::Other(format!("its certificate cannot be used ({other})")),
    }
}

/// `DnsName("api")` is `api`.
fn bare_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or(name, |(inner, _)| inner);
    inner.trim_matches('"').to_owned()
}

fn from_alert(alert: AlertDescription) -> TlsTrouble {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => TlsTrouble::ClientRefused,
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
            TlsTrouble::Other("it has no TLS version or cipher in common with us".into())
        }
        AlertDescription::UnrecognisedName => TlsTrouble::OtherName(Vec::new()),
        other => TlsTrouble::Other(format!("it ended the connection ({other:?})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_certificate() {
        assert_eq!(bare_name("DnsName(\"api.example.com\")"), "api.example.com");
        assert_eq!(bare_name("IpAddress(10.0.0.1)"), "10.0.0.1");
        assert_eq!(bare_name("plain"), "plain");
    }
}
