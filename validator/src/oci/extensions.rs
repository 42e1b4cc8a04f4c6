//! What extension headers say of the next entry: records of PAX, and long names of GNU tar (OCI-054, OCI-058,
//! OCI-061, OCI-062).

use super::header::{BLOCK, MAX_SIZE, Type, until_zero};
use super::records;
use super::violations::Violations;
use crate::clause;
use crate::shown::shown_bytes;

/// What extension headers say of the next entry.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) start: Option<u64>,
    pub(super) path: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) long_path: Option<Vec<u8>>,
    pub(super) long_target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) is_sparse: bool,
    /// Its records are none, so that it cannot be judged.
    pub(super) is_broken: bool,
}

impl Extensions {
    /// Takes the data of the extension header at `start` in. Whether reading can go on.
    pub(super) fn take(&mut self, kind: Type, start: u64, data: Vec<u8>, out: &mut Violations) -> bool {
        let body = start + BLOCK as u64;
        let mut can_go_on = true;
        if kind != Type::GlobalRecords {
            self.start.get_or_insert(start);
        }
        match kind {
            Type::LongPath => self.long(start, data, |next| &mut next.long_path, "path", out),
            Type::LongTarget => self.long(start, data, |next| &mut next.long_target, "target", out),
            _ => match records::read(&data) {
                Ok(records) => {
                    for record in records {
                        let key = data.get(record.key.clone()).unwrap_or_default();
                        let value = data.get(record.value.clone()).unwrap_or_default();
                        let at = body + record.key.start as u64;
                        if kind == Type::GlobalRecords {
                            global(key, value, at, out);
                        } else {
                            can_go_on &= self.record(key, value, at, out);
                        }
                    }
                }
                // OCI-058
                Err(at) => {
                    let rest = data.get(at..data.len().min(at + 40)).unwrap_or_default();
                    let message = format!("\"{}\" does not begin with a record", shown_bytes(rest));
                    out.report(&clause::OCI_058, body + at as u64, rest, message);
                    self.is_broken |= kind == Type::Records;
                }
            },
        }
        can_go_on
    }

    /// OCI-061: the data of an `L` or `K` header.
    fn long(
        &mut self,
        start: u64,
        mut data: Vec<u8>,
        slot: fn(&mut Self) -> &mut Option<Vec<u8>>,
        what: &str,
        out: &mut Violations,
    ) {
        data.truncate(until_zero(&data).len());
        let before = slot(self).replace(data.clone());
        judge_second(before, &data, start + BLOCK as u64, what, out);
    }

    /// A record of the next entry. Whether reading can go on.
    fn record(&mut self, key: &[u8], value: &[u8], at: u64, out: &mut Violations) -> bool {
        let value_at = at + key.len() as u64 + 1;
        match key {
            b"path" if value.is_empty() => self.path = None,
            b"linkpath" if value.is_empty() => self.target = None,
            b"size" if value.is_empty() => self.size = None,
            b"path" => {
                let before = self.path.replace(value.to_vec());
                judge_second(before, value, value_at, "path", out);
            }
            b"linkpath" => {
                let before = self.target.replace(value.to_vec());
                judge_second(before, value, value_at, "target", out);
            }
            b"size" => {
                let digits = Some(value).filter(|value| value.iter().all(u8::is_ascii_digit));
                let size = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                self.size = size.filter(|size| *size <= MAX_SIZE);
                // OCI-054
                if self.size.is_none() {
                    let message =
                        format!("the record `size` is \"{}\", not a number from 0 to {}", shown_bytes(value), MAX_SIZE);
                    out.report(&clause::OCI_054, value_at, value, message);
                    self.is_broken = true;
                    return false;
                }
            }
            key => self.is_sparse |= key.starts_with(b"GNU.sparse."),
        }
        true
    }
}

/// OCI-061: a value that replaces another one.
fn judge_second(before: Option<Vec<u8>>, value: &[u8], at: u64, what: &str, out: &mut Violations) {
    if let Some(before) = before.filter(|before| before != value) {
        let message =
            format!("the {what} of an entry is first \"{}\" and then \"{}\"", shown_bytes(&before), shown_bytes(value));
        out.report(&clause::OCI_061, at, value.get(..value.len().min(40)).unwrap_or_default(), message);
    }
}

/// OCI-062
fn global(key: &[u8], value: &[u8], at: u64, out: &mut Violations) {
    let is_known = matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"mtime");
    if is_known || key.starts_with(b"SCHILY.xattr.") {
        let message = format!(
            "a header for all entries that follow has the record `{}` with \"{}\"",
            shown_bytes(key),
            shown_bytes(value)
        );
        out.report(&clause::OCI_062, at, key, message);
    }
}
