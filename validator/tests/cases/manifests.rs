//! Manifests with a value that has help of its own, or that two rules look at.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::Findings;
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_stream};
use cornercast::json::to_canonical;
use cornercast::layer::{Attributes, Entry, Node, Tree};
use cornercast::limits::Limits;
use serde_json::{Value, json};

/// A manifest without violations in which `value` stands as the member `name` of the object at `pointer`.
fn with(pointer: &str, name: &str, value: Value) -> Vec<u8> {
    let case = "../fixtures/MAN-022/accepted-loader/manifest.json";
    let manifest = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(case)).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest.pointer_mut(pointer).unwrap()[name] = value;
    to_canonical(&manifest).unwrap()
}

/// What is found in a manifest: the ids and the help.
fn found(manifest: &[u8]) -> Vec<(&'static str, String)> {
    let mut findings = Findings::new("input", 100);
    check_stream(Kind::Manifest, &mut &*manifest, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.list().iter().map(|finding| (finding.id, finding.help.clone())).collect()
}

#[test]
fn architectures_that_others_call_otherwise() {
    let meant = [
        ("amd64", "x86_64 x86-64 x64"),
        ("arm64", "aarch64 armv8"),
        ("arm", "armhf armel armv7l armv6l"),
        ("386", "x86 i386 i486 i586 i686"),
        ("ppc64le", "ppc64el"),
        ("loong64", "loongarch64"),
        ("mips64le", "mips64el"),
        ("mipsle", "mipsel"),
    ];
    for (architecture, names) in meant {
        for name in names.split(' ') {
            let found = found(&with("/platform", "architecture", json!(name)));
            let [("NAM-019", help)] = found.as_slice() else { panic!("{name}: {found:?}") };
            assert!(help.contains(&format!("`{architecture}`")), "{name}: {help}");
        }
    }
}

#[test]
fn a_variant_that_is_no_text_is_not_judged_as_one() {
    for architecture in ["amd64", "arm", "arm64"] {
        let found = found(&with("", "platform", json!({"architecture": architecture, "os": "linux", "variant": 8})));
        assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["MAN-005"], "{architecture}");
    }
}

#[test]
fn times_in_february() {
    for (day, exists) in [("2023-02-28", true), ("2023-02-29", false), ("2024-02-29", true), ("2024-02-30", false)] {
        let found = found(&with("", "created", json!(format!("{day}T00:00:00Z"))));
        assert_eq!(found.is_empty(), exists, "{day}: {found:?}");
    }
}

#[test]
fn annotations_are_what_the_manifest_has() {
    let annotations = json!({"org.example.a": "1", "org.example.b": "2"});
    let (outline, violations) =
        cornercast::manifest::check(&with("", "annotations", annotations.clone()), &Limits::FORMAT);
    assert!(violations.is_empty());
    assert_eq!(json!(outline.unwrap().annotations()), annotations);
    let (outline, _) = cornercast::manifest::check(&with("", "name", json!("example.com/a")), &Limits::FORMAT);
    assert!(outline.unwrap().annotations().is_empty());
}

/// The place of a descriptor is its text.
#[test]
fn places_are_those_of_descriptors() {
    let descriptor = |name: &str| json!({"digest": Digest::of(name.as_bytes()).to_string(), "size": 1});
    let layer = |name: &str| {
        let mut layer = descriptor(name);
        layer["listing"] = descriptor(&format!("the listing of {name}"));
        layer
    };
    let manifest = with("", "layers", json!([layer("a"), layer("b")]));
    let (outline, _) = cornercast::manifest::check(&manifest, &Limits::FORMAT);
    let outline = outline.unwrap();
    assert_eq!(outline.descriptors().len(), 4);
    for (digest, size, pointer) in outline.descriptors() {
        let bytes = outline.place(&pointer).bytes.unwrap();
        let found: Value = serde_json::from_slice(&manifest[bytes.start as usize..bytes.end as usize]).unwrap();
        assert_eq!((&found["digest"], &found["size"]), (&json!(digest.to_string()), &json!(size)), "{pointer}");
    }
}

/// Of very many violations, each has the second place that belongs to it.
#[test]
fn second_places_are_not_heaped_up() {
    let mounts = vec![json!({"name": "a", "path": "/a"}); 1200];
    let mut findings = Findings::new("input", 2000);
    let manifest = with("/app", "mounts", json!(mounts));
    check_stream(Kind::Manifest, &mut &*manifest, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    assert_eq!(findings.count(), 1000);
    assert!(findings.list().iter().all(|finding| finding.related.len() <= 1));
}

/// A merged listing is too long by what it has, or by what the manifest says, and that is said once.
#[test]
fn merged_listings_have_a_limit() {
    let mut tree = Tree::default();
    let dir = |path: &str| Entry {
        path: path.to_owned(),
        node: Node::Dir { attributes: Attributes::default(), opaque: false },
    };
    tree.merge(vec![dir("a"), dir("b")]);
    for (limit, given, expected) in [(2, 2, false), (1, 1, true), (1, 0, true), (1, 2, false), (0, 0, true)] {
        let manifest = with("/rootfs", "entries", json!(given));
        let limits = Limits { rootfs_lines: limit, ..Limits::FORMAT };
        let (outline, violations) = cornercast::manifest::check(&manifest, &limits);
        let of_manifest = violations.iter().any(|violation| violation.clause.id == "LST-020");
        assert_eq!(of_manifest, given > limit);
        let found = cornercast::manifest::check_rootfs(&outline.unwrap(), &tree, &limits);
        assert_eq!(found.iter().any(|violation| violation.clause.id == "LST-020"), expected, "{given} of {limit}");
    }
}
