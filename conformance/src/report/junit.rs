//! JUnit XML: a test suite an implementation, a test case a case.
//!
//! There is no standard; the form is the one that the XSD of the Jenkins xunit plugin describes. It knows no expected
//! failure, which is a test case that is skipped here, as one is that cannot be run.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Report, Row};
use crate::results::{Stale, Verdict};

/// The report as a document.
///
/// # Errors
///
/// None that can be met: it is written into memory.
pub fn write(report: &Report) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites: Vec<Suite<'_>> =
        report.header.implementations.iter().map(|implementation| Suite::of(report, &implementation.name)).collect();
    let all = |count: fn(&Suite<'_>) -> usize| suites.iter().map(count).sum::<usize>().to_string();
    writer
        .create_element("testsuites")
        .with_attribute(("name", plain(&report.header.suite).as_str()))
        .with_attribute(("tests", all(|suite| suite.tests()).as_str()))
        .with_attribute(("failures", all(|suite| suite.failures()).as_str()))
        .with_attribute(("errors", all(|suite| suite.errors()).as_str()))
        .write_inner_content(|writer| suites.iter().try_for_each(|suite| suite.write(writer)))?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// The results of an implementation.
struct Suite<'a> {
    name: &'a str,
    rows: Vec<&'a Row>,
    stale: Vec<&'a Stale>,
}

impl<'a> Suite<'a> {
    fn of(report: &'a Report, name: &'a str) -> Self {
        let rows = report.rows.iter().filter(|row| row.line.implementation == name).collect();
        let stale = report.footer.stale.iter().filter(|stale| stale.implementation == name).collect();
        Self { name, rows, stale }
    }

    fn count(&self, element: &str) -> usize {
        self.rows.iter().filter(|row| self::element(row.line.verdict) == Some(element)).count()
    }

    fn tests(&self) -> usize {
        self.rows.len() + self.stale.len()
    }

    fn failures(&self) -> usize {
        self.count("failure") + self.stale.len()
    }

    fn errors(&self) -> usize {
        self.count("error")
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        writer
            .create_element("testsuite")
            .with_attribute(("name", plain(self.name).as_str()))
            .with_attribute(("tests", self.tests().to_string().as_str()))
            .with_attribute(("failures", self.failures().to_string().as_str()))
            .with_attribute(("errors", self.errors().to_string().as_str()))
            .with_attribute(("skipped", self.count("skipped").to_string().as_str()))
            .write_inner_content(|writer| {
                self.rows.iter().try_for_each(|row| case(writer, row))?;
                self.stale.iter().try_for_each(|stale| stale_case(writer, stale))
            })?;
        Ok(())
    }
}

/// The element that a test case of this verdict has.
fn element(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Fail | Verdict::FalseClaim | Verdict::Xpass => Some("failure"),
        Verdict::Errored => Some("error"),
        Verdict::Unsupported | Verdict::Skipped | Verdict::Xfail | Verdict::Recorded => Some("skipped"),
    }
}

fn case(writer: &mut Writer<Vec<u8>>, row: &Row) -> io::Result<()> {
    let line = &row.line;
    let class = line.clauses.first().map_or(row.chapter.as_str(), String::as_str);
    let time = format!("{}.{:03}", line.duration_ms / 1000, line.duration_ms % 1000);
    let start = writer
        .create_element("testcase")
        .with_attribute(("classname", plain(class).as_str()))
        .with_attribute(("name", plain(&line.case).as_str()))
        .with_attribute(("time", time.as_str()));
    let Some(element) = element(line.verdict) else {
        start.write_empty()?;
        return Ok(());
    };
    let reason = plain(line.reason.as_deref().unwrap_or_default());
    start.write_inner_content(|writer| {
        let parts = [reason.as_str(), &plain(&row.why), &format!("repeat: {}", plain(&row.reproduce))];
        let body: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        writer
            .create_element(element)
            .with_attribute(("type", line.verdict.name()))
            .with_attribute(("message", reason.replace('\n', " ").as_str()))
            .write_text_content(BytesText::new(&body.join("\n")))?;
        if let Some(words) = line.values.get("stderr").and_then(|words| words.as_str()) {
            writer.create_element("system-err").write_text_content(BytesText::new(&plain(words)))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn stale_case(writer: &mut Writer<Vec<u8>>, stale: &Stale) -> io::Result<()> {
    writer
        .create_element("testcase")
        .with_attribute(("classname", "expected failures"))
        .with_attribute(("name", plain(&stale.case).as_str()))
        .write_inner_content(|writer| {
            writer
                .create_element("failure")
                .with_attribute(("type", "stale"))
                .with_attribute(("message", "a failure of this case is expected, but there is no such case"))
                .write_empty()?;
            Ok(())
        })?;
    Ok(())
}

/// A text without what XML 1.0 has no way to write.
fn plain(text: &str) -> String {
    let is_written = |character: char| matches!(character, '\t' | '\n' | ' '..='\u{7E}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    text.chars().map(|character| if is_written(character) { character } else { '\u{FFFD}' }).collect()
}
