//! The public JSON test suite, nst/JSONTestSuite: 318 files whose names say what a reader of RFC 8259
//! should do (`y_` accept, `n_` reject, `i_` as it likes).
//!
//! The files are not part of this project. The crate `justjson` 0.3.0 has all of them, byte for byte, in
//! its folder `tests/JSONTestSuite`. Set `CORNERCAST_JSON_TEST_SUITE` to a folder that holds them and run
//! this test with `-- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;

use cornercast::json::{Document, Form, read};
use cornercast::limits::Limits;

/// The figures of the suite at its commit 1ef36fa: for each prefix, how many files belong to which class.
const FIGURES: [(&str, &[(Class, usize)]); 3] = [
    ("n_", &[(Class::Encoding, 12), (Class::ByteOrderMark, 1), (Class::Grammar, 173), (Class::Depth, 2)]),
    ("y_", &[(Class::Read, 76), (Class::Number, 17), (Class::Duplicate, 2)]),
    (
        "i_",
        &[
            (Class::Encoding, 13),
            (Class::ByteOrderMark, 1),
            (Class::Grammar, 10),
            (Class::Number, 10),
            (Class::Depth, 1),
        ],
    ),
];

/// Why a strict reader refuses a file: the class of the first violation that is not [`Class::Read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// JSN-001
    Encoding,
    /// JSN-002
    ByteOrderMark,
    /// JSN-003, and JSN-006, which most readers count as grammar
    Grammar,
    /// JSN-008
    Duplicate,
    /// JSN-012 to JSN-014
    Number,
    /// JSN-016
    Depth,
    /// It is read; what is left is about what the values are (JSN-004, JSN-007, JSN-009 to JSN-011, JSN-015).
    Read,
}

fn class(document: &Document) -> Class {
    let classes = document.violations.iter().map(|violation| match violation.clause.id {
        "JSN-001" => Class::Encoding,
        "JSN-002" => Class::ByteOrderMark,
        "JSN-003" | "JSN-006" => Class::Grammar,
        "JSN-008" => Class::Duplicate,
        "JSN-012" | "JSN-013" | "JSN-014" => Class::Number,
        "JSN-016" => Class::Depth,
        "JSN-004" | "JSN-007" | "JSN-009" | "JSN-010" | "JSN-011" | "JSN-015" => Class::Read,
        other => panic!("a strict reader does not judge {other}"),
    });
    classes.into_iter().find(|class| *class != Class::Read).unwrap_or(Class::Read)
}

fn has(document: &Document, id: &str) -> bool {
    document.violations.iter().any(|violation| violation.clause.id == id)
}

#[test]
#[ignore = "set CORNERCAST_JSON_TEST_SUITE to the folder test_parsing of the JSON test suite"]
fn the_strict_reader_on_the_json_test_suite() {
    let folder = std::env::var_os("CORNERCAST_JSON_TEST_SUITE").expect("CORNERCAST_JSON_TEST_SUITE names the folder");
    let mut figures: BTreeMap<String, BTreeMap<Class, usize>> = BTreeMap::new();
    let (mut null, mut nul, mut accepted) = (0, 0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let document = read(&fs::read(&path).unwrap(), Form::Strict, &Limits::FORMAT);
        let class = class(&document);
        *figures.entry(name[..2].to_owned()).or_default().entry(class).or_default() += 1;
        if class == Class::Read {
            null += usize::from(has(&document, "JSN-015"));
            nul += usize::from(has(&document, "JSN-007"));
        }
        if document.violations.is_empty() {
            accepted.push(name);
        }
    }
    let wanted: BTreeMap<String, BTreeMap<Class, usize>> =
        FIGURES.iter().map(|(prefix, counts)| ((*prefix).to_owned(), counts.iter().copied().collect())).collect();
    assert_eq!(figures, wanted);
    assert_eq!((null, nul), (4, 2), "files that are read and hold `null`, or U+0000");
    // What RFC 8259 rejects, this reader rejects; it also rejects all that readers disagree about.
    assert!(accepted.iter().all(|name| name.starts_with("y_")), "accepted: {accepted:?}");
}
