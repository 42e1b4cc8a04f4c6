//! What there is to know of an image before it is run: who signed it, what it asks for, and what in its tree deserves
//! a look.
//!
//! All of it comes from the manifest, the listings and the signed documents beside them; contents of layers are not read.
//! The same files give the same audit: nothing here asks the clock.

mod capability;
mod inventory;
mod links;
mod places;
mod secrets;
mod signed;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub use inventory::{Capable, ExtendedAttribute, Inventory, Item, inventory};
pub use links::{OddLink, Oddity};
pub use places::{CatalogSeen, KeyringSeen};
pub use signed::{AttestationSeen, EnvelopeSeen, Holds, Problem, ProofSeen, ReleaseSeen, SignatureSeen};
pub use signed::{Signed, Subject, signed};

use crate::digest::Digest;
use crate::inspection::Counts;
use crate::layer::Tree;
use crate::limits::Limits;
use crate::manifest::{Attachment, Base, Layer, Manifest, Platform, Rootfs, escape};
use crate::trust::{Evidence, Rejection};

/// What `cornercast audit --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Audit {
    /// Which image it is.
    pub image: ImageSeen,
    /// Who vouches for it, as far as the store tells.
    pub trust: Signed,
    /// What a policy says of it, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Decision>,
    /// What its application asks for, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileges: Option<Privileges>,
    /// What in the merged tree deserves a look.
    pub inventory: Inventory,
    /// Documents about the image.
    pub attachments: Vec<Attachment>,
}

/// Which image it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImageSeen {
    /// The image id.
    pub id: Digest,
    /// The bytes of the manifest.
    pub size: u64,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it runs on.
    pub platform: Platform,
    /// When it was made, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The image that it was made from, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// The merged tree.
    pub rootfs: Rootfs,
    /// What the merged tree consists of.
    pub counts: Counts,
}

/// What a policy says of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decision {
    /// Whether it is accepted.
    pub accepted: bool,
    /// What was asked for.
    pub reference: String,
    /// The time that decided.
    pub at: String,
    /// Why it is not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejection>,
    /// What was looked at.
    pub evidence: Evidence,
}

/// What the application of an image asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Privileges {
    /// The level of isolation, also where the manifest leaves it to its default.
    pub level: String,
    /// Members of the manifest as they stand there: what runs, as whom, where it listens, what it wants mounted, and
    /// how it is isolated.
    pub declared: Vec<Declared>,
}

/// A member of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Declared {
    /// Where it is, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Its value.
    pub value: Value,
}

/// The members of `app` that say what the application may do; each element of a list, and each isolator, by itself.
const DECLARED: [&str; 6] = ["exec", "user", "ports", "mounts", "isolation/level", "isolation/isolators"];

/// What an image says of itself, and what its merged tree is.
#[must_use]
pub fn audit(subject: &Subject, source: &[u8], manifest: &Manifest, tree: &Tree, limits: &Limits) -> Audit {
    let (inventory, counts) = inventory(tree, limits);
    let declared: Value = serde_json::from_slice(source).unwrap_or_default();
    Audit {
        image: ImageSeen {
            id: subject.id,
            size: subject.size,
            name: subject.name.clone(),
            version: subject.version.clone(),
            platform: subject.platform.clone(),
            created: manifest.created.clone(),
            base: manifest.base.clone(),
            layers: manifest.layers.clone(),
            rootfs: manifest.rootfs,
            counts,
        },
        trust: Signed::default(),
        verdict: None,
        privileges: manifest
            .app
            .as_ref()
            .map(|app| Privileges { level: app.isolation.level.clone(), declared: privileges(&declared) }),
        inventory,
        attachments: manifest.attachments.clone(),
    }
}

fn privileges(manifest: &Value) -> Vec<Declared> {
    let mut out = Vec::new();
    for name in DECLARED {
        let pointer = format!("/app/{name}");
        let mut push = |segment: String, value: &Value| {
            out.push(Declared { pointer: format!("{pointer}{segment}"), value: value.clone() });
        };
        match manifest.pointer(&pointer) {
            Some(Value::Array(elements)) if name != "exec" => {
                elements.iter().enumerate().for_each(|(index, value)| push(format!("/{index}"), value));
            }
            Some(Value::Object(members)) if name != "user" => {
                members.iter().for_each(|(member, value)| push(format!("/{}", escape(member)), value));
            }
            Some(value) => push(String::new(), value),
            None => {}
        }
    }
    out
}
