//! Writing a document in canonical form, where that is mechanical and keeps its meaning.
//!
//! White space, the order of members, escapes, the forms of numbers, a byte order mark and the newline
//! at the end of a listing say nothing; everything else does, and is left to people. So a document is
//! fixed if nothing else of the JSON chapter is broken in it, and never in part.

use std::collections::BTreeSet;

use crate::diagnostic::MAX_VIOLATIONS;
use crate::input::Kind;
use crate::json::{self, Form, Node, Value, write_string};
use crate::limits::Limits;

/// What breaks the canonical form alone.
const MECHANICAL: [&str; 6] = ["JSN-002", "JSN-012", "JSN-013", "JSN-017", "JSN-018", "JSN-019"];

/// A document in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The clauses that were broken.
    pub ids: BTreeSet<&'static str>,
}

/// `source`, a document or listing of the kind `kind`, in canonical form; `None` if it is in that form
/// already, or if anything but the form is wrong with its JSON.
///
/// ```
/// use cornercast::{fix::fix, input::Kind, limits::Limits};
///
/// let fixed = fix(Kind::Canonical, b"{\"b\": 1.0e1, \"a\": \"\\u0041\"}\n", &Limits::FORMAT).unwrap();
/// assert_eq!(fixed.bytes, br#"{"a":"A","b":10}"#);
/// assert_eq!(fix(Kind::Canonical, b"{\"a\": 1, \"a\": 2}", &Limits::FORMAT), None);
/// ```
#[must_use]
pub fn fix(kind: Kind, source: &[u8], limits: &Limits) -> Option<Fixed> {
    let (limit, is_listing) = match kind {
        Kind::Manifest => (limits.manifest, false),
        Kind::Marker | Kind::Index | Kind::Canonical | Kind::Release | Kind::Keyring | Kind::Attestation => {
            (limits.document, false)
        }
        Kind::Catalog => (limits.envelope, false),
        Kind::State => (limits.state, false),
        Kind::Listing | Kind::Rootfs => (limits.listing, true),
        _ => return None,
    };
    if source.len() as u64 > limit {
        return None;
    }
    let mut fixed = Fixed { bytes: Vec::with_capacity(source.len()), ids: BTreeSet::new() };
    if is_listing {
        // A listing ends in a newline (LST-001), and an empty one is empty.
        for line in source.strip_suffix(b"\n").unwrap_or(source).split(|byte| *byte == b'\n') {
            if !source.is_empty() {
                document(line, limits, &mut fixed)?;
                fixed.bytes.push(b'\n');
            }
        }
        if !source.is_empty() && !source.ends_with(b"\n") {
            fixed.ids.insert("LST-001");
        }
    } else {
        document(source, limits, &mut fixed)?;
    }
    (fixed.bytes != source).then_some(fixed)
}

/// Adds one document in canonical form.
fn document(source: &[u8], limits: &Limits, fixed: &mut Fixed) -> Option<()> {
    let document = json::read(source, Form::Canonical, limits);
    // With so many violations, not all of them have been kept.
    if document.violations.len() >= MAX_VIOLATIONS {
        return None;
    }
    for violation in &document.violations {
        let id = MECHANICAL.into_iter().find(|id| *id == violation.clause.id)?;
        fixed.ids.insert(id);
    }
    write(&mut fixed.bytes, &document.root?, source, limits)
}

/// Writes a value; `None` if a number is no integer that the format has.
fn write(out: &mut Vec<u8>, node: &Node, source: &[u8], limits: &Limits) -> Option<()> {
    match &node.value {
        Value::Invalid => out.extend(integer(source.get(node.bytes.clone())?, limits)?.to_string().bytes()),
        Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, element, source, limits)?;
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
                write(out, &member.node, source, limits)?;
            }
            out.push(b'}');
        }
        Value::Boolean(_) | Value::Integer(_) | Value::String(_) => json::write_node(out, node),
    }
    Some(())
}

/// Digits of a number that can still be one of the format, exponent and zeros included.
const MAX_DIGITS: usize = 32;

/// The integer that a number with fraction or exponent is, exactly; `None` if it is none, or beyond the limit.
fn integer(number: &[u8], limits: &Limits) -> Option<i64> {
    let text = std::str::from_utf8(number).ok()?;
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return digits.is_empty().then_some(0);
    }
    // The value is `significant` with `shift` zeros after it.
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let shift = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    let shift = usize::try_from(shift).ok().filter(|shift| significant.len() + shift <= MAX_DIGITS)?;
    let magnitude: i64 = format!("{significant}{}", "0".repeat(shift)).parse().ok()?;
    let magnitude = Some(magnitude).filter(|magnitude| *magnitude <= limits.integer)?;
    Some(if is_negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_are_exact() {
        for (text, value) in [
            ("-0", Some(0)),
            ("0.000", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("1.0", Some(1)),
            ("-12.50e1", Some(-125)),
            ("1200E-2", Some(12)),
            ("9007199254740991.0", Some(Limits::FORMAT.integer)),
            ("9.007199254740992e15", None),
            ("9007199254740990.99999999999999", None),
            ("0.5", None),
            ("1e-1", None),
            ("1e400", None),
            ("1e99999999999999999999", None),
            ("null", None),
            ("\"\\ud800\"", None),
        ] {
            assert_eq!(integer(text.as_bytes(), &Limits::FORMAT), value, "{text}");
        }
    }

    #[test]
    fn only_the_form_is_fixed() {
        let of = |kind, text: &str| {
            fix(kind, text.as_bytes(), &Limits::FORMAT).map(|fixed| String::from_utf8(fixed.bytes).unwrap())
        };
        assert_eq!(of(Kind::Manifest, "\u{feff}{ \"a\\/\" :-0 }\r\n").as_deref(), Some("{\"a/\":0}"));
        let line = "{\"path\":\"a\",\"type\":\"whiteout\"}";
        assert_eq!(of(Kind::Listing, line), Some(format!("{line}\n")));
        assert_eq!(of(Kind::Listing, &format!("{line}\r\n{line}\n")), Some(format!("{line}\n{line}\n")));
        for (kind, text) in [
            (Kind::Listing, ""),
            (Kind::Listing, "{}\n\n{ }\n"),
            (Kind::Canonical, "{}"),
            (Kind::Canonical, "{ \"a\":1.5}"),
            (Kind::Canonical, "{ \"a\":null}"),
            (Kind::Canonical, "{ \"a\":1,\"a\":1}"),
            (Kind::Canonical, "{ \"a\":9007199254740992}"),
            (Kind::Canonical, "{ \"ä\":1}"),
            (Kind::Canonical, "{ \"a\":\"\\ud800\"}"),
            (Kind::Canonical, "{ \"a\":1,}"),
            (Kind::Canonical, "[1, 2]"),
            (Kind::Strict, "{ }"),
            (Kind::Reference, "{ }"),
        ] {
            assert_eq!(of(kind, text), None, "{text}");
        }
    }

    /// A value as JSON text with white space, escapes and forms of numbers at will.
    fn written(value: &serde_json::Value, choices: &mut dyn FnMut() -> usize) -> String {
        let space = |choice: usize| ["", " ", "\n", "\t\r\n"][choice % 4];
        let string = |text: &str, choices: &mut dyn FnMut() -> usize| {
            let characters = text.chars().map(|character| match choices() % 3 {
                0 if character.is_ascii() => format!("\\u{:04X}", u32::from(character)),
                _ => {
                    let quoted = serde_json::to_string(&character).unwrap();
                    quoted[1..quoted.len() - 1].to_owned()
                }
            });
            format!("\"{}\"", characters.collect::<String>())
        };
        let before = space(choices());
        let text = match value {
            serde_json::Value::String(text) => string(text, choices),
            serde_json::Value::Number(number) => match choices() % 3 {
                0 => format!("{number}.0"),
                1 if number.as_i64() != Some(0) => format!("{number}00e-2"),
                _ => number.to_string(),
            },
            serde_json::Value::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(|element| written(element, choices)).collect();
                format!("[{}]", elements.join(","))
            }
            serde_json::Value::Object(members) => {
                let mut members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", string(name, choices), written(value, choices)))
                    .collect();
                if choices().is_multiple_of(2) {
                    members.reverse();
                }
                format!("{{{}}}", members.join(","))
            }
            other => other.to_string(),
        };
        format!("{before}{text}{}", space(choices()))
    }

    /// Numbers as serde_json compares them if their forms do not count.
    fn plain(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Number(number) => json!(number.as_f64()),
            serde_json::Value::Array(elements) => elements.into_iter().map(plain).collect(),
            serde_json::Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, plain(value))).collect()
            }
            other => other,
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(|boolean| json!(boolean)),
            (-Limits::FORMAT.integer..=Limits::FORMAT.integer).prop_map(|integer| json!(integer)),
            (-20_i64..=20).prop_map(|integer| json!(integer)),
            "[\\x01-\\x{7f}äß日\u{1F600}]{0,8}".prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|elements| json!(elements)),
                prop::collection::btree_map("[ -~]{1,6}", inner, 0..4).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        /// What is fixed means what it meant, and is fixed once.
        #[test]
        fn fixing_keeps_the_value_and_is_idempotent(
            value in prop::collection::btree_map("[ -~]{1,6}", value(), 0..4).prop_map(|members| json!(members)),
            choices in prop::collection::vec(0_usize..12, 1..64),
        ) {
            let mut at = 0;
            let mut choose = || { at += 1; choices[at % choices.len()] };
            let source = written(&value, &mut choose);
            prop_assert_eq!(plain(serde_json::from_str(&source).unwrap()), plain(value.clone()));
            let bytes = fix(Kind::Canonical, source.as_bytes(), &Limits::FORMAT)
                .map_or_else(|| source.clone().into_bytes(), |fixed| fixed.bytes);
            prop_assert_eq!(plain(serde_json::from_slice(&bytes).unwrap()), plain(value));
            let again = json::read(&bytes, Form::Canonical, &Limits::FORMAT);
            prop_assert!(again.violations.is_empty(), "{:#?}", again.violations);
            prop_assert_eq!(fix(Kind::Canonical, &bytes, &Limits::FORMAT), None);
        }

        /// Whatever the bytes: what is fixed has the value it had, for a reader that knows no canonical form.
        #[test]
        fn fixing_any_bytes_keeps_the_value(source in "[{}\\[\\]:, \"0-9eE.+\\-a\\\\un\n\r\u{feff}]{0,40}") {
            if let Some(fixed) = fix(Kind::Canonical, source.as_bytes(), &Limits::FORMAT) {
                let source = source.trim_start_matches('\u{feff}');
                let before: serde_json::Value = serde_json::from_str(source).unwrap();
                prop_assert_eq!(plain(serde_json::from_slice(&fixed.bytes).unwrap()), plain(before));
                prop_assert_eq!(fix(Kind::Canonical, &fixed.bytes, &Limits::FORMAT), None);
            }
        }
    }
}
