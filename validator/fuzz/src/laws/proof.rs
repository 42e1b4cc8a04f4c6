//! Log proofs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::limits::Limits;
use cornercast::trust::check_proof;

use super::place;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let (proof, violations) = check_proof(bytes, &Limits::FORMAT);
    place::inside(&violations, bytes);
    assert_eq!(proof.is_some(), violations.is_empty(), "a proof breaks a clause or can be read");
    assert!(violations.len() <= 1, "reading stops at the first");
    let Some(proof) = proof else { return };
    let mut written = format!("c2sp.org/tlog-proof@v1\nindex {}\n", proof.index);
    for hash in &proof.hashes {
        written += &format!("{}\n", STANDARD.encode(hash));
    }
    written += &format!("\n{}\n", proof.text);
    for line in &proof.signatures {
        let signature = [line.number.as_slice(), &line.signature].concat();
        written += &format!("\u{2014} {} {}\n", line.name, STANDARD.encode(signature));
    }
    assert_eq!(written.as_bytes(), bytes, "a proof has one spelling");
    assert_eq!(proof.text, format!("{}\n{}\n{}\n", proof.origin, proof.size, STANDARD.encode(proof.root)));
}
