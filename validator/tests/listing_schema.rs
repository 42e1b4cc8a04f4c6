//! The JSON Schema of a listing's line against the validator.
//!
//! A schema sees one line, so it cannot say what the order of lines and the parents and targets in
//! other lines have to be. It never rejects a line of a valid listing, and it rejects whatever breaks
//! one of the clauses in [`EXPRESSIBLE`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::digest::Digest;
use cornercast::json::to_canonical;
use cornercast::layer::{ListingKind, read_listing};
use cornercast::limits::Limits;
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(&cornercast::schema::schema("listing-line").unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

/// The clauses whose violations the schema can see; lengths where all characters are ASCII.
///
/// Not here: what needs other lines (LAY-046 to LAY-048, LAY-053 to LAY-055, LAY-067, LAY-068, LST-013)
/// and the sum of LAY-061.
const EXPRESSIBLE: [&str; 33] = [
    "LAY-018", "LAY-020", "LAY-021", "LAY-022", "LAY-037", "LAY-038", "LAY-039", "LAY-040", "LAY-041", "LAY-043",
    "LAY-044", "LAY-045", "LAY-049", "LAY-051", "LAY-052", "LAY-057", "LAY-058", "LAY-059", "LAY-060", "LAY-062",
    "LAY-063", "LAY-064", "LAY-065", "LST-003", "LST-004", "LST-005", "LST-006", "LST-007", "LST-008", "LST-009",
    "LST-010", "LST-011", "LST-012",
];

/// Whether a line, after the lines that it needs, makes a valid listing, and the clauses that it breaks.
fn judge(line: &Value) -> (bool, Vec<&'static str>) {
    let mut source = Vec::new();
    for before in context(line) {
        source.extend(to_canonical(&before).unwrap());
        source.push(b'\n');
    }
    let start = source.len() as u64;
    source.extend(to_canonical(line).unwrap());
    source.push(b'\n');
    let found = read_listing(&source, ListingKind::Layer, &Limits::FORMAT).violations;
    let of_line = found.iter().filter(|violation| violation.place.bytes.as_ref().is_some_and(|at| at.start >= start));
    (found.is_empty(), of_line.map(|violation| violation.clause.id).collect())
}

/// Compares the two verdicts on one line.
fn compare(line: &Value) -> Result<(), String> {
    let (valid, ids) = judge(line);
    let objection = SCHEMA.iter_errors(line).next().map(|error| format!("{} at {}", error, error.instance_path()));
    match objection {
        Some(objection) if valid => Err(format!("the schema alone rejects {line}: {objection}")),
        None if ids.iter().any(|id| EXPRESSIBLE.contains(id)) => {
            Err(format!("the schema does not see that {ids:?} are broken in {line}"))
        }
        _ => Ok(()),
    }
}

/// The lines that a line needs before it: its parents, and the file that a hard link leads to.
fn context(line: &Value) -> Vec<Value> {
    let mut lines = Vec::new();
    if line["type"] == "hardlink" {
        let mut file = full("file");
        for name in ["gid", "mode", "mtime", "sha256", "size", "uid", "xattrs"] {
            match line.get(name) {
                Some(value) => file[name] = value.clone(),
                None => _ = file.as_object_mut().unwrap().remove(name),
            }
        }
        file["path"] = json!(TARGET);
        lines.push(file);
    }
    let path = line["path"].as_str().unwrap_or_default();
    for (at, _) in path.match_indices('/') {
        let mut parent = full("dir");
        parent["path"] = json!(path[..at]);
        parent.as_object_mut().unwrap().remove("opaque");
        lines.push(parent);
    }
    lines
}

/// The file that the hard links made here lead to: it sorts before every other path.
const TARGET: &str = "!";
const TYPES: [&str; 5] = ["file", "hardlink", "dir", "symlink", "whiteout"];

/// A valid line of a type with every member that it can have.
fn full(kind: &str) -> Value {
    let sha256 = Digest::of(b"content").hex();
    match kind {
        "file" => json!({
            "gid": 7, "mode": 420, "mtime": 1, "path": "a", "sha256": sha256, "size": 7, "type": "file", "uid": 7,
            "xattrs": {"user.x": "eA=="}
        }),
        "hardlink" => json!({
            "gid": 7, "mode": 420, "mtime": 1, "path": "a", "sha256": sha256, "size": 7, "target": TARGET,
            "type": "hardlink", "uid": 7, "xattrs": {"user.x": "eA=="}
        }),
        "dir" => json!({
            "gid": 7, "mode": 493, "mtime": 1, "opaque": true, "path": "a", "type": "dir", "uid": 7,
            "xattrs": {"user.x": "eA=="}
        }),
        "symlink" => json!({"gid": 7, "mtime": 1, "path": "a", "target": "../b", "type": "symlink", "uid": 7}),
        _ => json!({"path": "a", "type": "whiteout"}),
    }
}

/// What a member can hold instead: limits, right values and wrong ones.
fn values() -> Vec<(&'static str, Value)> {
    let a = |times: usize| "a".repeat(times);
    let mut values: Vec<(&'static str, Value)> = Vec::new();
    for (name, numbers) in [
        ("gid", &[-1_i64, 0, 4_294_967_294, 4_294_967_295][..]),
        ("uid", &[-1, 0, 4_294_967_294, 4_294_967_295]),
        ("mode", &[-1, 0, 0o7777, 0o10000]),
        ("mtime", &[-1, 0, 8_589_934_591, 8_589_934_592]),
        ("size", &[-1, 0, 1, 1 << 40, (1 << 40) + 1]),
    ] {
        values.extend(numbers.iter().map(|number| (name, json!(number))));
    }
    let texts = [
        "b",
        "b/c",
        "",
        "/",
        ".",
        "./b",
        "/b",
        "b/",
        "b//c",
        "b/./c",
        "b/../c",
        "..",
        "...",
        "b\n",
        "\u{7F}",
        "\u{9F}",
        "\u{A0}é",
        ".wh",
        ".wh.",
        ".wh.b",
        ".wh..wh..opq",
        "b/.wh.c",
        ".wh.b/c",
        "b.wh.c",
        "b\\c",
        " ",
    ];
    for name in ["path", "target"] {
        values.extend(texts.iter().map(|text| (name, json!(text))));
        for more in [0, 1] {
            values.push((name, json!(a(255 + more))));
            values.push((name, json!(format!("{}a", "a/".repeat(127 + more)))));
            // 15 components of 255 bytes with a `/` after each, and two that have 255 bytes together.
            values.push((name, json!(format!("{}{}/{}", format!("{}/", a(255)).repeat(15), a(127), a(127 + more)))));
        }
    }
    let digests = [Digest::of(b"").hex(), Digest::of(b"x").hex(), Digest::of(b"").hex().to_uppercase(), a(63), a(65)];
    values.extend(digests.into_iter().map(|digest| ("sha256", json!(digest))));
    values.extend(["file", "dir", "symlink", "whiteout", "fifo", "File", ""].map(|kind| ("type", json!(kind))));
    values.extend([true, false].map(|opaque| ("opaque", json!(opaque))));
    values.extend(xattrs());
    values
}

fn xattrs() -> Vec<(&'static str, Value)> {
    let capability = |first: [u8; 4], length: usize| {
        let mut bytes = first.to_vec();
        bytes.resize(length, 0xFF);
        ("security.capability".to_owned(), STANDARD.encode(bytes))
    };
    let mut named = vec![
        capability([0, 0, 0, 2], 20),
        capability([1, 0, 0, 2], 20),
        capability([2, 0, 0, 2], 20),
        capability([1, 0, 0, 3], 20),
        capability([1, 0, 1, 2], 20),
        capability([1, 0, 0, 2], 19),
        capability([1, 0, 0, 2], 21),
        capability([1, 0, 0, 2], 24),
        ("security.capability".to_owned(), String::new()),
    ];
    let names = [
        "user.",
        "user.a",
        "user",
        "user.a=b",
        "user.a b",
        "user.overlay",
        "user.overlay.a",
        "user.overlaya",
        "trusted.a",
        "security.selinux",
        "security.capability.a",
        "system.posix_acl_access",
        "User.a",
        "",
    ];
    named.extend(names.map(|name| (name.to_owned(), "eA==".to_owned())));
    named.extend([250, 251].map(|length| (format!("user.{}", "a".repeat(length)), "eA==".to_owned())));
    let encoded = ["", "eA", "eA=", "eB==", "eHg=", "eHh=", "eHh4", "eHh4eA==", "eHh4\n", "e-_4", "====", "eA==eA=="];
    named.extend(encoded.map(|value| ("user.a".to_owned(), value.to_owned())));
    let mut values: Vec<_> = named.into_iter().map(|(name, value)| ("xattrs", json!({name: value}))).collect();
    for count in [0, 64, 65] {
        let many: serde_json::Map<String, Value> =
            (0..count).map(|n: u32| (format!("user.{n}"), json!("eA=="))).collect();
        values.push(("xattrs", many.into()));
    }
    values
}

/// A change of one member.
#[derive(Debug, Clone)]
enum Change {
    /// Another value; the member is added where it is not there.
    Set(String, Value),
    Remove(&'static str),
}

impl Change {
    fn apply(self, line: &mut Value) {
        let members = line.as_object_mut().unwrap();
        match self {
            Self::Set(name, value) => _ = members.insert(name, value),
            Self::Remove(name) => _ = members.remove(name),
        }
    }
}

const MEMBERS: [&str; 11] =
    ["gid", "mode", "mtime", "opaque", "path", "sha256", "size", "target", "type", "uid", "xattrs"];

fn change() -> impl Strategy<Value = Change> {
    let other = vec![json!(0), json!("x"), json!(true), json!([]), json!({}), json!({"user.x": 1})];
    prop_oneof![
        6 => select(values()).prop_map(|(name, value)| Change::Set(name.to_owned(), value)),
        3 => "([a-c./]|\\.wh\\.|\\PC){0,6}".prop_map(|path| Change::Set("path".to_owned(), json!(path))),
        1 => "([a-c./]|\\PC){0,6}".prop_map(|target| Change::Set("target".to_owned(), json!(target))),
        2 => "[A-Za-z0-9+/]{0,5}={0,2}".prop_map(|value| Change::Set("xattrs".to_owned(), json!({"user.x": value}))),
        1 => "(user|security|trusted)?\\.?(overlay\\.|capability)?[ -~]{0,3}"
            .prop_map(|name| Change::Set("xattrs".to_owned(), json!({name: "eA=="}))),
        2 => select(MEMBERS.to_vec()).prop_map(Change::Remove),
        1 => (select(MEMBERS.to_vec()), select(other)).prop_map(|(name, value)| Change::Set(name.to_owned(), value)),
        1 => "extra|Path|name".prop_map(|name| Change::Set(name, json!(1))),
    ]
}

#[test]
fn full_lines_are_accepted_by_both() {
    for kind in TYPES {
        let line = full(kind);
        compare(&line).unwrap();
        assert!(SCHEMA.is_valid(&line) && judge(&line).0, "{line}");
    }
}

/// A full line of each type with one change each.
fn single_changes() -> Vec<Value> {
    let mut changes: Vec<Change> =
        values().into_iter().map(|(name, value)| Change::Set(name.to_owned(), value)).collect();
    for name in MEMBERS {
        let types = [json!(1), json!("x"), json!(true), json!([]), json!({"user.x": 1})];
        changes.extend(types.into_iter().map(|value| Change::Set(name.to_owned(), value)));
        changes.push(Change::Remove(name));
    }
    changes.push(Change::Set("extra".to_owned(), json!(1)));
    let changed = |kind: &str| {
        let line = full(kind);
        changes.iter().cloned().map(move |change| {
            let mut line = line.clone();
            change.apply(&mut line);
            line
        })
    };
    TYPES.into_iter().flat_map(changed).collect()
}

/// Every limit and every alternative is compared once for certain.
#[test]
fn each_change_alone() {
    let wrong: Vec<String> =
        single_changes().iter().filter_map(|line| Some(compare(line).err()?.chars().take(500).collect())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A clause that no change breaks would stand in the list for nothing.
#[test]
fn every_expressible_clause_is_broken_by_a_change() {
    let seen: BTreeSet<&str> = single_changes().iter().flat_map(|line| judge(line).1).collect();
    let unseen: Vec<&&str> = EXPRESSIBLE.iter().filter(|id| !seen.contains(**id)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_schema_never_contradicts_the_validator(
        kind in select(TYPES.to_vec()),
        changes in proptest::collection::vec(change(), 0..4),
    ) {
        let mut line = full(kind);
        changes.into_iter().for_each(|change| change.apply(&mut line));
        prop_assert_eq!(compare(&line), Ok(()));
    }
}
