//! Layouts that were tampered with: whatever comes of them, nothing is written but the output.

use std::fs;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::layout::{Tar, files, import, write};
use super::workplace::{Workplace, names};

/// An image with something of everything, exported, so that it has an artifact too.
fn exported(here: &Workplace) {
    let lower = Tar::default().dir("bin/").program("bin/serve").symlink("lib", "../../outside").file("a", b"a\n").end();
    let upper = Tar::default().file("lib/evil", b"evil\n").hardlink("b", "a").file(".wh.a", b"").end();
    write(here, "layout", &[lower, upper], &json!({"Entrypoint": ["/bin/serve"]}));
    import(here, "layout", "image").unwrap();
    here.succeed(&["convert", "image", "exported", "--to", "oci", "--layers", "gzip"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 32, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_written_outside_the_output(
        which in any::<bool>(),
        damages in proptest::collection::vec((any::<Index>(), any::<Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        let here = Workplace::new();
        exported(&here);
        let layout = if which { "layout" } else { "exported" };
        for (file, place, byte, cut) in damages {
            let all = files(&here.path(layout));
            let (name, mut bytes) = file.get(&all).clone();
            let at = place.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            if cut {
                bytes.truncate(at);
            } else if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
            fs::write(here.path(&format!("{layout}/{name}")), bytes).unwrap();
        }
        let before = (files(&here.path("layout")), files(&here.path("exported")), files(&here.path("image")));
        let imported = import(&here, layout, "out");
        let after = (files(&here.path("layout")), files(&here.path("exported")), files(&here.path("image")));
        prop_assert_eq!(before, after);
        let mut expected = vec!["exported", "image", "layout"];
        if imported.is_ok() {
            expected.push("out");
            here.succeed(&["check", "out"]);
        }
        prop_assert_eq!(names(&here.path("")), expected);
    }
}

/// Documents that are whole, and say something else than they should, with digests that fit.
#[test]
fn entries_that_lead_out_stay_inside() {
    let here = Workplace::new();
    for (what, layer) in [
        ("parent", Tar::default().file("../evil", b"evil\n").end()),
        ("deep", Tar::default().file("a/../../evil", b"evil\n").end()),
        ("absolute", Tar::default().file("/evil", b"evil\n").end()),
        ("link", Tar::default().symlink("out", "/..").file("out/evil", b"evil\n").end()),
        ("hard", Tar::default().hardlink("evil", "../../etc/passwd").end()),
        ("host", Tar::default().hardlink("evil", "/etc/hostname").end()),
        ("loop", Tar::default().symlink("a", "b").symlink("b", "a").end()),
    ] {
        let (layout, out) = (format!("{what}.oci"), format!("{what}.out"));
        write(&here, &layout, &[layer], &json!({}));
        if import(&here, &layout, &out).is_ok() {
            here.succeed(&["check", &out]);
        } else {
            assert!(!here.path(&out).exists(), "{what}");
        }
        assert!(!here.path("evil").exists() && !here.path("../evil").exists(), "{what}");
    }
}

/// A link of a lower layer in a loop keeps what stands below it from being placed.
#[test]
fn loops_end() {
    let here = Workplace::new();
    let lower = Tar::default().symlink("a", "b").symlink("b", "a").end();
    write(&here, "layout", &[lower, Tar::default().file("a/x", b"").end()], &json!({}));
    let refused = import(&here, "layout", "out").unwrap_err();
    assert!(refused.contains("more than 40 symbolic links lead to \"a\""), "{refused}");
}
