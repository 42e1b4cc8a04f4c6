//! The JSON Schema of the manifest against the validator.
//!
//! A schema cannot say sums, orders or what a path resolves to, so it accepts more than the validator.
//! It never accepts less, and it rejects whatever breaks one of the clauses in [`EXPRESSIBLE`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cornercast::digest::Digest;
use cornercast::json::to_canonical;
use cornercast::limits::Limits;
use cornercast::manifest;
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(&cornercast::schema::schema("manifest").unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

/// The clauses whose violations the schema can see. Lengths are exact where all characters are ASCII,
/// as they are in the long strings made here: a schema counts characters, the format counts bytes.
///
/// Not here: what compares two values (MAN-010, MAN-025, MAN-027, MAN-028, MAN-033, MAN-036, MAN-038,
/// MAN-041, MAN-050, MAN-053, MAN-055, NAM-027), and NAM-012, for which a pattern counts digits only.
const EXPRESSIBLE: [&str; 60] = [
    "CNF-001", "CNF-002", "LST-014", "LST-020", "MAN-002", "MAN-003", "MAN-004", "MAN-005", "MAN-006", "MAN-007",
    "MAN-008", "MAN-009", "MAN-011", "MAN-012", "MAN-013", "MAN-014", "MAN-019", "MAN-021", "MAN-022", "MAN-023",
    "MAN-024", "MAN-026", "MAN-029", "MAN-030", "MAN-031", "MAN-032", "MAN-034", "MAN-035", "MAN-037", "MAN-039",
    "MAN-040", "MAN-044", "MAN-045", "MAN-046", "MAN-047", "MAN-048", "MAN-049", "MAN-051", "MAN-052", "MAN-054",
    "MAN-058", "NAM-001", "NAM-002", "NAM-003", "NAM-004", "NAM-005", "NAM-006", "NAM-007", "NAM-008", "NAM-009",
    "NAM-010", "NAM-011", "NAM-018", "NAM-019", "NAM-020", "NAM-021", "NAM-022", "NAM-024", "NAM-025", "NAM-026",
];

/// The clauses that a manifest breaks.
fn broken(manifest: &Value) -> Vec<&'static str> {
    let found = manifest::check(&to_canonical(manifest).unwrap(), &Limits::FORMAT).1;
    found.iter().map(|violation| violation.clause.id).collect()
}

/// Compares the two verdicts on one manifest.
fn compare(manifest: &Value) -> Result<(), String> {
    let ids = broken(manifest);
    let objection = SCHEMA.iter_errors(manifest).next().map(|error| format!("{} at {}", error, error.instance_path()));
    match objection {
        Some(objection) if ids.is_empty() => Err(format!("the schema alone rejects {manifest}: {objection}")),
        None if ids.iter().any(|id| EXPRESSIBLE.contains(id)) => {
            Err(format!("the schema does not see that {ids:?} are broken in {manifest}"))
        }
        _ => Ok(()),
    }
}

fn digest(number: u8) -> String {
    Digest([number; 32]).to_string()
}

/// A valid manifest with every member but `variant`.
fn full() -> Value {
    json!({
        "cornercast": "1.0",
        "kind": "image",
        "name": "example.com/team/api",
        "version": "1.4.2",
        "platform": {"os": "linux", "architecture": "amd64"},
        "app": {
            "exec": ["/usr/bin/api", "-x"],
            "arguments": ["--port", "8080"],
            "user": {"uid": 1000, "gid": 1000, "supplementaryGids": [44, 45]},
            "workingDirectory": "/srv",
            "environment": {"LANG": "C.UTF-8"},
            "stop": {"signal": "SIGINT", "graceSeconds": 30},
            "ports": [{"name": "http", "protocol": "tcp", "port": 8080}],
            "mounts": [{"name": "data", "path": "/var/lib/api", "required": true, "readOnly": true}],
            "isolation": {"level": "hardened", "isolators": {"resource/pids": {"required": false, "value": 64}}}
        },
        "layers": [{"digest": digest(1), "size": 4096, "listing": {"digest": digest(2), "size": 200}}],
        "rootfs": {"digest": digest(3), "entries": 2, "size": 17},
        "base": {"name": "example.com/base", "version": "12.1.0", "image": digest(4), "layers": 1},
        "attachments": [{"type": "text/plain", "digest": digest(5), "size": 6}],
        "created": "2026-11-24T00:00:00Z",
        "annotations": {"org.example.team": "payments"}
    })
}

/// Numbers around the limits of members.
const NUMBERS: &[(&str, &[i64])] = &[
    ("/app/user/uid", &[-1, 0, 4_294_967_294, 4_294_967_295]),
    ("/app/user/gid", &[-1, 0, 4_294_967_294, 4_294_967_295]),
    ("/app/user/supplementaryGids/0", &[-1, 0, 45, 4_294_967_294, 4_294_967_295]),
    ("/app/stop/graceSeconds", &[-1, 0, 9, 10, 11, 86_400, 86_401]),
    ("/app/ports/0/port", &[-1, 0, 1, 65_535, 65_536]),
    ("/layers/0/size", &[-1, 0, 1, 1 << 40, (1 << 40) + 1]),
    ("/layers/0/listing/size", &[-1, 0, 1, 256 << 20, (256 << 20) + 1]),
    ("/rootfs/entries", &[-1, 0, 1_000_000, 1_000_001]),
    ("/rootfs/size", &[-1, 0, (1 << 53) - 1]),
    ("/base/layers", &[-1, 0, 1, 2, 128, 129]),
    ("/attachments/0/size", &[-1, 0, 1, 1 << 30, (1 << 30) + 1]),
];

/// Texts, right and wrong ones.
const TEXTS: &[(&str, &[&str])] = &[
    ("/cornercast", &["1.0", "1", "01.0", "1.0 ", "1.1", "2.0"]),
    ("/kind", &["image", "Image", "pod"]),
    ("/name", &["a.b/c", "a.b", "b/c", "a.1/c", "A.b/c", "a.b/c/", "a.b/c..d", "a.b/c-d_e", "-a.b/c", "a.b:80/c"]),
    ("/version", &["0.0.0", "1.0", "v1.0.0", "01.0.0", "1.0.0-rc.1", "1.0.0-01", "1.0.0-0a", "1.0.0+x", "1.0.0-"]),
    ("/version", &["9007199254740991.0.0", "9007199254740992.0.0", "99999999999999999.0.0", "1.0.0--", "1.0.0-a..b"]),
    ("/platform/os", &["linux", "windows", "Linux", ""]),
    ("/platform/architecture", &["386", "arm64", "s390x", "arm", "x86_64", "amd64 ", ""]),
    ("/platform/variant", &["v1", "v2", "v4", "v5", "v8", ""]),
    ("/created", &["2024-02-29T23:59:59Z", "0000-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z"]),
    (
        "/created",
        &["2026-11-24", "2026-11-24T24:00:00Z", "2026-11-24T00:00:60Z", "2026-11-24t00:00:00Z", "٢026-11-24T00:00:00Z"],
    ),
    (
        "/app/exec/0",
        &["/", "/a", "a", "", "/a/", "//", "/./a", "/a/..", "/.wh.a", "/a\n", "/\u{85}", "/a\u{A0}é", "/.a"],
    ),
    ("/app/workingDirectory", &["/", "/a", "a", "", "/a/", "/a//b", "/a/./b", "/..", "/a/.wh.b", "/.wh", "/a\\b"]),
    ("/app/mounts/0/path", &["/", "/a", "/run", "/run/a", "/etc", "/etc/a", "/proc/a", "/process", "/run/cornercast"]),
    ("/app/mounts/0/path", &["/run/cornercaster", "/sys", "/dev/a", "/devel", "a", "/a/", "/proc/\u{1}", "/dev/é"]),
    ("/app/stop/signal", &["SIGTERM", "SIGKILL", "SIGSTOP", "SIGRTMIN+0", "SIGRTMIN+30", "SIGRTMIN+31", "SIGRTMIN+01"]),
    ("/app/ports/0/name", &["a", "", "A", "a-", "-a", "a_b", "é"]),
    ("/app/mounts/0/name", &["a", "", "A", "a-", "-a", "a_b", "é"]),
    ("/app/ports/0/protocol", &["tcp", "udp", "sctp", "TCP", ""]),
    ("/app/isolation/level", &["open", "separated", "sealed", "Sealed", ""]),
    ("/attachments/0/type", &["a/b", "a", "a/b/c", "A/b", "a/b;c=d", "a/+b", "+a/b", "a/b+c", ""]),
];

/// Names of members, right and wrong ones, for objects that have names of their own.
const NAMES: &[(&str, &[&str])] = &[
    ("/annotations", &["a.b", "a", "A.b", "a..b", "a.b.", "a-b.c", "a.B-_", ""]),
    ("/app/environment", &["A", "", "A=B", "A B", "A\n", "~", "CORNERCAST", "CORNERCAST_", "CORNERCAST_X", "é"]),
    ("/app/isolation/isolators", &["a.b/c", "a/b", "a.b", "a.b/", "a.b/C", "a.b/c--d", "a.b/c-d", "a.1/b", "a.b/c/d"]),
    (
        "/app/isolation/isolators",
        &["cornercast/ipc", "cornercast/cpu", "resource/cpu", "resource/ipc", "resource/", ""],
    ),
];

/// Long values on a limit and one above, and lists.
fn long_values() -> Vec<(&'static str, Value)> {
    let a = |times: usize| "a".repeat(times);
    let labels = |last: usize| format!("{0}.{0}.{0}.{1}", a(63), a(last));
    let layer = full()["layers"][0].clone();
    let object = |name: String, member: Value| json!({name: member});
    let mut values = Vec::new();
    let mut add = |pointer: &'static str, value: Value| values.push((pointer, value));
    for (host, label) in [(61, 63), (62, 63), (1, 64)] {
        add("/name", json!(format!("{}/a", labels(host))));
        add("/name", json!(format!("{}.b/a", a(label))));
        add("/app/isolation/isolators", object(format!("{}/a", labels(host)), json!({"value": 1})));
        add("/app/isolation/isolators", object(format!("{}.b/a", a(label)), json!({"value": 1})));
    }
    for more in [0, 1] {
        add("/name", json!(format!("a.b/{}", a(251 + more))));
        add("/version", json!(format!("1.0.0-{}", a(122 + more))));
        for path in ["/app/exec/0", "/app/workingDirectory", "/app/mounts/0/path"] {
            add(path, json!(format!("/{}", a(255 + more))));
            add(path, json!("/a".repeat(128 + more)));
            add(path, json!(format!("{}/{}/{}", format!("/{}", a(255)).repeat(15), a(127), a(127 + more))));
        }
        for argument in ["/app/exec/1", "/app/arguments/0"] {
            add(argument, json!(a(131_071 + more)));
        }
        add("/app/exec", json!(vec!["/a"; 1024 + more]));
        add("/app/arguments", json!(vec!["a"; 1024 + more]));
        add("/app/user/supplementaryGids", (2000..3024 + more).collect());
        add("/app/environment", object(a(255 + more), json!("x")));
        add("/app/environment/LANG", json!(a(131_071 - 5 + more)));
        add("/app/ports/0/name", json!(a(63 + more)));
        add("/app/mounts/0/name", json!(a(63 + more)));
        add("/attachments/0/type", json!(format!("{}/a", a(127 + more))));
        add("/attachments/0/type", json!(format!("a/{}", a(127 + more))));
        add("/layers", json!(vec![layer.clone(); 128 + more]));
        add("/app/ports", (0..64 + more).map(|n| json!({"name": "a", "protocol": "tcp", "port": n + 1})).collect());
        add("/app/mounts", (0..64 + more).map(|n| json!({"name": "a", "path": format!("/{n}")})).collect());
        let attachment = |n: usize| json!({"type": "a/b", "digest": digest(n as u8), "size": 1});
        add("/attachments", (0..64 + more).map(attachment).collect());
    }
    for pointer in ["/app/exec", "/app/arguments", "/app/ports", "/app/mounts", "/attachments", "/layers"] {
        add(pointer, json!([]));
    }
    for (architecture, variant) in [("arm", "v7"), ("arm", "v4"), ("arm64", "v8"), ("amd64", "v3"), ("386", "v2")] {
        add("/platform", json!({"os": "linux", "architecture": architecture, "variant": variant}));
        add("/platform", json!({"os": "linux", "architecture": architecture}));
    }
    for gids in [json!([]), json!([44, 44]), json!([45, 44]), json!([1000])] {
        add("/app/user/supplementaryGids", gids);
    }
    for pointer in ["/annotations", "/app/environment", "/app/stop", "/app/isolation", "/app/isolation/isolators"] {
        add(pointer, json!({}));
    }
    for pointer in
        ["/app/mounts/0/readOnly", "/app/mounts/0/required", "/app/isolation/isolators/resource~1pids/required"]
    {
        add(pointer, json!(true));
        add(pointer, json!(false));
    }
    for pointer in
        ["/layers/0/digest", "/layers/0/listing/digest", "/rootfs/digest", "/base/image", "/attachments/0/digest"]
    {
        for wrong in [
            digest(0xAB),
            digest(0xAB).to_uppercase(),
            digest(7).replace("256", "512"),
            digest(7)[7..].to_owned(),
            digest(7) + "0",
        ] {
            add(pointer, json!(wrong));
        }
    }
    values
}

/// Every change of one value that this file knows: a pointer and what stands there then.
fn values() -> Vec<(&'static str, Value)> {
    let numbers = NUMBERS.iter().flat_map(|(at, list)| list.iter().map(|number| (*at, json!(number))));
    let texts = TEXTS.iter().flat_map(|(at, list)| list.iter().map(|text| (*at, json!(text))));
    let names = NAMES.iter().flat_map(|(at, list)| list.iter().map(|name| (*at, json!({*name: member_of(at)}))));
    numbers.chain(texts).chain(names).chain(long_values()).collect()
}

/// What a member of such an object holds.
fn member_of(object: &str) -> Value {
    if object.ends_with("isolators") { json!({"value": 1}) } else { json!("x") }
}

/// A change of a manifest.
#[derive(Debug, Clone)]
enum Change {
    /// Another value for a member, if the object that it belongs to is there.
    Set(String, Value),
    /// One of all members is taken away.
    Remove(Index),
    /// One of all values is replaced by one that is mostly of another type.
    Replace(Index, Value),
    /// One of all objects gets a member that no table has.
    Add(Index, String),
}

/// The pointers of all values below `value`, but for the insides of isolators' values.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.replace('/', "~1"), member)).collect(),
        Value::Array(elements) => {
            (0..).zip(elements).map(|(n, element): (usize, _)| (n.to_string(), element)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        if name != "value" {
            pointers(child, &pointer, out);
        }
        out.push(pointer);
    }
}

fn set(manifest: &mut Value, pointer: &str, value: Value) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match manifest.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.insert(name.replace("~1", "/"), value);
        }
        Some(Value::Array(elements)) => {
            if let Some(element) = name.parse().ok().and_then(|at: usize| elements.get_mut(at)) {
                *element = value;
            }
        }
        _ => {}
    }
}

fn remove(manifest: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(members)) = manifest.pointer_mut(parent) {
        members.remove(&name.replace("~1", "/"));
    }
}

impl Change {
    fn apply(self, manifest: &mut Value) {
        let mut all = Vec::new();
        pointers(manifest, "", &mut all);
        if all.is_empty() {
            return;
        }
        match self {
            Self::Set(pointer, value) => set(manifest, &pointer, value),
            Self::Replace(at, value) => set(manifest, &all[at.index(all.len())], value),
            Self::Remove(at) => {
                remove(manifest, &all[at.index(all.len())]);
            }
            Self::Add(at, name) => {
                all.retain(|pointer| manifest.pointer(pointer).is_some_and(Value::is_object));
                all.push(String::new());
                set(manifest, &format!("{}/{name}", all[at.index(all.len())]), json!("x"));
            }
        }
    }
}

/// Texts that look like what belongs there.
fn text() -> impl Strategy<Value = Change> {
    let shapes = [
        ("/name", "[a-z0-9.-]{1,6}(/[a-z0-9._-]{0,4}){0,2}"),
        ("/version", "[0-9]{1,2}(\\.[0-9]{1,2}){1,3}(-[0-9a-zA-Z.-]{0,6})?(\\+a)?"),
        ("/created", "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z"),
        ("/app/exec/0", "/?([a-c./]|\\.wh\\.|\\PC){0,6}"),
        ("/app/workingDirectory", "(/[a-c.]{1,3}){1,3}"),
        ("/app/mounts/0/path", "/(proc|sys|dev|run|etc|srv)(/cornercast)?(/?[a-c.]){0,3}"),
        ("/app/stop/signal", "SIG(RTMIN\\+[0-9]{0,2}|[A-Z]{2,4}[12]?)"),
        ("/app/ports/0/name", "[a-zA-Z0-9_-]{0,5}"),
        ("/attachments/0/type", "[a-zA+.]{0,3}/?[a-z0-9;+*/]{0,4}"),
        ("/annotations", "[a-zA-Z0-9.-]{0,7}"),
        ("/app/environment", "(CORNERCAST_?)?[ -~]{0,4}"),
        ("/app/isolation/isolators", "([a-z0-9.-]{1,4}|cornercast|resource)/?(cpu|ipc|[a-zA-Z0-9-]{0,4})"),
    ];
    select(shapes.to_vec()).prop_flat_map(|(pointer, shape)| {
        let named = NAMES.iter().any(|(object, _)| *object == pointer);
        proptest::string::string_regex(shape).unwrap().prop_map(move |text| {
            let value = if named { json!({text: member_of(pointer)}) } else { json!(text) };
            Change::Set(pointer.to_owned(), value)
        })
    })
}

fn change() -> impl Strategy<Value = Change> {
    let other =
        vec![json!(0), json!(-1), json!("x"), json!(""), json!(true), json!(false), json!([]), json!({}), json!(["x"])];
    prop_oneof![
        4 => select(values()).prop_map(|(pointer, value)| Change::Set(pointer.to_owned(), value)),
        3 => text(),
        2 => any::<Index>().prop_map(Change::Remove),
        1 => (any::<Index>(), select(other)).prop_map(|(at, value)| Change::Replace(at, value)),
        1 => (any::<Index>(), "extra|Name|uid|\\$comment").prop_map(|(at, name)| Change::Add(at, name)),
    ]
}

#[test]
fn a_full_manifest_is_accepted_by_both() {
    let manifest = full();
    assert_eq!(broken(&manifest), [""; 0]);
    assert!(SCHEMA.is_valid(&manifest));
}

/// The full manifest with one change each: every value that this file knows, every member taken away,
/// and every value replaced by one of each type.
fn single_changes() -> Vec<Value> {
    let changed = |pointer: &str, value: Value| {
        let mut manifest = full();
        set(&mut manifest, pointer, value);
        manifest
    };
    let mut all: Vec<Value> = values().into_iter().map(|(pointer, value)| changed(pointer, value)).collect();
    let mut members = Vec::new();
    pointers(&full(), "", &mut members);
    for pointer in members {
        let types = [json!(1), json!("x"), json!(true), json!([]), json!({})];
        all.extend(types.into_iter().map(|value| changed(&pointer, value)));
        let mut manifest = full();
        remove(&mut manifest, &pointer);
        all.push(manifest);
        if full().pointer(&pointer).is_some_and(Value::is_object) {
            all.push(changed(&format!("{pointer}/extra"), json!(1)));
        }
    }
    all
}

/// Every limit and every alternative is compared once for certain.
#[test]
fn each_change_alone() {
    let wrong: Vec<String> = single_changes()
        .iter()
        .filter_map(|manifest| Some(compare(manifest).err()?.chars().take(600).collect()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A clause that no change breaks would stand in the list for nothing.
#[test]
fn every_expressible_clause_is_broken_by_a_change() {
    let seen: BTreeSet<&str> = single_changes().iter().flat_map(broken).collect();
    let unseen: Vec<&&str> = EXPRESSIBLE.iter().filter(|id| !seen.contains(**id)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_schema_never_contradicts_the_validator(changes in proptest::collection::vec(change(), 0..4)) {
        let mut manifest = full();
        changes.into_iter().for_each(|change| change.apply(&mut manifest));
        prop_assert_eq!(compare(&manifest), Ok(()));
    }
}
