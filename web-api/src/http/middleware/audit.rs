//! The audit log: what operators change, who they are, and what became of it.
//!
//! The entry is written before the change is begun, and the change is not begun without it; its outcome is added
//! afterwards. So no change is without an entry, and one without an outcome says that the process ended, or the caller
//! left, before there was an answer: what was asked for may have been done. Which paths are told here is said in
//! [`crate::http::routes`]; calls of functions are not, because their jobs are the record.

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

/// The longest path that is kept, in bytes. Ours are shorter; callers' may be anything.
const LONGEST_PATH: usize = 500;

/// Stands between the guard and a change.
#[derive(Debug)]
pub struct Audit {
    action: &'static str,
    by_handler: bool,
}

/// An entry that the handler has to begin, once it knows that something will change.
#[derive(Debug)]
struct Pending {
    entry: Entry,
    begun: bool,
    changes_nothing: bool,
}

/// Writes the entry of a change with what is asked for. For handlers behind [`Audit::by_handler`], before they change
/// anything.
pub async fn begin(depot: &mut Depot, detail: &Value) -> Result<(), ApiError> {
    let store = AppState::of(depot)?.store.clone();
    let pending = pending(depot)?;
    pending.entry.detail = Some(detail.to_string());
    store.audit_insert(&pending.entry).await?;
    pending.begun = true;
    Ok(())
}

/// Nothing changes, whatever the answer will be: there is nothing to tell.
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

    /// For a path that may be asked for what changes nothing: its handler says what is told, and when.
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

    /// The id of the entry that the handler has written. One that it has not come to write was refused, which is told.
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
        // What was made has no name in the path, but in the answer.
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
