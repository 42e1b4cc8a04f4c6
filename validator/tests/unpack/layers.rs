//! What layers do to one another.

use super::entries::check;
use super::image::{Sample, mode};

#[test]
fn whiteouts_and_opaque_directories() {
    let lower = Sample::default()
        .dir("a", mode(0o755))
        .file("a/gone", mode(0o644), b"1")
        .file("a/stays", mode(0o644), b"2")
        .dir("b", mode(0o755))
        .dir("b/below", mode(0o755))
        .file("b/below/gone", mode(0o644), b"3")
        .file("c", mode(0o644), b"4");
    let upper = Sample::default()
        .whiteout("c")
        .dir("a", mode(0o700))
        .whiteout("a/gone")
        .whiteout("a/never")
        .opaque("b", mode(0o711))
        .file("b/new", mode(0o644), b"5");
    check(&[lower, upper]);
}

/// Whatever replaces whatever.
#[test]
fn types_change() {
    let put = |sample: Sample, path: &str, kind: usize| match kind {
        0 => sample.file(path, mode(0o644), path.as_bytes()),
        1 => sample.dir(path, mode(0o755)).file(&format!("{path}/below"), mode(0o644), b"below"),
        2 => sample.symlink(path, "0to1"),
        _ => sample.dir(path, mode(0o755)),
    };
    let (mut lower, mut upper) = (Sample::default(), Sample::default());
    for (from, to) in (0..4).flat_map(|from| (0..4).map(move |to| (from, to))) {
        let path = format!("{from}to{to}");
        (lower, upper) = (put(lower, &path, from), put(upper, &path, to));
    }
    check(&[lower.clone(), upper.clone(), lower, upper]);
}

/// The first name of a file is hidden, or the last, or the one between: the others remain one file.
#[test]
fn groups_of_linked_names() {
    let lower = Sample::default()
        .dir("d", mode(0o755))
        .file("d/a", mode(0o4755), b"one file")
        .link("d/b", "d/a")
        .link("d/c", "d/a")
        .link("e", "d/a");
    for hidden in [&["d/a"][..], &["d/b"], &["e"], &["d/a", "d/b"], &["d/a", "d/c", "e"], &["d/a", "d/b", "d/c", "e"]] {
        let mut upper = Sample::default();
        let (inner, outer): (Vec<&str>, Vec<&str>) = hidden.iter().partition(|path| path.contains('/'));
        for path in outer {
            upper = upper.whiteout(path);
        }
        upper = upper.dir("d", mode(0o755));
        for path in inner {
            upper = upper.whiteout(path);
        }
        check(&[lower.clone(), upper]);
    }
    // Another file with the same bytes in another layer is another file.
    let same = Sample::default().dir("d", mode(0o755)).file("d/a", mode(0o4755), b"one file");
    check(&[lower.clone(), same]);
    check(&[lower, Sample::default().file("d", mode(0o644), b"a file instead")]);
}

/// As many layers as an image can have, of which some stand there several times.
#[test]
fn as_many_layers_as_there_can_be() {
    let limit = cornercast::limits::Limits::FORMAT.layers;
    let layer = |number: usize| {
        let name = format!("f{}", number % 100);
        let content = format!("{}", number % 100);
        let sample = Sample::default().dir("d", mode(0o755 - (number % 2) as u32));
        sample.file(&format!("d/{name}"), mode(0o644), content.as_bytes())
    };
    let layers: Vec<Sample> = (0..limit).map(layer).collect();
    check(&layers);
}
