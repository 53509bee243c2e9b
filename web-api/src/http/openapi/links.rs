//! Adds OpenAPI links: which operations take the id that an operation returns. Readers see the next steps,
//! and test tools follow them.

use serde_json::{Map, Value, json};

/// Resources: the operation and status that make one, and the operations that take its id.
const LINKS: [(&str, &[&str], &[&str]); 4] = [
    (
        "call_function",
        &["200", "202"],
        &[
            "get_job",
            "get_job_logs",
            "get_job_result",
            "change_job",
            "run_job_now",
            "cancel_job",
            "retry_job",
            "delete_job",
        ],
    ),
    ("make_batch", &["202"], &["get_batch", "cancel_batch"]),
    (
        "create_schedule",
        &["201"],
        &[
            "get_schedule",
            "change_schedule",
            "pause_schedule",
            "resume_schedule",
            "run_schedule",
            "delete_schedule",
        ],
    ),
    (
        "begin_job_action",
        &["202"],
        &["get_job_action", "stop_job_action"],
    ),
];

/// Adds the links to the document.
pub(super) fn add(document: &mut Value) {
    let paths = document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut);
    let operations = paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let Some((_, statuses, targets)) = LINKS.iter().find(|(made_by, ..)| *made_by == id) else {
            continue;
        };
        let links: Map<String, Value> = targets
            .iter()
            .map(|target| {
                let link = json!({"operationId": target, "parameters": {"id": "$response.body#/id"}});
                ((*target).to_owned(), link)
            })
            .collect();
        for status in *statuses {
            operation["responses"][*status]["links"] = links.clone().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;

    #[test]
    fn every_link_leads_from_an_answer_to_an_operation() {
        let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();
        let operations: Vec<&Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .collect();
        let named = |id: &str| operations.iter().find(|operation| operation["operationId"] == id);
        for (made_by, statuses, targets) in LINKS {
            let from = named(made_by).unwrap();
            for status in statuses {
                let links = from["responses"][*status]["links"].as_object().unwrap();
                assert_eq!(links.len(), targets.len());
                assert!(
                    from["responses"][*status]["description"].is_string(),
                    "{made_by} {status}"
                );
            }
            assert!(targets.iter().all(|target| named(target).is_some()), "{made_by}");
        }
    }
}
