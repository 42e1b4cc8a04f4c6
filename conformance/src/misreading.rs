//! Stores as a verifier takes them that misunderstands documents: for mutants.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::digest::Digest;
use cornercast::json::{Form, read, to_canonical};
use cornercast::limits::Limits;
use cornercast::store::{FileKind, Files, Folder, Listed, classify, path_of};
use cornercast::trust::{PayloadType, sign};
use serde_json::Value;

use crate::fixtures::trust::world;

/// What a document is taken for; nothing if it is understood as it is.
pub type Misreading = fn(&[u8]) -> Option<Vec<u8>>;

/// Takes the last one of members that have the same name, as many readers of JSON do.
#[must_use]
pub fn last_member(source: &[u8]) -> Option<Vec<u8>> {
    let document = read(source, Form::Strict, &Limits::FORMAT);
    let is_twice = document.violations.iter().any(|violation| violation.clause.id == "JSN-008");
    is_twice.then(|| to_canonical(&serde_json::from_slice(source).ok()?)).flatten()
}

/// Counts a key for each signature that it has made: two by one key are as good as one by every key there is.
#[must_use]
pub fn key_twice(source: &[u8]) -> Option<Vec<u8>> {
    let envelope: Value = serde_json::from_slice(source).ok()?;
    let signatures = envelope.get("signatures")?.as_array()?;
    let keyids: BTreeSet<&str> = signatures.iter().filter_map(|signature| signature.get("keyid")?.as_str()).collect();
    if keyids.len() == signatures.len() {
        return None;
    }
    let payload = STANDARD.decode(envelope.get("payload")?.as_str()?).ok()?;
    let wanted = envelope.get("payloadType")?.as_str()?;
    let all = [PayloadType::Release, PayloadType::Keyring, PayloadType::Catalog, PayloadType::Attestation];
    let payload_type = all.into_iter().find(|known| known.media_type() == wanted)?;
    let keys: Vec<_> = (1..=9).map(world::key).collect();
    Some(sign(payload_type, &payload, &keys.iter().collect::<Vec<_>>()))
}

/// The files of a store, misread.
pub(crate) struct Misread(BTreeMap<String, Vec<u8>>);

impl Misread {
    /// Reads all of a store.
    pub(crate) fn of(store: &Path, misreading: Misreading) -> io::Result<Self> {
        let folder = Folder(store.to_owned());
        let mut files = BTreeMap::new();
        for Listed { path, .. } in folder.list()?.into_iter().filter(|file| file.irregular.is_none()) {
            let mut source = Vec::new();
            folder.open(&path)?.read_to_end(&mut source)?;
            let Some(taken) = misreading(&source) else {
                files.insert(path, source);
                continue;
            };
            // What has another digest has another name.
            let path = match classify(&path, &Limits::FORMAT) {
                Ok(FileKind::Envelope(set, image, _)) => path_of(&FileKind::Envelope(set, image, Digest::of(&taken))),
                _ => path,
            };
            files.insert(path, taken);
        }
        Ok(Self(files))
    }
}

impl Files for Misread {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.0.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}
