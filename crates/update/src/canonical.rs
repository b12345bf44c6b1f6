//! JSON with exactly one spelling per value, so that what is signed and hashed is bytes.
//!
//! OLPC's canonical JSON, as TUF uses it: keys sorted by code point, no white space, strings escape only
//! the quote and the backslash. Manifests of bundles also hold fractions, in their shortest form.

use serde_json::Value;

/// Whether numbers with a fraction may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Whole numbers only, as TUF demands.
    Whole,
    /// Fractions too, in the shortest form that reads back as the same number.
    Any,
}

/// The canonical bytes of `value`, or the number that has none.
///
/// # Errors
/// The spelling of a number that `numbers` does not allow.
pub fn bytes(value: &Value, numbers: Numbers) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    write(value, numbers, &mut out)?;
    Ok(out)
}

fn write(value: &Value, numbers: Numbers, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => {
            if numbers == Numbers::Whole && number.as_i64().is_none() && number.as_u64().is_none() {
                return Err(number.to_string());
            }
            out.extend(number.to_string().bytes());
        }
        Value::String(text) => write_string(text, numbers, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, numbers, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push(b'{');
            for (i, (name, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(name, numbers, out);
                out.push(b':');
                write(member, numbers, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// OLPC's form leaves control characters as they are, which JSON does not read; a manifest must be read
/// back, so it takes JSON's escapes.
fn write_string(text: &str, numbers: Numbers, out: &mut Vec<u8>) {
    if numbers == Numbers::Any {
        out.extend(Value::from(text).to_string().bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(String::from_utf8(bytes(&value, Numbers::Whole).unwrap()).unwrap(), expected);
    }

    #[test]
    fn one_spelling() {
        check(r#"{ "b": [1, -2, true, null], "a": {} }"#, r#"{"a":{},"b":[1,-2,true,null]}"#);
        check(r#""a\"b\\cé\n""#, "\"a\\\"b\\\\cé\n\"");
        assert_eq!(bytes(&serde_json::json!([1.5]), Numbers::Whole), Err("1.5".to_owned()));
        assert_eq!(bytes(&serde_json::json!(["\n", 1.5]), Numbers::Any).unwrap(), b"[\"\\n\",1.5]");
    }
}
