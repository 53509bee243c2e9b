//! Reading the audit log.

use std::str::FromStr;

use ::jobs::job::JobId;
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::auth::roles::Role;
use crate::db::audit::{AuditFilter, Outcome};
use crate::http::dto::audit::AuditPage;
use crate::http::dto::pattern::{AuditEnd, AuditRole, Id, Plain};
use crate::http::dto::problems::Problem;
use crate::http::dto::scalar::Timestamp;
use crate::http::error::ApiError;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;

/// List the audit log
///
/// A page of the audit log, newest first. It holds every change by an operator. Calls of functions are not in
/// it, because each call is recorded as a job.
#[endpoint(
    operation_id = "list_audit",
    tags("audit"),
    parameters(
        ("action" = Option<Plain>, Query, description = "The operation id, such as `pause_queue`."),
        ("role" = Option<AuditRole>, Query, description = "The role of the user."),
        ("address" = Option<Plain>, Query, description = "The address that the request came from."),
        ("subject" = Option<Plain>, Query, description = "The name or id of what was changed."),
        ("outcome" = Option<AuditEnd>, Query, description = "`done`, `refused`, `failed` or `unknown`."),
        ("from" = Option<Timestamp>, Query, description = "Only entries at this time or later."),
        ("before" = Option<Timestamp>, Query, description = "Only entries before this time."),
        ("cursor" = Option<Id>, Query, description = "`next_cursor` of the previous page."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Page size; default 100."),
    ),
    responses(
        (status_code = 200, description = "A page of entries.", body = AuditPage),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The log cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let mut query = Query::of(req);
    let filter = AuditFilter {
        action: plain(&mut query, "action"),
        role: query.parsed::<RoleName>("role").map(|RoleName(name)| name),
        address: plain(&mut query, "address"),
        subject: plain(&mut query, "subject"),
        outcome: query.parsed("outcome"),
        from: query.time("from"),
        before: query.time("before"),
    };
    let cursor = query.parsed::<JobId>("cursor");
    let limit = query.number("limit", 1..=500).unwrap_or(100);
    query.finish()?;
    // One more than requested shows whether there is a next page.
    let mut entries = state.store.audit_list(&filter, cursor, limit + 1).await?;
    let more = entries.len() as u64 > limit;
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(ApiResponse::ok(&AuditPage {
        next_cursor: entries.last().filter(|_| more).map(|last| last.id.to_string()),
        entries: entries.into_iter().map(Into::into).collect(),
    })?
    .tagged())
}

/// A text that can be stored in a row.
fn plain(query: &mut Query, name: &'static str) -> Option<String> {
    let text = query.words(name);
    if text.as_ref().is_some_and(|text| text.contains('\0')) {
        query.wrong(name, "the character U+0000 is in no entry");
    }
    text
}

struct RoleName(String);

impl FromStr for RoleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let roles = [Role::Anybody, Role::Viewer, Role::Admin].map(Role::as_str);
        if roles.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("must be one of {}, not {text:?}", roles.join(", ")))
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|outcome| outcome.as_str() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("must be one of {names}, not {text:?}")
        })
    }
}
