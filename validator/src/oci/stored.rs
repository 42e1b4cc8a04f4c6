//! A layer's blob as it is read: hashed as it is stored, and decoded (OCI-042).

use std::io::{self, BufRead, Read};

use super::digest::Hasher;
use super::frames;
use super::gzip;
use crate::clause;
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::limits::Limits;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// That of a layer with this media type; `None` if it is no layer's.
    pub(super) fn of_media_type(media_type: &str) -> Option<Self> {
        let kind = media_type.strip_prefix("application/vnd.")?;
        let oci = kind.strip_prefix("oci.image.layer.");
        if let Some(kind) = oci.map(|kind| kind.strip_prefix("nondistributable.").unwrap_or(kind)) {
            return match kind {
                "v1.tar" => Some(Self::Plain),
                "v1.tar+gzip" => Some(Self::Gzip),
                "v1.tar+zstd" => Some(Self::Zstd),
                _ => None,
            };
        }
        match kind.strip_prefix("docker.image.rootfs.")? {
            "diff.tar" => Some(Self::Plain),
            "diff.tar.gzip" | "foreign.diff.tar.gzip" => Some(Self::Gzip),
            "diff.tar.zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What the first bytes of a blob say.
    pub(super) fn of_head(head: &[u8]) -> Self {
        if head.starts_with(&gzip::MAGIC) {
            Self::Gzip
        } else if frames::is_frame(head) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Plain => "not compressed",
            Self::Gzip => "compressed by gzip",
            Self::Zstd => "compressed by Zstandard",
        }
    }
}

/// Whether a blob with this media type is a layer.
pub(crate) fn is_layer(media_type: &str) -> bool {
    Compression::of_media_type(media_type).is_some()
}

/// Bytes read at once.
const CHUNK: usize = 128 << 10;

/// Bytes that tell the compression.
pub(super) const HEAD: usize = 4;

/// A blob that hashes what is read of it.
struct Hashed<'a> {
    input: Box<dyn Read + Send + 'a>,
    hasher: Hasher,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl BufRead for Hashed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start == self.end {
            match self.input.read(&mut self.buffer) {
                Ok(read) => {
                    (self.start, self.end) = (0, read);
                    self.hasher.update(self.buffer.get(..read).unwrap_or_default());
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, used: usize) {
        self.start = (self.start + used).min(self.end);
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let length = there.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), there.get(..length)) {
            to.copy_from_slice(from);
        }
        self.consume(length);
        Ok(length)
    }
}

/// Writes what a layer decodes to, compressed as it looks, to `out`.
///
/// # Errors
///
/// Errors of `input` and `out`; `InvalidData` if the layer cannot be decoded.
pub(crate) fn decode<'a>(input: Box<dyn Read + Send + 'a>, limits: &Limits, out: &mut dyn io::Write) -> io::Result<()> {
    let mut stored = Stored::open(input, "", None, limits)?;
    io::copy(&mut stored, out)?;
    match stored.verdict().1.into_iter().find(is_damage) {
        Some(violation) => {
            let message = format!("{} [{}]", violation.message, violation.clause.id);
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
        None => Ok(()),
    }
}

/// A layer's blob.
pub(super) struct Stored<'a> {
    state: State<'a>,
    decoded: u64,
    most: u64,
    violations: Vec<Violation>,
}

enum State<'a> {
    Plain(Box<Hashed<'a>>),
    Gzip(Box<gzip::Decoder<Hashed<'a>>>),
    Zstd(Box<frames::Decoder<Hashed<'a>>>),
    /// Read to its end.
    End(u64, Option<String>),
}

impl<'a> Stored<'a> {
    /// A blob that `digest` names, compressed as its media type says, or as it looks like.
    pub(super) fn open(
        input: Box<dyn Read + Send + 'a>,
        digest: &str,
        compression: Option<Compression>,
        limits: &Limits,
    ) -> io::Result<Self> {
        let mut head = Vec::new();
        let mut input = input;
        (&mut input).take(HEAD as u64).read_to_end(&mut head)?;
        let seen = Compression::of_head(&head);
        let rest = io::Cursor::new(head.clone()).chain(input);
        let is_refused = compression.is_some_and(|named| named != seen);
        // What is decoded is hashed by SHA-256 as well, and of a plain layer that is the same.
        let is_hashed_twice = seen == Compression::Plain && digest.starts_with("sha256:") && !is_refused;
        let hasher = Hasher::new(if is_hashed_twice { "" } else { digest });
        let hashed = Hashed { input: Box::new(rest), hasher, buffer: vec![0; CHUNK], start: 0, end: 0 };
        let mut stored = Self { state: State::End(0, None), decoded: 0, most: limits.layer, violations: Vec::new() };
        // OCI-042
        if let Some(named) = compression.filter(|_| is_refused) {
            let mut place = Place::bytes(0..head.len() as u64);
            place.excerpt = (!head.is_empty()).then(|| Excerpt::of_binary(0, &head));
            let seen = if head.is_empty() { "empty" } else { seen.words() };
            let message = format!("the layer is {seen}; by its media type it is {}", named.words());
            stored.violations.push(Violation::new(&clause::OCI_042, place, message));
            stored.end(hashed)?;
            return Ok(stored);
        }
        stored.state = match seen {
            Compression::Plain => State::Plain(Box::new(hashed)),
            Compression::Gzip => State::Gzip(Box::new(gzip::Decoder::new(hashed))),
            Compression::Zstd => State::Zstd(Box::new(frames::Decoder::new(hashed, limits)?)),
        };
        Ok(stored)
    }

    /// Reads what the decoder has left, so that everything is hashed.
    fn end(&mut self, mut input: Hashed<'_>) -> io::Result<()> {
        loop {
            let left = input.fill_buf()?.len();
            if left == 0 {
                break;
            }
            input.consume(left);
        }
        let (size, digest) = input.hasher.finish();
        self.state = State::End(size, digest);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let (input, violations) = match std::mem::replace(&mut self.state, State::End(0, None)) {
            State::Plain(input) => (*input, Vec::new()),
            State::Gzip(decoder) => decoder.finish(),
            State::Zstd(decoder) => decoder.finish(),
            end @ State::End(..) => {
                self.state = end;
                return Ok(());
            }
        };
        self.violations.extend(violations);
        self.end(input)
    }

    /// The length of the blob, its digest if that could be computed, and what is wrong with how it is compressed.
    pub(super) fn verdict(self) -> ((u64, Option<String>), Vec<Violation>) {
        match self.state {
            State::End(size, digest) => ((size, digest), self.violations),
            _ => ((0, None), self.violations),
        }
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.most.saturating_add(1) - self.decoded).unwrap_or(usize::MAX).min(buffer.len());
        let room = buffer.get_mut(..room).unwrap_or_default();
        let read = match &mut self.state {
            State::Plain(input) => input.read(room)?,
            State::Gzip(decoder) => decoder.read(room)?,
            State::Zstd(decoder) => decoder.read(room)?,
            State::End(..) => return Ok(0),
        };
        self.decoded += read as u64;
        if self.decoded > self.most {
            let message = format!("the layer decodes to more than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        if read == 0 {
            self.finish()?;
        }
        Ok(read)
    }
}

/// Whether a violation keeps what was decoded from being compared with anything.
pub(super) fn is_damage(violation: &Violation) -> bool {
    violation.clause.severity == crate::diagnostic::Severity::Error
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn layers_are_told_by_their_media_types() {
        for (media_type, is) in [
            ("application/vnd.oci.image.layer.v1.tar", true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", true),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", true),
            ("application/vnd.docker.image.rootfs.diff.tar.zstd", true),
            ("application/vnd.oci.image.config.v1+json", false),
            ("application/x-tar", false),
        ] {
            assert_eq!(is_layer(media_type), is, "{media_type}");
        }
    }

    #[test]
    fn layers_are_decoded_as_they_look() {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"a layer").unwrap();
        let gzip = gzip.finish().unwrap();
        let decoded = |layer: &[u8]| {
            let mut out = Vec::new();
            decode(Box::new(layer), &Limits::FORMAT, &mut out).map(|()| out).map_err(|error| error.kind())
        };
        assert_eq!(decoded(&gzip), Ok(b"a layer".to_vec()));
        assert_eq!(decoded(&zstd::encode_all(&b"a layer"[..], 1).unwrap()), Ok(b"a layer".to_vec()));
        assert_eq!(decoded(b"a layer"), Ok(b"a layer".to_vec()));
        assert_eq!(decoded(&gzip[..gzip.len() - 8]), Err(io::ErrorKind::InvalidData));
    }
}
