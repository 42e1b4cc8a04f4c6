//! Places inside the bytes that a reader was given, and the bytes around them.

use std::ops::Range;

/// A place inside one sequence of bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file of a store or archive.
    pub file: Option<String>,
    /// The path of the tar entry or listing line.
    pub entry: Option<String>,
    /// The JSON pointer (RFC 6901) of the value.
    pub pointer: Option<String>,
    /// The bytes, counted from the first byte of the document or blob.
    pub bytes: Option<Range<u64>>,
    /// A few of these bytes, to show them.
    pub excerpt: Option<Excerpt>,
}

/// Bytes around a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Where the first byte stands.
    pub start: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they are text.
    pub text: bool,
    /// Line of the first byte of the place and its column in characters, both from 1, for text.
    pub line_column: Option<(u64, u64)>,
    /// The same of the byte after the place.
    pub end: Option<(u64, u64)>,
    /// Whether its line begins before it.
    pub begins_late: bool,
    /// Whether its line goes on after it.
    pub ends_early: bool,
}

impl Place {
    /// The bytes `range`.
    #[must_use]
    pub fn bytes(range: Range<u64>) -> Self {
        Self { bytes: Some(range), ..Self::default() }
    }

    /// The value at `pointer`, which stands in `range`.
    pub fn value(pointer: impl Into<String>, range: Range<u64>) -> Self {
        Self { pointer: Some(pointer.into()), bytes: Some(range), ..Self::default() }
    }

    /// The same inside the entry `path`.
    #[must_use]
    pub fn entry(mut self, path: impl Into<String>) -> Self {
        self.entry = Some(path.into());
        self
    }

    /// The same in the file `path` of a store or archive.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// The same `offset` bytes later, for a reader that was given a part of a larger document.
    #[must_use]
    pub fn shifted(mut self, offset: u64) -> Self {
        if let Some(range) = &mut self.bytes {
            *range = range.start.saturating_add(offset)..range.end.saturating_add(offset);
        }
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.start = excerpt.start.saturating_add(offset);
        }
        self
    }

    /// The same with an excerpt of `source`, a text in which the place's bytes are.
    #[must_use]
    pub fn text_excerpt(mut self, source: &[u8]) -> Self {
        if let Some(range) = &self.bytes {
            self.excerpt = Excerpt::of_text(source, range);
        }
        self
    }
}

impl Excerpt {
    /// Bytes kept before and after the place.
    const AROUND: usize = 48;
    /// Bytes of the place itself that are kept.
    const INSIDE: usize = 64;

    /// An excerpt of the text `source` around `range`, not beyond its line.
    fn of_text(source: &[u8], range: &Range<u64>) -> Option<Self> {
        let start = usize::try_from(range.start).ok()?.min(source.len());
        let end = usize::try_from(range.end).ok()?.clamp(start, source.len());
        let (before, inside) = (source.get(..start)?, source.get(start..end)?);
        let line_start = start_of_line(before);
        let mut from = line_start.max(start.saturating_sub(Self::AROUND));
        while from < start && source.get(from).is_some_and(|byte| byte & 0xC0 == 0x80) {
            from += 1;
        }
        let mut to = end.min(start + Self::INSIDE).saturating_add(Self::AROUND).min(source.len());
        if let Some(newline) = source.get(start..to)?.iter().position(|byte| *byte == b'\n') {
            to = start + newline;
        }
        while to > start && source.get(to).is_some_and(|byte| byte & 0xC0 == 0x80) {
            to -= 1;
        }
        let (line, column) = (newlines(before) + 1, characters(source.get(line_start..start)?) + 1);
        let end = match start_of_line(inside) {
            0 => (line, column + characters(inside)),
            last => (line + newlines(inside), characters(inside.get(last..)?) + 1),
        };
        Some(Self {
            start: from as u64,
            bytes: source.get(from..to)?.to_vec(),
            text: true,
            line_column: Some((line, column)),
            end: Some(end),
            begins_late: from > line_start,
            ends_early: source.get(to).is_some_and(|byte| *byte != b'\n'),
        })
    }

    /// The same in the line `line` of a larger text, for a reader that was given that line alone.
    pub(crate) fn in_line(&mut self, line: u64) {
        for (own, _) in self.line_column.iter_mut().chain(&mut self.end) {
            *own = line;
        }
    }

    /// An excerpt of binary data: the bytes themselves.
    #[must_use]
    pub fn of_binary(start: u64, bytes: &[u8]) -> Self {
        let bytes = bytes.iter().take(Self::INSIDE).copied().collect();
        Self { start, bytes, text: false, line_column: None, end: None, begins_late: false, ends_early: false }
    }
}

/// Where the last line of `text` begins.
fn start_of_line(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The characters of `text`; a byte order mark, which no editor counts, is none.
fn characters(text: &[u8]) -> u64 {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_text_have_lines_and_columns() {
        let text = "\u{feff}äb\nc\u{1F600}d\n";
        let of = |part: &str| {
            let start = text.find(part).unwrap() as u64;
            let excerpt = Excerpt::of_text(text.as_bytes(), &(start..start + part.len() as u64)).unwrap();
            (excerpt.line_column.unwrap(), excerpt.end.unwrap())
        };
        assert_eq!(of("\u{feff}"), ((1, 1), (1, 1)));
        assert_eq!(of("b"), ((1, 2), (1, 3)));
        assert_eq!(of("d"), ((2, 3), (2, 4)));
        assert_eq!(of("b\nc\u{1F600}"), ((1, 2), (2, 3)));
        assert_eq!(of("d\n"), ((2, 3), (3, 1)));
    }

    #[test]
    fn an_excerpt_says_where_it_is_cut() {
        let text = format!("{}äX{}\nrest", "a".repeat(47), "b".repeat(200));
        let at = text.find('X').unwrap() as u64;
        let excerpt = Excerpt::of_text(text.as_bytes(), &(at..at + 1)).unwrap();
        assert!(excerpt.begins_late && excerpt.ends_early);
        assert_eq!(String::from_utf8(excerpt.bytes).unwrap(), format!("{}äX{}", "a".repeat(46), "b".repeat(48)));
        let whole = Excerpt::of_text(b"X\nrest", &(0..1)).unwrap();
        assert!(!whole.begins_late && !whole.ends_early);
        let last = Excerpt::of_text(b"X rest", &(0..1)).unwrap();
        assert!(!last.begins_late && !last.ends_early);
    }

    #[test]
    fn an_excerpt_cuts_no_character() {
        let of = |source: &[u8], at: u64| Excerpt::of_text(source, &(at..at + 1)).unwrap().bytes;
        let before = format!("{}aX", "ä".repeat(24));
        assert_eq!(of(before.as_bytes(), 49), format!("{}aX", "ä".repeat(23)).as_bytes());
        let after = format!("Xa{}", "ä".repeat(100));
        assert_eq!(of(after.as_bytes(), 0), format!("Xa{}", "ä".repeat(23)).as_bytes());
        // Bytes that are no text are left out before the place and at its end, but never the place's beginning.
        assert_eq!(of(&[0x80; 3], 1), [0x80; 2]);
        assert!(of(&[0x80; 100], 0).is_empty());
    }
}
