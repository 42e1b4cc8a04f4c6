//! Times as documents write them, as numbers.

use jiff::Timestamp;

use crate::manifest::time::{exists, has_form};

/// The seconds since 1970-01-01T00:00:00Z of a time; `None` if it is none (REL-003, REL-004).
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    (has_form(text) && exists(text)).then(|| text.parse::<Timestamp>().ok()).flatten().map(Timestamp::as_second)
}

/// The time of so many seconds since 1970-01-01T00:00:00Z; `None` outside the years 0001 to 9999.
#[must_use]
pub fn text(seconds: i64) -> Option<String> {
    let text = Timestamp::from_second(seconds).ok()?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    exists(&text).then_some(text)
}
