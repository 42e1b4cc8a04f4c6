//! The canonical form (RFC 8785, narrowed).

use super::{Node, Value};

/// Writes `value` in canonical form.
///
/// The value holds what the JSON chapter allows: no `null`, and integers only. `None` otherwise.
///
/// ```
/// let value = serde_json::json!({"b": [1, "x/y"], "a": "\u{1f}"});
/// assert_eq!(cornercast::json::to_canonical(&value).unwrap(), br#"{"a":"\u001f","b":[1,"x/y"]}"#);
/// ```
#[must_use]
pub fn to_canonical(value: &serde_json::Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write_value(&mut out, value)?;
    Some(out)
}

fn write_value(out: &mut Vec<u8>, value: &serde_json::Value) -> Option<()> {
    match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(boolean) => out.extend(boolean.to_string().bytes()),
        serde_json::Value::Number(number) => out.extend(number.as_i64()?.to_string().bytes()),
        serde_json::Value::String(string) => write_string(out, string),
        serde_json::Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, element)?;
            }
            out.push(b']');
        }
        serde_json::Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push(b'{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(out, name);
                out.push(b':');
                write_value(out, member)?;
            }
            out.push(b'}');
        }
    }
    Some(())
}

/// Writes `node` in canonical form; a [`Value::Invalid`], which has none, is written as `null`.
pub fn write_node(out: &mut Vec<u8>, node: &Node) {
    match &node.value {
        Value::Invalid => out.extend_from_slice(b"null"),
        Value::Boolean(boolean) => out.extend(boolean.to_string().bytes()),
        Value::Integer(integer) => out.extend(integer.to_string().bytes()),
        Value::String(string) => write_string(out, string),
        Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_node(out, element);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
            out.push(b'{');
            for (index, member) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(out, &member.name);
                out.push(b':');
                write_node(out, &member.node);
            }
            out.push(b'}');
        }
    }
}

/// Writes `string` with its quotes and the escapes of RFC 8785.
pub fn write_string(out: &mut Vec<u8>, string: &str) {
    out.push(b'"');
    let mut rest = string.as_bytes();
    // Most strings need no escape: they are copied as a whole.
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0x00..=0x1F)) {
        let (plain, from_here) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = from_here.split_first() else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0A => out.extend_from_slice(b"\\n"),
            0x0C => out.extend_from_slice(b"\\f"),
            0x0D => out.extend_from_slice(b"\\r"),
            control => out.extend(format!("\\u{control:04x}").bytes()),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
