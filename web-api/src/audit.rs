//! The audit log: what operators change, who they are, and what became of it.
//!
//! The entry is written before the change is begun, and the change is not begun without it; its outcome is added
//! afterwards. So no change is without an entry, and one without an outcome says that the process ended, or the caller
//! left, before there was an answer: what was asked for may have been done. Which paths are told here is said in
//! [`crate::endpoints`]; calls of functions are not, because their jobs are the record.

use jobs::clock;
use jobs::job::JobId;
use salvo::http::StatusCode;
use salvo::http::header::LOCATION;
use salvo::prelude::*;

use crate::access::Caller;
use crate::error::{ApiError, chain};
use crate::observe;
use crate::problem;
use crate::state::AppState;
use crate::store::audit::Entry;

/// The longest path that is kept, in bytes. Ours are shorter; callers' may be anything.
const LONGEST_PATH: usize = 500;

/// Stands between the guard and a change.
#[derive(Debug)]
pub struct Audit {
    action: &'static str,
}

impl Audit {
    pub fn new(action: &'static str) -> Self {
        Self { action }
    }

    async fn begin(&self, req: &mut Request, depot: &Depot) -> Result<JobId, ApiError> {
        let caller = Caller::of(depot)?;
        let subject = req
            .param::<String>("id")
            .or_else(|| req.param::<String>("name"))
            .map(shortened);
        let entry = Entry {
            id: JobId::new(),
            at: clock::now(),
            role: caller.role.as_str().to_owned(),
            address: caller.address.to_string(),
            action: self.action.to_owned(),
            method: req.method().as_str().to_owned(),
            path: shortened(req.uri().path().to_owned()),
            subject,
            request_id: observe::request_id(depot).to_owned(),
            status: None,
            finished_at: None,
        };
        AppState::of(depot)?.store.audit_insert(&entry).await?;
        Ok(entry.id)
    }
}

#[async_trait]
impl Handler for Audit {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        let id = match self.begin(req, depot).await {
            Ok(id) => id,
            Err(error) => {
                problem::refuse(&error, req, depot, res);
                ctrl.skip_rest();
                return;
            }
        };
        ctrl.call_next(req, depot, res).await;
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
