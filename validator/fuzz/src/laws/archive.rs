//! Archives, plain and compressed.

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast::store::{ArchiveChecker, ArchiveWriter, classify};
use cornercast::tar::Profile;
use cornercast::zstd::MAGIC;

use super::pieces::{InPieces, pieces};
use super::store::{self, Memory};
use super::{place, tar};

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    // A bomb is stopped by a limit of the format that is far too large for here.
    let plain = if bytes.starts_with(&MAGIC) { super::zstd::content(bytes) } else { bytes.to_vec() };
    if plain.len() >= 1 << 20 {
        return;
    }
    let whole = check(bytes, 1);
    assert_eq!(whole.list(), check(InPieces::new(bytes), 3).list(), "pieces or threads change what is found");
    if bytes.starts_with(&MAGIC) && whole.errors > 0 {
        return;
    }
    let mut checker = ArchiveChecker::new(Limits::FORMAT);
    let mut violations = Vec::new();
    for piece in pieces(&plain) {
        checker.push(piece);
        violations.extend(checker.take_violations());
    }
    violations.extend(checker.finish());
    let of_archive: Vec<_> = violations.into_iter().filter(|violation| violation.place.file.is_none()).collect();
    place::inside(&of_archive, &plain);
    if whole.errors == 0 {
        of_accepted(&plain, whole.list());
    }
}

fn check(mut input: impl Read + Send, jobs: usize) -> Findings {
    let jobs = NonZero::new(jobs).expect("the number is not zero");
    let mut findings = Findings::new("archive", 1000);
    check_stream(Kind::Archive, &mut input, &Limits::FORMAT, jobs, &mut findings).expect("memory does not fail");
    findings
}

fn of_accepted(plain: &[u8], warnings: &[Diagnostic]) {
    let read = tar::read(Profile::Archive, [plain]);
    let files = read.entries(plain);
    let mut writer = ArchiveWriter::new(Vec::new()).expect("memory takes everything");
    for file in files.iter().skip(1) {
        let path = String::from_utf8_lossy(&file.path);
        let kind = classify(&path, &Limits::FORMAT).expect("an accepted archive has files of the layout only");
        writer.file(&kind, file.size, &mut &*file.data).expect("the size is the file's");
    }
    assert!(writer.finish().expect("memory takes everything") == plain, "the writer makes another archive");

    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|file| (String::from_utf8_lossy(&file.path).into_owned(), file.data.clone())).collect();
    let store = store::check(&Memory::new(files, Vec::new()));
    assert_eq!(store.errors, 0, "the same files as a store: {:#?}", store.list());
    // MAN-017 is judged as far as the reader of an archive can know.
    let ids = |list: &[Diagnostic]| {
        let mut ids: Vec<_> = list.iter().map(|finding| finding.id).filter(|id| *id != "MAN-017").collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(store.list()), ids(warnings), "the warnings of the same files as a store");
}
