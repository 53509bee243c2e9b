//! The HTTP client: TLS, connections and what went wrong with them. It follows no redirect and reads no body.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::guard::{Guard, LookUp, Refused, Rule};
use super::hop::Hop;
use crate::error::chain;
use crate::function::JobError;

/// The largest head of an answer that is read, in bytes.
const HEAD_MAX: usize = 64 * 1_024;

/// How long a connection that nobody uses is kept for the next call of the same host.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Client(legacy::Client<HttpsConnector<Guard>, Full<Bytes>>);

impl Client {
    /// Reads the certificate authorities that this machine trusts, which takes some milliseconds.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(super) fn new(look_up: LookUp, rule: Rule) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities())
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Guard::new(look_up, rule));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD_MAX)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends one request and gives the head of its answer, whatever its status; the body is yet to be read.
    ///
    /// # Errors
    /// No answer: [`JobError::Fatal`] when the address may not be called, else [`JobError::Retry`].
    pub(super) async fn send(&self, hop: &Hop) -> Result<Response<Incoming>, JobError> {
        let request = hop
            .request()
            .map_err(|error| JobError::fatal(format!("{} cannot be sent: {}", hop.shown(), chain(&error))))?;
        self.0
            .request(request)
            .await
            .map_err(|error| no_answer(hop, &error))
    }
}

/// The certificate authorities of this machine (or of `SSL_CERT_FILE` and `SSL_CERT_DIR`); Mozilla's list where it
/// has none, as in small images.
fn authorities() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificate authorities could not be read");
    }
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(found.certs);
    if authorities.is_empty() {
        authorities.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    authorities
}

fn no_answer(hop: &Hop, error: &legacy::Error) -> JobError {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return JobError::fatal(format!(
                "{} was not sent: {refused}, and only addresses of the public internet may be called (unless the \
                 workers run with SPIRAL_HTTP_ALLOW_PRIVATE=true)",
                hop.shown()
            ));
        }
        cause = error.source();
    }
    let what = if error.is_connect() {
        "could not connect"
    } else {
        "got no answer"
    };
    // The library's own message adds nothing to that.
    let why = error.source().map_or_else(|| error.to_string(), chain);
    JobError::retry(format!("{} {what}: {why}", hop.shown()))
}
