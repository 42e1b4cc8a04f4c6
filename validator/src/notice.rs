//! What keeps `check` from judging: an input that cannot be read.
//!
//! Notices have ids, places and remedies as clauses have, so that every report can show them. They say
//! nothing about an image: what is wrong is around it, and `check` ends with 2.

use crate::clause::Clause;

/// Declares the notices, and the table that lists them with what `explain` says.
macro_rules! notices {
    ($($name:ident = $id:literal $text:literal $help:literal;)+) => {
        $(
            #[doc = concat!("[", $id, "]: ", $text)]
            pub static $name: Clause =
                Clause { id: $id, severity: crate::diagnostic::Severity::Error, help: $help };
        )+
        static NOTICES: &[(&Clause, &str)] = &[$((&$name, $text)),+];
    };
}

notices! {
    INP_001 = "INP-001"
        "An input, or a part of it, cannot be read: it is missing, or the system refuses it. What was found before stands in the report; the rest is unknown."
        "check the path and who may read it";
    INP_002 = "INP-002"
        "The first bytes of an input are those of none of the kinds that `check` knows."
        "use --as KIND to check it as one";
    INP_003 = "INP-003"
        "An input is a directory where a file is wanted, or a file where a directory is."
        "leave --as out, or name the other";
}

/// All notices, each with what it says.
pub fn all() -> impl Iterator<Item = (&'static Clause, &'static str)> {
    NOTICES.iter().copied()
}

/// Whether `id` is that of a notice and not of a clause.
#[must_use]
pub fn is_notice(id: &str) -> bool {
    all().any(|(notice, _)| notice.id == id)
}
