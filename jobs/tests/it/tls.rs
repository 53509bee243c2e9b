//! Redis behind TLS: one server, a cluster, a master behind a sentinel; and what is said when it cannot be.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use jobs::error::Error;
use jobs::job::{JobId, QueueName};
use jobs::queue::{Queues, RedisSettings, RedisTlsSettings};
use jobs::worker::WorkerSettings;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::json;
use tempfile::TempDir;

use crate::functions::Scripted;
use crate::support::nodes::{PASSWORD, PASSWORD_IN_URL, ServerNode, free_port, id_of};
use crate::support::{TestWorker, catalog_of, envelope, eventually};

/// Certificates in files, by an authority of this test.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("authority {}", JobId::new());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), certificate.pem()).unwrap();
        let authority = Self {
            folder,
            issuer: Issuer::new(params, key),
        };
        authority.issue("server", Some([127, 0, 0, 1]));
        authority.issue("client", None);
        authority
    }

    fn issue(&self, name: &str, address: Option<[u8; 4]>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
        if let Some(address) = address {
            params.subject_alt_names.push(SanType::IpAddress(address.into()));
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Beside the plain port, which the test itself uses.
    fn options(&self, tls_port: u16, more: &[&str]) -> Vec<String> {
        let file = |name: &str| self.file(name).display().to_string();
        let mut options = vec![
            "--tls-port".to_owned(),
            tls_port.to_string(),
            "--tls-cert-file".to_owned(),
            file("server.crt"),
            "--tls-key-file".to_owned(),
            file("server.key"),
            "--tls-ca-cert-file".to_owned(),
            file("ca.crt"),
        ];
        options.extend(more.iter().map(|option| (*option).to_owned()));
        options
    }

    fn server(&self, more: &[&str]) -> (ServerNode, u16) {
        let port = free_port();
        let options = self.options(port, more);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        (ServerNode::start(&options, PASSWORD), port)
    }

    /// What a client needs that trusts this authority and is known to it.
    fn settings(&self, url: String) -> RedisSettings {
        RedisSettings {
            url,
            tls: RedisTlsSettings {
                ca_file: Some(self.file("ca.crt")),
                certificate_file: Some(self.file("client.crt")),
                key_file: Some(self.file("client.key")),
            },
            timeout: Duration::from_secs(5),
            ..RedisSettings::default()
        }
    }
}

/// A worker with these settings runs a job.
async fn a_job_runs(redis: RedisSettings) {
    let queues = Queues::connect(&redis).await.unwrap();
    queues.ping().await.unwrap();
    let scripted = Scripted::default();
    let settings = WorkerSettings {
        redis,
        name: "test".to_owned(),
        ..WorkerSettings::default()
    };
    let worker = TestWorker::start(&catalog_of(scripted.clone()), settings);
    let queue = QueueName::standard();
    for runs in 1..=2 {
        queues
            .push(&queue, &[envelope("scripted", &json!({}))])
            .await
            .unwrap();
        eventually("it has run", async || scripted.runs() == runs).await;
    }
    assert_eq!(queues.workers(&queue).await.unwrap().len(), 1);
    worker.stop().await;
}

/// What somebody reads who uses these settings.
async fn refusal(redis: &RedisSettings) -> String {
    let queues = match Queues::connect(redis).await {
        Ok(queues) => queues,
        Err(error) => return error.to_string(),
    };
    let error = queues.ping().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let Error::Unavailable(cause) = error else {
        panic!("{error:?}")
    };
    cause.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_used_over_tls_with_a_client_certificate() {
    let authority = Authority::new();
    let (_server, port) = authority.server(&["--tls-auth-clients", "yes"]);
    let url = format!("rediss://:{PASSWORD_IN_URL}@127.0.0.1:{port}");
    a_job_runs(authority.settings(url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_used_over_tls_wherever_it_leads() {
    let authority = Authority::new();
    let cluster = || {
        authority.server(&[
            "--cluster-enabled",
            "yes",
            "--cluster-require-full-coverage",
            "no",
            "--tls-cluster",
            "yes",
            "--tls-replication",
            "yes",
        ])
    };
    let (first, first_port) = cluster();
    let (second, second_port) = cluster();
    // The standard queue is on the second one, which only the first one names.
    let slot: u64 = first.ask(&["CLUSTER", "KEYSLOT", "{default}"]).unwrap();
    second.tell(&["CLUSTER", "ADDSLOTS", &slot.to_string()]);
    let met = ["CLUSTER", "MEET", "127.0.0.1"];
    first.tell(&[&met[..], &[&second_port.to_string(), second.bus_port()]].concat());
    let id = id_of(&second);
    eventually("the first one knows who has the slot", async || {
        let nodes: String = first.ask(&["CLUSTER", "NODES"]).unwrap();
        nodes
            .lines()
            .any(|line| line.starts_with(&id) && line.contains(&format!(" {slot}")))
            && first.says(&["CLUSTER", "INFO"], "cluster_state:ok")
            && second.says(&["CLUSTER", "INFO"], "cluster_state:ok")
    })
    .await;
    let url = format!("rediss-cluster://:{PASSWORD_IN_URL}@127.0.0.1:{first_port}");
    a_job_runs(authority.settings(url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_behind_a_sentinel_is_used_over_tls() {
    let authority = Authority::new();
    let (_master, port) = authority.server(&["--tls-replication", "yes"]);
    let sentinel_port = free_port();
    let file = |name: &str| authority.file(name).display().to_string();
    let configuration = format!(
        "tls-port {sentinel_port}\ntls-replication yes\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n\
         sentinel monitor main 127.0.0.1 {port} 1\nsentinel auth-pass main {PASSWORD}\n",
        file("server.crt"),
        file("server.key"),
        file("ca.crt"),
    );
    let _sentinel = ServerNode::start_sentinel(&configuration, "");
    let url = format!("rediss-sentinel://:{PASSWORD_IN_URL}@127.0.0.1:{sentinel_port}/main");
    a_job_runs(authority.settings(url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_tls_from_working_is_named() {
    let authority = Authority::new();
    let (_server, port) = authority.server(&["--tls-auth-clients", "yes"]);
    let url = |host: &str| format!("rediss://:{PASSWORD_IN_URL}@{host}:{port}");
    let good = authority.settings(url("127.0.0.1"));

    let other = Authority::new();
    let mut settings = good.clone();
    settings.tls.ca_file = Some(other.file("ca.crt"));
    let text = refusal(&settings).await;
    assert!(text.contains("SPIRAL_REDIS_TLS_CA_FILE"), "{text}");
    settings.tls.ca_file = None;
    let text = refusal(&settings).await;
    assert!(text.contains("SPIRAL_REDIS_TLS_CA_FILE"), "{text}");

    settings = authority.settings(url("localhost"));
    let text = refusal(&settings).await;
    assert!(text.contains("certificate is for another name"), "{text}");

    settings = good.clone();
    settings.tls.certificate_file = None;
    settings.tls.key_file = None;
    let text = refusal(&settings).await;
    assert!(
        text.contains("client certificate") && text.contains("SPIRAL_REDIS_TLS_CERTIFICATE_FILE"),
        "{text}"
    );
    settings.tls = other.settings(String::new()).tls;
    settings.tls.ca_file = Some(authority.file("ca.crt"));
    let text = refusal(&settings).await;
    assert!(text.contains("refuses the certificate"), "{text}");

    // A key that belongs to another certificate is found before anything is sent.
    settings = good.clone();
    settings.tls.key_file = Some(authority.file("server.key"));
    let text = refusal(&settings).await;
    assert!(text.contains("SPIRAL_REDIS_TLS_KEY_FILE"), "{text}");
}

#[test]
fn a_worker_says_at_its_start_which_file_it_cannot_use() {
    let authority = Authority::new();
    std::fs::write(authority.file("empty"), "nothing").unwrap();
    let missing = authority.file("missing").display().to_string();
    let certificate = authority.file("client.crt").display().to_string();
    let key = authority.file("client.key").display().to_string();
    let empty = authority.file("empty").display().to_string();
    for (url, name, value, message) in [
        (
            "rediss://a",
            "SPIRAL_REDIS_TLS_CA_FILE",
            &missing,
            "cannot be read",
        ),
        (
            "rediss://a",
            "SPIRAL_REDIS_TLS_CA_FILE",
            &empty,
            "holds no certificate",
        ),
        (
            "rediss-cluster://a",
            "SPIRAL_REDIS_TLS_CERTIFICATE_FILE",
            &certificate,
            "needs its key",
        ),
        (
            "rediss-sentinel://a/b",
            "SPIRAL_REDIS_TLS_KEY_FILE",
            &key,
            "needs its certificate",
        ),
        ("redis://a", "SPIRAL_REDIS_TLS_CA_FILE", &missing, "without TLS"),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_worker"))
            .env_clear()
            .env("SPIRAL_REDIS_URL", url)
            .env(name, value)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let output = format!(
            "{}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
        assert!(!ended.status.success());
        assert!(
            output.contains("SPIRAL_REDIS_TLS_") && output.contains(message),
            "{name}: {output}"
        );
    }
}
