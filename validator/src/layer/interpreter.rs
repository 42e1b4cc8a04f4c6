//! What runs a program: the interpreter of a script, or the loader of an ELF file (MAN-017).

use std::collections::BTreeSet;
use std::sync::Arc;

/// What the first bytes of a program name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interpreter {
    /// The path after `#!`.
    Script(Vec<u8>),
    /// The path in the program header `PT_INTERP` of an ELF file.
    Loader(Vec<u8>),
}

impl Interpreter {
    /// What the first bytes of a file name, if they name something.
    ///
    /// ```
    /// use cornercast::layer::Interpreter;
    ///
    /// assert_eq!(Interpreter::of(b"#! /bin/sh -e\n"), Some(Interpreter::Script(b"/bin/sh".to_vec())));
    /// assert_eq!(Interpreter::of(b"a text"), None);
    /// ```
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'#', b'!', rest @ ..] => Some(Self::Script(script(rest)?.to_vec())),
            _ => Some(Self::Loader(loader(head)?.to_vec())),
        }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Script(path) | Self::Loader(path) => path,
        }
    }
}

/// What a `#!` line names.
fn script(line: &[u8]) -> Option<&[u8]> {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    line.get(start..)?.split(|byte| matches!(byte, b' ' | b'\t' | b'\n')).next()
}

/// What the program header `PT_INTERP` of an ELF file names.
fn loader(head: &[u8]) -> Option<&[u8]> {
    const PT_INTERP: u64 = 3;
    let [0x7F, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] = head else { return None };
    let wide = *class == 2;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = head.get(at..at.checked_add(length)?)?;
        let fold = |value: u64, byte: &u8| value * 256 + u64::from(*byte);
        Some(if *order == 2 { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    };
    let (table, entry_size, count) = if wide {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for index in 0..count {
        let at = usize::try_from(table.checked_add(index.checked_mul(entry_size)?)?).ok()?;
        if number(at, 4)? != PT_INTERP {
            continue;
        }
        let (offset, size) = if wide {
            (number(at.checked_add(8)?, 8)?, number(at.checked_add(32)?, 8)?)
        } else {
            (number(at.checked_add(4)?, 4)?, number(at.checked_add(16)?, 4)?)
        };
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        return head.get(start..end)?.split(|byte| *byte == 0).next();
    }
    None
}

/// The interpreters of a layer's files.
#[derive(Debug, Clone, Default)]
pub struct Interpreters {
    /// The file's place among the entries, ascending, and its interpreter.
    files: Vec<(u32, Arc<Interpreter>)>,
    distinct: BTreeSet<Arc<Interpreter>>,
    bytes: usize,
}

/// Bytes of distinct paths that are kept; beyond that MAN-017, a recommendation, is not judged.
const MOST: usize = 1 << 20;

impl Interpreters {
    /// The interpreter of the file that is entry number `index` of its layer.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Interpreter> {
        let at = self.files.binary_search_by_key(&index, |(index, _)| *index as usize).ok()?;
        self.files.get(at).map(|(_, interpreter)| &**interpreter)
    }

    /// Adds that of a file that comes after those that are known.
    fn add(&mut self, index: usize, interpreter: Interpreter) {
        let Ok(index) = u32::try_from(index) else { return };
        let interpreter = Arc::new(interpreter);
        if let Some(known) = self.distinct.get(&interpreter) {
            self.files.push((index, Arc::clone(known)));
        } else if self.bytes + interpreter.path().len() <= MOST {
            self.bytes += interpreter.path().len();
            self.files.push((index, Arc::clone(&interpreter)));
            self.distinct.insert(interpreter);
        }
    }
}

/// Collects the first bytes of files that may be programs.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// The first bytes of the file that is being read, unless it is no program.
    head: Option<Vec<u8>>,
    found: Interpreters,
}

impl Heads {
    /// A file begins.
    pub(super) fn begin(&mut self) {
        let mut head = self.head.take().unwrap_or_default();
        head.clear();
        self.head = Some(head);
    }

    /// The next bytes of the file, of which `limit` are looked at.
    pub(super) fn data(&mut self, bytes: &[u8], limit: usize) {
        let Some(head) = &mut self.head else { return };
        if head.is_empty() && !matches!(bytes.first(), Some(b'#' | 0x7F) | None) {
            self.head = None;
            return;
        }
        let room = limit.saturating_sub(head.len());
        head.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    /// The file, entry number `index` of its layer, ends.
    pub(super) fn end(&mut self, index: usize) {
        if let Some(interpreter) = self.head.as_deref().and_then(Interpreter::of) {
            self.found.add(index, interpreter);
        }
    }

    pub(super) fn finish(self) -> Interpreters {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of 64 bits whose second program header, after `gap` bytes, names `/lib/ld.so`.
    fn elf(big: bool, gap: usize) -> Vec<u8> {
        let number = |value: usize, length: usize| {
            let bytes = (value as u64).to_le_bytes();
            let mut bytes = bytes.get(..length).unwrap().to_vec();
            if big {
                bytes.reverse();
            }
            bytes
        };
        let mut head = vec![0; 64 + gap + 2 * 56];
        let mut put = |at: usize, bytes: &[u8]| head.splice(at..at + bytes.len(), bytes.iter().copied()).for_each(drop);
        put(0, b"\x7FELF\x02");
        put(5, &[1 + u8::from(big)]);
        put(32, &number(64 + gap, 8));
        put(54, &number(56, 2));
        put(56, &number(2, 2));
        let second = 64 + gap + 56;
        put(second, &number(3, 4));
        put(second + 8, &number(second + 56, 8));
        put(second + 32, &number(11, 8));
        head.extend(b"/lib/ld.so\0rest");
        head
    }

    #[test]
    fn numbers_have_several_bytes() {
        for (big, gap) in [(false, 0), (true, 0), (false, 0x1234), (true, 0x1234)] {
            assert_eq!(
                Interpreter::of(&elf(big, gap)),
                Some(Interpreter::Loader(b"/lib/ld.so".to_vec())),
                "{big} {gap}"
            );
        }
    }

    #[test]
    fn paths_that_take_too_much_memory_are_left_out() {
        let mut found = Interpreters::default();
        let long = |byte: u8| Interpreter::Script(vec![byte; MOST / 2 + 1]);
        found.add(0, long(b'a'));
        found.add(1, long(b'b'));
        found.add(2, long(b'a'));
        found.add(3, Interpreter::Script(b"/bin/sh".to_vec()));
        let kept = [0, 1, 2, 3].map(|index| found.get(index).is_some());
        assert_eq!(kept, [true, false, true, true]);
        found.add(4, Interpreter::Script(vec![b'c'; MOST / 2 - 8]));
        found.add(5, Interpreter::Script(b"d".to_vec()));
        assert!(found.get(4).is_some() && found.get(5).is_none());
    }
}
