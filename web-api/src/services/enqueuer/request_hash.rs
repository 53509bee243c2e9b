//! The mark by which two requests with one idempotency key are told to be the same or not.

use jobs::json::Json;

/// A short mark of a request: the same for the same JSON, whatever the order of its members and its spacing.
///
/// FNV-1a over 128 bits, which the crate `fnv` does not have: stable across versions of Rust and of Spiral, which a stored value must be. It guards a caller
/// against its own slips, not against an attacker, who could only fool himself.
pub fn request_hash(request: &Json) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = request
        .canonical()
        .bytes()
        .fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_spacing_do_not_matter() {
        let one: Json = serde_json::from_str(r#"{"input":{"index":90},"max_attempts":3}"#).unwrap();
        let other: Json = serde_json::from_str(r#"{ "max_attempts": 3, "input": {"index": 90} }"#).unwrap();
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
        .into_iter()
        .map(|request| request_hash(&request.into()))
        .collect();
        assert_eq!(hashes.len(), 5);
    }

    /// The hash is stored: a row of last year must still match.
    #[test]
    fn the_hash_is_stable() {
        assert_eq!(
            request_hash(&json!("").into()),
            "088094af1dab1be95aa07330555adc6d"
        );
    }
}
