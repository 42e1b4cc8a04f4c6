//! The strict reader.
//!
//! It reads RFC 8259 by recursive descent, at most [`Limits::depth`] deep. It stops at the first
//! violation of the grammar, since what follows cannot be told apart any more, and goes on after
//! every other one.

use std::ops::Range;

use super::{Member, Node, Value};
use crate::clause::{self, Clause};
use crate::diagnostic::{MAX_VIOLATIONS, Place, Violation};
use crate::limits::Limits;
use crate::shown::{clip, shown};

/// Which clauses of the JSON chapter a document has to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All but those of the canonical form.
    Strict,
    /// All.
    Canonical,
}

/// What the reader made of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The outermost value, if the grammar was met.
    pub root: Option<Node>,
    /// What is wrong, in the order of the document.
    pub violations: Vec<Violation>,
}

/// U+FEFF in UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Reads one document.
///
/// Never fails and never panics. The caller has checked that `source` is not longer than the limit
/// of its kind.
///
/// ```
/// use cornercast::json::{Form, read};
/// use cornercast::limits::Limits;
///
/// let document = read(br#"{"size": 1.0, "size": 2}"#, Form::Strict, &Limits::FORMAT);
/// let ids: Vec<_> = document.violations.iter().map(|violation| violation.clause.id).collect();
/// assert_eq!(ids, ["JSN-012", "JSN-008"]);
/// ```
#[must_use]
pub fn read(source: &[u8], form: Form, limits: &Limits) -> Document {
    let mut violations = Vec::new();
    let mut start = 0;
    // JSN-002
    if source.starts_with(BOM) {
        start = BOM.len();
        let message = "the document begins with a byte order mark (EF BB BF)";
        violations.push(violation(&clause::JSN_002, source, 0..start, message.to_owned()));
    }
    // JSN-001
    for range in invalid_utf8(source) {
        let bytes = source.get(range.clone()).unwrap_or_default();
        let shown: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02X}")).collect();
        let more = if bytes.len() > shown.len() { " …" } else { "" };
        let (noun, verb) = if bytes.len() == 1 { ("byte", "is") } else { ("bytes", "are") };
        let message = format!("the {noun} {}{more} {verb} not UTF-8", shown.join(" "));
        violations.push(violation(&clause::JSN_001, source, range, message));
        if violations.len() >= MAX_VIOLATIONS {
            break;
        }
    }
    let Ok(text) = std::str::from_utf8(source) else {
        return Document { root: None, violations };
    };
    let mut reader = Reader {
        text,
        source,
        at: start,
        depth: 0,
        form,
        limits,
        violations,
        space: 0,
        first_space: None,
        values_broken: 0,
    };
    let root = reader.document();
    let mut violations = reader.violations;
    violations.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
    Document { root, violations }
}

/// The parts of `source` that are not UTF-8, each as long as it can be: an encoded surrogate is one, not three.
fn invalid_utf8(source: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    let mut chunks = source.utf8_chunks().peekable();
    std::iter::from_fn(move || {
        let chunk = chunks.next()?;
        let start = at + chunk.valid().len();
        at = start + chunk.invalid().len();
        while let Some(next) = chunks.next_if(|next| next.valid().is_empty()) {
            at += next.invalid().len();
        }
        Some(start..at)
    })
    .filter(|range| !range.is_empty())
}

fn violation(clause: &'static Clause, source: &[u8], range: Range<usize>, message: String) -> Violation {
    let place = Place::bytes(range.start as u64..range.end as u64).text_excerpt(source);
    Violation::new(clause, place, message)
}

/// Reading stops here.
pub(super) struct Stop;

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) source: &'a [u8],
    pub(super) at: usize,
    depth: usize,
    pub(super) form: Form,
    pub(super) limits: &'a Limits,
    pub(super) violations: Vec<Violation>,
    /// Places with white space, and the first of them.
    space: usize,
    first_space: Option<Range<usize>>,
    /// How many strings and names broke a clause about values.
    pub(super) values_broken: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Option<Node> {
        let root = self.outermost();
        // JSN-017: once for the whole document, or a pretty-printed one would say nothing else.
        if let (Form::Canonical, Some(first)) = (self.form, self.first_space.clone()) {
            let places = match self.space {
                1 => "in one place".to_owned(),
                more => format!("in {more} places"),
            };
            self.report(&clause::JSN_017, first, format!("there is white space outside strings {places}"));
        }
        let root = root.ok()?;
        // JSN-004
        if !matches!(root.value, Value::Object(_) | Value::Invalid) {
            let message = format!("the document is {}, not an object", root.value.type_name());
            self.report(&clause::JSN_004, root.bytes.clone(), message);
        }
        Some(root)
    }

    fn outermost(&mut self) -> Result<Node, Stop> {
        self.white_space();
        if self.at == self.source.len() {
            let message =
                if self.source.is_empty() { "the document is empty" } else { "the document holds white space only" };
            return Err(self.syntax(message.to_owned(), Some("write an object, in `{` and `}`")));
        }
        let root = self.value()?;
        self.white_space();
        if self.at < self.source.len() {
            return Err(self.expected("the end of the document after its value"));
        }
        Ok(root)
    }

    fn value(&mut self) -> Result<Node, Stop> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => match self.string(false)? {
                (string, true) => Value::String(string),
                (_, false) => Value::Invalid,
            },
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Boolean(true))?,
            Some(b'f') => self.word("false", Value::Boolean(false))?,
            Some(b'n') => {
                let value = self.word("null", Value::Invalid)?;
                // JSN-015
                self.report(&clause::JSN_015, start..self.at, "the value is `null`".to_owned());
                value
            }
            _ => return Err(self.expected("a value")),
        };
        Ok(Node { bytes: start..self.at, value })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Stop>) -> Result<Value, Stop> {
        // JSN-016
        if self.depth == self.limits.depth {
            let message = format!("the value is nested more than {} deep", self.limits.depth);
            self.report(&clause::JSN_016, self.at..self.at + 1, message);
            return Err(Stop);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Stop> {
        let mut elements = Vec::new();
        self.white_space();
        if self.take(b']') {
            return Ok(Value::Array(elements));
        }
        loop {
            self.white_space();
            elements.push(self.value()?);
            self.white_space();
            if self.take(b']') {
                return Ok(Value::Array(elements));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Value, Stop> {
        let mut members = Vec::new();
        self.white_space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a member name in double quotes"));
            }
            let start = self.at;
            let (name, sound) = self.string(true)?;
            let name_bytes = start..self.at;
            self.white_space();
            if !self.take(b':') {
                return Err(self.expected("`:` after the member name"));
            }
            self.white_space();
            let node = self.value()?;
            // Other chapters do not judge a member whose name breaks a clause of this one.
            if sound {
                members.push(Member { name, name_bytes, node });
            }
            self.white_space();
            if self.take(b'}') {
                return Ok(Value::Object(self.judge_members(members)));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    /// JSN-008 and JSN-018. Keeps the first of equal members.
    fn judge_members(&mut self, members: Vec<Member>) -> Vec<Member> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|a, b| members.get(*a).map(|m| &m.name).cmp(&members.get(*b).map(|m| &m.name)));
        let mut duplicate = vec![false; members.len()];
        for pair in order.windows(2) {
            let [first, second] = pair else { continue };
            let (Some(a), Some(b)) = (members.get(*first), members.get(*second)) else { continue };
            if a.name == b.name {
                let message = format!("the member `{}` stands twice in one object", shown(&b.name));
                self.report(&clause::JSN_008, b.name_bytes.clone(), message);
                self.relate(a.name_bytes.clone(), "the first is here");
                if let Some(flag) = duplicate.get_mut(*second) {
                    *flag = true;
                }
            }
        }
        let mut keep = duplicate.into_iter();
        let members: Vec<Member> =
            members.into_iter().filter(|_| keep.next().is_none_or(|duplicate| !duplicate)).collect();
        if self.form == Form::Canonical {
            for pair in members.windows(2) {
                if let [a, b] = pair
                    && b.name < a.name
                {
                    let message =
                        format!("the member `{}` stands after `{}`, not before it", shown(&b.name), shown(&a.name));
                    self.report(&clause::JSN_018, b.name_bytes.clone(), message);
                    break;
                }
            }
        }
        members
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        let negative = self.take(b'-');
        let digits = self.digits();
        if digits == 0 {
            return Err(self.expected("a digit"));
        }
        if digits > 1 && self.source.get(self.at - digits) == Some(&b'0') {
            let number = clip(self.text.get(start..self.at).unwrap_or_default());
            self.at = start;
            return Err(
                self.syntax(format!("the number {number} has a leading zero"), Some("leave the leading zeros out"))
            );
        }
        let whole = self.at;
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.expected("a digit after the decimal point"));
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            if self.digits() == 0 {
                return Err(self.expected("a digit in the exponent"));
            }
        }
        // A number with a tail is none, and nothing but the grammar judges it.
        if !matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}')) {
            return Err(self.expected("`,`, `]` or `}` after the number"));
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        // JSN-012
        if self.at > whole {
            let message = format!("the number {} has a fraction or exponent", clip(raw));
            self.report(&clause::JSN_012, start..self.at, message);
            return Ok(Value::Invalid);
        }
        // JSN-013
        if negative && raw == "-0" {
            self.report(&clause::JSN_013, start..self.at, "the number is written as `-0`".to_owned());
            return Ok(Value::Invalid);
        }
        // JSN-014
        match raw.parse::<i64>() {
            Ok(integer) if integer.unsigned_abs() <= self.limits.integer.unsigned_abs() => Ok(Value::Integer(integer)),
            _ => {
                let message =
                    format!("the number {} is outside -{most} to {most}", clip(raw), most = self.limits.integer);
                self.report(&clause::JSN_014, start..self.at, message);
                Ok(Value::Invalid)
            }
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Stop> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn white_space(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.at > start {
            self.space += 1;
            self.first_space.get_or_insert(start..self.at);
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// JSN-003, where something else stands than the grammar allows.
    pub(super) fn expected(&mut self, what: &str) -> Stop {
        let seen = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the end of the document".to_owned(),
            Some(character) => format!("`{}`", shown(&character.to_string())),
        };
        self.syntax(format!("expected {what}, found {seen}"), None)
    }

    /// JSN-003
    pub(super) fn syntax(&mut self, message: String, help: Option<&str>) -> Stop {
        let end = (self.at + 1).min(self.source.len());
        let mut violation = violation(&clause::JSN_003, self.source, self.at..end, message);
        violation.help = help.map(str::to_owned);
        self.push(violation);
        Stop
    }

    pub(super) fn report(&mut self, clause: &'static Clause, range: Range<usize>, message: String) {
        // An excerpt costs a look at everything before it, so none is made in vain.
        if self.violations.len() < MAX_VIOLATIONS {
            let violation = violation(clause, self.source, range, message);
            self.push(violation);
        }
    }

    /// Adds a place to the violation that was reported last.
    fn relate(&mut self, range: Range<usize>, message: &str) {
        let source = self.source;
        if self.violations.len() < MAX_VIOLATIONS
            && let Some(last) = self.violations.last_mut()
        {
            let place = Place::bytes(range.start as u64..range.end as u64).text_excerpt(source);
            last.related.push((message.to_owned(), place));
        }
    }

    pub(super) fn push(&mut self, violation: Violation) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(violation);
        }
    }
}
