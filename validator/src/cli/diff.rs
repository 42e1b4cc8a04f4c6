//! `cornercast diff`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::{Args, ValueEnum, ValueHint};
use serde_json::Value;

use super::image::{Image, is_image, plain_file};
use super::listing::{entries, read_tree};
use super::{Failure, OwnershipArgs, print, source_date_epoch};
use crate::audit::{Signed, signed};
use crate::difference::{
    Attribute, Change, Difference, MemberChange, Seen, between_manifests, between_signed, between_trees,
};
use crate::layer::{Entry, Node, Tree, Xattrs};
use crate::limits::Limits;
use crate::shown::{escaped, shown};

/// Print what two images or trees differ in
///
/// Each of A and B is a directory, a tar archive, or an image: a store, STORE@sha256:…, an archive; one of
/// them can be - for standard input. Of images the listings and manifests are compared; the contents of layers
/// are not read. `A` is an entry that only B has, `D` one that only A has, `M` one that differs.
///
/// Exit status: 0 without differences, 1 with some, 2 if the two could not be compared.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The first image, directory or tar archive
    #[arg(value_hint = ValueHint::AnyPath)]
    a: String,
    /// The second one
    #[arg(value_hint = ValueHint::AnyPath)]
    b: String,
    /// Print one JSON object, in the form of difference.schema.json
    #[arg(long)]
    json: bool,
    /// Compare without this; can be given several times, or with commas
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    ignore: Vec<Ignored>,
    /// Compare also what is signed of two images: by whom, in which log, what the last keyring and the catalog say. Keys
    /// are those of the keyrings beside each image; whom to trust is for `verify` to say
    #[arg(long)]
    trust: bool,
    #[command(flatten)]
    ownership: OwnershipArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Ignored {
    /// Modes
    Mode,
    /// Users and groups
    Owner,
    /// Times
    Mtime,
    /// Extended attributes
    Xattrs,
    /// Which names are one file
    Link,
    /// Everything but the files: the members of the manifests
    Manifest,
}

impl Ignored {
    fn attribute(self) -> Option<Attribute> {
        match self {
            Self::Mode => Some(Attribute::Mode),
            Self::Owner => Some(Attribute::Owner),
            Self::Mtime => Some(Attribute::Mtime),
            Self::Xattrs => Some(Attribute::Xattrs),
            Self::Link => Some(Attribute::Link),
            Self::Manifest => None,
        }
    }
}

pub(super) fn run(arguments: &Diff) -> Result<ExitCode, Failure> {
    // 1 says that the two differ, so what cannot be compared is an error.
    let difference = difference(arguments).map_err(|failure| match failure {
        Failure::Refused(message) | Failure::Error(message) => Failure::Error(message),
    })?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&difference).map_err(|error| Failure::Error(error.to_string()))?;
        format!("{json}\n")
    } else {
        text(&difference)
    };
    print(&text)?;
    Ok(ExitCode::from(u8::from(!difference.is_empty())))
}

fn difference(arguments: &Diff) -> Result<Difference, Failure> {
    if arguments.a == "-" && arguments.b == "-" {
        return Err(Failure::Error("only one of the two can be standard input".to_owned()));
    }
    let (a, b) = (Side::read(&arguments.a, arguments)?, Side::read(&arguments.b, arguments)?);
    let ignored: BTreeSet<Attribute> = arguments.ignore.iter().filter_map(|ignored| ignored.attribute()).collect();
    let entries = between_trees(a.tree.entries(), b.tree.entries(), &ignored);
    let manifest = match (&a.image, &b.image) {
        (Some(a), Some(b)) if !arguments.ignore.contains(&Ignored::Manifest) => {
            // Of other entries, and with what is ignored, layers are others in any case.
            let layers: &[&str] = if ignored.is_empty() && entries.is_empty() { &[] } else { &["layers"] };
            between_manifests(&a.manifest, &b.manifest, layers)
        }
        _ => Vec::new(),
    };
    let trust = match (&a.image, &b.image) {
        _ if !arguments.trust => Vec::new(),
        (Some(a), Some(b)) => between_signed(&signed_of(a)?, &signed_of(b)?),
        _ => return Err(Failure::Error("--trust compares images, and a tree is signed by nobody".to_owned())),
    };
    Ok(Difference { from: a.image.map(|image| image.id), to: b.image.map(|image| image.id), manifest, trust, entries })
}

fn signed_of(image: &Image) -> Result<Signed, Failure> {
    let fail = |error: io::Error| Failure::Error(format!("{}: {error}", image.id));
    signed(image.store(), &image.subject(), BTreeMap::new(), &Limits::FORMAT).map_err(fail)
}

/// One of the two.
struct Side {
    tree: Tree,
    image: Option<Image>,
}

impl Side {
    fn read(argument: &str, arguments: &Diff) -> Result<Self, Failure> {
        // What comes through a pipe can only be recognised once it is in a file.
        let (file, _spool) = if argument == "-" {
            let (file, spool) =
                plain_file(Path::new("-")).map_err(|error| Failure::Error(format!("standard input: {error}")))?;
            (file.to_string_lossy().into_owned(), spool)
        } else {
            (argument.to_owned(), None)
        };
        Self::read_file(&file, arguments).map_err(|failure| match failure {
            // Nobody knows the copy by its name.
            Failure::Refused(message) if argument == "-" => Failure::Refused(message.replace(&file, "standard input")),
            Failure::Error(message) if argument == "-" => Failure::Error(message.replace(&file, "standard input")),
            other => other,
        })
    }

    fn read_file(file: &str, arguments: &Diff) -> Result<Self, Failure> {
        if is_image(file) {
            let image = Image::open(file)?;
            return Ok(Self { tree: image.tree()?, image: Some(image) });
        }
        let (source, _contents) = read_tree(Path::new(file), &arguments.ownership.ownership(), source_date_epoch()?)?;
        let mut tree = Tree::default();
        tree.merge(entries(&source)?);
        Ok(Self { tree, image: None })
    }
}

/// The lines that a difference is printed as.
pub(super) fn text(difference: &Difference) -> String {
    let mut out = String::new();
    let members = difference.manifest.iter().map(|change| ("manifest", change));
    for (of, change) in members.chain(difference.trust.iter().map(|change| ("trust", change))) {
        let _ = writeln!(out, "{}  {}", letter('M', AnsiColor::Yellow), escaped(&member(of, change)));
    }
    for change in &difference.entries {
        let (letter, line) = match change {
            Change::Added { after } => (letter('A', AnsiColor::Green), path(after)),
            Change::Removed { before } => (letter('D', AnsiColor::Red), path(before)),
            Change::Changed { attributes, before, after } => {
                let what: Vec<String> =
                    attributes.iter().map(|attribute| changed(*attribute, &before.node, &after.node)).collect();
                (letter('M', AnsiColor::Yellow), format!("{}  {}", path(after), what.join(", ")))
            }
        };
        let _ = writeln!(out, "{letter}  {}", escaped(&line));
    }
    out.push_str(&counts(difference));
    out
}

fn letter(letter: char, color: AnsiColor) -> String {
    let style = color.on_default();
    format!("{style}{letter}{style:#}")
}

fn path(entry: &Entry) -> String {
    let slash = if matches!(entry.node, Node::Dir { .. }) { "/" } else { "" };
    format!("{}{slash}", entry.path)
}

fn member(of: &str, MemberChange { pointer, before, after }: &MemberChange) -> String {
    let value = |value: &Option<Value>| match value {
        None => "none".to_owned(),
        // Their digests say nothing to people.
        Some(Value::Array(layers)) if pointer == "/layers" => layers.len().to_string(),
        Some(value) => shown(&value.to_string()),
    };
    let (before, after) = (value(before), value(after));
    if before == after {
        return format!("{of} {pointer}  others");
    }
    format!("{of} {pointer}  {before} → {after}")
}

/// What an attribute was and is.
fn changed(attribute: Attribute, before: &Node, after: &Node) -> String {
    let (old, new) = (Seen::of(before), Seen::of(after));
    let arrow = |name: &str, before: String, after: String| format!("{name} {before} → {after}");
    let mode = |seen: Seen<'_>| seen.mode.map_or_else(String::new, |mode| format!("{mode:04o}"));
    let owner = |seen: Seen<'_>| format!("{}:{}", seen.owner.0, seen.owner.1);
    let length = |seen: Seen<'_>| seen.content.map_or_else(String::new, |(bytes, _)| bytes.to_string());
    let kind = |seen: Seen<'_>| seen.kind.trim_start_matches("a ").to_owned();
    let link = |seen: Seen<'_>| seen.link.unwrap_or("a file of its own").to_owned();
    match attribute {
        Attribute::Type => arrow("type", kind(old), kind(new)),
        Attribute::Mode => arrow("mode", mode(old), mode(new)),
        Attribute::Owner => arrow("owner", owner(old), owner(new)),
        Attribute::Mtime => arrow("mtime", time(old.mtime), time(new.mtime)),
        Attribute::Size => arrow("size", length(old), length(new)),
        Attribute::Content => "content".to_owned(),
        Attribute::Target => {
            arrow("target", old.target.unwrap_or_default().to_owned(), new.target.unwrap_or_default().to_owned())
        }
        Attribute::Link => arrow("link", link(old), link(new)),
        Attribute::Xattrs => format!("xattrs {}", xattrs(old.xattrs, new.xattrs).join(" ")),
    }
}

/// Seconds since 1970 as RFC 3339 writes a time.
fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.to_string())
}

/// The names of extended attributes that differ.
fn xattrs(before: Option<&Xattrs>, after: Option<&Xattrs>) -> Vec<String> {
    let none = Xattrs::new();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn counts(difference: &Difference) -> String {
    if difference.is_empty() {
        return "no differences\n".to_owned();
    }
    let [mut added, mut removed, mut changed] = [0_u64; 3];
    for change in &difference.entries {
        *match change {
            Change::Added { .. } => &mut added,
            Change::Removed { .. } => &mut removed,
            Change::Changed { .. } => &mut changed,
        } += 1;
    }
    let members = match difference.manifest.len() {
        0 => String::new(),
        1 => "; 1 member of the manifest differs".to_owned(),
        count => format!("; {count} members of the manifest differ"),
    };
    let trust = if difference.trust.is_empty() { "" } else { "; what is signed differs" };
    format!("{added} added, {removed} removed, {changed} changed{members}{trust}\n")
}
