//! Calls a function: checks the input, records the job and, when the caller waits, returns its outcome.

use std::time::Duration;

use jobs::catalog::CatalogEntry;
use jobs::job::JobId;
use jobs::json::{Json, Object};
use salvo::Request;
use salvo::http::HeaderMap;
use tokio::time::Instant;

use super::options::CallOptions;
use crate::db::jobs::{Idempotency, Job, NewJob};
use crate::http::dto::problems::FieldError;
use crate::http::error::ApiError;
use crate::http::state::Inner;
use crate::services::enqueuer::{EnqueueError, Enqueued, KEY_MAX, request_hash};
use crate::services::outcome_waiters::Waiter;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const TRACEPARENT: &str = "traceparent";

/// A call, as its body describes it.
pub(crate) struct Call {
    pub(crate) input: Json,
    /// JSON pointer to the input within the body.
    pub(crate) place: &'static str,
    pub(crate) options: CallOptions,
    /// All fields beside the input, to compare two calls with the same key.
    pub(crate) said: Object,
}

/// The result of a call.
pub(crate) struct Called {
    /// The job as last read: finished, or unfinished when the wait ended.
    pub(crate) job: Job,
    /// The key belongs to an earlier call; this is its job.
    pub(crate) replayed: bool,
}

impl Call {
    /// A call whose body is the input itself.
    pub(crate) fn of(input: Json) -> Self {
        Self {
            input,
            place: "",
            options: CallOptions::default(),
            said: Object::new(),
        }
    }

    /// Checks the input, records the job, and waits for its outcome when the caller asks for it.
    pub(crate) async fn make(
        self,
        state: &Inner,
        function: &CatalogEntry,
        req: &Request,
        wait: Option<Duration>,
    ) -> Result<Called, ApiError> {
        let deadline = wait.map(|wait| Instant::now() + wait);
        check_input(function, &self.input, self.place)?;
        let idempotency = self.idempotency(req.headers(), state.settings.idempotency_ttl)?;
        let job = NewJob {
            idempotency,
            traceparent: traceparent(req.headers()),
            ..self.into_job(function)
        };
        admit(state, &job).await?;
        // Subscribes before the job exists, so that no outcome is missed.
        let mut waiter = deadline.map(|_| state.outcomes.wait_for(job.id));
        let id = job.id;
        let Enqueued { mut job, created } = state.enqueuer.enqueue(job).await?;
        if let Some(deadline) = deadline {
            if job.id != id {
                waiter = Some(state.outcomes.wait_for(job.id));
                job = latest(state, job.id).await?.unwrap_or(job);
            }
            if let Some(mut waiter) = waiter
                && !job.state.is_final()
            {
                job = outcome(state, &mut waiter, job, deadline).await?;
            }
        }
        Ok(Called {
            job,
            replayed: !created,
        })
    }

    /// The caller's idempotency key, when there is one.
    fn idempotency(&self, headers: &HeaderMap, held_for: Duration) -> Result<Option<Idempotency>, ApiError> {
        let Some(key) = idempotency_key(headers)? else {
            return Ok(None);
        };
        Ok(Some(self.idempotency_of(key, held_for)))
    }

    /// The idempotency record of this call under `key`.
    pub(crate) fn idempotency_of(&self, key: String, held_for: Duration) -> Idempotency {
        Idempotency {
            key,
            request_hash: request_hash(&Json::of_object(&Object::from([
                ("input".to_owned(), self.input.clone()),
                ("options".to_owned(), Json::of_object(&self.said)),
            ]))),
            held_for,
        }
    }

    /// The job of the call, without the values of the request's headers.
    pub(crate) fn into_job(self, function: &CatalogEntry) -> NewJob {
        self.options.apply(NewJob::of(function, self.input))
    }
}

/// A full queue takes no new job. A call that returns an earlier job is accepted, since it makes none.
pub(crate) async fn admit(state: &Inner, job: &NewJob) -> Result<(), ApiError> {
    match state.backlogs.admit(&job.queue, 1) {
        Err(full) if !state.store.job_is_known(job).await? => Err(full.into()),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// The pointer to the input in bodies that have other fields too.
pub(crate) const INPUT: &str = "/input";

/// Checks the input, which is at `place` in the body, against the function's schema. Every endpoint that
/// takes an input uses this, so that the error pointers are the same everywhere.
pub(crate) fn check_input(function: &CatalogEntry, input: &Json, place: &str) -> Result<(), ApiError> {
    let told = |pointer: &str, message: String| FieldError::new(format!("{place}{pointer}"), message);
    function.check_input(input).map_err(|errors| {
        let fields = errors
            .into_iter()
            .map(|error| told(&error.pointer, error.message));
        ApiError::InvalidInput {
            fields: fields.collect(),
        }
    })
}

/// The job when it is finished, or as it is at the deadline or when the server shuts down.
pub(crate) async fn outcome(
    state: &Inner,
    waiter: &mut Waiter,
    job: Job,
    deadline: Instant,
) -> Result<Job, ApiError> {
    tokio::select! {
        job = waiter.outcome() => return Ok(Job::clone(&job)),
        () = tokio::time::sleep_until(deadline) => {}
        () = state.shutdown.cancelled() => {}
    }
    Ok(latest(state, job.id).await?.unwrap_or(job))
}

async fn latest(state: &Inner, id: JobId) -> Result<Option<Job>, ApiError> {
    Ok(state.store.job_get(id).await?)
}

/// A header as text; one that holds other bytes is refused.
fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    let not_text = |_| ApiError::invalid_parameter(name, "must be printable ASCII characters");
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        // Neither of two values is preferred: a proxy may have joined or reordered them.
        return Err(ApiError::invalid_parameter(name, "must be sent once"));
    }
    value.map(|value| value.to_str().map_err(not_text)).transpose()
}

/// The caller's idempotency key.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    text_header(headers, IDEMPOTENCY_KEY)?
        .map(checked_key)
        .transpose()
}

fn checked_key(key: &str) -> Result<String, ApiError> {
    let key = key.trim();
    if (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        Ok(key.to_owned())
    } else {
        let message = format!("must have 1 to {KEY_MAX} printable ASCII characters");
        Err(ApiError::invalid_parameter("Idempotency-Key", message))
    }
}

/// The caller's W3C trace context, when it is one. A broken one is ignored, as its specification says.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?.trim();
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &&str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
    };
    let lengths = parts.iter().map(|part| part.len()).take(4).eq([2, 32, 16, 2]);
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let good = lengths && parts.iter().all(hex) && parts[0] != "ff" && !zero(parts[1]) && !zero(parts[2]);
    // Version 00 has four parts; later ones may have more.
    (good && (parts.len() == 4 || parts[0] != "00") && text.len() <= 256).then(|| text.to_owned())
}

impl From<EnqueueError> for ApiError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::KeyReused { .. } | EnqueueError::BatchKeyReused { .. } => {
                Self::IdempotencyKeyReused
            }
            EnqueueError::JobGone { first } => Self::KeyOutlivesJob {
                what: "job",
                id: first.to_string(),
            },
            EnqueueError::BatchGone { first } => Self::KeyOutlivesJob {
                what: "batch",
                id: first.to_string(),
            },
            EnqueueError::Key => Self::invalid_parameter("Idempotency-Key", error.to_string()),
            EnqueueError::UniqueKey => Self::invalid_input("/unique_key", error.to_string()),
            EnqueueError::Unkept(unkept) => {
                Self::invalid_input(&format!("{INPUT}{}", unkept.pointer), unkept.flaw.to_string())
            }
            EnqueueError::Full => Self::Busy,
            EnqueueError::Stopping => Self::Stopping,
            EnqueueError::Store(ref store) => match store.reason() {
                Some(reason) => Self::DatabaseRefuses {
                    reason,
                    cause: error.into(),
                },
                None if store.is_unavailable() => Self::Unavailable {
                    what: "The database",
                    cause: error.into(),
                },
                None => Self::internal(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use salvo::http::HeaderValue;

    use super::*;

    fn trace(text: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(text));
        traceparent(&headers)
    }

    #[test]
    fn a_trace_context_is_kept_when_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace(good).as_deref(), Some(good));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(trace(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_idempotency_key_is_printable_and_short() {
        assert_eq!(checked_key(" order 17 ").unwrap(), "order 17");
        assert!(
            checked_key("").is_err()
                && checked_key(&"x".repeat(256)).is_err()
                && checked_key("a\tb").is_err()
        );
    }
}
