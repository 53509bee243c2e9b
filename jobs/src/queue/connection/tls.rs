//! TLS to Redis: whom to trust and what to show, read from files once, when the connection is made ready.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apalis_redis::RedisError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{Client, ClientTlsConfig, ConnectionAddr, TlsCertificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, RootCertStore};

/// The files of TLS connections to Redis. Without any, the authorities of this machine are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTlsSettings {
    /// Certificates of the authorities that are trusted, and no others.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this process shows, and those between it and its authority.
    pub certificate_file: Option<PathBuf>,
    /// The private key of that certificate.
    pub key_file: Option<PathBuf>,
}

pub(crate) const CA_FILE: &str = "SPIRAL_REDIS_TLS_CA_FILE";
pub(crate) const CERTIFICATE_FILE: &str = "SPIRAL_REDIS_TLS_CERTIFICATE_FILE";
pub(crate) const KEY_FILE: &str = "SPIRAL_REDIS_TLS_KEY_FILE";

/// What was read from the files.
pub(super) struct Tls {
    pub(super) certificates: TlsCertificates,
    /// An address with them, whose host and port mean nothing.
    pub(super) like: ConnectionAddr,
}

/// A setting that cannot be used, and why.
pub(super) struct BadFile {
    pub(super) setting: &'static str,
    pub(super) message: String,
}

impl RedisTlsSettings {
    /// Whether any of them is set, which makes sense with TLS alone.
    pub(super) fn first_set(&self) -> Option<&'static str> {
        let set = [
            (self.ca_file.is_some(), CA_FILE),
            (self.certificate_file.is_some(), CERTIFICATE_FILE),
            (self.key_file.is_some(), KEY_FILE),
        ];
        set.into_iter().find_map(|(is_set, name)| is_set.then_some(name))
    }

    /// Reads the files.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub(super) fn load(&self) -> Result<Tls, BadFile> {
        let roots = match &self.ca_file {
            Some(file) => authorities_of(file)?,
            None => authorities_of_this_machine(),
        };
        let client_tls = match (&self.certificate_file, &self.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
            (Some(_), None) => {
                return Err(bad(
                    KEY_FILE,
                    "is missing: the certificate needs its key".to_owned(),
                ));
            }
            (None, Some(_)) => {
                return Err(bad(
                    CERTIFICATE_FILE,
                    "is missing: the key needs its certificate".to_owned(),
                ));
            }
        };
        let certificates = TlsCertificates {
            client_tls,
            root_cert: Some(roots),
        };
        let client = Client::build_with_tls("rediss://localhost", certificates.clone())
            .map_err(|error| bad(CA_FILE, format!("TLS cannot be set up: {error}")))?;
        Ok(Tls {
            certificates,
            like: client.get_connection_info().addr().clone(),
        })
    }
}

fn bad(setting: &'static str, message: String) -> BadFile {
    BadFile { setting, message }
}

fn read(setting: &'static str, file: &Path) -> Result<Vec<u8>, BadFile> {
    std::fs::read(file).map_err(|error| {
        let file = file.display();
        bad(setting, format!("the file {file} cannot be read: {error}"))
    })
}

/// The certificates in a file.
fn certificates(
    setting: &'static str,
    file: &Path,
) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), BadFile> {
    let text = read(setting, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let shown = file.display();
    match found {
        Ok(found) if found.is_empty() => Err(bad(
            setting,
            format!("the file {shown} holds no certificate in PEM form"),
        )),
        Ok(found) => Ok((text, found)),
        Err(error) => Err(bad(setting, format!("the file {shown} is damaged: {error}"))),
    }
}

fn authorities_of(file: &Path) -> Result<Vec<u8>, BadFile> {
    let (text, found) = certificates(CA_FILE, file)?;
    let mut store = RootCertStore::empty();
    for certificate in found {
        store.add(certificate).map_err(|error| {
            let file = file.display();
            bad(
                CA_FILE,
                format!("a certificate in {file} cannot be used: {error}"),
            )
        })?;
    }
    Ok(text)
}

fn identity(certificate: &Path, key: &Path) -> Result<ClientTlsConfig, BadFile> {
    let (client_cert, chain) = certificates(CERTIFICATE_FILE, certificate)?;
    let client_key = read(KEY_FILE, key)?;
    let parsed = PrivateKeyDer::from_pem_slice(&client_key).map_err(|error| {
        let key = key.display();
        bad(
            KEY_FILE,
            format!("the file {key} holds no private key in PEM form: {error}"),
        )
    })?;
    // Also finds a key that belongs to another certificate.
    rustls::sign::CertifiedKey::from_der(chain, parsed, &rustls::crypto::ring::default_provider()).map_err(
        |error| {
            bad(
                KEY_FILE,
                format!("the key and the certificate do not fit: {error}"),
            )
        },
    )?;
    Ok(ClientTlsConfig {
        client_cert,
        client_key,
    })
}

/// The certificate authorities of this machine (or of `SSL_CERT_FILE` and `SSL_CERT_DIR`) in PEM form; Mozilla's list,
/// which the client falls back to by itself, is not asked for when there are some.
fn authorities_of_this_machine() -> Vec<u8> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificate authorities could not be read");
    }
    let mut pem = String::new();
    for certificate in found.certs {
        // One that cannot be read would make all the others useless.
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            pem.push_str(&STANDARD.encode(&certificate));
            pem.push_str("\n-----END CERTIFICATE-----\n");
        }
    }
    pem.into_bytes()
}

/// An address like another one, at this host and port.
pub(super) fn at(like: &ConnectionAddr, host: &str, port: u16) -> ConnectionAddr {
    let host = host.to_owned();
    if let ConnectionAddr::TcpTls {
        insecure, tls_params, ..
    } = like
    {
        return ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        };
    }
    ConnectionAddr::Tcp(host, port)
}

/// What a failed handshake means for an operator. `None` when TLS is not to blame.
fn explain(error: &io::Error) -> Option<String> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let found = loop {
        let inner = cause?;
        if let Some(found) = inner.downcast_ref::<rustls::Error>() {
            break found;
        }
        // The cause of an I/O error leaves out what that one is made of.
        cause = match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(made_of) => Some(made_of),
            None => inner.source(),
        };
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's own list of errors grows"
    )]
    let what_to_do = match found {
        // A bad signature: an authority of the same name as one that is trusted.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => format!(
            "its certificate is signed by an authority that is not trusted here; name yours in {CA_FILE}"
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("its certificate is for another name ({found})"),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("it asks for a client certificate; name one in {CERTIFICATE_FILE} and {KEY_FILE}")
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError,
        ) => format!("it refuses the certificate of {CERTIFICATE_FILE} ({found})"),
        other => other.to_string(),
    };
    Some(format!("TLS with Redis failed: {what_to_do}"))
}

/// The error with what it means, if TLS is to blame.
pub(super) fn explained(error: RedisError) -> RedisError {
    let inner = error
        .source()
        .and_then(<dyn Error>::downcast_ref::<Arc<dyn Error + Send + Sync>>);
    let io = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    match io.and_then(|io| Some((io.kind(), explain(io)?))) {
        Some((kind, text)) => io::Error::new(kind, text).into(),
        None => error,
    }
}
