//! The mark by which two requests with one idempotency key are told to be the same or not.

use serde_json::Value;

/// A short mark of a request: the same for the same JSON, whatever the order of its members and its spacing.
///
/// FNV-1a, 128 bits: stable across versions of Rust and of Spiral, which a stored value must be. It guards a caller
/// against its own slips, not against an attacker, who could only fool himself.
pub fn request_hash(request: &Value) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = canonical(request)
        .bytes()
        .fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

/// The JSON text with sorted members, also when a dependency makes `serde_json` keep their order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_spacing_do_not_matter() {
        let one: Value = serde_json::from_str(r#"{"input":{"index":90},"max_attempts":3}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{ "max_attempts": 3, "input": {"index": 90} }"#).unwrap();
        assert_eq!(request_hash(&one), request_hash(&other));
    }

    #[test]
    fn any_other_value_differs() {
        let hashes: std::collections::HashSet<String> = [
            json!({"input": {"index": 90}}),
            json!({"input": {"index": 91}}),
            json!({"input": {"index": "90"}}),
            json!({"input": {"index": 90}, "max_attempts": 1}),
            json!({"input": [{"index": 90}]}),
        ]
        .iter()
        .map(request_hash)
        .collect();
        assert_eq!(hashes.len(), 5);
    }

    /// The hash is stored: a row of last year must still match.
    #[test]
    fn the_hash_is_stable() {
        assert_eq!(request_hash(&json!("")), "088094af1dab1be95aa07330555adc6d");
    }
}
