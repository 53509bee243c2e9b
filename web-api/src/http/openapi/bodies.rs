//! Closes the schemas of request bodies: an unknown field is refused, and the document says so.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const SCHEMAS: &str = "#/components/schemas/";

/// Rewrites every object that can be in a request body.
pub(super) fn close(document: &mut Value) {
    let names = reachable(document);
    let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    // A composed schema becomes one object first: each of its parts alone would refuse the fields of the
    // others.
    for name in &names {
        if let Some(merged) = schemas.get(name).and_then(|schema| merged(schema, schemas)) {
            schemas.insert(name.clone(), merged);
        }
    }
    for name in &names {
        if let Some(Value::Object(schema)) = schemas.get_mut(name)
            && schema.contains_key("properties")
        {
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
    }
}

/// The names of all schemas that are used in request bodies.
fn reachable(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = Vec::new();
    let operations = document["paths"].as_object().into_iter().flat_map(Map::values);
    for operation in operations.filter_map(Value::as_object).flat_map(Map::values) {
        references(&operation["requestBody"], &mut next);
    }
    while let Some(name) = next.pop() {
        let schema = &document["components"]["schemas"][&name];
        if found.insert(name) {
            references(schema, &mut next);
        }
    }
    found
}

/// The name in a reference to a schema.
fn referred(object: &Map<String, Value>) -> Option<&str> {
    object.get("$ref")?.as_str()?.strip_prefix(SCHEMAS)
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(referred(object).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `allOf: [object, object]` as one object; `None` for anything else.
fn merged(schema: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    let parts = schema.get("allOf")?.as_array()?;
    let mut properties = Map::new();
    let mut required = Vec::new();
    for part in parts {
        let name = part.as_object().and_then(referred);
        let part = name.map_or(Some(part), |name| schemas.get(name))?;
        properties.extend(part.get("properties")?.as_object()?.clone());
        required.extend(
            part.get("required")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
        );
    }
    let mut object = schema.as_object()?.clone();
    object.remove("allOf");
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), properties.into());
    object.insert("required".to_owned(), required.into());
    Some(object.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_closed_and_what_is_answered_stays_open() {
        let mut document = json!({
            "paths": {"/a": {"post": {
                "requestBody": {"schema": {"items": {"$ref": "#/components/schemas/Named"}}},
                "responses": {"schema": {"$ref": "#/components/schemas/Answer"}},
            }}},
            "components": {"schemas": {
                "Named": {"allOf": [
                    {"$ref": "#/components/schemas/Call"},
                    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
                ]},
                "Call": {"type": "object", "properties": {"wait": {"$ref": "#/components/schemas/Wait"}}, "required": ["wait"]},
                "Wait": {"type": "object", "properties": {"seconds": {}}},
                "Answer": {"type": "object", "properties": {"id": {}}},
            }},
        });
        close(&mut document);
        let schemas = &document["components"]["schemas"];
        let closed = |name: &str| schemas[name].get("additionalProperties") == Some(&json!(false));
        assert!(closed("Named") && closed("Call") && closed("Wait") && !closed("Answer"));
        assert_eq!(schemas["Named"]["required"], json!(["wait", "name"]));
        assert_eq!(schemas["Named"]["properties"]["name"], json!({"type": "string"}));
        assert_eq!(schemas["Named"].get("allOf"), None);
    }
}
