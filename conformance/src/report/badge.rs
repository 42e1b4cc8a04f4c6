//! A badge: what a page says of an implementation in two fields, as SVG or for shields.io.

use quick_xml::escape::escape;
use serde::Serialize;

use cornercast::shown::{escaped, shown};

use super::tally::Tallies;
use super::{Report, names_of};
use crate::protocol::Role;
use crate::results::Conclusion;

/// What a badge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// What the implementation is held against: `Cornercast 1.0`.
    label: String,
    /// What came of it: `conformant 448/448`.
    message: String,
    /// Both and more in a sentence, for whoever does not see the badge.
    sentence: String,
    result: Conclusion,
}

/// What the endpoint badge of shields.io reads, with the members that <https://shields.io/badges/endpoint-badge> names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint<'a> {
    schema_version: u32,
    label: &'a str,
    message: &'a str,
    color: &'static str,
    label_color: &'static str,
    /// Such a badge cannot be given another colour by the page.
    is_error: bool,
}

/// The colour of the label.
const LABEL: &str = "#3a4048";

/// Both have a size of 11 px; the places are tenths of a pixel.
const SIZE: usize = 11;

/// What is between a text and the end of its field.
const PADDING: usize = 70;

impl Badge {
    /// The badge of the implementation that is called `name`; without a name, of the only one.
    ///
    /// # Errors
    ///
    /// If there is no such implementation, or several and no name.
    pub fn of(report: &Report, name: Option<&str>) -> Result<Self, String> {
        let all = &report.header.implementations;
        let implementation = match (name, all.as_slice()) {
            (Some(name), all) => all.iter().find(|known| known.name == name).ok_or_else(|| {
                format!("no implementation is called `{}`; there are {}", escaped(name), names_of(report))
            })?,
            (None, [one]) => one,
            (None, []) => return Err("there is no implementation".to_owned()),
            (None, _) => {
                return Err(format!("a badge tells of one implementation: --impl with one of {}", names_of(report)));
            }
        };
        if implementation.roles.contains(&Role::Runtime) {
            let name = escaped(&implementation.name);
            return Err(format!("`{name}` was judged by the OCI runtime specification, of which there is no badge"));
        }
        let tallies = Tallies::of(report);
        let tally = tallies.get(&implementation.name, "");
        let (Some(result), passed, decided) = (tally.conclusion, tally.passed(), tally.decided()) else {
            return Err(format!("no case was put to `{}`", escaped(&implementation.name)));
        };
        let words = match result {
            Conclusion::ConformantWithExceptions => "conformant with exceptions",
            other => other.words(),
        };
        let label = format!("Cornercast {}", shown(&report.header.format));
        let product = format!("{} {}", shown(&implementation.product), shown(&implementation.version));
        let suite = shown(&report.header.version);
        let sentence = format!("{product}: {words} with {label}, {passed} of {decided} cases, suite {suite}");
        Ok(Self { label, message: format!("{words} {passed}/{decided}"), sentence, result })
    }

    /// For shields.io.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint<'_> {
        Endpoint {
            schema_version: 1,
            label: &self.label,
            message: &self.message,
            color: self.colour(),
            label_color: LABEL,
            is_error: self.result == Conclusion::NotConformant,
        }
    }

    /// As one SVG image that loads nothing. White text has a contrast of at least 4.5 to each field.
    #[must_use]
    pub fn svg(&self) -> String {
        let Self { label, message, sentence, .. } = self;
        let (left, right) = (width(label), width(message));
        let (split, whole) = (left + 2 * PADDING, left + right + 4 * PADDING);
        let (label, message, sentence) = (escape(label), escape(message), escape(sentence));
        let place = |tenths: usize| format!("{}.{}", tenths / 10, tenths % 10);
        let [split_at, rest, wide, left_wide, right_wide, left_at, right_at] =
            [split, whole - split, whole, left, right, PADDING, split + PADDING].map(place);
        let colour = self.colour();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"20\" role=\"img\" aria-labelledby=\"t\">\n\
             <title id=\"t\">{sentence}</title>\n\
             <clipPath id=\"r\"><rect width=\"{wide}\" height=\"20\" rx=\"3\"/></clipPath>\n\
             <g clip-path=\"url(#r)\">\n\
             <rect width=\"{split_at}\" height=\"20\" fill=\"{LABEL}\"/>\n\
             <rect x=\"{split_at}\" width=\"{rest}\" height=\"20\" fill=\"{colour}\"/>\n\
             </g>\n\
             <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"{SIZE}\" aria-hidden=\"true\">\n\
             <text x=\"{left_at}\" y=\"14\" textLength=\"{left_wide}\" lengthAdjust=\"spacingAndGlyphs\">{label}</text>\n\
             <text x=\"{right_at}\" y=\"14\" textLength=\"{right_wide}\" lengthAdjust=\"spacingAndGlyphs\">{message}</text>\n\
             </g>\n</svg>\n"
        )
    }

    fn colour(&self) -> &'static str {
        match self.result {
            Conclusion::Conformant => "#2a6f3c",
            Conclusion::Recorded => "#4a5560",
            Conclusion::ConformantWithExceptions => "#5b6b12",
            Conclusion::Incomplete => "#8a5a00",
            Conclusion::NotConformant => "#a8281e",
        }
    }
}

/// How wide a text is, in tenths of a pixel. Whatever font is there, the image is told to take this width.
fn width(text: &str) -> usize {
    let thousandths = |character: char| {
        let at = (character as usize).checked_sub(' ' as usize);
        at.and_then(|at| ADVANCES.get(at)).copied().unwrap_or(WIDEST)
    };
    text.chars().map(|character| usize::from(thousandths(character))).sum::<usize>() * SIZE / 100
}

/// For characters that have no place in the table.
const WIDEST: u16 = 1000;

/// The advance widths of DejaVu Sans 2.37 for the characters from the blank to `~`, in thousandths of the size.
#[rustfmt::skip]
const ADVANCES: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337,
    636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
    603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612,
    635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];
