//! Simplifies the generated document for readers and type generators, without changing its meaning.

use serde_json::{Map, Value, json};

/// Rewrites the document in place.
pub(super) fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(object) => {
            object.values_mut().for_each(tidy);
            join_lines(object);
            merge_all_of(object);
            merge_nullable(object);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Doc comments are wrapped at the width of the source; Markdown needs one line per paragraph.
fn join_lines(object: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = object.get_mut("description") {
        let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
}

/// `allOf: [schema, {description}]` is the schema with that description.
fn merge_all_of(object: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = object.get("allOf") else {
        return;
    };
    let [Value::Object(schema), Value::Object(words)] = parts.as_slice() else {
        return;
    };
    if object.len() == 1 && words.keys().all(|key| key == "description") {
        let mut merged = schema.clone();
        merged.extend(words.clone());
        *object = merged;
    }
}

/// `oneOf: [null, schema]` is the schema with `null` among its types; nothing to add when it allows everything.
fn merge_nullable(object: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = object.get("oneOf") else {
        return;
    };
    let [null, Value::Object(schema)] = parts.as_slice() else {
        return;
    };
    if *null != json!({"type": "null"}) || schema.contains_key("$ref") {
        return;
    }
    let mut schema = schema.clone();
    match schema.get("type") {
        Some(Value::String(kind)) => {
            let kinds = json!([kind, "null"]);
            schema.insert("type".to_owned(), kinds);
        }
        None if schema.is_empty() => {}
        _ => return,
    }
    object.remove("oneOf");
    object.append(&mut schema);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(mut value: Value) -> Value {
        tidy(&mut value);
        value
    }

    #[test]
    fn a_described_schema_is_one_schema() {
        let wordy = json!({"allOf": [{"oneOf": [{"type": "null"}, {"type": "string"}]}, {"description": "one\ntwo"}]});
        assert_eq!(
            tidied(wordy),
            json!({"type": ["string", "null"], "description": "one two"})
        );
    }

    #[test]
    fn null_or_anything_is_anything() {
        assert_eq!(tidied(json!({"oneOf": [{"type": "null"}, {}]})), json!({}));
    }

    #[test]
    fn real_alternatives_stay() {
        let choice = json!({"oneOf": [{"type": "null"}, {"$ref": "#/a"}]});
        assert_eq!(tidied(choice.clone()), choice);
    }
}
