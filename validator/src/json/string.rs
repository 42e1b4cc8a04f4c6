//! Strings and their escapes.

use std::ops::Range;

use super::reader::{Form, Reader, Stop};
use super::writer::write_string;
use crate::clause;
use crate::diagnostic::{MAX_VIOLATIONS, Place, Violation};
use crate::shown::{quoted, shown};

impl Reader<'_> {
    /// A string, and whether it meets the clauses about values.
    pub(super) fn string(&mut self, is_name: bool) -> Result<(String, bool), Stop> {
        let start = self.at;
        let before = self.values_broken;
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F)).count();
            string.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => string.push(self.escape()?),
                Some(byte) => {
                    let message = format!("a string contains the control character U+{byte:04X} itself");
                    return Err(
                        self.syntax(message, Some("write the character as an escape, or close the string before it"))
                    );
                }
                None => return Err(self.syntax("the document ends inside a string".to_owned(), None)),
            }
        }
        self.at += 1;
        // What has no UTF-8 form (JSN-006) is judged by no other clause.
        if self.values_broken == before {
            self.judge_string(start..self.at, &string, is_name);
        }
        let sound = self.values_broken == before;
        if sound && self.form == Form::Canonical {
            self.judge_escapes(start..self.at, &string);
        }
        Ok((string, sound))
    }

    fn judge_string(&mut self, bytes: Range<usize>, string: &str, is_name: bool) {
        let mut sound = true;
        // JSN-007
        if string.contains('\0') {
            self.report(&clause::JSN_007, bytes.clone(), format!("the string {} contains U+0000", quoted(string)));
            sound = false;
        }
        // JSN-009
        if is_name && !string.is_ascii() {
            let message = format!("the member name {} is not ASCII", quoted(string));
            self.report(&clause::JSN_009, bytes.clone(), message);
            sound = false;
        }
        // JSN-010, JSN-011
        let (clause, limit, what) = if is_name {
            (&clause::JSN_010, self.limits.member_name, "member name")
        } else {
            (&clause::JSN_011, self.limits.string, "string")
        };
        if string.len() > limit {
            let message = format!("the {what} {} has {} bytes; the limit is {limit}", quoted(string), string.len());
            self.report(clause, bytes.clone(), message);
            sound = false;
        }
        self.values_broken += usize::from(!sound);
    }

    /// JSN-019
    fn judge_escapes(&mut self, bytes: Range<usize>, string: &str) {
        let written = self.source.get(bytes.clone()).unwrap_or_default();
        if !written.contains(&b'\\') {
            return;
        }
        let mut canonical = Vec::with_capacity(written.len());
        write_string(&mut canonical, string);
        if canonical != written && self.violations.len() < MAX_VIOLATIONS {
            let message =
                format!("the string is written as {}, not in canonical form", shown(&String::from_utf8_lossy(written)));
            let help = format!("write {}", shown(&String::from_utf8_lossy(&canonical)));
            let place = Place::bytes(bytes.start as u64..bytes.end as u64).text_excerpt(self.source);
            self.push(Violation::new(&clause::JSN_019, place, message).help(help));
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.at;
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.syntax("the document ends inside a string".to_owned(), None));
        };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4(start)?;
                match char::from_u32(first) {
                    Some(character) => character,
                    None => self.surrogate(start, first)?,
                }
            }
            _ => {
                self.at = start;
                let other = self.text.get(start + 1..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                let message = format!("`\\{}` is no escape of JSON", shown(&other.to_string()));
                let help = r#"use \" \\ \/ \b \f \n \r \t or \uXXXX; a backslash itself is written as \\"#;
                return Err(self.syntax(message, Some(help)));
            }
        })
    }

    /// The second half of a pair, or JSN-006.
    fn surrogate(&mut self, start: usize, first: u32) -> Result<char, Stop> {
        let before = self.at;
        if first < 0xDC00 && self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
            self.at += 2;
            let second = self.hex4(before)?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        self.values_broken += 1;
        let message = format!("the escape \\u{first:04x} is half of a surrogate pair");
        self.report(&clause::JSN_006, start..before, message);
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self, start: usize) -> Result<u32, Stop> {
        let digits = self.source.get(self.at..self.at + 4).unwrap_or_default();
        let mut code = 0;
        for digit in digits {
            let Some(value) = char::from(*digit).to_digit(16) else {
                self.at = start;
                return Err(self.syntax("`\\u` is not followed by four hexadecimal digits".to_owned(), None));
            };
            code = code * 16 + value;
        }
        if digits.len() < 4 {
            self.at = start;
            return Err(self.syntax("`\\u` is not followed by four hexadecimal digits".to_owned(), None));
        }
        self.at += 4;
        Ok(code)
    }
}
