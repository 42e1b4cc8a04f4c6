//! An image layout as one tar archive.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::docker::check_saved_files;
use super::entry::{Entry, Sink};
use super::gzip;
use super::header::{BLOCK, Type};
use super::keep::Pass;
use super::layout::check_files;
use super::path::{Clean, clean};
use super::tar::Reader;
use super::violations::Violations;
use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::limits::Limits;
use crate::shown::shown_bytes;
use crate::store::{Files, Listed};

/// A file that can be read at any place, by several threads.
pub trait ReadAt: Sync {
    /// Reads some of the bytes at `offset`; none at the end.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }
}

/// Checks an image layout in a tar archive with `jobs` threads, and adds what is wrong to `findings`. The number of
/// threads changes nothing that is found.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_archive(pass: Pass<'_>, archive: &dyn ReadAt, limits: &Limits, findings: &mut Findings) -> io::Result<()> {
    let (members, violations, complete) = Members::read(archive, limits)?;
    check_files(pass, &members, complete, violations, limits, findings)
}

/// Checks images that `docker save` wrote into a tar archive, like [`check_archive`].
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_saved_archive(
    pass: Pass<'_>,
    archive: &dyn ReadAt,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<()> {
    let (members, violations, complete) = Members::read(archive, limits)?;
    findings.extend(violations);
    check_saved_files(pass, &members, complete, limits, findings)
}

/// What a tar archive of images is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageArchive {
    /// An image layout.
    Layout,
    /// What `docker save` writes, but no image layout.
    Saved,
}

/// What a tar archive that begins with `head` is, if it looks like one of images.
#[must_use]
pub fn recognise(head: &[u8]) -> Option<ImageArchive> {
    let (mut reader, mut list) = (Reader::new(&Limits::FORMAT), List::default());
    reader.push(head, &mut list);
    let paths = || list.files.keys().chain(list.directories.keys()).map(Vec::as_slice);
    if paths().any(|path| matches!(path, b"oci-layout" | b"blobs/sha256") || path.starts_with(b"blobs/sha256/")) {
        return Some(ImageArchive::Layout);
    }
    // Configs and layers are named by 64 digits, as files or folders.
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_saved = |path: &[u8]| {
        path == b"manifest.json"
            || path.split_at_checked(64).is_some_and(|(name, rest)| {
                name.iter().all(is_hex)
                    && matches!(rest, b"" | b".json" | b".tar" | b"/VERSION" | b"/json" | b"/layer.tar")
            })
    };
    paths().any(is_saved).then_some(ImageArchive::Saved)
}

/// Whether a file that begins with `head` looks like an archive of images that is compressed by gzip.
#[must_use]
pub fn is_compressed(head: &[u8]) -> bool {
    let mut begin = Vec::new();
    // Memory does not fail; where the head ends, so does what can be decoded.
    let _ = gzip::Decoder::new(head).take(CHUNK as u64).read_to_end(&mut begin);
    recognise(&begin).is_some()
}

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// The files of an archive.
struct Members<'a> {
    archive: &'a dyn ReadAt,
    files: BTreeMap<String, Member>,
}

/// A file of an archive: where its content stands, or why it has none.
#[derive(Debug, Clone, Copy)]
struct Member {
    start: u64,
    length: u64,
    irregular: Option<&'static str>,
}

/// Collects the entries of an archive.
#[derive(Default)]
struct List {
    files: BTreeMap<Vec<u8>, Member>,
    /// Directories, each with where its entry begins.
    directories: BTreeMap<Vec<u8>, u64>,
}

impl<'a> Members<'a> {
    /// Reads the headers of an archive, and passes over what stands between them: the files, what is wrong, and
    /// whether all entries have been told.
    fn read(archive: &'a dyn ReadAt, limits: &Limits) -> io::Result<(Self, Vec<Violation>, bool)> {
        let (mut reader, mut list) = (Reader::new(limits), List::default());
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            let wanted = reader.wanted().min(buffer.len());
            let read = read_at(archive, buffer.get_mut(..wanted).unwrap_or_default(), offset)?;
            if read == 0 {
                break;
            }
            reader.push(buffer.get(..read).unwrap_or_default(), &mut list);
            offset += read as u64;
            // The last byte of what is passed over shows whether the archive goes so far.
            let unread = reader.unread();
            if let Some(last) = unread.checked_sub(1)
                && read_at(archive, &mut [0], offset + last)? > 0
            {
                reader.pass_over(unread);
                offset += unread;
            }
        }
        let (violations, complete) = reader.finish();
        let files = list.files.into_iter();
        let files = files.map(|(path, member)| (String::from_utf8_lossy(&path).into_owned(), member)).collect();
        Ok((Self { archive, files }, violations.into_sorted(), complete))
    }
}

/// Reads some of the bytes at `offset`, again where a signal has come between.
fn read_at(archive: &dyn ReadAt, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match archive.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Sink for List {
    fn entry(&mut self, entry: &Entry<'_>, out: &mut Violations) -> bool {
        let place = || Place::bytes(entry.start..entry.start + BLOCK as u64).entry(shown_bytes(entry.path));
        // OCI-067, OCI-068
        let Some(Clean { path, is_odd }) = clean(entry.path) else {
            out.add(Violation::new(&clause::OCI_067, place(), "the path leads above the root"));
            return false;
        };
        if is_odd {
            let what = if entry.path.starts_with(b"/") { "is absolute" } else { "has `..`" };
            out.add(Violation::new(&clause::OCI_068, place(), format!("the path {what}")));
        }
        // OCI-070
        let before = self.files.get(&path).map(|member| member.start - BLOCK as u64);
        if let Some(before) = before.or_else(|| self.directories.get(&path).copied()) {
            let first = Place::bytes(before..before + BLOCK as u64).entry(shown_bytes(&path));
            let violation = Violation::new(&clause::OCI_070, place(), "the path has been there before");
            out.add(violation.and(first, "the one before is here"));
        }
        let irregular = match entry.kind {
            Type::Directory => {
                self.files.remove(&path);
                self.directories.insert(path, entry.start);
                return true;
            }
            Type::File if entry.is_sparse => Some("a sparse file"),
            Type::File => None,
            Type::Symlink => Some("a symbolic link"),
            Type::Hardlink => Some("a hard link"),
            _ => Some("a device or FIFO"),
        };
        self.directories.remove(&path);
        self.files.insert(path, Member { start: entry.start + BLOCK as u64, length: entry.size, irregular });
        true
    }

    fn data(&mut self, _: &[u8]) {}
}

impl Files for Members<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let listed = self.files.iter().map(|(path, member)| Listed { path: path.clone(), irregular: member.irregular });
        Ok(listed.collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let member = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Part { archive: self.archive, at: member.start, left: member.length }))
    }
}

/// The content of one file.
struct Part<'a> {
    archive: &'a dyn ReadAt,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.archive.read_at(buffer.get_mut(..length).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::tar::{END, EntryHeader, header_bytes};

    fn file(path: &str, content: &[u8]) -> Vec<u8> {
        let size = content.len() as u64;
        let header = EntryHeader { typeflag: b'0', path, mode: 0o644, size, ..EntryHeader::default() };
        let padding = vec![0; content.len().next_multiple_of(BLOCK) - content.len()];
        [header_bytes(&header), content.to_vec(), padding].concat()
    }

    fn archive(path: &str) -> Vec<u8> {
        [file(path, b""), END.to_vec()].concat()
    }

    #[test]
    fn archives_of_images_are_told_from_layers() {
        let hex = "0123456789abcdef".repeat(4);
        for (path, expected) in [
            ("oci-layout".to_owned(), Some(ImageArchive::Layout)),
            (format!("./blobs/sha256/{hex}"), Some(ImageArchive::Layout)),
            ("manifest.json".to_owned(), Some(ImageArchive::Saved)),
            (format!("{hex}.json"), Some(ImageArchive::Saved)),
            (format!("{hex}/layer.tar"), Some(ImageArchive::Saved)),
            (format!("{hex}/other"), None),
            (format!("{}.json", hex.to_uppercase()), None),
            ("etc/manifest.json".to_owned(), None),
            ("blobs/a".to_owned(), None),
        ] {
            let tar = archive(&path);
            assert_eq!(recognise(&tar), expected, "{path}");
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&tar).unwrap();
            assert_eq!(is_compressed(&gzip.finish().unwrap()), expected.is_some(), "{path}");
        }
    }

    /// An archive that counts what is read of it, is interrupted each second time, and may fail.
    struct Watched {
        bytes: Vec<u8>,
        /// Bytes that are given at once.
        most: usize,
        calls: AtomicUsize,
        read: AtomicUsize,
        error: Option<io::ErrorKind>,
    }

    impl Watched {
        fn new(bytes: Vec<u8>, most: usize, error: Option<io::ErrorKind>) -> Self {
            Self { bytes, most, calls: AtomicUsize::new(0), read: AtomicUsize::new(0), error }
        }
    }

    impl ReadAt for Watched {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let room = buffer.len().min(self.most);
            let read = self.bytes.read_at(&mut buffer[..room], offset)?;
            self.read.fetch_add(read, Ordering::Relaxed);
            self.error.map_or(Ok(read), |error| Err(error.into()))
        }
    }

    #[test]
    fn contents_are_passed_over() {
        let headers_and_end = 2 * BLOCK + END.len() + (1 << 20);
        let layout = [file("a", &[1; 10_000]), file("b", &[2; 100_000]), END.to_vec(), vec![0; 1 << 20]].concat();
        for most in [100, usize::MAX] {
            let archive = Watched::new(layout.clone(), most, None);
            let (members, violations, complete) = Members::read(&archive, &Limits::FORMAT).unwrap();
            assert_eq!((violations, complete), (Vec::new(), true));
            // The last byte of each content shows that it is there.
            assert_eq!(archive.read.load(Ordering::Relaxed), headers_and_end + 2);
            let calls = archive.calls.load(Ordering::Relaxed);
            assert!(most == 100 || calls < 60, "{calls} calls");
            let contents = ["a", "b"].map(|path| {
                let mut content = Vec::new();
                members.open(path).unwrap().read_to_end(&mut content).unwrap();
                content
            });
            assert!(contents == [vec![1; 10_000], vec![2; 100_000]]);
        }
    }

    #[test]
    fn padding_is_passed_over() {
        let path = "n".repeat(200);
        let layout = [file(&path, &[1; 700]), END.to_vec()].concat();
        let archive = Watched::new(layout, 1, None);
        let (members, ..) = Members::read(&archive, &Limits::FORMAT).unwrap();
        assert!(members.files.contains_key(&path));
        // The last byte of each padding shows that it is there.
        let record = "210 path=".len() + path.len() + 1;
        assert_eq!(archive.read.load(Ordering::Relaxed), 2 * BLOCK + record + END.len() + 2);
    }

    #[test]
    fn archives_may_be_read_in_pieces() {
        let long = ["directory/"; 20].concat() + "a";
        let layout = [file(&long, &[1; 700]), file("b", b""), file("c", &[2; 512]), file("d", &[3; 1])].concat();
        for (end, wrong) in [(END.to_vec(), vec![]), (vec![], vec!["OCI-056"]), (vec![7; 20], vec!["OCI-055"])] {
            let layout = [layout.as_slice(), &end].concat();
            let [whole, cut] = [usize::MAX, 100].map(|most| {
                let archive = Watched::new(layout.clone(), most, None);
                let (members, violations, complete) = Members::read(&archive, &Limits::FORMAT).unwrap();
                let members: Vec<_> =
                    members.files.into_iter().map(|(path, member)| (path, member.start, member.length)).collect();
                let violations: Vec<&str> = violations.into_iter().map(|violation| violation.clause.id).collect();
                (members, violations, complete)
            });
            assert_eq!(whole.0.len(), 4);
            assert_eq!((&whole.1, whole.2), (&wrong, wrong != ["OCI-055"]));
            assert_eq!(whole, cut);
        }
    }

    #[test]
    fn contents_that_are_cut_off_are_missed() {
        let layout = file("a", &[1; 1000]);
        for length in [BLOCK + 1, BLOCK + 999] {
            let archive = layout[..length].to_vec();
            let (_, violations, complete) = Members::read(&archive, &Limits::FORMAT).unwrap();
            let ids: Vec<&str> = violations.iter().map(|violation| violation.clause.id).collect();
            assert_eq!((ids, complete), (vec!["OCI-055"], false), "{length} bytes");
        }
    }

    #[test]
    fn a_file_that_fails_ends_the_check() {
        let archive = Watched::new(archive("oci-layout"), 512, Some(io::ErrorKind::PermissionDenied));
        let error = Members::read(&archive, &Limits::FORMAT).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::PermissionDenied));
    }
}
