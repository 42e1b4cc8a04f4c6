//! An entry that has not been judged yet, and the clauses about its values.

use super::entry::{Attributes, Entry, Node};
use super::path;
use crate::clause::{self, Clause};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::shown::{quoted, shown_bytes};

/// The part of an entry that a violation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Path,
    Mode,
    Uid,
    Gid,
    Mtime,
    Size,
    Sha256,
    Target,
    Xattr(Vec<u8>),
}

/// A broken clause of an entry.
pub(super) struct Broken {
    pub(super) clause: &'static Clause,
    pub(super) field: Field,
    pub(super) message: String,
    /// The number of another entry that belongs to it, and what is there.
    pub(super) other: Option<(usize, &'static str)>,
}

impl Broken {
    pub(super) fn new(clause: &'static Clause, field: Field, message: String) -> Self {
        Self { clause, field, message, other: None }
    }

    /// The same with another entry that belongs to it, and what is there.
    pub(super) fn and(mut self, entry: Option<usize>, what: &'static str) -> Self {
        self.other = entry.map(|entry| (entry, what));
        self
    }
}

/// What kind of entry a candidate wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Hardlink,
    Dir,
    Symlink,
    Whiteout,
}

impl Kind {
    /// The type of its lines.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Hardlink => "hardlink",
            Self::Dir => "dir",
            Self::Symlink => "symlink",
            Self::Whiteout => "whiteout",
        }
    }
}

/// An entry that has not been judged: numbers can have any value, texts any bytes.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) kind: Kind,
    /// Without final `/`, for a whiteout the path that it hides.
    pub(super) path: String,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) mtime: i64,
    pub(super) size: i64,
    /// Of a listing's line.
    pub(super) sha256: Option<Digest>,
    pub(super) target: Vec<u8>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) opaque: bool,
}

impl Candidate {
    pub(super) fn new(kind: Kind, path: String) -> Self {
        Self {
            kind,
            path,
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: 0,
            size: 0,
            sha256: None,
            target: Vec::new(),
            xattrs: Vec::new(),
            opaque: false,
        }
    }

    pub(super) fn attributes(&self) -> Attributes {
        Attributes {
            mode: u32::try_from(self.mode).unwrap_or_default(),
            uid: u32::try_from(self.uid).unwrap_or_default(),
            gid: u32::try_from(self.gid).unwrap_or_default(),
            mtime: u64::try_from(self.mtime).unwrap_or_default(),
            xattrs: self
                .xattrs
                .iter()
                .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.clone()))
                .collect(),
        }
    }

    pub(super) fn target(&self) -> String {
        String::from_utf8_lossy(&self.target).into_owned()
    }

    /// The entry, with values outside their range replaced by 0: only entries without violations are used.
    pub(super) fn entry(self, linked: Option<(u64, Digest)>) -> Entry {
        let attributes = self.attributes();
        let size = u64::try_from(self.size).unwrap_or_default();
        let sha256 = self.sha256.unwrap_or(Digest([0; 32]));
        let target = self.target();
        let node = match self.kind {
            Kind::File => Node::File { attributes, size, sha256 },
            Kind::Hardlink => {
                let (size, sha256) = linked.unwrap_or((size, sha256));
                Node::Hardlink { attributes, size, sha256, target }
            }
            Kind::Dir => Node::Dir { attributes, opaque: self.opaque },
            Kind::Symlink => {
                Node::Symlink { uid: attributes.uid, gid: attributes.gid, mtime: attributes.mtime, target }
            }
            Kind::Whiteout => Node::Whiteout,
        };
        Entry { path: self.path, node }
    }

    /// The clauses about values; whether the target meets those about targets.
    pub(super) fn judge_values(&self, limits: &Limits, out: &mut Vec<Broken>) -> bool {
        self.judge_numbers(limits, out);
        let sound_target = self.judge_target(limits, out);
        self.judge_xattrs(limits, out);
        sound_target
    }

    /// LAY-018 to LAY-022
    fn judge_numbers(&self, limits: &Limits, out: &mut Vec<Broken>) {
        if self.kind == Kind::Whiteout {
            return;
        }
        if self.mode < 0 || self.mode > 0o7777 {
            let message = format!("the mode {} is outside 0 to 07777", octal(self.mode));
            out.push(Broken::new(&clause::LAY_018, Field::Mode, message));
        } else if self.kind == Kind::Symlink && self.mode != 0o777 {
            let message = format!("the symbolic link has the mode {}, not 0777", octal(self.mode));
            out.push(Broken::new(&clause::LAY_019, Field::Mode, message));
        }
        let most = i64::try_from(limits.file).unwrap_or(i64::MAX);
        for (clause, field, name, value, limit) in [
            (&clause::LAY_020, Field::Uid, "uid", self.uid, limits.id),
            (&clause::LAY_020, Field::Gid, "gid", self.gid, limits.id),
            (&clause::LAY_021, Field::Mtime, "mtime", self.mtime, limits.mtime),
            (&clause::LAY_022, Field::Size, "size", self.size, most),
        ] {
            if value < 0 || value > limit {
                let message = format!("the {name} {value} is outside 0 to {limit}");
                out.push(Broken::new(clause, field, message));
            }
        }
    }

    /// LAY-049 to LAY-052. Whether the target meets them.
    fn judge_target(&self, limits: &Limits, out: &mut Vec<Broken>) -> bool {
        if !matches!(self.kind, Kind::Hardlink | Kind::Symlink) {
            return true;
        }
        let before = out.len();
        let target = &self.target;
        let mut report = |clause, message| out.push(Broken::new(clause, Field::Target, message));
        if target.is_empty() {
            report(&clause::LAY_049, "the target of the link is empty".to_owned());
        }
        match std::str::from_utf8(target) {
            Err(_) => report(&clause::LAY_050, format!("the target \"{}\" is not UTF-8", shown_bytes(target))),
            Ok(text) if path::contains_control(text) => {
                report(&clause::LAY_051, format!("the target {} contains a control character", quoted(text)));
            }
            Ok(_) => {}
        }
        if target.len() > limits.target {
            report(&clause::LAY_052, format!("the target has {} bytes; the limit is {}", target.len(), limits.target));
        }
        out.len() == before
    }

    /// LAY-056 to LAY-063
    fn judge_xattrs(&self, limits: &Limits, out: &mut Vec<Broken>) {
        let Some((first, _)) = self.xattrs.first() else { return };
        if self.kind == Kind::Symlink {
            let message = format!("the symbolic link has the extended attribute `{}`", shown_bytes(first));
            out.push(Broken::new(&clause::LAY_056, Field::Xattr(first.clone()), message));
            return;
        }
        if self.xattrs.len() > limits.xattrs {
            let message =
                format!("the entry has {} extended attributes; the limit is {}", self.xattrs.len(), limits.xattrs);
            out.push(Broken::new(&clause::LAY_057, Field::Path, message));
        }
        let total: usize = self.xattrs.iter().map(|(_, value)| value.len()).sum();
        if total > limits.xattr_values {
            let message = format!(
                "the values of the extended attributes have {total} bytes; the limit is {}",
                limits.xattr_values
            );
            out.push(Broken::new(&clause::LAY_061, Field::Path, message));
        }
        for (name, value) in &self.xattrs {
            Self::judge_xattr(self.kind, name, value, limits, out);
        }
    }

    fn judge_xattr(kind: Kind, name: &[u8], value: &[u8], limits: &Limits, out: &mut Vec<Broken>) {
        let text = shown_bytes(name);
        let mut report = |clause, message| out.push(Broken::new(clause, Field::Xattr(name.to_vec()), message));
        let well_formed = !name.is_empty()
            && name.len() <= limits.xattr_name
            && name.iter().all(|byte| matches!(byte, 0x21..=0x7E) && *byte != b'=');
        if !well_formed {
            let message =
                format!("the name `{text}` of an extended attribute is not 1 to 255 printable ASCII bytes without `=`");
            report(&clause::LAY_059, message);
        }
        let is_capability = name == b"security.capability";
        let is_user =
            name.strip_prefix(b"user.").is_some_and(|rest| !rest.is_empty()) && !name.starts_with(b"user.overlay.");
        if !is_capability && !is_user && !name.is_empty() {
            report(&clause::LAY_058, format!("the extended attribute `{text}` is not one that an image can hold"));
        }
        if value.is_empty() {
            report(&clause::LAY_060, format!("the extended attribute `{text}` is empty"));
        }
        if is_capability {
            if matches!(kind, Kind::Dir) {
                report(&clause::LAY_062, "a directory has the extended attribute `security.capability`".to_owned());
            }
            let magic = value.get(..4);
            let right = matches!(magic, Some([0 | 1, 0, 0, 2])) && value.len() == 20;
            if !right && !value.is_empty() {
                let message = format!(
                    "the value of `security.capability` is not of revision 2: it has {} bytes and begins with {}",
                    value.len(),
                    value.iter().take(4).map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
                );
                report(&clause::LAY_063, message);
            }
        }
    }
}

fn octal(mode: i64) -> String {
    if mode < 0 { mode.to_string() } else { format!("0{mode:03o}") }
}
