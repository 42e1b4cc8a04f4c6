//! What the checks of all documents share: members by table, and values that several documents have.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::key::{KeyId, PublicKey};
use crate::clause::{self, Clause};
use crate::diagnostic::{MAX_VIOLATIONS, Place, Severity, Violation};
use crate::digest::Digest;
use crate::json::{self, Form, Node, Value};
use crate::limits::Limits;
use crate::manifest::{escape, judge_platform, time};
use crate::name::{self, Broken, judge_digest};
use crate::shown::{quoted, shown};
use crate::suggestion::closest;

/// What a member holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Integer,
    Boolean,
    Object,
    /// An array of strings.
    Texts,
    /// An array of objects.
    Objects,
    /// An object of strings.
    TextMap,
    /// An object of objects.
    ObjectMap,
    /// An object of arrays of objects.
    ListMap,
}

impl Type {
    fn words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Texts | Self::Objects => "an array",
            Self::Object | Self::TextMap | Self::ObjectMap | Self::ListMap => "an object",
        }
    }

    fn inner(self) -> Option<Self> {
        match self {
            Self::Texts | Self::TextMap => Some(Self::Text),
            Self::Objects | Self::ObjectMap => Some(Self::Object),
            Self::ListMap => Some(Self::Objects),
            Self::Text | Self::Integer | Self::Boolean | Self::Object => None,
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => matches!(value, Value::String(_)),
            Self::Integer => matches!(value, Value::Integer(_)),
            Self::Boolean => matches!(value, Value::Boolean(_)),
            Self::Texts | Self::Objects => matches!(value, Value::Array(_)),
            Self::Object | Self::TextMap | Self::ObjectMap | Self::ListMap => matches!(value, Value::Object(_)),
        }
    }
}

/// Whether a member has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
}

/// The members of an object.
pub(super) type Table = [(&'static str, Type, Presence)];

/// A value and where it is.
#[derive(Clone)]
pub(super) struct At<'n> {
    pub(super) node: &'n Node,
    pub(super) pointer: String,
}

impl<'n> At<'n> {
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        Some(Self { node: self.node.get(name)?, pointer: format!("{}/{}", self.pointer, escape(name)) })
    }

    /// The member `name`, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<(Self, &'n str)> {
        let at = self.get(name)?;
        let text = at.node.as_str()?;
        Some((at, text))
    }

    /// The member `name`, if it is an integer.
    pub(super) fn integer(&self, name: &str) -> Option<(Self, i64)> {
        let at = self.get(name)?;
        let integer = at.node.as_integer()?;
        Some((at, integer))
    }

    /// The elements of the member `name`; none if it is no array.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        self.get(name).map(|at| at.elements()).unwrap_or_default()
    }

    pub(super) fn elements(&self) -> Vec<Self> {
        let element = |(index, node)| Self { node, pointer: format!("{}/{index}", self.pointer) };
        self.node.elements().iter().enumerate().map(element).collect()
    }

    /// The members of the member `name`; none if it is no object.
    pub(super) fn map(&self, name: &str) -> Vec<(&'n str, Self)> {
        let Some(at) = self.get(name) else { return Vec::new() };
        let member = |member: &'n json::Member| {
            let pointer = format!("{}/{}", at.pointer, escape(&member.name));
            (member.name.as_str(), Self { node: &member.node, pointer })
        };
        at.node.members().iter().map(member).collect()
    }

    /// The canonical form of the member `name`; nothing if it is not there.
    pub(super) fn form(&self, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(node) = self.node.get(name) {
            json::write_node(&mut out, node);
        }
        out
    }
}

/// A document that is being judged.
pub(super) struct Reading<'a> {
    source: &'a [u8],
    pub(super) limits: &'a Limits,
    /// The clause that says which members there are.
    shape: &'static Clause,
    pub(super) violations: Vec<Violation>,
}

impl<'a> Reading<'a> {
    /// Reads `source` and has `judge` look at it, if it is an object.
    pub(super) fn of(
        source: &'a [u8],
        form: Form,
        (limits, readers): (&'a Limits, &Limits),
        shape: &'static Clause,
        judge: impl FnOnce(&mut Self, &At<'_>),
    ) -> Vec<Violation> {
        if source.len() as u64 > readers.document {
            // JSN-005: no more has been read than the limit and one byte.
            let limit = readers.document;
            let message = format!("the document has more than {limit} bytes");
            return vec![Violation::new(&clause::JSN_005, Place::bytes(limit..limit + 1), message)];
        }
        let document = json::read(source, form, readers);
        let mut reading = Self { source, limits, shape, violations: document.violations };
        if let Some(root) = document.root.filter(|root| matches!(root.value, Value::Object(_))) {
            judge(&mut reading, &At { node: &root, pointer: String::new() });
        }
        let mut violations = reading.violations;
        violations.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        violations
    }

    pub(super) fn report(&mut self, clause: &'static Clause, at: &At<'_>, message: String) {
        // An excerpt costs a look at everything before it: without a limit, time would be quadratic.
        if self.violations.len() < MAX_VIOLATIONS {
            let bytes = at.node.bytes.start as u64..at.node.bytes.end as u64;
            let place = Place::value(at.pointer.as_str(), bytes).text_excerpt(self.source);
            self.violations.push(Violation::new(clause, place, message));
        }
    }

    fn report_all(&mut self, broken: Vec<Broken>, at: &At<'_>) {
        for (clause, message) in broken {
            self.report(clause, at, message);
        }
    }

    /// Whether `object` has the members of `table`, and no other. Values of the right type alone are left to judge.
    pub(super) fn object(&mut self, object: &At<'_>, table: &Table) {
        if !matches!(object.node.value, Value::Object(_)) {
            return;
        }
        for (name, ..) in table
            .iter()
            .filter(|(name, _, presence)| *presence == Presence::Required && object.node.get(name).is_none())
        {
            self.report(self.shape, object, format!("the member `{name}` is missing"));
        }
        for member in object.node.members() {
            let at = At { node: &member.node, pointer: format!("{}/{}", object.pointer, escape(&member.name)) };
            match table.iter().find(|(name, ..)| *name == member.name) {
                Some((name, wanted, presence)) => {
                    let is_right = self.typed(&at, *wanted, &format!("`{name}`"));
                    let is_empty = match &at.node.value {
                        Value::Array(elements) => elements.is_empty(),
                        Value::Object(members) => members.is_empty(),
                        _ => false,
                    };
                    if is_right && is_empty && *presence == Presence::Optional && self.shape != &clause::POL_001 {
                        // REL-002
                        self.report(&clause::REL_002, &at, format!("`{name}` is empty"));
                    }
                }
                None => {
                    let before = self.violations.len();
                    self.report(self.shape, &at, format!("the member `{}` is not defined", shown(&member.name)));
                    let names = table.iter().map(|(name, ..)| *name);
                    if let (Some(last), Some(close)) = (self.violations.get_mut(before), closest(&member.name, names)) {
                        last.help = Some(format!("did you mean `{close}`?"));
                    }
                }
            }
        }
    }

    /// Whether a value has the type that is `wanted`; what is inside it is judged as well.
    fn typed(&mut self, at: &At<'_>, wanted: Type, what: &str) -> bool {
        if at.node.value == Value::Invalid {
            return false;
        }
        if !wanted.fits(&at.node.value) {
            let message = format!("{what} is {}, not {}", at.node.value.type_name(), wanted.words());
            self.report(self.shape, at, message);
            return false;
        }
        let Some(inner) = wanted.inner() else { return true };
        for (index, element) in at.elements().iter().enumerate() {
            self.typed(element, inner, &format!("element {index} of {what}"));
        }
        for member in at.node.members() {
            let pointer = format!("{}/{}", at.pointer, escape(&member.name));
            self.typed(&At { node: &member.node, pointer }, inner, &format!("`{}` of {what}", shown(&member.name)));
        }
        true
    }

    /// REL-003, REL-004
    pub(super) fn time(&mut self, object: &At<'_>, name: &str) {
        let Some((at, text)) = object.text(name) else { return };
        if !time::has_form(text) {
            let message = format!("{} is not of the form YYYY-MM-DDTHH:MM:SSZ", quoted(text));
            self.report(&clause::REL_003, &at, message);
        } else if !time::exists(text) {
            self.report(&clause::REL_004, &at, format!("the time {} does not exist", quoted(text)));
        }
    }

    /// REL-003 to REL-005
    pub(super) fn times(&mut self, object: &At<'_>) {
        let before = self.violations.len();
        self.time(object, "issued");
        self.time(object, "expires");
        if self.violations.len() == before
            && let (Some((_, issued)), Some((at, expires))) = (object.text("issued"), object.text("expires"))
            && issued >= expires
        {
            let message = format!("it expires at {expires}, and was issued at {issued}");
            self.report(&clause::REL_005, &at, message);
        }
    }

    /// NAM-001 to NAM-008
    pub(super) fn name(&mut self, object: &At<'_>, name: &str) {
        if let Some((at, text)) = object.text(name) {
            self.report_all(name::judge_name(text, self.limits), &at);
        }
    }

    /// NAM-009 to NAM-012
    pub(super) fn version(&mut self, at: &At<'_>, text: &str) {
        self.report_all(name::judge_version(text, self.limits), at);
    }

    /// NAM-001 to NAM-005
    pub(super) fn host(&mut self, object: &At<'_>, name: &str) {
        if let Some((at, text)) = object.text(name) {
            self.report_all(name::judge_host(text, self.limits), &at);
        }
    }

    /// NAM-013
    pub(super) fn channel(&mut self, at: &At<'_>, text: &str) {
        self.report_all(name::judge_channel(text, self.limits), at);
    }

    /// NAM-018 to NAM-022, CNF-002
    pub(super) fn platform(&mut self, object: &At<'_>) {
        use Presence::{Optional, Required};
        let Some(at) = object.get("platform") else { return };
        let table: &Table =
            &[("os", Type::Text, Required), ("architecture", Type::Text, Required), ("variant", Type::Text, Optional)];
        self.object(&at, table);
        for flaw in judge_platform(at.node) {
            let place = at.get(flaw.member).unwrap_or_else(|| at.clone());
            let before = self.violations.len();
            self.report(flaw.clause, &place, flaw.message);
            if let (Some(last), Some(help)) = (self.violations.get_mut(before), flaw.help) {
                last.help = Some(help);
            }
        }
    }

    /// NAM-024, NAM-025
    pub(super) fn digest(&mut self, object: &At<'_>, name: &str) {
        if let Some((at, text)) = object.text(name) {
            self.report_all(judge_digest(text), &at);
        }
    }

    /// The members of a descriptor; NAM-024 to NAM-026
    pub(super) fn descriptor(&mut self, object: &At<'_>, name: &str) {
        use Presence::Required;
        let Some(at) = object.get(name) else { return };
        self.object(&at, &[("digest", Type::Text, Required), ("size", Type::Integer, Required)]);
        self.digest(&at, "digest");
        if let Some((at, size)) = at.integer("size")
            && size < 1
        {
            self.report(&clause::NAM_026, &at, format!("the size is {size}, not 1 or more"));
        }
    }

    /// The members of a pin of a keyring; NAM-024, NAM-025, REL-010
    pub(super) fn keyring_pin(&mut self, object: &At<'_>) {
        use Presence::Required;
        let Some(at) = object.get("keyring") else { return };
        self.object(&at, &[("digest", Type::Text, Required), ("version", Type::Integer, Required)]);
        self.digest(&at, "digest");
        self.keyring_number(&at, "version");
    }

    /// REL-010
    pub(super) fn keyring_number(&mut self, object: &At<'_>, name: &str) {
        if let Some((at, number)) = object.integer(name)
            && number < 1
        {
            self.report(&clause::REL_010, &at, format!("the number of the keyring is {number}, not 1 or more"));
        }
    }

    /// SIG-001 to SIG-003
    pub(super) fn key(&mut self, at: &At<'_>, text: &str) -> Option<PublicKey> {
        match PublicKey::parse(text) {
            Ok(key) => Some(key),
            Err((clause, message)) => {
                self.report(clause, at, message);
                None
            }
        }
    }

    /// SIG-012
    pub(super) fn key_id(&mut self, at: &At<'_>, text: &str) -> Option<KeyId> {
        let id = Digest::from_hex(text);
        if id.is_none() {
            let flaw = crate::digest::flaw(text);
            let message = format!("{} is not 64 hexadecimal digits in lower case{flaw}", quoted(text));
            self.report(&clause::SIG_012, at, message);
        }
        id
    }

    /// REL-012, REL-013; SIG-012 as well
    pub(super) fn key_ids(&mut self, rule: &At<'_>) {
        let elements = rule.list("keyids");
        if let Some(at) = rule.get("keyids").filter(|at| matches!(&at.node.value, Value::Array(all) if all.is_empty()))
        {
            self.report(&clause::REL_012, &at, "the rule names no key".to_owned());
        }
        for at in &elements {
            if let Some(text) = at.node.as_str() {
                self.key_id(at, text);
            }
        }
        self.ascending(&clause::REL_013, &elements, "key id", |at| {
            at.node.as_str().map(str::as_bytes).map(<[u8]>::to_vec)
        });
    }

    /// REL-015: `threshold` against the number of `count`.
    pub(super) fn threshold(&mut self, rule: &At<'_>, clause: &'static Clause, count: usize) {
        if let Some((at, threshold)) = rule.integer("threshold")
            && !usize::try_from(threshold).is_ok_and(|threshold| (1..=count).contains(&threshold))
        {
            let message = format!("the threshold is {threshold}, not from 1 to {count}");
            self.report(clause, &at, message);
        }
    }

    /// Whether what `key` says of the elements ascends; those of which it says nothing are passed over.
    pub(super) fn ascending(
        &mut self,
        clause: &'static Clause,
        elements: &[At<'_>],
        what: &str,
        key: impl Fn(&At<'_>) -> Option<Vec<u8>>,
    ) {
        let mut last: Option<Vec<u8>> = None;
        for at in elements {
            let Some(key) = key(at) else { continue };
            if let Some(last) = last.as_ref().filter(|last| **last >= key) {
                let how = if *last == key { "stands twice" } else { "stands after a higher one" };
                self.report(clause, at, format!("the {what} {how}"));
            }
            last = Some(key);
        }
    }

    /// Reports the second of two elements that are alike.
    pub(super) fn distinct<'n, K: Ord>(
        &mut self,
        clause: &'static Clause,
        elements: impl IntoIterator<Item = (K, At<'n>)>,
        message: &str,
    ) {
        let mut seen = BTreeSet::new();
        for (key, at) in elements {
            if !seen.insert(key) {
                self.report(clause, &at, message.to_owned());
            }
        }
    }
}

/// The value of a document that breaks no clause with MUST.
pub(super) fn value<T: DeserializeOwned>(source: &[u8], violations: &[Violation]) -> Option<T> {
    let is_sound = !violations.iter().any(|violation| violation.clause.severity == Severity::Error);
    is_sound.then(|| serde_json::from_slice(source).ok()).flatten()
}
