//! Times as documents write them, as numbers.

use jiff::SignedDuration;
use jiff::civil::{DateTime, datetime};

use crate::manifest::time::{exists, has_form};

/// 1970-01-01T00:00:00Z. There are no time zones, as `jiff::Timestamp` ends a day before the year 9999 does.
const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);

/// The seconds since 1970-01-01T00:00:00Z of a time; `None` if it is none (REL-003, REL-004).
///
/// ```
/// use cornercast::trust::time::seconds;
///
/// assert_eq!(seconds("1970-01-02T00:00:01Z"), Some(86_401));
/// assert_eq!(seconds("9999-12-31T23:59:59Z"), Some(253_402_300_799));
/// assert_eq!(seconds("9999-12-31T23:59:60Z"), None);
/// ```
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    let time = text.strip_suffix('Z').filter(|_| has_form(text) && exists(text))?.parse::<DateTime>().ok()?;
    Some(time.duration_since(EPOCH).as_secs())
}

/// The time of so many seconds since 1970-01-01T00:00:00Z; `None` outside the years 0001 to 9999.
#[must_use]
pub fn text(seconds: i64) -> Option<String> {
    let time = EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    let text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    (has_form(&text) && exists(&text)).then_some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_years_have_their_seconds() {
        assert_eq!(seconds("0001-01-01T00:00:00Z"), Some(-62_135_596_800));
        assert_eq!(text(-62_135_596_800).as_deref(), Some("0001-01-01T00:00:00Z"));
        assert_eq!(text(-62_135_596_801), None);
        assert_eq!(text(253_402_300_799).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(text(253_402_300_800), None);
        assert_eq!((text(i64::MAX), text(i64::MIN)), (None, None));
    }

    proptest! {
        #[test]
        fn a_time_is_its_seconds(number in -62_135_596_800_i64..=253_402_300_799) {
            prop_assert_eq!(seconds(&text(number).unwrap()), Some(number));
        }

        #[test]
        fn a_later_text_is_a_later_time(one in -62_135_596_800_i64..=253_402_300_799, other in -62_135_596_800_i64..=253_402_300_799) {
            prop_assert_eq!(text(one).cmp(&text(other)), one.cmp(&other));
        }
    }
}
