//! The clauses about a manifest by itself (MAN, NAM, CNF).

use std::collections::BTreeMap;

use super::document::Outline;
use super::types::FORMAT_VERSION;
use super::{app, time};
use crate::clause::{self, Clause};
use crate::diagnostic::{MAX_VIOLATIONS, Place, Violation};
use crate::json::{self, Form, Node, Value};
use crate::limits::Limits;
use crate::name::{self, judge_digest};
use crate::shown::{quoted, shown};

/// Checks a manifest.
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
    if !checker.format_version(&root) {
        return (None, checker.violations);
    }
    checker.manifest(&root);
    (Some(Outline::new(root, source, checker.violations.is_empty())), checker.violations)
}

/// What a member holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Integer,
    Boolean,
    Object,
    /// An object whose members are strings.
    Strings,
    /// An object whose members are objects.
    Objects,
    StringArray,
    IntegerArray,
    ObjectArray,
    Any,
}

/// Whether a member has to be there, and what it must not hold.
#[derive(Clone, Copy)]
pub(super) enum Presence {
    Required,
    Optional,
    Default(Default),
}

/// A value that a member must not hold (MAN-007).
#[derive(Clone, Copy)]
pub(super) enum Default {
    String(&'static str),
    Integer(i64),
    Boolean(bool),
    Empty,
}

pub(super) type Table = [(&'static str, Type, Presence)];

use Presence::{Optional, Required};
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
const LAYER: &Table =
    &[("digest", Type::String, Required), ("size", Type::Integer, Required), ("listing", Type::Object, Required)];
const DESCRIPTOR: &Table = &[("digest", Type::String, Required), ("size", Type::Integer, Required)];
const ROOTFS: &Table =
    &[("digest", Type::String, Required), ("entries", Type::Integer, Required), ("size", Type::Integer, Required)];
const BASE: &Table = &[
    ("name", Type::String, Required),
    ("version", Type::String, Required),
    ("image", Type::String, Required),
    ("layers", Type::Integer, Required),
];
const ATTACHMENT: &Table =
    &[("type", Type::String, Required), ("digest", Type::String, Required), ("size", Type::Integer, Required)];

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

    fn report_all(&mut self, broken: Vec<name::Broken>, node: &Node, pointer: &str) {
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
                let message = format!("the annotation is named {}", quoted(&member.name));
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
        if let Some((node, os)) = string(platform, "os") {
            let pointer = "/platform/os";
            if os.is_empty() || !os.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')) {
                self.report(&clause::NAM_018, node, pointer, format!("the os {} is not well formed", quoted(os)));
            } else if os != "linux" {
                self.report(&clause::CNF_002, node, pointer, format!("the os {} is not supported", quoted(os)));
            }
        }
        let Some((architecture_node, architecture)) = string(platform, "architecture") else { return };
        const KNOWN: [&str; 13] = [
            "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
            "riscv64", "s390x",
        ];
        if !KNOWN.contains(&architecture) {
            let message = format!("the architecture {} is unknown", quoted(architecture));
            self.report(&clause::NAM_019, architecture_node, "/platform/architecture", message);
            return;
        }
        let (node, variant) = match platform.get("variant") {
            None => (platform, None),
            Some(node) if matches!(node.value, Value::String(_)) => (node, node.as_str()),
            Some(_) => return,
        };
        let pointer = if variant.is_some() { "/platform/variant" } else { "/platform" };
        let (clause, right) = match architecture {
            "arm" => (&clause::NAM_020, matches!(variant, Some("v5" | "v6" | "v7" | "v8"))),
            "amd64" => (&clause::NAM_021, matches!(variant, None | Some("v2" | "v3" | "v4"))),
            _ => (&clause::NAM_022, variant.is_none()),
        };
        if !right {
            let message = match variant {
                Some(variant) => format!("the architecture {architecture} has the variant {}", quoted(variant)),
                None => format!("the architecture {architecture} has no variant"),
            };
            self.report(clause, node, pointer, message);
        }
    }

    /// MAN-047 to MAN-050, LST-014
    fn layers(&mut self, root: &Node) {
        let Some(layers) = root.get("layers").filter(|node| matches!(node.value, Value::Array(_))) else { return };
        let elements = layers.elements();
        if elements.is_empty() && root.get("app").is_some() {
            let message = "the image has an app but no layer".to_owned();
            self.report(&clause::MAN_047, layers, "/layers", message);
        }
        if elements.len() > self.limits.layers {
            let message = format!("the image has {} layers; the limit is {}", elements.len(), self.limits.layers);
            self.report(&clause::MAN_048, layers, "/layers", message);
        }
        let mut total = 0_u64;
        for (index, layer) in elements.iter().enumerate() {
            let pointer = format!("/layers/{index}");
            self.object(layer, &pointer, LAYER, &clause::MAN_006);
            self.digest(layer, "digest", &pointer);
            if let Some((node, size)) = self.size(layer, &pointer) {
                if size > self.limits.layer {
                    let message = format!("the layer has {size} bytes; the limit is {}", self.limits.layer);
                    self.report(&clause::MAN_049, node, &format!("{pointer}/size"), message);
                }
                total = total.saturating_add(size);
            }
            if let Some(listing) = layer.get("listing") {
                let pointer = format!("{pointer}/listing");
                self.object(listing, &pointer, DESCRIPTOR, &clause::MAN_006);
                self.digest(listing, "digest", &pointer);
                if let Some((node, size)) = self.size(listing, &pointer)
                    && size > self.limits.listing
                {
                    let message = format!("the listing has {size} bytes; the limit is {}", self.limits.listing);
                    self.report(&clause::LST_014, node, &format!("{pointer}/size"), message);
                }
            }
        }
        if total > self.limits.layers_total {
            let message = format!("the layers have {total} bytes; the limit is {}", self.limits.layers_total);
            self.report(&clause::MAN_050, layers, "/layers", message);
        }
    }

    /// MAN-058, LST-020
    fn rootfs(&mut self, rootfs: &Node) {
        self.object(rootfs, "/rootfs", ROOTFS, &clause::MAN_006);
        self.digest(rootfs, "digest", "/rootfs");
        for name in ["entries", "size"] {
            let Some((node, value)) = integer(rootfs, name) else { continue };
            let pointer = format!("/rootfs/{name}");
            if value < 0 {
                self.report(&clause::MAN_058, node, &pointer, format!("`{name}` is {value}"));
            }
            let lines = i64::try_from(self.limits.rootfs_lines).unwrap_or(i64::MAX);
            if name == "entries" && value > lines {
                let message = format!("the merged listing has {value} lines; the limit is {lines}");
                self.report(&clause::LST_020, node, &pointer, message);
            }
        }
    }

    /// MAN-055
    fn base(&mut self, base: &Node, root: &Node) {
        self.object(base, "/base", BASE, &clause::MAN_006);
        if let Some((node, name)) = string(base, "name") {
            let broken = name::judge_name(name, self.limits);
            self.report_all(broken, node, "/base/name");
        }
        if let Some((node, version)) = string(base, "version") {
            let broken = name::judge_version(version, self.limits);
            self.report_all(broken, node, "/base/version");
        }
        self.digest(base, "image", "/base");
        // Without an array there is no number to compare with.
        let layers = root.get("layers").filter(|layers| matches!(layers.value, Value::Array(_)));
        let most = layers.map_or(usize::MAX, |layers| layers.elements().len());
        if let Some((node, count)) = integer(base, "layers")
            && !usize::try_from(count).is_ok_and(|count| (1..=most).contains(&count))
        {
            let of = layers.map_or(String::new(), |_| format!("; the image has {most}"));
            let message = format!("{count} layers come from the base{of}");
            self.report(&clause::MAN_055, node, "/base/layers", message);
        }
    }

    /// MAN-051 to MAN-054
    fn attachments(&mut self, attachments: &Node) {
        let elements = attachments.elements();
        if elements.len() > self.limits.attachments {
            let message =
                format!("the image has {} attachments; the limit is {}", elements.len(), self.limits.attachments);
            self.report(&clause::MAN_052, attachments, "/attachments", message);
        }
        let mut last: Option<&str> = None;
        for (index, attachment) in elements.iter().enumerate() {
            let pointer = format!("/attachments/{index}");
            self.object(attachment, &pointer, ATTACHMENT, &clause::MAN_006);
            if let Some((node, media_type)) = string(attachment, "type")
                && !is_media_type(media_type)
            {
                let message = format!("{} is no media type without parameters", quoted(media_type));
                self.report(&clause::MAN_051, node, &format!("{pointer}/type"), message);
            }
            self.digest(attachment, "digest", &pointer);
            if let Some((node, digest)) = string(attachment, "digest") {
                if last.is_some_and(|last| last >= digest) {
                    let message = format!("the attachment {} does not come after the one before it", quoted(digest));
                    self.report(&clause::MAN_053, node, &format!("{pointer}/digest"), message);
                }
                last = Some(digest);
            }
            if let Some((node, size)) = self.size(attachment, &pointer)
                && size > self.limits.attachment
            {
                let message = format!("the attachment has {size} bytes; the limit is {}", self.limits.attachment);
                self.report(&clause::MAN_054, node, &format!("{pointer}/size"), message);
            }
        }
    }

    /// NAM-027
    fn descriptor_sizes(&mut self, root: &Node) {
        let list = |name: &str| root.get(name).map(Node::elements).unwrap_or_default();
        let mut descriptors: Vec<(String, &Node)> = Vec::new();
        for (index, layer) in list("layers").iter().enumerate() {
            descriptors.push((format!("/layers/{index}"), layer));
            if let Some(listing) = layer.get("listing") {
                descriptors.push((format!("/layers/{index}/listing"), listing));
            }
        }
        for (index, attachment) in list("attachments").iter().enumerate() {
            descriptors.push((format!("/attachments/{index}"), attachment));
        }
        let mut seen: BTreeMap<&str, (i64, String)> = BTreeMap::new();
        for (pointer, node) in descriptors {
            let (Some((_, digest)), Some((size_node, size))) = (string(node, "digest"), integer(node, "size")) else {
                continue;
            };
            match seen.get(digest) {
                Some((other, first)) if *other != size => {
                    let message = format!("the size is {size}; {first} gives the same digest the size {other}");
                    self.report(&clause::NAM_027, size_node, &format!("{pointer}/size"), message);
                }
                Some(_) => {}
                None => {
                    seen.insert(digest, (size, pointer));
                }
            }
        }
    }

    /// NAM-024, NAM-025
    fn digest(&mut self, object: &Node, name: &str, pointer: &str) {
        if let Some((node, digest)) = string(object, name) {
            self.report_all(judge_digest(digest), node, &format!("{pointer}/{name}"));
        }
    }

    /// NAM-026. The size, if it is at least 1.
    fn size<'n>(&mut self, object: &'n Node, pointer: &str) -> Option<(&'n Node, u64)> {
        let (node, size) = integer(object, "size")?;
        if size < 1 {
            self.report(&clause::NAM_026, node, &format!("{pointer}/size"), format!("the size is {size}"));
            return None;
        }
        Some((node, u64::try_from(size).ok()?))
    }

    /// MAN-003 or MAN-006, MAN-005, MAN-007, MAN-008, MAN-012
    pub(super) fn object(&mut self, object: &Node, pointer: &str, table: &Table, missing: &'static Clause) {
        let Value::Object(members) = &object.value else { return };
        for (name, _, presence) in table {
            if matches!(presence, Required) && object.get(name).is_none() {
                let message = format!("the member `{name}` is missing");
                self.report(missing, object, pointer, message);
            }
        }
        for member in members {
            let pointer = format!("{pointer}/{}", escape(&member.name));
            let Some((_, wanted, presence)) = table.iter().find(|(name, _, _)| *name == member.name) else {
                let message = format!("the member `{}` is not defined", shown(&member.name));
                let before = self.violations.len();
                self.report(&clause::MAN_012, &member.node, &pointer, message);
                if let Some(violation) = self.violations.get_mut(before)
                    && let Some(close) = closest(&member.name, table.iter().map(|(name, _, _)| *name))
                {
                    violation.help = Some(format!("did you mean `{close}`?"));
                }
                continue;
            };
            if self.judge_type(&member.node, *wanted, &pointer)
                && let Presence::Default(default) = presence
                && holds(&member.node.value, *default)
                && !self.hides_members(&member.node)
            {
                let message = format!("`{}` holds its default", member.name);
                self.report(&clause::MAN_007, &member.node, &pointer, message);
            }
        }
    }

    /// Whether an object without members has some whose names break a clause about values.
    fn hides_members(&self, node: &Node) -> bool {
        let braces = self.source.get(node.bytes.clone()).unwrap_or_default();
        matches!(node.value, Value::Object(_)) && braces.contains(&b':')
    }

    /// MAN-005, MAN-008
    fn judge_type(&mut self, node: &Node, wanted: Type, pointer: &str) -> bool {
        let (right, name) = match wanted {
            Type::String => (matches!(node.value, Value::String(_)), "a string"),
            Type::Integer => (matches!(node.value, Value::Integer(_)), "an integer"),
            Type::Boolean => (matches!(node.value, Value::Boolean(_)), "a boolean"),
            Type::Object | Type::Strings | Type::Objects => (matches!(node.value, Value::Object(_)), "an object"),
            Type::StringArray | Type::IntegerArray | Type::ObjectArray => {
                (matches!(node.value, Value::Array(_)), "an array")
            }
            Type::Any => (true, "any value"),
        };
        if !right {
            if node.value != Value::Invalid {
                let message = format!("the value is {}, not {name}", node.value.type_name());
                self.report(&clause::MAN_005, node, pointer, message);
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
            self.judge_type(&member.node, inner, &format!("{pointer}/{}", escape(&member.name)));
        }
        for (index, element) in node.elements().iter().enumerate() {
            self.judge_type(element, inner, &format!("{pointer}/{index}"));
        }
        let own_limit = matches!(pointer, "/layers" | "/attachments" | "/app/ports" | "/app/mounts");
        if node.elements().len() > self.limits.array && !own_limit {
            let message =
                format!("the array has {} elements; the limit is {}", node.elements().len(), self.limits.array);
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
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn is_annotation_name(name: &str) -> bool {
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

fn is_media_type(text: &str) -> bool {
    let is_part = |part: &str| {
        part.len() <= 127
            && part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$&^_.+-".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| is_part(kind) && is_part(subtype))
}

/// The known name that is at most two edits away from `name`, if there is one.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, case not counting.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
