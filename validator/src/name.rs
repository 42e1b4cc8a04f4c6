//! Names, versions, channels and references (NAM).

use std::fmt;

use crate::clause::{self, Clause};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::shown::quoted;

/// A broken clause of a name and why it is broken.
pub type Broken = (&'static Clause, String);

/// Judges the name of an image (NAM-001 to NAM-008).
///
/// ```
/// use cornercast::limits::Limits;
/// use cornercast::name::judge_name;
///
/// assert!(judge_name("example.com/team/api", &Limits::FORMAT).is_empty());
/// assert_eq!(judge_name("debian", &Limits::FORMAT)[0].0.id, "NAM-004");
/// ```
#[must_use]
pub fn judge_name(name: &str, limits: &Limits) -> Vec<Broken> {
    let (host, segments) = match name.split_once('/') {
        Some((host, segments)) => (host, Some(segments)),
        None => (name, None),
    };
    let mut out = judge_host(host, limits);
    match segments {
        // NAM-006
        None => out.push((&clause::NAM_006, format!("the name {} has no segment after its host", quoted(name)))),
        // NAM-007
        Some(segments) => {
            for segment in segments.split('/').filter(|segment| !is_segment(segment)) {
                out.push((&clause::NAM_007, format!("the segment {} of a name is not well formed", quoted(segment))));
            }
        }
    }
    // NAM-008. A host beyond its own limit makes every name too long.
    if name.len() > limits.name && host.len() <= limits.host {
        out.push((&clause::NAM_008, format!("the name has {} bytes; the limit is {}", name.len(), limits.name)));
    }
    out
}

/// Judges a host (NAM-001 to NAM-005).
#[must_use]
pub fn judge_host(host: &str, limits: &Limits) -> Vec<Broken> {
    let mut out = Vec::new();
    for label in host.split('.') {
        // NAM-001
        if !is_label(label) {
            out.push((
                &clause::NAM_001,
                format!("the label {} of the host {} is not well formed", quoted(label), quoted(host)),
            ));
        }
        // NAM-002
        if label.len() > limits.host_label {
            let message =
                format!("the label {} has {} bytes; the limit is {}", quoted(label), label.len(), limits.host_label);
            out.push((&clause::NAM_002, message));
        }
    }
    // NAM-003
    if host.len() > limits.host {
        out.push((&clause::NAM_003, format!("the host has {} bytes; the limit is {}", host.len(), limits.host)));
    }
    // NAM-004
    if !host.contains('.') {
        out.push((&clause::NAM_004, format!("the host {} has one label only", quoted(host))));
    } else if let Some(last) = host.rsplit('.').next()
        && is_label(last)
        && !last.starts_with(|first: char| first.is_ascii_lowercase())
    {
        // NAM-005
        out.push((
            &clause::NAM_005,
            format!("the last label {} of the host does not begin with a letter", quoted(last)),
        ));
    }
    out
}

fn is_label(label: &str) -> bool {
    let inner = label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
}

fn is_segment(segment: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
    segment.split(['.', '_', '-']).all(is_word)
}

/// Judges a version (NAM-009 to NAM-012).
#[must_use]
pub fn judge_version(version: &str, limits: &Limits) -> Vec<Broken> {
    let mut out = Vec::new();
    // NAM-011
    if version.len() > limits.version {
        out.push((
            &clause::NAM_011,
            format!("the version has {} bytes; the limit is {}", version.len(), limits.version),
        ));
    }
    // NAM-010
    let (core, build) = match version.split_once('+') {
        Some((core, build)) => (core, Some(build)),
        None => (version, None),
    };
    if let Some(build) = build {
        out.push((
            &clause::NAM_010,
            format!("the version {} has the build metadata {}", quoted(version), quoted(build)),
        ));
    }
    // NAM-012. The library's numbers have 64 bits, so it is given smaller ones for NAM-009.
    let is_too_large = |number: &str| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        // A lone zero is small, and one that leads is no number to compare.
        is_number
            && !number.starts_with('0')
            && number.parse::<u64>().map_or(true, |number| number > limits.version_number)
    };
    let mut too_large = None;
    let mut shorten = |part: &str| {
        let identifiers = part.split('.').map(|identifier| {
            if is_too_large(identifier) {
                too_large.get_or_insert_with(|| identifier.to_owned());
                return "1";
            }
            identifier
        });
        identifiers.collect::<Vec<_>>().join(".")
    };
    let shortened = match core.split_once('-') {
        Some((numbers, pre_release)) => format!("{}-{}", shorten(numbers), shorten(pre_release)),
        None => shorten(core),
    };
    if let Some(number) = too_large {
        let message = format!("the number {} of the version exceeds {}", quoted(&number), limits.version_number);
        out.push((&clause::NAM_012, message));
    }
    // NAM-009
    if let Err(error) = semver::Version::parse(&shortened) {
        out.push((&clause::NAM_009, format!("{} is no version of Semantic Versioning: {error}", quoted(version))));
    }
    out
}

/// Judges a channel (NAM-013).
#[must_use]
pub fn judge_channel(channel: &str, limits: &Limits) -> Vec<Broken> {
    let well_formed = channel.starts_with(|first: char| first.is_ascii_lowercase())
        && channel.len() <= limits.channel
        && channel.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if well_formed {
        Vec::new()
    } else {
        vec![(&clause::NAM_013, format!("the channel {} is not well formed", quoted(channel)))]
    }
}

/// Judges the text of a digest (NAM-024, NAM-025).
#[must_use]
pub fn judge_digest(text: &str) -> Vec<Broken> {
    match text.split_once(':') {
        Some(("sha256", hex)) if Digest::from_hex(hex).is_some() => Vec::new(),
        Some(("sha256", hex)) => {
            vec![(
                &clause::NAM_025,
                format!("{} is not 64 hexadecimal digits in lower case{}", quoted(hex), crate::digest::flaw(hex)),
            )]
        }
        Some((algorithm, _)) => vec![(&clause::NAM_024, format!("the digest has the algorithm {}", quoted(algorithm)))],
        None => vec![(&clause::NAM_024, format!("the digest {} names no algorithm", quoted(text)))],
    }
}

/// A reference to an image.
///
/// ```
/// use cornercast::limits::Limits;
/// use cornercast::name::{Reference, Tag};
///
/// let reference = Reference::parse("example.com/api:1.4.2", &Limits::FORMAT).unwrap();
/// assert_eq!(reference.name, "example.com/api");
/// assert_eq!(reference.tag, Some(Tag::Version("1.4.2".to_owned())));
/// assert_eq!(reference.to_string(), "example.com/api:1.4.2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// A version or channel.
    pub tag: Option<Tag>,
    /// The image id.
    pub digest: Option<Digest>,
}

/// What stands after the `:` of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// It begins with a digit.
    Version(String),
    /// It begins with anything else.
    Channel(String),
}

impl Reference {
    /// Reads a reference, or says what is wrong with it.
    ///
    /// # Errors
    ///
    /// The clauses that `text` breaks, at least one.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Vec<Broken>> {
        let mut out = Vec::new();
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (rest, None),
        };
        // NAM-014
        for (part, what) in [(Some(name), "before the `:` or `@`"), (tag, "after the `:`"), (digest, "after the `@`")] {
            if part == Some("") {
                out.push((&clause::NAM_014, format!("the reference {} has nothing {what}", quoted(text))));
            }
        }
        if !name.is_empty() {
            out.extend(judge_name(name, limits));
        }
        let is_version = tag.is_some_and(|tag| tag.starts_with(|first: char| first.is_ascii_digit()));
        match tag {
            None | Some("") => {}
            Some(version) if is_version => out.extend(judge_version(version, limits)),
            Some(channel) => {
                out.extend(judge_channel(channel, limits));
                // NAM-015
                if digest.is_some() {
                    out.push((&clause::NAM_015, format!("the reference {} has a channel and a digest", quoted(text))));
                }
            }
        }
        if let Some(digest) = digest.filter(|digest| !digest.is_empty()) {
            out.extend(judge_digest(digest));
        }
        if !out.is_empty() {
            return Err(out);
        }
        let tag = tag.map(|tag| if is_version { Tag::Version(tag.to_owned()) } else { Tag::Channel(tag.to_owned()) });
        Ok(Self { name: name.to_owned(), tag, digest: digest.and_then(Digest::parse) })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if let Some(Tag::Version(tag) | Tag::Channel(tag)) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_written_as_they_were_read() {
        let digest = Digest::of(b"");
        for text in [
            "example.com/a".to_owned(),
            "example.com/a:1.2.3-x".to_owned(),
            "example.com/a/b:stable".to_owned(),
            format!("example.com/a@{digest}"),
            format!("example.com/a:1.2.3@{digest}"),
        ] {
            assert_eq!(Reference::parse(&text, &Limits::FORMAT).unwrap().to_string(), text);
        }
    }
}
