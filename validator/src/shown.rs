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

/// Bidirectional controls and invisible characters could make a message read as another one.
fn push_escaped(out: &mut String, character: char) {
    let code = u32::from(character);
    let invisible = matches!(code, 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x2069 | 0xFEFF);
    if character.is_control() || invisible {
        out.push_str(&format!("\\u{{{code:04X}}}"));
    } else {
        out.push(character);
    }
}
