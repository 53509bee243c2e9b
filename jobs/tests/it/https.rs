//! `http_request` over TLS, from a worker process with certificate authorities of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::http_request::{Became, became};
use crate::support::{TestEnv, envelope};

/// A server for one certificate.
async fn serve(certified: &CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut client) = acceptor.accept(client).await else {
                continue;
            };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && client.read_buf(&mut request).await.unwrap() > 0 {}
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret";
            client.write_all(answer).await.unwrap();
            client.shutdown().await.ok();
        }
    });
    address
}

/// A worker process that trusts one certificate; dropping it kills it.
struct Worker(Child);

impl Worker {
    fn start(env: &TestEnv, trusted: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_worker"))
            .env_clear()
            .env("SPIRAL_REDIS_URL", &env.settings.redis.url)
            .env("SPIRAL_REDIS_PREFIX", &env.settings.redis.key_prefix)
            .env("SPIRAL_HTTP_ALLOW_PRIVATE", "true")
            .env("SSL_CERT_FILE", trusted)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_with_a_trusted_certificate_for_its_name_is_called() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    let trusted = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let unknown = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, trusted.cert.pem()).unwrap();
    let (trusted, unknown) = (serve(&trusted).await, serve(&unknown).await);
    let _worker = Worker::start(&env, &file);

    let mut ended = Vec::new();
    for (host, address) in [
        ("localhost", trusted),
        ("localhost", unknown),
        ("127.0.0.1", trusted),
    ] {
        let url = format!("https://{host}:{}/", address.port());
        let job = envelope("http_request", &json!({ "url": url }));
        env.push(std::slice::from_ref(&job)).await;
        watch
            .until(&url, |watch| {
                watch.finished().iter().any(|finished| finished.id == job.id)
            })
            .await;
        let finished = watch
            .finished()
            .into_iter()
            .find(|finished| finished.id == job.id);
        ended.push(became(&env, finished.unwrap().clone()).await);
    }
    let Became::Output(output) = &ended[0] else {
        panic!("no output: {:?}", ended[0]);
    };
    assert_eq!(output["body"], "secret");
    for (became, reason) in [
        (&ended[1], "invalid peer certificate: "),
        (&ended[2], "certificate not valid for name"),
    ] {
        let Became::Retry(_, message) = became else {
            panic!("no retry: {became:?}");
        };
        assert!(
            message.contains("could not connect: ") && message.contains(reason),
            "{message}"
        );
    }
}
