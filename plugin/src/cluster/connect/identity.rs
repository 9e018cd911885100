//! Certificates and keys: read, checked, and handed on. What cannot be used is named by field; a key is never shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::AuthInfo;
use mizar_core::kubeconfig::{Material, Said, User, Wrong};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret as _, SecretString};

use super::files::bounded;

/// Bundles of authorities are large; nothing here is larger.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// A client certificate and its key, in PEM.
#[derive(Clone)]
pub(super) struct Identity {
    certificates: String,
    key: SecretString,
}

impl Identity {
    /// Puts the identity where kube looks for it.
    pub(super) fn put_into(&self, user: &mut AuthInfo) {
        user.client_certificate_data = Some(STANDARD.encode(&self.certificates));
        user.client_key_data = Some(STANDARD.encode(self.key.expose_secret()).into());
    }

    /// Certificate and key, if they can be used and belong together. `wrong` says which of both is meant by a message.
    pub(super) fn new(
        certificates: &[u8],
        key: &[u8],
        wrong: impl Fn(Part, &'static str) -> Wrong,
    ) -> Result<Self, Wrong> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong(Part::Certificate, "is no PEM that can be read"))?;
        if chain.is_empty() {
            return Err(wrong(Part::Certificate, "holds no certificate in PEM form"));
        }
        if is_encrypted(key) {
            return Err(wrong(Part::Key, "is encrypted; neither kubectl nor this plugin can ask for its password"));
        }
        let der =
            PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong(Part::Key, "holds no private key in PEM form"))?;
        let signing = rustls::crypto::ring::default_provider()
            .key_provider
            .load_private_key(der.clone_key())
            .map_err(|_| wrong(Part::Key, "holds a private key of a kind that cannot be used"))?;
        let pair = CertifiedKey::new(chain, signing);
        match pair.keys_match() {
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                return Err(wrong(Part::Key, "is not the key of the client certificate"));
            }
            Err(rustls::Error::InvalidCertificate(_)) => {
                return Err(wrong(Part::Certificate, "holds a certificate that cannot be read"));
            }
            _ => {}
        }
        // Written anew: between the blocks may stand what kube takes offence at and others do not, such as EC parameters.
        let certificates = pair.cert.iter().map(|one| pem("CERTIFICATE", one)).collect();
        let label = match &der {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        Ok(Self { certificates, key: pem(label, der.secret_der()).into() })
    }
}

/// Which half of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The certificate.
    Certificate,
    /// The key.
    Key,
}

/// The client certificate of a user, if there is one.
pub(super) fn of_user(user: &User) -> Result<Option<Identity>, Wrong> {
    let (certificate, key) = match (&user.certificate, &user.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(certificate), None) => {
            return Err(Wrong::new(certificate.origin.clone(), "has no key: client-key is missing")
                .hint("name it: --client-key FILE, or client-key in the kubeconfig"));
        }
        (None, Some(key)) => {
            return Err(Wrong::new(key.origin.clone(), "has no certificate: client-certificate is missing")
                .hint("name it: --client-certificate FILE, or client-certificate in the kubeconfig"));
        }
    };
    let wrong = |part: Part, message: &'static str| {
        let said = if part == Part::Key { key } else { certificate };
        Wrong::new(said.origin.clone(), message)
    };
    Identity::new(&bytes(certificate)?, &bytes(key)?, wrong).map(Some)
}

/// The authorities that may sign a server's certificate. Like Go, passes over those that cannot be read as long as one can.
pub(super) fn authorities(said: &Said<Material>) -> Result<Vec<Vec<u8>>, Wrong> {
    let bytes = bytes(said)?;
    let wrong = |message| Wrong::new(said.origin.clone(), message);
    let mut store = RootCertStore::empty();
    let usable: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .filter(|one| store.add(one.clone()).is_ok())
        .map(|one| one.to_vec())
        .collect();
    if usable.is_empty() {
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        return Err(wrong(if empty { "is empty" } else { "holds no certificate in PEM form" }));
    }
    Ok(usable)
}

/// The name that the server's certificate must have.
pub(super) fn server_name(said: Option<&Said<String>>) -> Result<Option<String>, Wrong> {
    let Some(said) = said else { return Ok(None) };
    match ServerName::try_from(said.what.clone()) {
        Ok(_) => Ok(Some(said.what.clone())),
        Err(_) => Err(Wrong::new(said.origin.clone(), "is no host name")),
    }
}

/// The PEM text, from a file or from base64.
fn bytes(said: &Said<Material>) -> Result<Vec<u8>, Wrong> {
    let wrong = |message: String| Wrong::new(said.origin.clone(), message);
    match &said.what {
        Material::File(path) => {
            bounded(path, FILE_LIMIT).map_err(|reason| wrong(format!("cannot read {}: {reason}", path.display())))
        }
        Material::Data(data) => {
            let compact: String = data.expose_secret().split_ascii_whitespace().collect();
            STANDARD.decode(compact).map_err(|_| wrong("is no base64".to_owned()))
        }
    }
}

fn is_encrypted(key: &[u8]) -> bool {
    let text = String::from_utf8_lossy(key);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        text.extend([line, "\n"]);
        rest = next;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}
