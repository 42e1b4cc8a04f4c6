//! Mutants of descriptors and of what passes through them (RUN-024 to RUN-028).

use super::change::{mutant, shim};
use super::{How, Mutant, wrap};

pub(super) fn streams() -> Vec<Mutant> {
    vec![
        mutant("descriptor-leaks", &["RUN-024"], shim(&["leak"])),
        mutant("errors-into-the-output", &["RUN-025"], shim(&["merge"])),
        mutant("input-is-something-else", &["RUN-026"], shim(&["stdin:/etc/os-release"])),
        mutant("input-is-ignored", &["RUN-026"], shim(&["stdin:/dev/null", "close:1"])),
        mutant("input-is-a-terminal", &["RUN-027"], shim(&["terminal"])),
        mutant("output-is-truncated", &["RUN-028"], How::Wrap(wrap::truncates)),
        mutant("output-is-translated", &["RUN-028"], How::Wrap(wrap::translates)),
        mutant("output-waits-for-a-newline", &["RUN-028"], How::Wrap(wrap::waits_for_a_newline)),
        mutant("streams-are-merged", &["RUN-028"], How::Wrap(wrap::merges)),
        mutant("engine-talks", &["RUN-028", "RUN-095"], How::Wrap(wrap::talks)),
    ]
}
