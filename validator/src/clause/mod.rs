//! The clauses that a validator observes: for each its id, its severity and what to do when it is broken.
//!
//! What a clause says stands in the specification only (see [`crate::catalogue`]); a test holds this
//! table against it. One file a chapter.

mod cnf;
mod jsn;
mod lay;
mod log;
mod lst;
mod man;
mod nam;
mod oci;
mod pol;
mod rel;
mod sig;
mod sto;

pub use cnf::*;
pub use jsn::*;
pub use lay::*;
pub use log::*;
pub use lst::*;
pub use man::*;
pub use nam::*;
pub use oci::*;
pub use pol::*;
pub use rel::*;
pub use sig::*;
pub use sto::*;

use crate::diagnostic::Severity;

/// A clause of the specification that the validator checks.
#[derive(Debug, PartialEq, Eq)]
pub struct Clause {
    /// The id in the text, such as `MAN-012`.
    pub id: &'static str,
    /// Error for MUST and MUST NOT, warning for SHOULD and SHOULD NOT.
    pub severity: Severity,
    /// What to do about a violation, unless the place where it is found knows better.
    pub help: &'static str,
}

/// Declares the clauses of a chapter as statics, and the table that lists them.
macro_rules! clauses {
    ($table:ident: $($name:ident = $severity:ident $id:literal $help:literal;)+) => {
        $(
            #[doc = concat!("[", $id, "]: ", $help, ".")]
            pub static $name: $crate::clause::Clause = $crate::clause::Clause {
                id: $id,
                severity: $crate::diagnostic::Severity::$severity,
                help: $help,
            };
        )+
        pub(super) static $table: &[&$crate::clause::Clause] = &[$(&$name),+];
    };
}
use clauses;

/// All clauses that the validator checks, in the order of the chapters.
pub fn all() -> impl Iterator<Item = &'static Clause> {
    [
        cnf::CNF,
        jsn::JSN,
        nam::NAM,
        man::MAN,
        lay::LAY,
        lst::LST,
        sto::STO,
        oci::OCI,
        sig::SIG,
        rel::REL,
        pol::POL,
        log::LOG,
    ]
    .into_iter()
    .flatten()
    .copied()
}
