//! The chain of keyrings (REL-021 to REL-030, POL-022, POL-023) and the rules of the last one.

use std::collections::{BTreeMap, BTreeSet};

use super::key::{KeyId, PublicKey};
use super::keyring::{applies, check_keyring};
use super::policy::PolicyRule;
use super::types::{Keyring, KeyringPin, PayloadType, Rule};
use super::verdict::Rejection;
use super::verify::{Known, Signers, Stop, Verifier, first_error};
use crate::digest::Digest;
use crate::store::{FileKind, path_of};

impl Verifier<'_> {
    /// The keyrings from the one that is known to the last one, whose times are right.
    pub(super) fn chain(&mut self, pin: &KeyringPin, rule: &PolicyRule) -> Result<Vec<Known>, Stop> {
        let mut read: Vec<Known> = Vec::new();
        let outcome = self.read_chain(pin, rule, &mut read);
        // POL-037: what has been reached is kept, also where the next one cannot be accepted.
        if let Some((pin, _)) = read.last() {
            self.evidence.keyring = Some(*pin);
            if self.holds("POL-037") {
                let policy = self.request.policy;
                let floors = self.holds("POL-038");
                let has_floor = |name: &str| floors && policy.rule(name).is_some_and(|rule| rule.keyring.is_some());
                self.state.store_keyring(&read, has_floor);
            }
        }
        outcome?;
        if let Some((_, last)) = read.last() {
            let path = path_of(&self.keyring_file(last.version));
            self.times(&last.issued, Some(&last.expires)).map_err(|rejection| rejection.in_file(&path))?;
        }
        Ok(read)
    }

    fn keyring_file(&self, number: u64) -> FileKind {
        let name = &self.request.reference.name;
        let authority = name.split('/').next().unwrap_or_default().to_owned();
        FileKind::Keyring { authority, number }
    }

    /// The keyrings from the one that is known on, without a look at their times.
    pub(super) fn read_chain(&self, pin: &KeyringPin, rule: &PolicyRule, read: &mut Vec<Known>) -> Result<(), Stop> {
        let known = self.state.keyring.filter(|known| self.holds("POL-022") && known.version >= pin.version);
        let start = known.map_or(pin.version, |known| known.version);
        let pins: Vec<Digest> =
            known.iter().chain([pin]).filter(|pin| pin.version == start).map(|pin| pin.digest).collect();
        let mut number = start;
        loop {
            let kind = self.keyring_file(number);
            let path = path_of(&kind);
            let Some(source) = self.document(&kind, self.request.limits.envelope)? else {
                if number > start {
                    return Ok(());
                }
                let reason = format!("the keyring {number}, which is known, is not there");
                return Err(Rejection::new("POL-022", reason).in_file(&path).into());
            };
            if read.len() > self.request.limits.keyring_steps {
                self.reject("REL-029", format!("there are keyrings after number {}", number - 1))?;
            }
            let next = self.keyring(&source, number, read.last(), &pins, rule);
            match next {
                Ok(keyring) => read.push(keyring),
                // A verifier that does not hold the clause goes on with the keyring before.
                Err(_) if !read.is_empty() && !self.holds("REL-028") => return Ok(()),
                Err(rejection) => return Err(rejection.in_file(&path).into()),
            }
            if !self.holds("REL-027") {
                return Ok(());
            }
            number += 1;
        }
    }

    /// One keyring, judged by itself, by its number and by the one before.
    fn keyring(
        &self,
        source: &[u8],
        number: u64,
        before: Option<&Known>,
        pins: &[Digest],
        rule: &PolicyRule,
    ) -> Result<Known, Rejection> {
        let envelope = self.opened(source, PayloadType::Keyring)?;
        let (keyring, violations) = check_keyring(&envelope.payload, self.request.limits);
        let keyring = keyring.ok_or_else(|| first_error(&violations))?;
        let digest = envelope.digest();
        let FileKind::Keyring { authority, .. } = self.keyring_file(number) else {
            return Err(Rejection::new("REL-021", "the name has no authority"));
        };
        if (&keyring.name, keyring.version) != (&authority, number) {
            let reason = format!("this is the keyring {} of {}", keyring.version, keyring.name);
            self.reject("REL-021", reason)?;
        }
        if before.is_none() && pins.iter().any(|pin| *pin != digest) {
            self.reject(
                "POL-022",
                format!("the keyring {number} has the payload digest {digest}, and another one is known"),
            )?;
        }
        let keys = keyring.keys();
        let of_log = rule.log.as_ref().map(super::policy::Log::key_ids).unwrap_or_default();
        if let Some(id) = of_log.iter().find(|id| keys.contains_key(id)) {
            self.reject("POL-023", format!("the key {} is one of the log or its witnesses", id.hex()))?;
        }
        let before = before.map(|(_, before)| before);
        let mut listed = keys;
        listed.extend(before.map(Keyring::keys).unwrap_or_default());
        let signed = self.signed(&envelope, &listed)?;
        self.meets_root(&keyring, &signed, "REL-022")?;
        if let Some(before) = before {
            self.meets_root(before, &signed, "REL-023")?;
            self.keeps_revoked(before, &keyring)?;
        }
        // REL-030
        if !self.holds("REL-030") {
            self.times(&keyring.issued, Some(&keyring.expires))?;
        }
        Ok((KeyringPin { version: number, digest }, keyring))
    }

    fn meets_root(&self, keyring: &Keyring, signed: &BTreeSet<KeyId>, clause: &'static str) -> Result<(), Rejection> {
        let signers = Signers::of_rule(keyring.keys(), &keyring.root.keyids, keyring.root.threshold);
        self.threshold(keyring, &signers, signed, clause)
    }

    /// Whether enough of the keys of a rule `root` or `catalog` have signed (REL-024).
    pub(super) fn threshold(
        &self,
        keyring: &Keyring,
        signers: &Signers,
        signed: &BTreeSet<KeyId>,
        clause: &'static str,
    ) -> Result<(), Rejection> {
        let all: Vec<&KeyId> = signed.intersection(&signers.counted).collect();
        let counted = all.iter().filter(|id| keyring.revoked_key(&id.hex()).is_none()).count();
        if counted >= signers.threshold {
            return Ok(());
        }
        if all.len() >= signers.threshold {
            let reason = format!("keys that the keyring {} revokes have signed", keyring.version);
            return self.reject("REL-024", reason);
        }
        let reason = format!(
            "{counted} of {} keys that the keyring {} asks for have signed",
            signers.threshold, keyring.version
        );
        self.reject(clause, reason)
    }

    /// REL-025, REL-026
    fn keeps_revoked(&self, before: &Keyring, keyring: &Keyring) -> Result<(), Rejection> {
        for old in &before.revoked.keys {
            let is_kept = keyring.revoked_key(&old.keyid).is_some_and(|new| match (&old.since, &new.since) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(old), Some(new)) => new <= old,
            });
            if !is_kept {
                self.reject("REL-025", format!("the key {} is revoked no longer, or later", old.keyid))?;
            }
        }
        for old in &before.revoked.images {
            if !keyring.revoked.images.iter().any(|new| new.image.digest == old.image.digest) {
                self.reject("REL-026", format!("the image {} is revoked no longer", old.image.digest))?;
            }
        }
        Ok(())
    }

    /// Who has to sign releases of a name: the longest rule alone (REL-031, REL-032).
    pub(super) fn release_signers(&self, last: &Keyring, name: &str) -> Result<Vec<Signers>, Rejection> {
        self.rules(last, &last.release, name, "releases")
    }

    /// Who has to sign catalogs of a name.
    pub(super) fn catalog_signers(&self, last: &Keyring, name: &str) -> Result<Vec<Signers>, Rejection> {
        self.rules(last, &last.catalog, name, "catalogs")
    }

    fn rules(&self, last: &Keyring, rules: &[Rule], name: &str, what: &str) -> Result<Vec<Signers>, Rejection> {
        let mut found: Vec<&Rule> = rules.iter().filter(|rule| applies(&rule.prefix, name)).collect();
        found.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        if found.is_empty() {
            self.reject("REL-032", format!("the keyring {} has no rule for {what} of {name}", last.version))?;
            let counted = last.keys().into_keys().collect();
            return Ok(vec![Signers { listed: last.keys(), counted, threshold: 1 }]);
        }
        // A verifier that does not hold the clause tries the shorter ones as well.
        found.truncate(if self.holds("REL-031") { 1 } else { found.len() });
        Ok(found.into_iter().map(|rule| Signers::of_rule(last.keys(), &rule.keyids, rule.threshold)).collect())
    }
}

impl Signers {
    /// The keys of a rule of a keyring.
    fn of_rule(listed: BTreeMap<KeyId, PublicKey>, keyids: &[String], threshold: u64) -> Self {
        let counted = keyids.iter().filter_map(|id| Digest::from_hex(id)).collect();
        Self { listed, counted, threshold: usize::try_from(threshold).unwrap_or(usize::MAX) }
    }
}
