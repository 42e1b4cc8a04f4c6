//! Reading the JSON of others: everything that RFC 8259 allows, and what the tables say of it (OCI-010 to OCI-016,
//! OCI-020).

use super::descriptor::Spot;
use super::table::{Table, Type};
use crate::clause::{self, Clause};
use crate::diagnostic::{MAX_VIOLATIONS, Place, Violation};
use crate::json::{self, Form, Node, Value};
use crate::limits::Limits;
use crate::shown::{clip, shown};

/// A document as far as it could be read, and what is wrong with it.
pub(super) struct Document {
    /// Its file.
    pub(super) path: String,
    pub(super) source: Vec<u8>,
    /// The object that it is; absent if it is none.
    pub(super) root: Option<Node>,
    pub(super) violations: Vec<Violation>,
}

/// What a value is, for one that is of no type in the strict reader as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Null,
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl Document {
    /// Reads a document that is an object, at most one byte longer than the limit, from the file `path`.
    pub(super) fn read(path: &str, source: Vec<u8>, limits: &Limits) -> Self {
        Self::read_as(Seen::Object, &clause::OCI_010, path, source, limits)
    }

    /// The same of one that is an array.
    pub(super) fn read_array(path: &str, source: Vec<u8>, limits: &Limits) -> Self {
        Self::read_as(Seen::Array, &clause::OCI_090, path, source, limits)
    }

    fn read_as(wanted: Seen, clause: &'static Clause, path: &str, source: Vec<u8>, limits: &Limits) -> Self {
        let mut document = Self { path: path.to_owned(), source, root: None, violations: Vec::new() };
        let length = document.source.len() as u64;
        // OCI-013
        if length > limits.oci_document {
            let place = Place::bytes(limits.oci_document..length).file(path);
            let message = format!("the document has more than {} bytes", limits.oci_document);
            document.violations.push(Violation::new(&clause::OCI_013, place, message));
            return document;
        }
        let most = document.source.len();
        let lenient = Limits { depth: limits.oci_depth, member_name: most, string: most, ..limits.clone() };
        let read = json::read(&document.source, Form::Strict, &lenient);
        document.violations = read.violations.into_iter().filter_map(|violation| foreign(violation, path)).collect();
        // OCI-010, OCI-090
        if let Some(root) = read.root.as_ref().filter(|root| document.seen(root) != wanted) {
            let wanted = if wanted == Seen::Array { "an array" } else { "an object" };
            let message = format!("the document is {}, not {wanted}", document.words(root));
            document.report(clause, root, "", message);
        } else {
            document.root = read.root;
        }
        document
    }

    /// Judges the document by a table and gives its object.
    pub(super) fn judge(&mut self, table: &'static Table) -> Option<Node> {
        let root = self.root.take()?;
        self.object(&root, "", table);
        self.root = Some(root.clone());
        Some(root)
    }

    /// Judges an element of an array by a table. Whether it is an object.
    pub(super) fn judge_element(&mut self, element: &Node, pointer: &str, table: &'static Table) -> bool {
        let is_object = self.seen(element) == Seen::Object;
        if is_object {
            self.object(element, pointer, table);
        } else {
            let message = format!("the element is {}, not an object", self.words(element));
            self.report(&clause::OCI_090, element, pointer, message);
        }
        is_object
    }

    /// A place in the document.
    pub(super) fn place(&self, spot: &Spot) -> Place {
        let bytes = spot.bytes.start as u64..spot.bytes.end as u64;
        Place::value(&spot.pointer, bytes).text_excerpt(&self.source).file(self.path.clone())
    }

    pub(super) fn report(&mut self, clause: &'static Clause, node: &Node, pointer: &str, message: impl Into<String>) {
        self.report_at(clause, &Spot { pointer: pointer.to_owned(), bytes: node.bytes.clone() }, message);
    }

    pub(super) fn report_at(&mut self, clause: &'static Clause, spot: &Spot, message: impl Into<String>) {
        // An excerpt costs a look at everything before it: without a limit, time would be quadratic.
        if self.violations.len() < MAX_VIOLATIONS {
            let place = self.place(spot);
            self.violations.push(Violation::new(clause, place, message));
        }
    }

    /// Adds a place to the violation that was reported last.
    pub(super) fn relate(&mut self, spot: &Spot, message: &str) {
        let place = self.place(spot);
        if let Some(last) = self.violations.last_mut().filter(|last| last.related.is_empty()) {
            last.related.push((message.to_owned(), place));
        }
    }

    /// The violations, in the order of the document.
    pub(super) fn take_violations(&mut self) -> Vec<Violation> {
        let mut violations = std::mem::take(&mut self.violations);
        violations.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        violations
    }

    fn object(&mut self, object: &Node, pointer: &str, table: &'static Table) {
        for (name, kind, required) in table {
            match object.get(name).filter(|node| !self.is_null(node)) {
                Some(node) => self.value(node, &below(pointer, name), name, *kind),
                // OCI-015
                None if *required => {
                    let why = if object.get(name).is_some() { "is `null`" } else { "is missing" };
                    self.report(&clause::OCI_015, object, pointer, format!("the member `{name}` {why}"));
                }
                None => {}
            }
        }
        // OCI-012
        for member in object.members() {
            let found = table.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&member.name));
            if let Some((name, ..)) = found.filter(|(name, ..)| *name != member.name) {
                let message = format!("the member `{}` differs from `{name}` by capitals only", shown(&member.name));
                self.report(&clause::OCI_012, &member.node, &below(pointer, &member.name), message);
            }
        }
    }

    fn value(&mut self, node: &Node, pointer: &str, name: &str, kind: Type) {
        if !self.has_type(node, pointer, name, kind) {
            return;
        }
        match kind {
            Type::Object(table) => self.object(node, pointer, table),
            Type::Objects(table) => {
                for (index, element) in node.elements().iter().enumerate() {
                    let pointer = format!("{pointer}/{index}");
                    if self.has_type(element, &pointer, &format!("{name}[{index}]"), Type::Object(table)) {
                        self.object(element, &pointer, table);
                    }
                }
            }
            Type::Strings => {
                for (index, element) in node.elements().iter().enumerate() {
                    self.has_type(element, &format!("{pointer}/{index}"), &format!("{name}[{index}]"), Type::String);
                }
            }
            Type::AllWithin(range) => {
                for (index, element) in node.elements().iter().enumerate() {
                    let kind = Type::Within(range);
                    self.has_type(element, &format!("{pointer}/{index}"), &format!("{name}[{index}]"), kind);
                }
            }
            Type::Words => {
                for member in node.members() {
                    self.has_type(&member.node, &below(pointer, &member.name), &shown(&member.name), Type::String);
                }
            }
            Type::Names => {
                for member in node.members() {
                    self.has_type(&member.node, &below(pointer, &member.name), &shown(&member.name), Type::Names);
                }
            }
            Type::Texts => {
                // OCI-020
                for member in node.members() {
                    if self.seen(&member.node) == Seen::String {
                        continue;
                    }
                    let message = format!("the value of `{}` is {}", shown(&member.name), self.words(&member.node));
                    self.report(&clause::OCI_020, &member.node, &below(pointer, &member.name), message);
                }
            }
            Type::String | Type::Integer | Type::Within(_) | Type::Boolean => {}
        }
    }

    /// OCI-016
    fn has_type(&mut self, node: &Node, pointer: &str, name: &str, kind: Type) -> bool {
        let is_right = match kind {
            Type::String => self.seen(node) == Seen::String,
            Type::Integer => self.seen(node) == Seen::Integer,
            Type::Within(range) => self.integer(node).is_some_and(|it| (range.least..=range.most).contains(&it)),
            Type::Boolean => self.seen(node) == Seen::Boolean,
            Type::Strings | Type::Objects(_) | Type::AllWithin(_) => self.seen(node) == Seen::Array,
            Type::Object(_) | Type::Names | Type::Texts | Type::Words => self.seen(node) == Seen::Object,
        };
        if !is_right {
            let message = format!("`{name}` is {}, not {}", self.words(node), kind.words());
            self.report(&clause::OCI_016, node, pointer, message);
        }
        is_right
    }

    /// Whether the value is `null`.
    pub(super) fn is_null(&self, node: &Node) -> bool {
        self.seen(node) == Seen::Null
    }

    /// Whether the value is an array.
    pub(super) fn is_array(&self, node: &Node) -> bool {
        self.seen(node) == Seen::Array
    }

    /// The integer that a value is, also one that is larger than the strict reader allows.
    pub(super) fn integer(&self, node: &Node) -> Option<i128> {
        match node.value {
            Value::Integer(integer) => Some(integer.into()),
            Value::Invalid => std::str::from_utf8(self.source.get(node.bytes.clone())?).ok()?.parse().ok(),
            _ => None,
        }
    }

    fn seen(&self, node: &Node) -> Seen {
        match &node.value {
            Value::Boolean(_) => Seen::Boolean,
            Value::Integer(_) => Seen::Integer,
            Value::String(_) => Seen::String,
            Value::Array(_) => Seen::Array,
            Value::Object(_) => Seen::Object,
            Value::Invalid => match self.source.get(node.bytes.start) {
                Some(b'n') => Seen::Null,
                Some(b'"') => Seen::String,
                _ => Seen::Number,
            },
        }
    }

    fn words(&self, node: &Node) -> String {
        let text = || clip(&String::from_utf8_lossy(self.source.get(node.bytes.clone()).unwrap_or_default()));
        match self.seen(node) {
            Seen::Null => "`null`".to_owned(),
            Seen::String => "a string".to_owned(),
            Seen::Integer | Seen::Number => format!("the number {}", text()),
            Seen::Boolean => "a boolean".to_owned(),
            Seen::Array => "an array".to_owned(),
            Seen::Object => "an object".to_owned(),
        }
    }
}

/// The pointer of the member `name`.
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What a violation of the JSON chapter is in the JSON of others; `None` if they may write so.
///
/// That the document is an object is judged here.
fn foreign(mut violation: Violation, path: &str) -> Option<Violation> {
    let clause = match violation.clause.id {
        "JSN-001" | "JSN-002" | "JSN-003" => &clause::OCI_010,
        "JSN-008" => &clause::OCI_011,
        "JSN-016" => &clause::OCI_014,
        _ => return None,
    };
    if clause == &clause::OCI_010 {
        violation.help.get_or_insert_with(|| violation.clause.help.to_owned());
    }
    violation.clause = clause;
    Some(violation.in_file(path))
}
