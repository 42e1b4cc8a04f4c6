//! What is signed of the image on the page.

use super::page::{Part, counted, platform};
use crate::audit::{CatalogSeen, EnvelopeSeen, Holds, KeyringSeen, Problem, ProofSeen, SignatureSeen, Signed};
use crate::shown::size;
use crate::trust::Rule;

const NOTE: &str = "Keys are looked up in the keyrings of the same store: that a signature holds is no reason to trust it. \
                    A policy decides that.";

pub(super) fn push(parts: &mut Vec<Part>, signed: &Signed) {
    let mut releases = Part::new(counted("Releases", signed.releases.len())).note(NOTE);
    problems(&mut releases, &signed.problems);
    parts.push(releases);
    parts.extend(signed.releases.iter().map(envelope));
    parts.push(Part::new(counted("Attestations", signed.attestations.len())));
    parts.extend(signed.attestations.iter().map(envelope));
    parts.push(Part::new(counted("Keyrings in the store", signed.keyrings.len())));
    parts.extend(signed.keyrings.iter().map(keyring));
    parts.push(signed.catalog.as_ref().map_or_else(|| Part::new("Catalog in the store: none"), catalog));
}

fn envelope(envelope: &EnvelopeSeen) -> Part {
    let mut part = Part::detail(format!("Envelope {}", envelope.digest));
    part.row("size", size(envelope.size));
    part.maybe("payload", envelope.payload_type.map(crate::trust::PayloadType::media_type).as_ref());
    if let Some(release) = &envelope.release {
        part.row("release of", format!("{}:{} {}", release.name, release.version, platform(&release.platform)));
        part.row("about", about(&release.differs));
        part.row("issued", &release.issued);
        part.row("expires", release.expires.as_deref().unwrap_or("never"));
    }
    if let Some(attestation) = &envelope.attestation {
        part.row("type", &attestation.kind);
        part.row("body", format!("{}, {}", attestation.body.digest, size(attestation.body.size)));
        part.row("about", about(&attestation.differs));
        part.row("issued", &attestation.issued);
    }
    part.row("log proof", envelope.proof.as_ref().map_or_else(|| "none".to_owned(), proof));
    problems(&mut part, &envelope.problems);
    signatures(part, &envelope.signatures)
}

fn about(differs: &[&str]) -> String {
    if differs.is_empty() { "this image".to_owned() } else { format!("another image, by {}", differs.join(", ")) }
}

fn proof(proof: &ProofSeen) -> String {
    let (Some(origin), Some(index), Some(entries)) = (&proof.origin, proof.index, proof.entries) else {
        let problems: Vec<String> = proof.problems.iter().map(problem).collect();
        return format!("not well formed: {}", problems.join("; "));
    };
    let includes = if proof.includes == Some(true) { "leads" } else { "does not lead" };
    format!(
        "entry {index} of {entries} in {origin}; it {includes} to the root of the log; signed, not verified, by {}",
        proof.signed_by.join(", ")
    )
}

fn problem(problem: &Problem) -> String {
    format!("{} [{}]", problem.message, problem.clause)
}

fn problems(part: &mut Part, problems: &[Problem]) {
    problems.iter().for_each(|found| part.row("problem", problem(found)));
}

fn signatures(part: Part, signatures: &[SignatureSeen]) -> Part {
    let rows = signatures.iter().map(|signature| {
        let holds = match signature.holds {
            Holds::Holds => "holds",
            Holds::Fails => "does not hold",
            Holds::Unknown => "key not known",
        };
        let mut known: Vec<String> = signature.keyrings.iter().map(|number| format!("keyring {number}")).collect();
        if signature.in_policy {
            known.push("policy".to_owned());
        }
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        let counts = match (signature.in_rule, signature.revoked) {
            (true, false) => "yes",
            (true, true) => "yes, revoked",
            (false, false) => "no",
            (false, true) => "no, revoked",
        };
        vec![signature.keyid.clone(), holds.to_owned(), known, counts.to_owned()]
    });
    part.table(&["key id", "signature", "key in", "in the keyring's rule"], rows.collect())
}

fn keyring(keyring: &KeyringSeen) -> Part {
    let mut part = Part::detail(format!("Keyring {}", keyring.number));
    part.maybe("payload", keyring.digest.as_ref());
    part.maybe("issued", keyring.issued.as_ref());
    part.maybe("expires", keyring.expires.as_ref());
    part.maybe("releases", keyring.release.as_ref().map(rule).as_ref());
    part.maybe("catalogs", keyring.catalog.as_ref().map(rule).as_ref());
    keyring.revoked_keys.iter().for_each(|key| part.row("revoked key", key));
    part.maybe("revokes this image", keyring.revokes_image.as_ref());
    problems(&mut part, &keyring.problems);
    signatures(part, &keyring.signatures)
}

fn rule(rule: &Rule) -> String {
    format!("{} of {} keys, for `{}`", rule.threshold, rule.keyids.len(), rule.prefix)
}

fn catalog(catalog: &CatalogSeen) -> Part {
    let mut part = Part::new("Catalog in the store");
    part.maybe("serial", catalog.serial.as_ref());
    part.maybe("payload", catalog.digest.as_ref());
    part.maybe("issued", catalog.issued.as_ref());
    part.maybe("expires", catalog.expires.as_ref());
    part.maybe("knows keyring", catalog.keyring.map(|keyring| keyring.version).as_ref());
    part.row("this image", if catalog.listed { "listed" } else { "not listed" });
    let none = || "none".to_owned();
    let channels = Some(catalog.channels.join(", ")).filter(|channels| !channels.is_empty()).unwrap_or_else(none);
    part.row("channels to this version", channels);
    part.row("withdrawn", catalog.withdrawn.as_deref().unwrap_or("no"));
    problems(&mut part, &catalog.problems);
    signatures(part, &catalog.signatures)
}
