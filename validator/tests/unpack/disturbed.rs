//! Other programs that change the tree while it is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use cornercast::build::PREFIX;
use cornercast::difference::{Attribute, Change};
use cornercast::unpack::{Options, UnpackError, unpack};

use super::disk::Canary;
use super::image::{Sample, image, mode};
use super::options;

fn temporary(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)))
}

/// Swaps directories of the tree for links out of it, again and again.
fn attack(folder: &Path, done: &AtomicBool) -> u32 {
    let mut swaps = 0;
    while !done.load(Ordering::Relaxed) {
        let Some(root) = temporary(folder) else { continue };
        for number in 0..40 {
            let (path, away) = (root.join(format!("d{number:02}")), root.join(format!("away{number}")));
            if fs::rename(&path, &away).is_err() {
                continue;
            }
            swaps += u32::from(std::os::unix::fs::symlink("../canary/dir", &path).is_ok());
            std::thread::yield_now();
            let _ = fs::remove_file(&path);
            let _ = fs::rename(&away, &path);
        }
    }
    swaps
}

/// Ends the attack, also when the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nothing outside is written; the tree is unpacked, or that fails and leaves nothing.
#[test]
fn swapped_directories_lead_nowhere() {
    let mut layer = Sample::default();
    for directory in 0..40 {
        let name = format!("d{directory:02}");
        layer = layer.dir(&name, mode(0o755));
        for file in 0..20 {
            layer = layer
                .file(&format!("{name}/g{file:02}"), mode(0o644), b"written")
                .link(&format!("{name}/h{file:02}"), &format!("{name}/g{file:02}"));
        }
        layer = layer.symlink(&format!("{name}/z"), "g00");
        layer.entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    }
    let (store, canary, done) = (image(&[layer]), Canary::new(), AtomicBool::new(false));
    let folder = canary.path().parent().unwrap().to_owned();
    let (mut failed, mut swaps) = (0, 0);
    std::thread::scope(|scope| {
        let end = End(&done);
        let attacker = scope.spawn(|| attack(&folder, &done));
        for _ in 0..30 {
            let result = unpack(&store, store.id, "image", &canary.target(), &options(false));
            if result.is_ok() {
                // The last swap may still be going on in it.
                while fs::remove_dir_all(canary.target()).is_err() {}
            } else {
                failed += 1;
            }
        }
        drop(end);
        swaps = attacker.join().unwrap();
    });
    assert!(swaps > 0 && failed > 0, "{swaps} swaps made {failed} of 30 fail");
    // What the attacker put into a tree that was being removed is removed with it.
    canary.check(false);
}

/// The tree, for the function that is called while it is read.
static READ: Mutex<Option<PathBuf>> = Mutex::new(None);

/// While the first file is read, others change.
fn change_while_read(_: u64) {
    let Some(folder) = READ.lock().unwrap().take() else { return };
    let root = temporary(&folder).unwrap();
    fs::write(root.join("b"), "B").unwrap();
}

#[test]
fn verifying_finds_what_was_changed() {
    let layer =
        Sample::default().file("a", mode(0o644), b"a").file("b", mode(0o644), b"b").file("c", mode(0o644), b"c");
    let (store, canary) = (image(&[layer]), Canary::new());
    *READ.lock().unwrap() = Some(canary.path().parent().unwrap().to_owned());
    let options = Options { on_read: Some(change_while_read), ..options(true) };
    let error = unpack(&store, store.id, "image", &canary.target(), &options).unwrap_err();
    let UnpackError::Differs(changes) = error else { panic!("{error}") };
    let [Change::Changed { attributes, before, .. }] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((attributes.as_slice(), before.path.as_str()), (&[Attribute::Content][..], "b"));
    canary.check(false);
}

/// Something comes to the place meanwhile: it stays, and the tree goes.
#[test]
fn what_came_meanwhile_stays() {
    static PLACE: Mutex<Option<PathBuf>> = Mutex::new(None);
    fn occupy(_: u64) {
        if let Some(place) = PLACE.lock().unwrap().take() {
            fs::create_dir(&place).unwrap();
            fs::write(place.join("mine"), "mine").unwrap();
        }
    }
    let (store, canary) = (image(&[Sample::default().file("a", mode(0o644), b"a")]), Canary::new());
    *PLACE.lock().unwrap() = Some(canary.target());
    let options = Options { on_read: Some(occupy), ..options(true) };
    let error = unpack(&store, store.id, "image", &canary.target(), &options).unwrap_err();
    assert!(error.to_string().contains("meanwhile"), "{error}");
    assert_eq!(fs::read(canary.target().join("mine")).unwrap(), b"mine");
    canary.check(true);
}
