//! OCI image layouts, as archives.

use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::limits::Limits;
use cornercast::oci::{Pass, check_archive};
use cornercast::store::Extent;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let archive = bytes.to_vec();
    let one = check(&archive, 1);
    assert_eq!(one, check(&archive, 3), "the number of threads changes what is found");
    for finding in one.iter().flatten() {
        assert!(!finding.message.is_empty());
        assert!(finding.location.bytes.is_none_or(|bytes| bytes.start <= bytes.end), "{finding:?}");
    }
}

/// What is found; nothing if a layer decodes to too much.
fn check(archive: &Vec<u8>, jobs: usize) -> Option<Vec<Diagnostic>> {
    let mut findings = Findings::new("layout", 10_000);
    let limits = Limits { layer: 1 << 20, ..Limits::FORMAT };
    let jobs = NonZero::new(jobs).unwrap_or(NonZero::<usize>::MIN);
    check_archive(Pass::new(Extent::Whole, jobs), archive, &limits, &mut findings).ok()?;
    Some(findings.list().to_vec())
}
