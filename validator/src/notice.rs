//! What keeps `check` from judging: an input that cannot be read (INP), a lint configuration that
//! cannot be understood (CFG).
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
    CFG_001 = "CFG-001"
        "The lint configuration cannot be read, or is not TOML."
        "write the file as TOML 1.0 says";
    CFG_002 = "CFG-002"
        "The lint configuration has a member that is not defined. It would have no effect, and the one that was meant would be missing."
        "remove the member";
    CFG_003 = "CFG-003"
        "A member of the lint configuration has a value of the wrong type, or a severity that is neither `error` nor `warning`."
        "give the member a value of the type that the message names";
    CFG_004 = "CFG-004"
        "A name in the lint configuration is neither the id of a clause, such as STO-016, nor the beginning of one, such as STO."
        "`cornercast rules` lists the clauses";
    CFG_005 = "CFG-005"
        "The lint configuration selects, ignores or lowers requirements (MUST). They decide whether an input is rejected, for everyone; the configuration can only speak about recommendations (SHOULD). A prefix stands for the recommendations it covers, and needs at least one."
        "remove the entry; `cornercast rules` shows which clauses are warnings";
    CFG_006 = "CFG-006"
        "An entry of `ignore` gives no reason. Whoever reads the file later needs it to decide whether the entry can go."
        "write the reason as a string in quotes";
    CFG_007 = "CFG-007"
        "One section of the lint configuration ignores a name and gives it a severity as well."
        "remove one of the two entries";
    CFG_008 = "CFG-008"
        "A section of the lint configuration has no glob, or one that matches no path below the folder of the file."
        "write `glob = \"PATH\"`, with `*` for any part of a name and `**` for any folders";
    INP_001 = "INP-001"
        "An input, or a part of it, cannot be read: it is missing, or the system refuses it. What was found before stands in the report; the rest is unknown."
        "check the path and who may read it";
    INP_002 = "INP-002"
        "The first bytes of an input are those of none of the kinds that `check` knows."
        "say what it is with --as: store, archive, layer, listing, rootfs, manifest, marker, index, reference, canonical or strict";
    INP_003 = "INP-003"
        "An input is a directory where a file is wanted, or a file where a directory is."
        "leave --as out, or name another input";
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
