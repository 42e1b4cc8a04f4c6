//! Dates and times of RFC 3339, section 5.6 (OCI-021).

/// Whether `text` is a `date-time` that exists.
pub(super) fn is_rfc3339(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<()> {
    let pattern = "0000-00-00T00:00:00";
    let (main, rest) = text.split_at_checked(pattern.len())?;
    let has_form = main.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte.eq_ignore_ascii_case(&wanted),
    });
    let number = |text: &str, at: usize, length: usize| text.get(at..at + length)?.parse::<u32>().ok();
    let (year, month, day) = (number(main, 0, 4)?, number(main, 5, 2)?, number(main, 8, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 31,
    };
    let exists = (1..=12).contains(&month) && (1..=days).contains(&day);
    let (hour, minute, second) = (number(main, 11, 2)?, number(main, 14, 2)?, number(main, 17, 2)?);
    let is_time = hour < 24 && minute < 60 && (second < 60 || second == 60 && minute == 59);
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => Some(fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()))
            .filter(|zone| zone.len() < fraction.len())?,
        None => rest,
    };
    (has_form && exists && is_time && is_zone(zone)).then_some(())
}

/// `Z`, or hours and minutes from it.
fn is_zone(zone: &str) -> bool {
    if zone.eq_ignore_ascii_case("Z") {
        return true;
    }
    let Some((hours, minutes)) = zone.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':')) else {
        return false;
    };
    let below = |text: &str, limit: u32| {
        text.len() == 2
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|number| number < limit)
    };
    below(hours, 24) && below(minutes, 60)
}

#[cfg(test)]
mod tests {
    use super::is_rfc3339;

    #[test]
    fn times_are_told_from_what_looks_like_them() {
        for time in [
            "2026-11-24T00:00:00Z",
            "2026-11-24t23:59:60z",
            "1985-04-12T23:20:50.52Z",
            "1996-12-19T16:39:57-08:00",
            "1937-01-01T12:00:27.87+00:20",
            "2024-02-29T00:00:00+23:59",
            "2000-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert!(is_rfc3339(time), "{time}");
        }
        for other in [
            "",
            "2026-11-24",
            "2026-11-24 00:00:00Z",
            "2026-11-24T00:00:00",
            "2026-11-24T00:00:00+0100",
            "2026-11-24T00:00:00+01:00:00",
            "2026-11-24T00:00:00+24:00",
            "2026-11-24T00:00:00+00:60",
            "2026-11-24T00:00:00+1:00",
            "2026-11-24T00:00:00.Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T00:60:00Z",
            "2026-11-24T00:00:60Z",
            "2026-11-24T00:59:61Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "0100-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "+026-11-24T00:00:00Z",
            "yesterday",
        ] {
            assert!(!is_rfc3339(other), "{other}");
        }
    }
}
