//! The OpenAPI document: the committed copy is what the code says, and it is fit to generate types from.

use serde_json::Value;

#[test]
fn the_committed_document_is_up_to_date() {
    let committed = include_str!("../../openapi.json");
    assert!(
        committed == web_api::http::openapi::text().unwrap(),
        "web-api/openapi.json is out of date: run `cargo xtask openapi` and commit what it writes"
    );
}

#[test]
fn names_and_references_are_clean() {
    let document: Value = serde_json::from_str(&web_api::http::openapi::text().unwrap()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        assert!(
            name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{name} is no plain name"
        );
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for reference in references {
        assert!(
            document.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference} leads nowhere"
        );
    }
}

#[test]
fn every_operation_has_an_id_a_summary_a_good_answer_and_problems() {
    let document: Value = serde_json::from_str(&web_api::http::openapi::text().unwrap()).unwrap();
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let place = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(operation["summary"].is_string(), "{place} has no summary");
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2')),
                "{place} has no good answer"
            );
            assert!(
                answers.contains_key("default"),
                "{place} says nothing of other errors"
            );
            for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with('4')) {
                let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{place} {status}");
            }
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operation id is there twice");
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                references.push(reference.clone());
            }
            object
                .values()
                .for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| collect_references(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
