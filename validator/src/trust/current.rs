//! The catalog: which images of a name are current (REL-045 to REL-047, POL-026, POL-027, POL-033 to POL-035).

use super::catalog::check_catalog;
use super::policy::PolicyRule;
use super::state::KnownCatalog;
use super::time;
use super::types::{Catalog, PayloadType};
use super::verdict::Rejection;
use super::verify::{Known, Signers, Stop, Verifier, first_error};
use crate::digest::Digest;
use crate::store::{FileKind, path_of};

impl Verifier<'_> {
    /// The catalog of the name, if it is accepted; then it is remembered.
    pub(super) fn catalog(&mut self, rule: &PolicyRule, keyrings: &[Known]) -> Result<Catalog, Stop> {
        let name = self.request.reference.name.clone();
        let kind = FileKind::Catalog(name.clone());
        let path = path_of(&kind);
        let Some(source) = self.document(&kind, self.request.limits.envelope)? else {
            return Err(Rejection::new("POL-026", "the catalog is not there").in_file(&path).into());
        };
        let last = keyrings.last().map(|(_, keyring)| keyring);
        let judge = || -> Result<(Catalog, Digest, Signers), Rejection> {
            let envelope = self.opened(&source, PayloadType::Catalog)?;
            let signers = match last {
                Some(last) => self.catalog_signers(last, &name)?,
                None => vec![Signers::of_policy(rule)],
            };
            let mut outcome = None;
            let mut met = None;
            for signers in signers {
                let signed = self.signed(&envelope, &signers.listed)?;
                let judged = match last {
                    Some(last) => self.threshold(last, &signers, &signed, "SIG-019"),
                    None if signed.len() < signers.threshold => {
                        let reason = format!("{} of {} keys have signed", signed.len(), signers.threshold);
                        self.reject("SIG-019", reason)
                    }
                    None => Ok(()),
                };
                match judged {
                    Ok(()) => {
                        met = Some(signers);
                        break;
                    }
                    Err(rejection) => outcome = outcome.or(Some(rejection)),
                }
            }
            let met = met.ok_or_else(|| outcome.unwrap_or_else(|| Rejection::new("SIG-019", "nobody has signed")))?;
            let (catalog, violations) = check_catalog(&envelope.payload, self.request.limits);
            let catalog = catalog.ok_or_else(|| first_error(&violations))?;
            Ok((catalog, envelope.digest(), met))
        };
        let (catalog, digest, signers) = judge().map_err(|rejection| rejection.in_file(&path))?;
        self.judge_catalog(&catalog, digest, rule, keyrings, &signers).map_err(|rejection| rejection.in_file(&path))?;
        self.evidence.catalog = Some(catalog.serial);
        if self.holds("POL-037") {
            self.store_catalog(&catalog, digest, &signers);
        }
        Ok(catalog)
    }

    fn judge_catalog(
        &self,
        catalog: &Catalog,
        digest: Digest,
        rule: &PolicyRule,
        keyrings: &[Known],
        signers: &Signers,
    ) -> Result<(), Rejection> {
        let name = &self.request.reference.name;
        if catalog.name != *name {
            self.reject("REL-045", format!("the catalog is that of {}", catalog.name))?;
        }
        if let Some((last, _)) = keyrings.last()
            && catalog.keyring.version > last.version
        {
            let reason =
                format!("the catalog knows the keyring {}, and {} is the last", catalog.keyring.version, last.version);
            self.reject("REL-046", reason)?;
        }
        let read = keyrings.iter().find(|(pin, _)| pin.version == catalog.keyring.version);
        if read.is_some_and(|(pin, _)| pin.digest != catalog.keyring.digest) {
            let reason = format!("the catalog knows another keyring {}", catalog.keyring.version);
            self.reject("REL-047", reason)?;
        }
        self.times(&catalog.issued, Some(&catalog.expires))?;
        let age = time::seconds(&catalog.issued).map(|issued| self.request.now.saturating_sub(issued));
        let most = rule.freshness.and_then(|most| i64::try_from(most).ok());
        if most.is_some_and(|most| age.is_none_or(|age| age > most)) {
            self.reject("POL-027", format!("the catalog was issued at {}, too long ago", catalog.issued))?;
        }
        let known = self.state.names.get(name).and_then(|known| known.catalog.as_ref());
        match known.filter(|known| rule.keyring.is_some() || is_of(known, signers)) {
            Some(known) => self.follows(catalog, digest, known),
            None => Ok(()),
        }
    }

    /// POL-033 to POL-035
    fn follows(&self, catalog: &Catalog, digest: Digest, known: &KnownCatalog) -> Result<(), Rejection> {
        if known.floor.is_some_and(|floor| catalog.keyring.version < floor) {
            let reason = format!(
                "the catalog knows the keyring {} only, before its keys were replaced",
                catalog.keyring.version
            );
            self.reject("POL-035", reason)?;
        }
        let (Some(serial), Some(before)) = (known.serial, known.digest) else { return Ok(()) };
        if catalog.serial < serial {
            self.reject("POL-033", format!("the serial is {}, and {serial} was accepted before", catalog.serial))?;
        }
        if catalog.serial == serial && digest != before {
            self.reject("POL-034", format!("another catalog with the serial {serial} was accepted before"))?;
        }
        Ok(())
    }

    fn store_catalog(&mut self, catalog: &Catalog, digest: Digest, signers: &Signers) {
        let known = self.state.names.entry(catalog.name.clone()).or_default();
        let floor = known.catalog.as_ref().filter(|known| is_of(known, signers)).and_then(|known| known.floor);
        known.catalog = Some(KnownCatalog {
            digest: Some(digest),
            floor,
            keyids: signers.counted.iter().map(Digest::hex).collect(),
            serial: Some(catalog.serial),
            threshold: signers.threshold as u64,
        });
    }
}

/// Whether a catalog was accepted by these keys and this threshold.
fn is_of(known: &KnownCatalog, signers: &Signers) -> bool {
    let keyids: Vec<String> = signers.counted.iter().map(Digest::hex).collect();
    known.keyids == keyids && known.threshold == signers.threshold as u64
}
