//! Tags as callers see them.

use salvo::oapi::ToSchema;
use serde::Serialize;

/// Tags that jobs are marked with.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[salvo(schema(name = "TagList"))]
pub struct TagList {
    /// In the order of their letters.
    #[salvo(schema(example = json!(["customer:17"])))]
    pub tags: Vec<String>,
}
