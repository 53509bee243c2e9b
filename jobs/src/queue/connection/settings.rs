//! Where Redis is and how it is used: read from the environment, checked before anything starts.

use std::path::PathBuf;
use std::time::Duration;

use super::address::{Address, with_password};
use super::tls::{CA_FILE, CERTIFICATE_FILE, KEY_FILE, RedisTlsSettings};
use crate::settings::{Lookup, Problem, Reader};

/// Where Redis is and how long to wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// `redis://[:password@]host:port/db`, `unix:///path`, `redis-cluster://host:port,host:port` or
    /// `redis-sentinel://host:port,host:port/master`; with TLS `rediss`, `rediss-cluster` and `rediss-sentinel`.
    pub url: String,
    /// For addresses with TLS alone.
    pub tls: RedisTlsSettings,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// What every key begins with.
    pub key_prefix: String,
    /// How long an output is kept after its job finished.
    pub result_ttl: Duration,
    /// Bytes that the memo of one function may hold.
    pub memo_max_bytes: u64,
    /// Bytes of inputs and outputs that go to or come from Redis in one call, about; one job is always allowed.
    pub call_bytes: usize,
    /// Jobs that wait longer than this for their time are kept by SQL alone, and come back into Redis in time.
    pub horizon: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            tls: RedisTlsSettings::default(),
            timeout: Duration::from_secs(3),
            key_prefix: "spiral".to_owned(),
            result_ttl: Duration::from_hours(24),
            memo_max_bytes: 256 << 20,
            call_bytes: 1 << 20,
            horizon: Duration::from_mins(1),
        }
    }
}

impl RedisSettings {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let url = reader
            .optional("SPIRAL_REDIS_URL")
            .or_else(|| reader.optional("REDIS_URL"));
        let mut url = url.unwrap_or(default.url);
        if let Some(password) = reader.secret("SPIRAL_REDIS_PASSWORD", "SPIRAL_REDIS_PASSWORD_FILE") {
            match with_password(&url, &password) {
                Ok(whole) => url = whole,
                Err(reason) => reader.problem("SPIRAL_REDIS_PASSWORD", reason.to_owned()),
            }
        }
        let tls = RedisTlsSettings {
            ca_file: reader.optional(CA_FILE).map(PathBuf::from),
            certificate_file: reader.optional(CERTIFICATE_FILE).map(PathBuf::from),
            key_file: reader.optional(KEY_FILE).map(PathBuf::from),
        };
        let settings = Self {
            url,
            tls,
            timeout: reader.duration("SPIRAL_REDIS_TIMEOUT", default.timeout),
            key_prefix: reader.text("SPIRAL_REDIS_PREFIX", &default.key_prefix),
            result_ttl: reader.duration("SPIRAL_RESULT_TTL", default.result_ttl),
            memo_max_bytes: reader.number("SPIRAL_MEMO_MAX_BYTES", default.memo_max_bytes, 0..=1 << 40),
            call_bytes: usize::try_from(reader.number(
                "SPIRAL_REDIS_CALL_BYTES",
                default.call_bytes as u64,
                (64 << 10)..=(256 << 20),
            ))
            .unwrap_or(default.call_bytes),
            horizon: reader.duration("SPIRAL_DISPATCH_HORIZON", default.horizon),
        };
        match Address::parse(&settings.url) {
            Err(reason) => reader.problem("SPIRAL_REDIS_URL", format!("is no Redis address ({reason})")),
            Ok(address) if address.is_tls() => {
                if let Err(bad) = settings.tls.load() {
                    reader.problem(bad.setting, bad.message);
                }
            }
            Ok(_) => {
                if let Some(name) = settings.tls.first_set() {
                    let message =
                        "is set, but the address of Redis is one without TLS: write rediss:// for it";
                    reader.problem(name, message.to_owned());
                }
            }
        }
        if settings.timeout.is_zero() {
            reader.problem("SPIRAL_REDIS_TIMEOUT", "must be longer than nothing".to_owned());
        }
        if settings.horizon < Duration::from_secs(10) {
            let message = "must be at least 10s, or a job may come back into Redis after its time";
            reader.problem("SPIRAL_DISPATCH_HORIZON", message.to_owned());
        }
        reader.finish(settings)
    }
}
