//! Trust: keys and envelopes (SIG), releases, keyrings and catalogs (REL), policies and states (POL), log proofs (LOG).
//!
//! `check_…` judges one document by itself. [`verify`] decides whether an image is accepted; what it needs of the world,
//! the files and the time, is given to it.

mod catalog;
mod chain;
mod checkpoint;
mod current;
mod decide;
mod envelope;
mod folder;
mod key;
mod keyring;
mod log;
mod patterns;
mod policy;
mod proof;
mod reading;
mod release;
mod released;
mod state;
pub mod tiles;
pub mod time;
pub mod tree;
mod types;
mod unpinned;
mod verdict;
mod verify;

pub use catalog::check_catalog;
pub use checkpoint::{Checkpoint, log_vkey, read_log_vkey};
pub use decide::{Decided, Question, decide};
pub use envelope::{Opened, check_envelope, open, sign, signed_bytes, write};
pub use folder::{HeldState, StateFolder, read_policy};
pub use key::{KeyId, PublicKey, SecretKey};
pub use keyring::check_keyring;
#[cfg(feature = "cli")]
pub(crate) use policy::is_note_name;
pub use policy::{Log, Mode, Policy, PolicyRule, Witness, check_policy};
pub use proof::{NoteSignature, Proof, check_proof};
pub use release::{check_attestation, check_release};
pub use state::{KnownCatalog, KnownImage, KnownName, State, check_state};
#[cfg(feature = "cli")]
pub(crate) use types::canonical;
pub use types::*;
pub use unpinned::{is_signed, keyrings};
pub use verdict::{Accepted, Evidence, Rejection, Verdict, VerdictDocument, VerdictWord};
pub use verify::{Request, verify};
