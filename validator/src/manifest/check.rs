//! The clauses about a manifest by itself (MAN, NAM, CNF).

use super::document::Outline;
use super::platform::judge_platform;
use super::table::Presence::{Optional, Required};
use super::table::{Default, Presence, Table, Type};
use super::types::FORMAT_VERSION;
use super::{app, time};
use crate::clause::{self, Clause};
use crate::diagnostic::{MAX_VIOLATIONS, Place, Violation};
use crate::json::{self, Form, Node, Value};
use crate::limits::Limits;
use crate::name;
use crate::shown::{quoted, shown};
use crate::suggestion::closest;

/// Checks a manifest. The violations come in the order of the document.
///
/// The outline is absent if the document is no JSON object, or of a version that is not implemented.
///
/// ```
/// use cornercast::limits::Limits;
/// use cornercast::manifest;
///
/// let (_, violations) = manifest::check(br#"{"cornercast":"2.0"}"#, &Limits::FORMAT);
/// assert_eq!(violations[0].clause.id, "CNF-001");
/// ```
#[must_use]
pub fn check(source: &[u8], limits: &Limits) -> (Option<Outline>, Vec<Violation>) {
    // MAN-001
    if source.len() as u64 > limits.manifest {
        let message = format!("the manifest has more than {} bytes", limits.manifest);
        let place = Place::bytes(limits.manifest..limits.manifest + 1);
        return (None, vec![Violation::new(&clause::MAN_001, place, message)]);
    }
    let document = json::read(source, Form::Canonical, limits);
    let mut checker = Checker { source, limits, violations: document.violations };
    let Some(root) = document.root.filter(|root| matches!(root.value, Value::Object(_))) else {
        return (None, checker.violations);
    };
    let is_implemented = checker.format_version(&root);
    if is_implemented {
        checker.manifest(&root);
    }
    let mut violations = checker.violations;
    violations.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
    let outline = is_implemented.then(|| Outline::new(root, source, violations.is_empty()));
    (outline, violations)
}

const EMPTY: Presence = Presence::Default(Default::Empty);

const MANIFEST: &Table = &[
    ("cornercast", Type::String, Required),
    ("kind", Type::String, Required),
    ("name", Type::String, Required),
    ("version", Type::String, Required),
    ("platform", Type::Object, Required),
    ("app", Type::Object, Optional),
    ("layers", Type::ObjectArray, Required),
    ("rootfs", Type::Object, Required),
    ("base", Type::Object, Optional),
    ("attachments", Type::ObjectArray, EMPTY),
    ("created", Type::String, Optional),
    ("annotations", Type::Strings, EMPTY),
];
const PLATFORM: &Table =
    &[("os", Type::String, Required), ("architecture", Type::String, Required), ("variant", Type::String, Optional)];

/// Judges the parts of a manifest.
pub(super) struct Checker<'a> {
    source: &'a [u8],
    pub(super) limits: &'a Limits,
    pub(super) violations: Vec<Violation>,
}

impl Checker<'_> {
    pub(super) fn report(&mut self, clause: &'static Clause, node: &Node, pointer: &str, message: String) {
        // An excerpt costs a look at everything before it: without a limit, time would be quadratic.
        if self.violations.len() >= MAX_VIOLATIONS {
            return;
        }
        let place = Place::value(pointer, node.bytes.start as u64..node.bytes.end as u64).text_excerpt(self.source);
        self.violations.push(Violation::new(clause, place, message));
    }

    /// Like [`Checker::report`], with a remedy of its own.
    fn report_with(&mut self, clause: &'static Clause, node: &Node, pointer: &str, message: String, help: String) {
        let before = self.violations.len();
        self.report(clause, node, pointer, message);
        if let Some(violation) = self.violations.get_mut(before) {
            violation.help = Some(help);
        }
    }

    /// Adds a place to the violation that was reported last.
    pub(super) fn relate(&mut self, node: &Node, pointer: &str, message: &str) {
        if self.violations.len() < MAX_VIOLATIONS
            && let Some(last) = self.violations.last_mut()
        {
            let bytes = node.bytes.start as u64..node.bytes.end as u64;
            last.related.push((message.to_owned(), Place::value(pointer, bytes).text_excerpt(self.source)));
        }
    }

    /// Like [`Checker::report`]; the help suggests what is close to `name` among `known`.
    pub(super) fn report_unknown<'a>(
        &mut self,
        clause: &'static Clause,
        node: &Node,
        pointer: &str,
        message: String,
        (name, known): (&str, impl IntoIterator<Item = &'a str>),
    ) {
        let before = self.violations.len();
        self.report(clause, node, pointer, message);
        if let Some(violation) = self.violations.get_mut(before)
            && let Some(close) = closest(name, known)
        {
            violation.help = Some(format!("did you mean `{close}`?"));
        }
    }

    pub(super) fn report_all(&mut self, broken: Vec<name::Broken>, node: &Node, pointer: &str) {
        for (clause, message) in broken {
            self.report(clause, node, pointer, message);
        }
    }

    /// MAN-002 and CNF-001. Whether the document can be judged further.
    fn format_version(&mut self, root: &Node) -> bool {
        let Some((node, version)) = root.get("cornercast").and_then(|node| Some((node, node.as_str()?))) else {
            return true;
        };
        match judge_format_version(version) {
            Ok(()) => true,
            Err((clause, message)) => {
                self.report(clause, node, "/cornercast", message);
                clause != &clause::CNF_001
            }
        }
    }

    fn manifest(&mut self, root: &Node) {
        self.object(root, "", MANIFEST, &clause::MAN_003);
        if let Some((node, kind)) = string(root, "kind")
            && kind != "image"
        {
            // MAN-004
            self.report(&clause::MAN_004, node, "/kind", format!("the kind is {}, not \"image\"", quoted(kind)));
        }
        if let Some((node, name)) = string(root, "name") {
            let broken = name::judge_name(name, self.limits);
            self.report_all(broken, node, "/name");
        }
        if let Some((node, version)) = string(root, "version") {
            let broken = name::judge_version(version, self.limits);
            self.report_all(broken, node, "/version");
        }
        if let Some(platform) = root.get("platform") {
            self.platform(platform);
        }
        if let Some(app) = root.get("app") {
            app::check(self, app);
        }
        self.layers(root);
        if let Some(rootfs) = root.get("rootfs") {
            self.rootfs(rootfs);
        }
        if let Some(base) = root.get("base") {
            self.base(base, root);
        }
        if let Some(attachments) = root.get("attachments") {
            self.attachments(attachments);
        }
        self.descriptor_sizes(root);
        if let Some((node, created)) = string(root, "created") {
            self.created(node, created);
        }
        // MAN-011
        for member in root.get("annotations").map(Node::members).unwrap_or_default() {
            if !is_annotation_name(&member.name) {
                let pointer = format!("/annotations/{}", escape(&member.name));
                let message = format!("the annotation name {} is not well formed", quoted(&member.name));
                self.report(&clause::MAN_011, &member.node, &pointer, message);
            }
        }
    }

    fn created(&mut self, node: &Node, created: &str) {
        if !time::has_form(created) {
            // MAN-009
            let message = format!("{} is not of the form YYYY-MM-DDTHH:MM:SSZ", quoted(created));
            self.report(&clause::MAN_009, node, "/created", message);
        } else if !time::exists(created) {
            // MAN-010
            self.report(&clause::MAN_010, node, "/created", format!("the time {} does not exist", quoted(created)));
        }
    }

    /// NAM-018 to NAM-022, CNF-002
    fn platform(&mut self, platform: &Node) {
        self.object(platform, "/platform", PLATFORM, &clause::MAN_006);
        for flaw in judge_platform(platform) {
            let pointer =
                if flaw.member.is_empty() { "/platform".to_owned() } else { format!("/platform/{}", flaw.member) };
            let node = platform.get(flaw.member).unwrap_or(platform);
            match flaw.help {
                Some(help) => self.report_with(flaw.clause, node, &pointer, flaw.message, help),
                None => self.report(flaw.clause, node, &pointer, flaw.message),
            }
        }
    }

    /// MAN-003 or MAN-006, MAN-005, MAN-007, MAN-008, MAN-012
    pub(super) fn object(&mut self, object: &Node, pointer: &str, table: &Table, missing: &'static Clause) {
        let Value::Object(members) = &object.value else { return };
        for (name, wanted, presence) in table {
            if matches!(presence, Required) && object.get(name).is_none() {
                let message = format!("the member `{name}` is missing");
                self.report_with(missing, object, pointer, message, format!("add `{name}`, {}", wanted.words().0));
            }
        }
        for member in members {
            let pointer = format!("{pointer}/{}", escape(&member.name));
            let Some((_, wanted, presence)) = table.iter().find(|(name, _, _)| *name == member.name) else {
                let message = format!("the member `{}` is not defined", shown(&member.name));
                let before = self.violations.len();
                let names = table.iter().map(|(name, _, _)| *name);
                self.report_unknown(&clause::MAN_012, &member.node, &pointer, message, (&member.name, names));
                if let Some(violation) = self.violations.get_mut(before) {
                    // The name is what is wrong, whatever the value.
                    let name = member.name_bytes.start as u64..member.name_bytes.end as u64;
                    violation.place = Place::value(&pointer, name).text_excerpt(self.source);
                }
                continue;
            };
            if self.judge_type(&member.node, *wanted, &pointer, &format!("`{}`", shown(&member.name)))
                && let Presence::Default(default) = presence
                && holds(&member.node.value, *default)
                && !self.hides_members(&member.node)
            {
                let message = format!("`{}` {}, which is its default", member.name, default.seen());
                self.report(&clause::MAN_007, &member.node, &pointer, message);
            }
        }
    }

    /// Whether an object without members has some whose names break a clause about values.
    fn hides_members(&self, node: &Node) -> bool {
        let braces = self.source.get(node.bytes.clone()).unwrap_or_default();
        matches!(node.value, Value::Object(_)) && braces.contains(&b':')
    }

    /// MAN-005, MAN-008; `what` names the value in messages.
    fn judge_type(&mut self, node: &Node, wanted: Type, pointer: &str, what: &str) -> bool {
        let right = match wanted {
            Type::String => matches!(node.value, Value::String(_)),
            Type::Integer => matches!(node.value, Value::Integer(_)),
            Type::Boolean => matches!(node.value, Value::Boolean(_)),
            Type::Object | Type::Strings | Type::Objects => matches!(node.value, Value::Object(_)),
            Type::StringArray | Type::IntegerArray | Type::ObjectArray => matches!(node.value, Value::Array(_)),
            Type::Any => true,
        };
        if !right {
            if node.value != Value::Invalid {
                let (name, help) = wanted.words();
                let message = format!("{what} is {}, not {name}", node.value.type_name());
                self.report_with(&clause::MAN_005, node, pointer, message, help.to_owned());
            }
            return false;
        }
        let inner = match wanted {
            Type::Strings | Type::StringArray => Type::String,
            Type::IntegerArray => Type::Integer,
            Type::Objects | Type::ObjectArray => Type::Object,
            _ => return true,
        };
        for member in node.members() {
            let inner_pointer = format!("{pointer}/{}", escape(&member.name));
            self.judge_type(&member.node, inner, &inner_pointer, &format!("`{}`", shown(&member.name)));
        }
        for (index, element) in node.elements().iter().enumerate() {
            self.judge_type(element, inner, &format!("{pointer}/{index}"), &format!("element {index} of {what}"));
        }
        let own_limit = matches!(pointer, "/layers" | "/attachments" | "/app/ports" | "/app/mounts");
        if node.elements().len() > self.limits.array && !own_limit {
            let message = format!("{what} has {} elements; the limit is {}", node.elements().len(), self.limits.array);
            self.report(&clause::MAN_008, node, pointer, message);
        }
        true
    }
}

/// Judges a format version (MAN-002, CNF-001).
pub(crate) fn judge_format_version(version: &str) -> Result<(), name::Broken> {
    let is_number = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() && (part == "0" || !part.starts_with('0'))
    };
    if version == FORMAT_VERSION {
        return Ok(());
    }
    match version.split_once('.') {
        Some((major, minor)) if is_number(major) && is_number(minor) => {
            let message = format!("the format version {} is not implemented here; {FORMAT_VERSION} is", shown(version));
            Err((&clause::CNF_001, message))
        }
        _ => Err((&clause::MAN_002, format!("the format version {} is not two numbers with a dot", quoted(version)))),
    }
}

fn holds(value: &Value, default: Default) -> bool {
    match (value, default) {
        (Value::String(string), Default::String(default)) => string == default,
        (Value::Integer(integer), Default::Integer(default)) => *integer == default,
        (Value::Boolean(boolean), Default::Boolean(default)) => *boolean == default,
        (Value::Array(elements), Default::Empty) => elements.is_empty(),
        (Value::Object(members), Default::Empty) => members.is_empty(),
        _ => false,
    }
}

pub(super) fn string<'a>(object: &'a Node, name: &str) -> Option<(&'a Node, &'a str)> {
    let node = object.get(name)?;
    Some((node, node.as_str()?))
}

pub(super) fn integer<'a>(object: &'a Node, name: &str) -> Option<(&'a Node, i64)> {
    let node = object.get(name)?;
    Some((node, node.as_integer()?))
}

/// A member name as a segment of a JSON pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub(crate) fn is_annotation_name(name: &str) -> bool {
    let mut parts = name.split('.');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    first.starts_with(|first: char| first.is_ascii_lowercase())
        && first.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
        && !rest.is_empty()
        && rest.iter().all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        })
}
