//! The marker, the index of signatures, and what stands beside an index.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{FileKind, SignatureSet, path_of};
use crate::clause::{self, Clause};
use crate::diagnostic::{MAX_VIOLATIONS, Place, Violation};
use crate::digest::Digest;
use crate::json::{self, Form, Node, Value};
use crate::limits::Limits;
use crate::manifest::{Descriptor, judge_format_version};
use crate::name::judge_digest;
use crate::shown::{quoted, shown};
use crate::suggestion::closest;

/// The marker of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Marker {
    /// Format version.
    #[schemars(regex(pattern = r"^1\.0$"))]
    pub cornercast: String,
    /// Always `store`.
    #[schemars(regex(pattern = r"^store$"))]
    pub kind: String,
}

/// The index of an image's signatures or attestations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Index {
    /// The envelopes, ascending by digest.
    #[schemars(length(min = 1, max = 64))]
    pub files: Vec<Indexed>,
    /// `signatures` or `attestations`.
    #[schemars(regex(pattern = r"^(signatures|attestations)$"))]
    pub kind: String,
}

/// An envelope of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Indexed {
    /// The digest of the envelope.
    pub digest: Digest,
    /// The size of the envelope in bytes.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub size: u64,
    /// Its log proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Descriptor>,
}

struct Checker<'a> {
    source: &'a [u8],
    violations: Vec<Violation>,
}

impl<'a> Checker<'a> {
    /// JSN-005 and the rest of the chapter; the root, if it is an object.
    fn read(source: &'a [u8], limits: &Limits) -> (Self, Option<Node>) {
        if source.len() as u64 > limits.document {
            // JSN-005: no more has been read than the limit and one byte.
            let message = format!("the document has more than {} bytes", limits.document);
            let place = Place::bytes(limits.document..limits.document + 1);
            return (Self { source, violations: vec![Violation::new(&clause::JSN_005, place, message)] }, None);
        }
        let document = json::read(source, Form::Canonical, limits);
        let root = document.root.filter(|root| matches!(root.value, Value::Object(_)));
        (Self { source, violations: document.violations }, root)
    }

    fn report(&mut self, clause: &'static Clause, node: &Node, pointer: &str, message: String) {
        // An excerpt costs a look at everything before it: without a limit, time would be quadratic.
        if self.violations.len() >= MAX_VIOLATIONS {
            return;
        }
        let place = Place::value(pointer, node.bytes.start as u64..node.bytes.end as u64).text_excerpt(self.source);
        self.violations.push(Violation::new(clause, place, message));
    }

    /// Whether `object` has the members of `required` and no other than these and `optional`.
    fn members(&mut self, clause: &'static Clause, object: &Node, pointer: &str, required: &[&str], optional: &[&str]) {
        for name in required.iter().filter(|name| object.get(name).is_none()) {
            self.report(clause, object, pointer, format!("the member `{name}` is missing"));
        }
        for member in object.members() {
            if !required.contains(&member.name.as_str()) && !optional.contains(&member.name.as_str()) {
                let pointer = format!("{pointer}/{}", shown(&member.name));
                let before = self.violations.len();
                self.report(
                    clause,
                    &member.node,
                    &pointer,
                    format!("the member `{}` is not defined", shown(&member.name)),
                );
                let known = required.iter().chain(optional).copied();
                if let Some(close) = closest(&member.name, known)
                    && let Some(last) = self.violations.get_mut(before)
                {
                    last.help = Some(format!("did you mean `{close}`?"));
                }
            }
        }
    }
}

/// Checks the marker of a store (STO-002, MAN-002, CNF-001).
#[must_use]
pub fn check_marker(source: &[u8], limits: &Limits) -> Vec<Violation> {
    let (mut checker, root) = Checker::read(source, limits);
    let Some(root) = root else { return checker.violations };
    if let Some(node) = root.get("cornercast") {
        match node.as_str().map(judge_format_version) {
            Some(Ok(())) => {}
            Some(Err((clause, message))) => {
                checker.report(clause, node, "/cornercast", message);
                if clause == &clause::CNF_001 {
                    return checker.violations;
                }
            }
            None => wrong_type(&mut checker, node, "/cornercast", "a string", &clause::STO_002),
        }
    }
    checker.members(&clause::STO_002, &root, "", &["cornercast", "kind"], &[]);
    if let Some(kind) = root.get("kind")
        && kind.as_str() != Some("store")
        && kind.value != Value::Invalid
    {
        let seen = kind.as_str().map_or_else(|| kind.value.type_name().to_owned(), quoted);
        checker.report(&clause::STO_002, kind, "/kind", format!("the kind is {seen}, not \"store\""));
    }
    checker.violations
}

fn wrong_type(checker: &mut Checker<'_>, node: &Node, pointer: &str, wanted: &str, clause: &'static Clause) {
    if node.value != Value::Invalid {
        // The only values without a name are the elements of `files`.
        let name = pointer.rsplit('/').next().unwrap_or_default();
        let what = match name.parse::<usize>() {
            Ok(index) => format!("element {index} of `files`"),
            Err(_) => format!("`{name}`"),
        };
        let message = format!("{what} is {}, not {wanted}", node.value.type_name());
        checker.report(clause, node, pointer, message);
    }
}

/// Checks an index of signatures (STO-011 to STO-015); `set` is the folder it stands in, if known.
///
/// The elements that could be understood come with their index in `files`.
#[must_use]
pub fn check_index(
    source: &[u8],
    set: Option<SignatureSet>,
    limits: &Limits,
) -> (Vec<(usize, Indexed)>, Vec<Violation>) {
    let (mut checker, root) = Checker::read(source, limits);
    let Some(root) = root else { return (Vec::new(), checker.violations) };
    checker.members(&clause::STO_011, &root, "", &["files", "kind"], &[]);
    if let Some(node) = root.get("kind") {
        match node.as_str() {
            None => wrong_type(&mut checker, node, "/kind", "a string", &clause::STO_011),
            Some(kind) => {
                let right = match set {
                    Some(set) => kind == set.folder(),
                    None => matches!(kind, "signatures" | "attestations"),
                };
                if !right {
                    let wanted = set.map_or_else(
                        || "neither \"signatures\" nor \"attestations\"".to_owned(),
                        |set| format!("not \"{}\"", set.folder()),
                    );
                    let message = format!("the kind is {}, {wanted}", quoted(kind));
                    checker.report(&clause::STO_012, node, "/kind", message);
                }
            }
        }
    }
    let Some(files) = root.get("files") else { return (Vec::new(), checker.violations) };
    let Value::Array(elements) = &files.value else {
        wrong_type(&mut checker, files, "/files", "an array", &clause::STO_011);
        return (Vec::new(), checker.violations);
    };
    if elements.is_empty() {
        checker.report(&clause::STO_013, files, "/files", "`files` is empty".to_owned());
    }
    if elements.len() > limits.envelopes {
        let message = format!("the index lists {} envelopes; the limit is {}", elements.len(), limits.envelopes);
        checker.report(&clause::STO_015, files, "/files", message);
    }
    let mut last: Option<&str> = None;
    let mut out = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let pointer = format!("/files/{index}");
        descriptor(&mut checker, element, &pointer, &["proof"]);
        if let Some(proof) = element.get("proof") {
            descriptor(&mut checker, proof, &format!("{pointer}/proof"), &[]);
        }
        let digest = element.get("digest").and_then(Node::as_str);
        if let (Some(last), Some(digest)) = (last, digest)
            && last >= digest
        {
            let message = if last == digest {
                format!("the envelope {} stands twice", quoted(digest))
            } else {
                format!("the envelope {} stands after {}", quoted(digest), quoted(last))
            };
            checker.report(&clause::STO_014, element, &pointer, message);
        }
        last = digest.or(last);
        if let Ok(indexed) = serde_json::from_value(element.to_serde()) {
            out.push((index, indexed));
        }
    }
    (out, checker.violations)
}

/// STO-011, NAM-024 to NAM-026 for a descriptor.
fn descriptor(checker: &mut Checker<'_>, node: &Node, pointer: &str, optional: &[&str]) {
    if !matches!(node.value, Value::Object(_)) {
        wrong_type(checker, node, pointer, "an object", &clause::STO_011);
        return;
    }
    checker.members(&clause::STO_011, node, pointer, &["digest", "size"], optional);
    if let Some(digest) = node.get("digest") {
        let pointer = format!("{pointer}/digest");
        match digest.as_str() {
            Some(text) => {
                for (clause, message) in judge_digest(text) {
                    checker.report(clause, digest, &pointer, message);
                }
            }
            None => wrong_type(checker, digest, &pointer, "a string", &clause::STO_011),
        }
    }
    if let Some(size) = node.get("size") {
        let pointer = format!("{pointer}/size");
        match size.as_integer() {
            Some(size_value) if size_value < 1 => {
                checker.report(&clause::NAM_026, size, &pointer, format!("the size is {size_value}, not 1 or more"));
            }
            Some(_) => {}
            None => wrong_type(checker, size, &pointer, "an integer", &clause::STO_011),
        }
    }
}

/// A file beside an index: its size and the digest of its content.
pub(super) type Content = (u64, Digest);

/// What stands in the folder of an image's signatures or attestations.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The elements of the index, if there is one without violations.
    pub(super) index: Option<Vec<(usize, Indexed)>>,
    pub(super) envelopes: BTreeMap<Digest, Content>,
    pub(super) proofs: BTreeMap<Digest, Content>,
}

impl Folder {
    /// STO-015 to STO-017, NAM-028, NAM-029
    pub(super) fn judge(&self, set: SignatureSet, image: Digest, limits: &Limits) -> Vec<Violation> {
        let mut out = Vec::new();
        let index_path = path_of(&FileKind::Index(set, image));
        let mut report = |clause, place: Place, message| out.push(Violation::new(clause, place, message));
        if self.envelopes.len() > limits.envelopes {
            let folder = format!("{}/sha256/{}", set.folder(), image.hex());
            let message =
                format!("the folder has {} envelopes; the limit is {}", self.envelopes.len(), limits.envelopes);
            report(&clause::STO_015, Place::default().file(folder), message);
        }
        for proof in self.proofs.keys().filter(|proof| !self.envelopes.contains_key(proof)) {
            let path = path_of(&FileKind::Proof(set, image, *proof));
            report(&clause::STO_017, Place::default().file(path), "the proof has no envelope beside it".to_owned());
        }
        let Some(index) = &self.index else { return out };
        let at = |pointer: String| Place { pointer: Some(pointer), ..Place::default() }.file(index_path.clone());
        for (number, Indexed { digest, size, proof }) in index {
            let pointer = format!("/files/{number}");
            let Some((real, _)) = self.envelopes.get(digest) else {
                report(&clause::STO_016, at(pointer), format!("the envelope {digest} is listed, but not there"));
                continue;
            };
            if real != size {
                report(
                    &clause::NAM_028,
                    at(format!("{pointer}/size")),
                    format!("the envelope {digest} has {real} bytes; the index says {size}"),
                );
            }
            match (proof, self.proofs.get(digest)) {
                (None, None) => {}
                (Some(_), None) => report(
                    &clause::STO_016,
                    at(pointer),
                    format!("the proof of the envelope {digest} is listed, but not there"),
                ),
                (None, Some(_)) => report(
                    &clause::STO_016,
                    at(pointer),
                    format!("the proof of the envelope {digest} is there, but not listed"),
                ),
                (Some(proof), Some((real, content))) => {
                    if *real != proof.size {
                        let message = format!(
                            "the proof of the envelope {digest} has {real} bytes; the index says {}",
                            proof.size
                        );
                        report(&clause::NAM_028, at(format!("{pointer}/proof/size")), message);
                    } else if *content != proof.digest {
                        let message = format!(
                            "the proof of the envelope {digest} has the digest {content}; the index says {}",
                            proof.digest
                        );
                        report(&clause::NAM_029, at(format!("{pointer}/proof/digest")), message);
                    }
                }
            }
        }
        for digest in self.envelopes.keys() {
            if !index.iter().any(|(_, indexed)| indexed.digest == *digest) {
                let place = Place::default().file(index_path.clone());
                report(&clause::STO_016, place, format!("the envelope {digest} is there, but not listed"));
            }
        }
        out
    }
}
