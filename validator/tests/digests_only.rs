//! `check --digests-only`: what it prints, and what it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use command::{cornercast, fixtures};

mod command;

fn check(case: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = cornercast(&fixtures().join(case), &[&["check"], arguments].concat());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn it_says_that_layers_were_not_opened() {
    // The layer is not compressed as its media type says, and the digests of the blobs fit.
    let case = "OCI-042/rejected-plain-as-gzip";
    assert_eq!(check(case, &["layout"]).0, Some(1));
    let (status, output) = check(case, &["--digests-only", "layout"]);
    assert_eq!(status, Some(0), "{output}");
    assert_eq!(output, "1 input checked: no violations; layers were not opened\n");
}

#[test]
fn it_finds_another_content() {
    let (status, output) = check("OCI-006/rejected-layer", &["--digests-only", "layout"]);
    assert_eq!(status, Some(1), "{output}");
    assert!(output.contains("error[OCI-006]"), "{output}");
}

#[test]
fn it_takes_images_alone() {
    let (status, output) = check("LAY-001/rejected-end-only", &["--digests-only", "layer.tar"]);
    assert_eq!(status, Some(2), "{output}");
    assert!(output.contains("error[INP-003]: --digests-only takes images"), "{output}");
}
