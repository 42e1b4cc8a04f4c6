//! Places of violations.

use cornercast::diagnostic::{Excerpt, Violation};

/// Each place lies inside `source`, and each excerpt shows what stands there.
pub fn inside(violations: &[Violation], source: &[u8]) {
    for violation in violations {
        let id = violation.clause.id;
        assert!(!violation.message.is_empty(), "{id} says nothing");
        if let Some(bytes) = &violation.place.bytes {
            assert!(bytes.start <= bytes.end, "{id} at {bytes:?} ends before it begins");
            assert!(bytes.end <= source.len() as u64, "{id} at {bytes:?} of {} bytes", source.len());
        }
        if let Some(excerpt) = &violation.place.excerpt {
            shows(id, excerpt, source);
        }
    }
}

fn shows(id: &str, excerpt: &Excerpt, source: &[u8]) {
    let start = excerpt.start as usize;
    let there = source.get(start..start + excerpt.bytes.len());
    assert_eq!(there, Some(excerpt.bytes.as_slice()), "{id}: the excerpt at {start} is not what stands there");
}

/// The line of each place is the one that its first byte stands in, and the column counts its characters,
/// among which a byte order mark is none.
pub fn has_lines(violations: &[Violation], source: &[u8]) {
    for Violation { clause, place, .. } in violations {
        let (Some(bytes), Some(excerpt)) = (&place.bytes, &place.excerpt) else { continue };
        let before = &source[..bytes.start as usize];
        let line = before.split(|byte| *byte == b'\n').count() as u64;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line_before = before[start..].strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&before[start..]);
        let characters = line_before.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64;
        assert_eq!(excerpt.line_column, Some((line, characters + 1)), "{} at {bytes:?}", clause.id);
    }
}

/// Violations come in the order of their first bytes.
pub fn sorted(violations: &[Violation]) {
    let starts = violations.iter().map(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
    assert!(starts.is_sorted(), "{violations:#?}");
}
