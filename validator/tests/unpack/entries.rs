//! Each kind of entry and attribute.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cornercast::layer::Xattrs;
use cornercast::unpack::{Options, Owner, UnpackError, unpack};

use super::disk::{Canary, entries, expected};
use super::image::{Sample, image, merged, mode};
use super::{is_root, options, owner, unpack_to};

/// Unpacks layers, and looks whether the tree is what they merge to.
pub(crate) fn check(layers: &[Sample]) -> Canary {
    let canary = Canary::new();
    let unpacked = unpack_to(&image(layers), &canary.target()).unwrap();
    assert_eq!(entries(&canary.target()), expected(&merged(layers), &unpacked, owner()));
    canary.check(true);
    canary
}

#[test]
fn files_directories_and_links() {
    let layer = Sample::default()
        .dir("bin", mode(0o755))
        .file("bin/hi", mode(0o755), b"hi\n")
        .link("bin/ho", "bin/hi")
        .file("empty", mode(0o600), b"")
        .file("large", mode(0o644), &vec![7; 3 << 20])
        .symlink("absolute", "/bin/hi")
        .symlink("dangling", "../../..");
    let mut layer = layer;
    layer.entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    check(&[layer]);
}

#[test]
fn an_image_without_layers_is_an_empty_tree() {
    let canary = check(&[]);
    let root = fs::metadata(canary.target()).unwrap();
    let owner = if is_root() { (0, 0) } else { (65_534, 65_534) };
    assert_eq!((root.mode() & 0o7777, root.uid(), root.gid()), (0o755, owner.0, owner.1));
    assert_eq!((root.mtime(), root.mtime_nsec()), (0, 0));
}

/// Modes that keep their owner out, and the bits that a change of the owner takes away.
#[test]
fn all_modes() {
    let mut layer = Sample::default();
    for bits in [0, 0o400, 0o644, 0o1777, 0o2755, 0o4755, 0o6711, 0o7000, 0o7777] {
        let mut attributes = mode(bits);
        (attributes.uid, attributes.gid) = (1000, 1001);
        layer = layer.dir(&format!("d{bits:04o}"), attributes.clone());
        layer = layer.dir(&format!("d{bits:04o}/d"), mode(0o700)).file(&format!("d{bits:04o}/f"), mode(0), b"f");
        layer = layer.file(&format!("f{bits:04o}"), attributes, b"f");
    }
    layer.entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    let canary = Canary::new();
    for verify in [false, true] {
        let store = image(std::slice::from_ref(&layer));
        let unpacked = unpack(&store, store.id, "image", &canary.target(), &options(verify)).unwrap();
        assert_eq!(unpacked.setid, (!is_root()).then_some(10), "five directories and five files");
        let tree = merged(std::slice::from_ref(&layer));
        assert_eq!(entries(&canary.target()), expected(&tree, &unpacked, owner()));
        fs::remove_dir_all(canary.target()).unwrap();
    }
}

#[test]
fn extended_attributes() {
    let with = |names: &[&str], bits| {
        let value = |name: &str| if name == "security.capability" { vec![1, 0, 0, 2] } else { b"\0\xFF\n=".to_vec() };
        let mut xattrs: Xattrs = names.iter().map(|name| ((*name).to_owned(), value(name))).collect();
        if let Some(value) = xattrs.get_mut("security.capability") {
            value.resize(20, 0);
            value[4] = 1;
        }
        let mut attributes = mode(bits);
        (attributes.uid, attributes.xattrs) = (1000, xattrs);
        attributes
    };
    let layer = Sample::default()
        .dir("d", with(&["user.d"], 0o555))
        .file("f", with(&["user.a", "user.b", "security.capability"], 0o4555), b"")
        .link("g", "f");
    let canary = Canary::new();
    let unpacked = unpack_to(&image(std::slice::from_ref(&layer)), &canary.target()).unwrap();
    let tree = merged(&[layer]);
    assert_eq!(entries(&canary.target()), expected(&tree, &unpacked, owner()));
    // Only root may give a file capabilities.
    let unset: Vec<_> =
        unpacked.unset.iter().map(|unset| (unset.name.as_str(), unset.entries, &*unset.first)).collect();
    let none: &[(&str, u64, &str)] = &[("security.capability", 1, "f")];
    assert_eq!(unset, if is_root() { &[] } else { none });
}

#[test]
fn times() {
    let mut layer = Sample::default();
    for (name, mtime) in [("a", 0), ("b", 1), ("c", (1 << 31) - 1), ("d", 1 << 31), ("e", (1 << 33) - 1)] {
        let mut attributes = mode(0o755);
        attributes.mtime = mtime;
        layer = layer.dir(name, attributes.clone()).file(&format!("{name}/f"), attributes, b"f");
        layer = layer.symlink(&format!("{name}/l"), "f");
    }
    check(&[layer]);
}

/// As long as paths can be; only paths that a program can give to the system as a whole can be listed.
#[test]
fn long_paths() {
    let name = |length: usize| "é".repeat(length / 2) + &"x".repeat(length % 2);
    check(&[Sample::default().dir(&name(255), mode(0o755)).file(
        &format!("{}/{}", name(255), name(255)),
        mode(0o644),
        b"f",
    )]);
    // 16 components of 255 bytes and their `/` are 4,095 bytes.
    let (mut layer, mut path) = (Sample::default(), String::new());
    for _ in 0..15 {
        path.push_str(&name(255));
        layer = layer.dir(&path, mode(0o755));
        path.push('/');
    }
    let (file, link) = (format!("{path}{}", "f".repeat(255)), format!("{path}{}", "g".repeat(255)));
    assert_eq!(file.len(), 4095);
    let layer =
        layer.file(&file, mode(0o640), b"deep").link(&link, &file).symlink(&format!("{path}h"), &"t".repeat(4095));
    let canary = Canary::new();
    let store = image(&[layer]);
    unpack(&store, store.id, "image", &canary.target(), &options(false)).unwrap();
    let mut at: OwnedFd = File::open(canary.target()).unwrap().into();
    for component in path.trim_end_matches('/').split('/') {
        let flags = rustix::fs::OFlags::RDONLY;
        at = rustix::fs::openat(at.as_fd(), component, flags, rustix::fs::Mode::empty()).unwrap();
    }
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    let stat = |name: String| rustix::fs::statat(&at, name, flags).unwrap();
    let (file, link) = (stat("f".repeat(255)), stat("g".repeat(255)));
    assert_eq!((file.st_mode & 0o7777, file.st_size, file.st_ino), (0o640, 4, link.st_ino));
    assert_eq!(stat("h".to_owned()).st_size, 4095);
}

#[test]
fn the_deepest_path() {
    let (mut layer, mut path) = (Sample::default(), "d".to_owned());
    for _ in 0..127 {
        layer = layer.dir(&path, mode(0o500));
        path.push_str("/d");
    }
    check(&[layer.file(&path, mode(0o400), b"deep")]);
}

#[test]
fn many_small_files() {
    let mut layer = Sample::default();
    for directory in 0..20 {
        layer = layer.dir(&format!("d{directory:02}"), mode(0o755));
        for file in 0..250 {
            let content = format!("{directory} {file}").repeat(file);
            layer = layer.file(&format!("d{directory:02}/f{file:03}"), mode(0o644), content.as_bytes());
        }
    }
    check(&[layer]);
}

/// What the directory is in gives it nothing.
#[test]
fn nothing_is_inherited() {
    let canary = Canary::new();
    let outer = canary.target();
    fs::create_dir(&outer).unwrap();
    fs::set_permissions(&outer, PermissionsExt::from_mode(0o2755)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&outer, None, Some(4321)).unwrap();
    }
    // An access control list that goes on to what is made below: user 1 and group 2, in the kernel's form.
    let entry =
        |tag: u16, bits: u16, id: u32| [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat();
    let none = u32::MAX;
    let list = [(1, 7, none), (2, 7, 1), (4, 5, none), (8, 7, 2), (16, 7, none), (32, 5, none)];
    let list = [vec![2, 0, 0, 0], list.map(|(tag, bits, id)| entry(tag, bits, id)).concat()].concat();
    let flags = rustix::fs::XattrFlags::empty();
    let has_lists = rustix::fs::setxattr(&outer, "system.posix_acl_default", &list, flags).is_ok();
    let layer = Sample::default().dir("d", mode(0o755)).file("d/f", mode(0o644), b"f").symlink("d/l", "f");
    let store = image(std::slice::from_ref(&layer));
    let unpacked = unpack_to(&store, &outer.join("tree")).unwrap();
    let tree = merged(&[layer]);
    assert_eq!(entries(&outer.join("tree")), expected(&tree, &unpacked, owner()));
    let root = fs::metadata(outer.join("tree")).unwrap();
    assert_eq!((root.mode() & 0o7777, root.gid()), (0o755, rustix::process::getegid().as_raw()));
    assert!(has_lists || !is_root(), "the file system has no access control lists");
}

/// Everything belongs to the caller if that is wanted; without the right to change owners it has to be.
#[test]
fn owners() {
    let mut attributes = mode(0o4755);
    (attributes.uid, attributes.gid) = (1234, 5678);
    let layer = Sample::default().file("f", attributes, b"f");
    let store = image(std::slice::from_ref(&layer));
    let canary = Canary::new();
    let mine = Options { owner: Owner::Caller, ..options(true) };
    let unpacked = unpack(&store, store.id, "image", &canary.target(), &mine).unwrap();
    assert_eq!(unpacked.owner.unwrap().uid, rustix::process::geteuid().as_raw());
    assert_eq!(unpacked.setid, Some(1));
    assert_eq!(entries(&canary.target()), expected(&merged(&[layer]), &unpacked, Owner::Caller));
    fs::remove_dir_all(canary.target()).unwrap();
    let theirs = Options { owner: Owner::Image, ..options(true) };
    let unpacked = unpack(&store, store.id, "image", &canary.target(), &theirs);
    if is_root() {
        assert_eq!(unpacked.unwrap().owner, None);
        assert_eq!(fs::metadata(canary.target().join("f")).unwrap().uid(), 1234);
    } else {
        let error = unpacked.unwrap_err();
        assert!(matches!(&error, UnpackError::Owner { path, uid: 1234, gid: 5678, .. } if path == "f"), "{error}");
        canary.check(false);
    }
}
