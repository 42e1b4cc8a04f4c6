//! A layer of an archive that is walked beside its listing, which came before.

use std::io::Cursor;
use std::sync::Arc;

use crate::layer::{Comparison, Divergence, Walk, Walker};
use crate::limits::Limits;

/// A layer that is being walked, beside its listing if that is there.
pub(super) struct Walking {
    walker: Walker,
    comparison: Option<Comparison<Cursor<Source>>>,
}

impl Walking {
    /// A walk of a layer whose listing is `listing`, if that has come without violations.
    pub(super) fn new(listing: Option<Source>, limits: &Limits) -> Self {
        let comparison = listing.map(|listing| Comparison::new(Cursor::new(listing)));
        Self { walker: Walker::new(limits.clone()), comparison }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.walker.push(bytes);
        if let Some(comparison) = &mut self.comparison {
            // Reading from memory does not fail.
            let _ = comparison.lines(self.walker.lines());
        }
    }

    pub(super) fn finish(self) -> (Walk, Option<Divergence>) {
        let (walk, lines) = self.walker.finish();
        let divergence = self.comparison.and_then(|mut comparison| {
            comparison.lines(&lines).ok()?;
            comparison.finish().ok()?.0
        });
        (walk, divergence)
    }
}

/// The bytes of a listing, shared by the archive and a walk.
#[derive(Clone)]
pub(super) struct Source(Arc<Vec<u8>>);

impl Source {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl AsRef<[u8]> for Source {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
