//! Keys and certificates of one control plane, made in memory and written to the bed's folder.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::layout::Layout;

/// Why the keys cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The library refused.
    #[error("cannot make the certificate {name}")]
    Certificate {
        /// Which.
        name: &'static str,
        /// Why.
        source: rcgen::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes `ca`, `server`, `front-proxy` (each `.crt` and `.key`) and `service-accounts` (`.key` and `.pub`); returns the authority's
/// certificate.
pub(crate) fn write(layout: &Layout) -> Result<String, PkiError> {
    let authority = authority().map_err(|source| PkiError::Certificate { name: "ca", source })?;
    let certificate = authority.pem();
    save(layout, "ca.crt", &certificate)?;
    save(layout, "ca.key", &authority.key().serialize_pem())?;

    let server_names = [
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))),
        dns("localhost"),
        dns("kubernetes.default.svc"),
    ];
    for (name, usage, names) in [
        ("server", ExtendedKeyUsagePurpose::ServerAuth, server_names.to_vec()),
        ("front-proxy", ExtendedKeyUsagePurpose::ClientAuth, Vec::new()),
    ] {
        let (certificate, key) =
            signed(&authority, name, usage, names).map_err(|source| PkiError::Certificate { name, source })?;
        save(layout, &format!("{name}.crt"), &certificate)?;
        save(layout, &format!("{name}.key"), &key)?;
    }

    let accounts = KeyPair::generate().map_err(|source| PkiError::Certificate { name: "service-accounts", source })?;
    save(layout, "service-accounts.key", &accounts.serialize_pem())?;
    save(layout, "service-accounts.pub", &accounts.public_key_pem())?;
    Ok(certificate)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "mizar-bed");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)
}

fn signed(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    names: Vec<SanType>,
) -> Result<(String, String), rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.subject_alt_names = names;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![usage];
    // Go's verifier wants to find the authority by its key.
    parameters.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = parameters.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn dns(name: &'static str) -> SanType {
    SanType::DnsName(name.try_into().expect("the names here are ASCII"))
}

fn save(layout: &Layout, file: &str, text: &str) -> Result<(), PkiError> {
    let path = layout.pki(file);
    fs::write(&path, text).map_err(|source| PkiError::Write { path, source })
}
