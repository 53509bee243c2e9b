//! Tags as the API returns them.

use salvo::oapi::ToSchema;
use serde::Serialize;

/// The tags of the jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "TagList"))]
pub struct TagList {
    /// In alphabetical order.
    #[salvo(schema(example = json!(["customer:17"])))]
    pub tags: Vec<String>,
}
