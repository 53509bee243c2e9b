//! One text for all spellings of a JSON value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decimal::Decimal;
use super::reader::Reader;

/// With sorted fields and without blanks. Numbers are written as `serde_json` writes them where that is the same number:
/// keys of requests are kept by this text, and older versions knew no other.
pub(super) fn canonical(text: &str) -> String {
    written(text, |number| {
        let usual = serde_json::from_str::<serde_json::Number>(number).map(|number| number.to_string());
        match (usual, number.parse::<Decimal>()) {
            (Ok(usual), Ok(exact)) if usual.parse() == Ok(exact.clone()) => usual,
            (_, Ok(exact)) => exact.to_string(),
            (_, Err(_)) => number.to_owned(),
        }
    })
}

/// The same for all spellings of a number (`1e2` and `100`) as well.
pub(super) fn same(text: &str) -> String {
    written(text, |number| {
        let exact = number.parse::<Decimal>();
        exact.map_or_else(|_| number.to_owned(), |exact| exact.to_string())
    })
}

fn written(text: &str, number: fn(&str) -> String) -> String {
    let mut written = String::with_capacity(text.len());
    write(&mut Reader::new(text), &mut written, number);
    written
}

fn write(reader: &mut Reader<'_>, to: &mut String, number: fn(&str) -> String) {
    match reader.peek() {
        b'{' => {
            reader.take(b'{');
            let mut fields = BTreeMap::<String, String>::new();
            while !reader.take(b'}') && reader.peek() != 0 {
                let name = serde_json::from_str(reader.string()).unwrap_or_default();
                reader.take(b':');
                let mut value = String::new();
                write(reader, &mut value, number);
                fields.insert(name, value);
                reader.take(b',');
            }
            to.push('{');
            for (place, (name, value)) in fields.into_iter().enumerate() {
                to.push_str(if place == 0 { "" } else { "," });
                to.push_str(&Value::from(name).to_string());
                to.push(':');
                to.push_str(&value);
            }
            to.push('}');
        }
        b'[' => {
            reader.take(b'[');
            to.push('[');
            let mut first = true;
            while !reader.take(b']') && reader.peek() != 0 {
                to.push_str(if first { "" } else { "," });
                first = false;
                write(reader, to, number);
                reader.take(b',');
            }
            to.push(']');
        }
        b'"' => {
            let text: String = serde_json::from_str(reader.string()).unwrap_or_default();
            to.push_str(&Value::from(text).to_string());
        }
        b't' | b'f' | b'n' => to.push_str(reader.scalar()),
        _ => to.push_str(&number(reader.scalar())),
    }
}
