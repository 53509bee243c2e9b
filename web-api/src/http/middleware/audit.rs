//! The audit log: the changes of operators, who made them, and their outcomes.
//!
//! The entry is written before the change starts, and the change does not start without it; the outcome is
//! added afterwards. An entry without an outcome means that the process ended, or the client disconnected,
//! before there was a response: the change may have been made. [`crate::http::routes`] says which paths are
//! recorded; calls of functions are not, because each call is recorded as a job.

use jobs::clock;
use jobs::job::JobId;
use salvo::http::StatusCode;
use salvo::http::header::LOCATION;
use salvo::prelude::*;
use serde_json::Value;

use crate::db::audit::Entry;
use crate::http::error::ApiError;
use crate::http::extract::caller::caller;
use crate::http::middleware::request_log;
use crate::http::response::problem;
use crate::http::state::AppState;
use jobs::error::chain;

/// The longest path that is stored, in bytes. The paths of the API are shorter; a client may send any.
const LONGEST_PATH: usize = 500;

/// The layer between authorization and a change.
#[derive(Debug)]
pub struct Audit {
    action: &'static str,
    by_handler: bool,
}

/// An entry that the handler writes once it knows that something will change.
#[derive(Debug)]
struct Pending {
    entry: Entry,
    begun: bool,
    changes_nothing: bool,
}

/// Writes the entry with the details of the request. Handlers behind [`Audit::by_handler`] call it before
/// they change anything.
pub async fn begin(depot: &mut Depot, detail: &Value) -> Result<(), ApiError> {
    let store = AppState::of(depot)?.store.clone();
    let pending = pending(depot)?;
    pending.entry.detail = Some(detail.to_string());
    store.audit_insert(&pending.entry).await?;
    pending.begun = true;
    Ok(())
}

/// Nothing will change, so no entry is written, whatever the response.
pub fn changes_nothing(depot: &mut Depot) -> Result<(), ApiError> {
    pending(depot)?.changes_nothing = true;
    Ok(())
}

fn pending(depot: &mut Depot) -> Result<&mut Pending, ApiError> {
    depot
        .get_typed_mut::<Pending>()
        .map_err(|_absent| ApiError::internal("the path was put together without its audit"))
}

impl Audit {
    pub fn new(action: &'static str) -> Self {
        Self {
            action,
            by_handler: false,
        }
    }

    /// For a path where a request may change nothing: its handler decides whether and when an entry is
    /// written.
    pub fn by_handler(action: &'static str) -> Self {
        Self {
            action,
            by_handler: true,
        }
    }

    fn entry(&self, req: &mut Request, depot: &Depot) -> Result<Entry, ApiError> {
        let caller = caller(depot)?;
        let subject = req
            .param::<String>("id")
            .or_else(|| req.param::<String>("name"))
            .map(shortened);
        Ok(Entry {
            id: JobId::new(),
            at: clock::now(),
            role: caller.role.as_str().to_owned(),
            address: caller.address.to_string(),
            action: self.action.to_owned(),
            method: req.method().as_str().to_owned(),
            path: shortened(req.uri().path().to_owned()),
            subject,
            request_id: request_log::request_id(depot).to_owned(),
            status: None,
            finished_at: None,
            detail: None,
        })
    }

    /// The id of the entry, unless the handler writes it.
    async fn begin(&self, req: &mut Request, depot: &mut Depot) -> Result<Option<JobId>, ApiError> {
        let entry = self.entry(req, depot)?;
        if self.by_handler {
            depot.insert_typed(Pending {
                entry,
                begun: false,
                changes_nothing: false,
            });
            return Ok(None);
        }
        AppState::of(depot)?.store.audit_insert(&entry).await?;
        Ok(Some(entry.id))
    }

    /// The id of the entry that the handler wrote. A request that was refused before that is recorded here.
    async fn begun(depot: &mut Depot) -> Result<Option<JobId>, ApiError> {
        let store = AppState::of(depot)?.store.clone();
        let pending = pending(depot)?;
        if pending.changes_nothing {
            return Ok(None);
        }
        if !pending.begun {
            store.audit_insert(&pending.entry).await?;
        }
        Ok(Some(pending.entry.id))
    }
}

#[async_trait]
impl Handler for Audit {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        let entry = match self.begin(req, depot).await {
            Ok(entry) => entry,
            Err(error) => {
                problem::refuse(&error, req, depot, res);
                ctrl.skip_rest();
                return;
            }
        };
        ctrl.call_next(req, depot, res).await;
        let entry = match entry {
            Some(id) => Ok(Some(id)),
            None => Self::begun(depot).await,
        };
        let id = match entry {
            Ok(Some(id)) => id,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(action = self.action, error = %chain(&error), "what was refused is not in the audit log");
                return;
            }
        };
        let status = res.status_code.unwrap_or(StatusCode::OK);
        // The id of a new resource is not in the path, but in the response.
        let made = res.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let made = made.and_then(|place| place.rsplit('/').next());
        if let Ok(state) = AppState::of(depot)
            && let Err(error) = state
                .store
                .audit_finish(id, status.as_u16(), made, clock::now())
                .await
        {
            tracing::warn!(entry = %id, %status, error = %chain(&error), "the outcome of a change is not in the audit log");
        }
    }
}

fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_PATH));
    text
}
