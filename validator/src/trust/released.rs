//! The releases: whether enough keys have said that an image is this version of its name (REL-006 to REL-009, REL-031 to
//! REL-037, POL-028).

use std::collections::BTreeSet;

use super::envelope::{Opened, open};
use super::key::KeyId;
use super::log::proven_time;
use super::policy::PolicyRule;
use super::proof::check_proof;
use super::release::check_release;
use super::time;
use super::types::{Keyring, PayloadType, Release};
use super::verdict::Rejection;
use super::verify::{Image, Signers, Stop, Verifier, first_error};
use crate::digest::Digest;
use crate::store::{FileKind, SignatureSet, classify, path_of};

impl Verifier<'_> {
    /// REL-035 to REL-037: one of the envelopes has to be accepted.
    pub(super) fn releases(&mut self, image: &Image, rule: &PolicyRule, last: Option<&Keyring>) -> Result<(), Stop> {
        let envelopes: BTreeSet<Digest> = self
            .there
            .iter()
            .filter_map(|path| match classify(path, self.request.limits) {
                Ok(FileKind::Envelope(SignatureSet::Signatures, of, digest)) if of == image.id => Some(digest),
                _ => None,
            })
            .collect();
        if envelopes.len() > self.request.limits.envelopes {
            self.reject("REL-036", format!("the image has {} envelopes", envelopes.len()))?;
        }
        // REL-031, REL-032
        let signers = match last {
            Some(last) => self.release_signers(last, &image.name),
            None => Ok(vec![Signers::of_policy(rule)]),
        };
        let mut furthest: Option<(usize, Rejection)> = None;
        for digest in envelopes {
            let kind = FileKind::Envelope(SignatureSet::Signatures, image.id, digest);
            let Some(source) = self.document(&kind, self.request.limits.envelope)? else { continue };
            // What is longer than an envelope can be has not been read to its end.
            let is_whole = source.len() as u64 <= self.request.limits.envelope;
            if is_whole && Digest::of(&source) != digest && self.holds("REL-035") {
                continue;
            }
            let proof = self.document(
                &FileKind::Proof(SignatureSet::Signatures, image.id, digest),
                self.request.limits.log_proof,
            )?;
            let nobody = [Signers::default()];
            let by = signers.as_deref().unwrap_or(&nobody).iter().map(|by| signers.as_ref().map(|_| by));
            let mut tried = by.map(|by| self.release(&source, proof.as_deref(), image, (rule, last), by));
            let outcome = tried.next().unwrap_or(Err((0, None)));
            let outcome = tried.find(Result::is_ok).filter(|_| outcome.is_err()).unwrap_or(outcome);
            match outcome {
                Ok((counted, proven)) => {
                    self.evidence.envelope = Some(digest);
                    self.evidence.signers = counted.iter().map(Digest::hex).collect();
                    self.evidence.proven = proven.and_then(time::text);
                    return Ok(());
                }
                Err((step, Some(rejection))) if furthest.as_ref().is_none_or(|(before, _)| *before < step) => {
                    furthest = Some((step, rejection.in_file(&path_of(&kind))));
                }
                Err(_) => {}
            }
        }
        match furthest {
            Some((_, rejection)) => Err(rejection.into()),
            None => Ok(self.reject("REL-037", "the image has no release")?),
        }
    }

    /// Who has signed a release that is accepted, and the proven time. Otherwise how far it came and why it is not; no
    /// reason where it is passed over.
    #[allow(clippy::type_complexity)]
    fn release(
        &self,
        source: &[u8],
        proof: Option<&[u8]>,
        image: &Image,
        (rule, last): (&PolicyRule, Option<&Keyring>),
        signers: Result<&Signers, &Rejection>,
    ) -> Result<(BTreeSet<KeyId>, Option<i64>), (usize, Option<Rejection>)> {
        let at = |step: usize| move |rejection: Rejection| (step, Some(rejection));
        let (opened, violations) = open(source, self.request.limits);
        let opened = opened.ok_or_else(|| (0, Some(first_error(&violations))))?;
        if opened.payload_type != PayloadType::Release && self.holds("SIG-016") {
            // REL-035
            return Err((1, (!self.holds("REL-035")).then(|| Rejection::new("REL-035", "an envelope is no release"))));
        }
        let proven = self.proven(source, proof, rule).map_err(at(2))?;
        let signers = signers.map_err(|rejection| (3, Some(rejection.clone())))?;
        let counted = self.counted(&opened, signers, last, proven).map_err(at(3))?;
        let (release, violations) = check_release(&opened.payload, self.request.limits);
        let release = release.ok_or_else(|| (4, Some(first_error(&violations))))?;
        self.is_of(&release, image).map_err(at(5))?;
        self.times(&release.issued, release.expires.as_deref()).map_err(at(6))?;
        Ok((counted, proven))
    }

    /// POL-028 and the clauses of log proofs
    fn proven(&self, envelope: &[u8], proof: Option<&[u8]>, rule: &PolicyRule) -> Result<Option<i64>, Rejection> {
        let Some(log) = &rule.log else { return Ok(None) };
        let Some(source) = proof else {
            self.reject("POL-028", "the release has no log proof")?;
            return Ok(None);
        };
        let (proof, violations) = check_proof(source, self.request.limits);
        let proof = proof.ok_or_else(|| first_error(&violations))?;
        proven_time(self, &proof, envelope, log).map(Some)
    }

    /// SIG-017 to SIG-019, REL-033
    fn counted(
        &self,
        opened: &Opened,
        signers: &Signers,
        last: Option<&Keyring>,
        proven: Option<i64>,
    ) -> Result<BTreeSet<KeyId>, Rejection> {
        let signed: BTreeSet<KeyId> =
            self.signed(opened, &signers.listed)?.intersection(&signers.counted).copied().collect();
        let holds = |id: &KeyId| {
            last.and_then(|last| last.revoked_key(&id.hex())).is_none_or(|revoked| {
                let since = revoked.since.as_deref().and_then(time::seconds);
                since.zip(proven).is_some_and(|(since, proven)| proven < since)
            })
        };
        let counted: BTreeSet<KeyId> = signed.iter().filter(|id| holds(id)).copied().collect();
        if counted.len() >= signers.threshold {
            return Ok(counted);
        }
        if signed.len() >= signers.threshold {
            self.reject("REL-033", "the keys that have signed are revoked")?;
            return Ok(signed);
        }
        let reason = format!("{} of {} keys have signed", counted.len(), signers.threshold);
        self.reject("SIG-019", reason)?;
        Ok(counted)
    }

    /// REL-008, REL-009
    fn is_of(&self, release: &Release, image: &Image) -> Result<(), Rejection> {
        if (release.image.digest, release.image.size) != (image.id, image.size) {
            self.reject("REL-008", "the release is of another image")?;
        }
        if (&release.name, &release.version, &release.platform) != (&image.name, &image.version, &image.platform) {
            let reason = format!(
                "the release is of {}:{}, and the image is {}:{}",
                release.name, release.version, image.name, image.version
            );
            self.reject("REL-009", reason)?;
        }
        Ok(())
    }
}
