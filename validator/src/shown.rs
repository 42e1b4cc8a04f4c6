//! Values of the input as they stand in messages: short, and harmless to a terminal.

/// Characters of a value that a message shows.
const MAX_SHOWN: usize = 80;

/// `text` with control and invisible characters escaped, clipped.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == MAX_SHOWN {
            out.push('…');
            break;
        }
        push_escaped(&mut out, character);
    }
    out
}

/// `text` with control and invisible characters escaped, whole.
///
/// ```
/// assert_eq!(cornercast::shown::escaped("a\u{1B}[1m\u{202E}é"), "a\\u{001B}[1m\\u{202E}é");
/// ```
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push_escaped(&mut out, character));
    out
}

/// [`shown`] with double quotes around it.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", shown(text))
}

/// Bytes that should be text, each byte that is not UTF-8 as `\xNN`.
#[must_use]
pub fn shown_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.get(..bytes.len().min(4 * MAX_SHOWN)).unwrap_or_default().utf8_chunks() {
        for character in chunk.valid().chars() {
            push_escaped(&mut text, character);
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    clip(&text)
}

/// At most 80 characters of `text`.
#[must_use]
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A number of bytes for people, with a unit.
///
/// ```
/// assert_eq!(cornercast::shown::size(1023), "1023 B");
/// assert_eq!(cornercast::shown::size(1536), "1.5 KiB");
/// ```
#[must_use]
pub fn size(bytes: u64) -> String {
    const KIB: u128 = 1 << 10;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].iter();
    let mut unit = units.next();
    let mut tenths = u128::from(bytes) * 10 / KIB;
    if tenths < 10 {
        return format!("{bytes} B");
    }
    while tenths >= 10 * KIB {
        tenths /= KIB;
        unit = units.next();
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&""))
}

fn push_escaped(out: &mut String, character: char) {
    if is_hidden(character) {
        out.push_str(&format!("\\u{{{:04X}}}", u32::from(character)));
    } else {
        out.push(character);
    }
}

/// Whether a character is a control, invisible, or makes text read in another order: such a character
/// could make a message read as another one. None of them is above U+FFFF.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    let invisible = matches!(u32::from(character), 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x2069 | 0xFEFF);
    character.is_control() || invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_texts_are_whole() {
        let long = "a".repeat(1000);
        assert_eq!(escaped(&long), long);
        assert_eq!(escaped("a\u{1B}[1m\u{202E}é"), "a\\u{001B}[1m\\u{202E}é");
    }

    #[test]
    fn sizes_have_units() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 10, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 20, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
