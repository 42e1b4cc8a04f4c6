//! Manifests with a value that has help of its own, or that two rules look at.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_stream};
use cornercast::json::to_canonical;
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
