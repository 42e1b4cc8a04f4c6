//! What a runtime, its hooks and the application have said, of which only so much is kept.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::fs::OFlags;

/// Bytes of one stream that are kept.
const OUTPUT_LIMIT: usize = 1 << 20;

/// Bytes of a file of a hook that are kept.
const NOTE_LIMIT: u64 = 64 << 10;

/// Files of hooks that are looked at: some more than any case has.
const NOTES_LIMIT: usize = 64;

/// The beginning of a file; nothing of what is not a regular one, whose end nobody may ever come to.
pub(super) fn beginning(path: &Path, limit: u64) -> io::Result<String> {
    // Opening a pipe that nobody writes to would not come back otherwise.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The beginning of each file of a directory, by its name.
pub(super) fn notes(directory: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut notes = BTreeMap::new();
    for entry in fs::read_dir(directory)?.take(NOTES_LIMIT) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        notes.insert(name, beginning(&entry.path(), NOTE_LIMIT).unwrap_or_default());
    }
    Ok(notes)
}

/// What has come of a stream, as much as is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Reads a stream to its end on a thread of its own.
    pub(super) fn read(&self, mut stream: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let kept = Arc::clone(&self.0);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = OUTPUT_LIMIT.saturating_sub(kept.len());
                kept.extend_from_slice(buffer.get(..read.min(room)).unwrap_or_default());
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_far_as_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "x".repeat(100)).unwrap();
        assert_eq!(beginning(&path, 10).unwrap(), "x".repeat(10));
        assert!(beginning(&folder.path().join("missing"), 10).is_err());
        assert!(beginning(Path::new("/dev/zero"), 10).unwrap().is_empty());
    }

    /// A pipe would be waited for, and as many files would be read as there are.
    #[test]
    fn what_hooks_leave_has_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("link")).unwrap();
        fs::write(folder.path().join("long"), "x".repeat(100_000)).unwrap();
        let lengths = notes(folder.path()).unwrap().into_iter().map(|(name, text)| (name, text.len()));
        let named = |name: &str, length| (name.to_owned(), length);
        assert_eq!(lengths.collect::<Vec<_>>(), [named("link", 0), named("long", 64 << 10), named("pipe", 0)]);
        for number in 0..200 {
            fs::write(folder.path().join(number.to_string()), "note").unwrap();
        }
        assert_eq!(notes(folder.path()).unwrap().len(), NOTES_LIMIT);
    }
}
