//! Deciding whether an image is accepted, in the order of the policy chapter (POL-018 to POL-029).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::envelope::{Opened, open};
use super::key::{KeyId, PublicKey};
use super::keyring::applies;
use super::policy::{Mode, Policy, PolicyRule};
use super::state::State;
use super::time;
use super::types::{Catalog, Keyring, KeyringPin, Listed, PayloadType};
use super::verdict::{Accepted, Evidence, Rejection, Verdict};
use crate::diagnostic::{Severity, Violation};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::{self, Platform};
use crate::name::{Reference, Tag};
use crate::store::{FileKind, Files, classify, path_of};

/// What is to be verified, and by what.
pub struct Request<'a> {
    /// The files of the store or archive.
    pub files: &'a dyn Files,
    /// Whom the operator trusts.
    pub policy: &'a Policy,
    /// Which image is meant.
    pub reference: &'a Reference,
    /// What it has to run on, where the reference leaves that open.
    pub platform: &'a Platform,
    /// The clock, in seconds since 1970.
    pub now: i64,
    /// The limits.
    pub limits: &'a Limits,
    /// A clause that is not held, for those who test tests.
    pub without: Option<&'a str>,
}

/// Decides whether an image is accepted. What has been learned on the way is put into `state`, whatever the verdict.
///
/// # Errors
///
/// Errors of the files, which leave the question open: nothing is accepted.
pub fn verify(request: &Request<'_>, state: &mut State) -> io::Result<Verdict> {
    let mut verifier = Verifier::new(request, state)?;
    let outcome = match verifier.decide() {
        Ok(accepted) => Ok(accepted),
        Err(Stop::Rejected(rejection)) => Err(rejection),
        Err(Stop::Failed(error)) => return Err(error),
    };
    Ok(Verdict { outcome, evidence: verifier.evidence })
}

/// Why it does not go on.
pub(super) enum Stop {
    Rejected(Rejection),
    Failed(io::Error),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) struct Verifier<'a> {
    pub(super) request: &'a Request<'a>,
    /// The paths of the store.
    pub(super) there: BTreeSet<String>,
    pub(super) state: &'a mut State,
    pub(super) evidence: Evidence,
}

/// Keys that are listed, and which of them have to sign.
#[derive(Default)]
pub(super) struct Signers {
    pub(super) listed: BTreeMap<KeyId, PublicKey>,
    pub(super) counted: BTreeSet<KeyId>,
    pub(super) threshold: usize,
}

/// A manifest that can be accepted.
pub(super) struct Image {
    pub(super) id: Digest,
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) platform: Platform,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(request: &'a Request<'a>, state: &'a mut State) -> io::Result<Self> {
        // What is no regular file is not there (STO-003), nor what stands below a link.
        let regular = request.files.list()?.into_iter().filter(|file| file.irregular.is_none());
        let there = regular.map(|file| file.path).collect();
        Ok(Self { request, there, state, evidence: Evidence::default() })
    }
}

impl Verifier<'_> {
    /// Whether a clause is held.
    pub(super) fn holds(&self, clause: &str) -> bool {
        self.request.without != Some(clause)
    }

    /// Rejects, if the clause is held.
    pub(super) fn reject(&self, clause: &'static str, reason: impl Into<String>) -> Result<(), Rejection> {
        if self.holds(clause) { Err(Rejection::new(clause, reason)) } else { Ok(()) }
    }

    fn decide(&mut self) -> Result<Accepted, Stop> {
        let policy = self.request.policy;
        let name = &self.request.reference.name;
        let rule = self.rule(policy, name)?;
        self.evidence.rule = Some(rule.prefix.clone());
        self.evidence.mode = Some(rule.mode);
        let keyrings = match &rule.keyring {
            Some(pin) => self.chain(pin, rule)?,
            None if rule.mode == Mode::Require && !self.holds("POL-024") => {
                return Err(Rejection::new("POL-024", "the rule names no keyring").into());
            }
            None => Vec::new(),
        };
        let last = keyrings.last().map(|(_, keyring)| keyring);
        let mut asked = None;
        let (catalog, id) = match (self.request.reference.digest, rule.mode) {
            (Some(digest), _) => (None, digest),
            (None, Mode::Unsigned) => (None, self.only_image()?),
            (None, _) => {
                let catalog = self.catalog(rule, &keyrings)?;
                let (version, listed) = self.listed(&catalog)?;
                asked = Some((version, listed.platform.clone()));
                let id = listed.image.digest;
                (Some(catalog), id)
            }
        };
        if last.is_some_and(|last| last.revoked.images.iter().any(|revoked| revoked.image.digest == id)) {
            self.reject("REL-034", format!("the image {id} is revoked"))?;
        }
        if !rule.pin.is_empty() && !rule.pin.contains(&id) {
            self.reject("POL-025", format!("the image {id} is not pinned"))?;
        }
        let image = self.manifest(id)?;
        if rule.mode == Mode::Require {
            self.releases(&image, rule, last)?;
            let catalog = match catalog {
                None if rule.freshness.is_some() && self.holds("POL-026") => Some(self.catalog(rule, &keyrings)?),
                other => other,
            };
            if let Some(catalog) = catalog {
                self.is_listed(&catalog, &image, asked.as_ref())?;
            }
            let known = self.state.image(&image.name, &image.version, &image.platform);
            if let Some(known) = known.filter(|known| *known != id) {
                self.reject("POL-036", format!("{known} was accepted before for this name, version and platform"))?;
            }
            if self.holds("POL-039") {
                self.state.store_image(&image.name, &image.version, &image.platform, id);
            }
        }
        Ok(Accepted { image: id, name: image.name, version: image.version, platform: image.platform })
    }

    /// POL-020, POL-021
    fn rule<'p>(&self, policy: &'p Policy, name: &str) -> Result<&'p PolicyRule, Rejection> {
        let found = if self.holds("POL-020") {
            policy.rule(name)
        } else {
            // The first one in the file, as in lists that are searched from the top.
            policy.rules.iter().find(|rule| applies(&rule.prefix, name))
        };
        let Some(rule) = found else {
            return Err(Rejection::new("POL-021", format!("the policy has no rule for {name}")));
        };
        if rule.mode == Mode::Deny {
            self.reject("POL-021", format!("the rule for `{}` accepts nothing", rule.prefix))?;
        }
        Ok(rule)
    }

    /// A document of the store, of which no more is read than its limit and one byte; nothing if it is not there.
    pub(super) fn document(&self, kind: &FileKind, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let path = path_of(kind);
        if !self.there.contains(&path) {
            return Ok(None);
        }
        let mut source = Vec::new();
        self.request.files.open(&path)?.take(limit.saturating_add(1)).read_to_end(&mut source)?;
        Ok(Some(source))
    }

    /// An envelope of the type `wanted` (SIG-016).
    pub(super) fn opened(&self, source: &[u8], wanted: PayloadType) -> Result<Opened, Rejection> {
        let (opened, violations) = open(source, self.request.limits);
        let opened = opened.ok_or_else(|| first_error(&violations))?;
        if opened.payload_type != wanted {
            self.reject(
                "SIG-016",
                format!("the envelope holds a {}, not a {}", opened.payload_type.noun(), wanted.noun()),
            )?;
        }
        Ok(opened)
    }

    /// Those of the listed keys that have signed (SIG-017, SIG-018).
    pub(super) fn signed(
        &self,
        envelope: &Opened,
        listed: &BTreeMap<KeyId, PublicKey>,
    ) -> Result<BTreeSet<KeyId>, Rejection> {
        if !self.holds("SIG-018")
            && let Some(other) = envelope.signatures.keys().find(|id| !listed.contains_key(id))
        {
            return Err(Rejection::new("SIG-018", format!("the key {} is not listed", other.hex())));
        }
        match envelope.signers(listed) {
            Ok(signers) => Ok(signers),
            Err(id) => {
                let signature = envelope.signatures.get(&id);
                if !self.holds("SIG-015")
                    && let (Some(key), Some(signature)) = (listed.get(&id), signature)
                    && key.verifies(&envelope.payload, signature)
                {
                    return Ok(BTreeSet::from([id]));
                }
                self.reject("SIG-017", format!("the signature of the key {} does not hold", id.hex()))?;
                let mut rest = envelope.clone();
                rest.signatures.retain(|other, _| *other != id);
                self.signed(&rest, listed)
            }
        }
    }

    /// REL-006, REL-007
    pub(super) fn times(&self, issued: &str, expires: Option<&str>) -> Result<(), Rejection> {
        let now = self.request.now;
        let (issued_at, expires_at) = (time::seconds(issued), expires.and_then(time::seconds));
        if issued_at.is_none_or(|issued| issued > now.saturating_add(self.request.limits.clock_ahead)) {
            self.reject("REL-006", format!("it was issued at {issued}, which is to come"))?;
        }
        if let Some(expires) = expires.filter(|_| expires_at.is_none_or(|expires| expires <= now)) {
            self.reject("REL-007", format!("it expired at {expires}"))?;
        }
        Ok(())
    }

    /// POL-029, NAM-016
    fn manifest(&self, id: Digest) -> Result<Image, Stop> {
        let kind = FileKind::Manifest(id);
        let path = path_of(&kind);
        let fault = |reason: &str| Stop::Rejected(Rejection::new("POL-029", reason).in_file(&path));
        let source =
            self.document(&kind, self.request.limits.manifest)?.ok_or_else(|| fault("the manifest is not there"))?;
        if Digest::of(&source) != id {
            self.reject("POL-029", "the manifest has another digest").map_err(|rejection| rejection.in_file(&path))?;
        }
        let (outline, violations) = manifest::check(&source, self.request.limits);
        if let Some(error) = violations.iter().find(|violation| violation.clause.severity == Severity::Error) {
            let reason = format!("the manifest breaks {}: {}", error.clause.id, error.message);
            return Err(fault(&reason));
        }
        let identity = outline.and_then(|outline| outline.identity());
        let (name, version, platform) = identity.ok_or_else(|| fault("the manifest cannot be read"))?;
        let reference = self.request.reference;
        let other_version = matches!(&reference.tag, Some(Tag::Version(wanted)) if *wanted != version);
        if reference.name != name || other_version {
            self.reject("NAM-016", format!("the reference {reference} means another image than {name}:{version}"))?;
        }
        Ok(Image { id, size: source.len() as u64, name, version, platform })
    }

    /// The image of the store that a reference means where no signature is needed (POL-026).
    fn only_image(&self) -> Result<Digest, Stop> {
        let reference = self.request.reference;
        let Some(Tag::Version(version)) = &reference.tag else {
            let reason = "without signatures, a reference needs a version or a digest";
            return Err(Rejection::new("POL-026", reason).into());
        };
        let mut found = BTreeMap::new();
        for path in &self.there {
            let Ok(FileKind::Manifest(id)) = classify(path, self.request.limits) else { continue };
            let kind = FileKind::Manifest(id);
            let source = self.document(&kind, self.request.limits.manifest)?.unwrap_or_default();
            let identity = manifest::check(&source, self.request.limits).0.and_then(|outline| outline.identity());
            if let Some((name, other, platform)) = identity.filter(|_| Digest::of(&source) == id)
                && name == reference.name
                && other == *version
            {
                found.entry(platform).or_insert_with(Vec::new).push(id);
            }
        }
        let chosen = self.request.platform.candidates().into_iter().find_map(|platform| found.remove(&platform));
        match chosen.as_deref() {
            Some([id]) => Ok(*id),
            Some(_) => Err(Rejection::new("POL-026", format!("the store has several images {reference}")).into()),
            None => {
                Err(Rejection::new("POL-026", format!("the store has no image {reference} for this platform")).into())
            }
        }
    }

    /// REL-048: what the catalog lists for the version and platform that the reference means.
    fn listed<'c>(&self, catalog: &'c Catalog) -> Result<(String, &'c Listed), Rejection> {
        let reference = self.request.reference;
        let version = match &reference.tag {
            Some(Tag::Version(version)) => Some(version),
            Some(Tag::Channel(channel)) => catalog.channels.get(channel),
            // NAM-017
            None => catalog.channels.get(if self.holds("NAM-017") { "stable" } else { "latest" }),
        };
        let list = version.and_then(|version| catalog.versions.get(version)).map(Vec::as_slice).unwrap_or_default();
        let of = |platform: &Platform| list.iter().find(|listed| listed.platform == *platform);
        let mut candidates = self.request.platform.candidates();
        if !self.holds("NAM-023") {
            candidates.reverse();
        }
        let found = version.zip(candidates.iter().find_map(of));
        found.map(|(version, listed)| (version.clone(), listed)).ok_or_else(|| {
            Rejection::new("REL-048", format!("the catalog does not list {reference} for this platform"))
        })
    }

    /// REL-048: `asked` is the version and platform that the reference means, where it has no digest.
    fn is_listed(&self, catalog: &Catalog, image: &Image, asked: Option<&(String, Platform)>) -> Result<(), Rejection> {
        let list = catalog.versions.get(&image.version).map(Vec::as_slice).unwrap_or_default();
        let is_asked = asked.is_none_or(|(version, platform)| (version, platform) == (&image.version, &image.platform));
        let is_listed = is_asked
            && list.iter().any(|listed| {
                listed.platform == image.platform && listed.image.digest == image.id && listed.image.size == image.size
            });
        if is_listed {
            return Ok(());
        }
        let reason = format!("the catalog does not list this image as {}:{}", image.name, image.version);
        self.reject("REL-048", reason)
    }
}

impl Signers {
    /// POL-024
    pub(super) fn of_policy(rule: &PolicyRule) -> Self {
        let listed = rule.keys();
        let threshold = rule.threshold.and_then(|threshold| usize::try_from(threshold).ok()).unwrap_or(usize::MAX);
        Self { counted: listed.keys().copied().collect(), listed, threshold }
    }
}

/// The first clause with MUST that is broken.
pub(super) fn first_error(violations: &[Violation]) -> Rejection {
    let error = violations.iter().find(|violation| violation.clause.severity == Severity::Error);
    match error {
        Some(error) => Rejection::new(error.clause.id, error.message.clone()),
        None => Rejection::new("JSN-003", "the document cannot be read"),
    }
}

/// A keyring and what names it.
pub(super) type Known = (KeyringPin, Keyring);
