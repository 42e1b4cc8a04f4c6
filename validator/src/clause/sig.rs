//! Keys and envelopes.

super::clauses! { SIG:
    SIG_001 = Error "SIG-001" "write the key as `cornercast keygen` prints it: `ed25519:` and 44 characters of base64";
    SIG_002 = Error "SIG-002" "make another key with `cornercast keygen`";
    SIG_003 = Error "SIG-003" "make another key with `cornercast keygen`";
    SIG_005 = Error "SIG-005" "sign less in one document";
    SIG_006 = Error "SIG-006" "sign less in one document";
    SIG_007 = Error "SIG-007" "write {\"payload\":…,\"payloadType\":…,\"signatures\":[{\"keyid\":…,\"sig\":…}]}, as `cornercast sign` does";
    SIG_008 = Error "SIG-008" "encode the payload with the alphabet of RFC 4648 section 4 and with padding";
    SIG_009 = Error "SIG-009" "sign the document again with its own type";
    SIG_010 = Error "SIG-010" "sign the document with `cornercast sign`";
    SIG_011 = Error "SIG-011" "keep the signatures that a verifier counts, at most 16";
    SIG_012 = Error "SIG-012" "write the SHA-256 of the 32 bytes of the key, 64 hexadecimal digits in lower case";
    SIG_013 = Error "SIG-013" "write the 64 bytes of the signature in base64 with padding";
    SIG_014 = Error "SIG-014" "sort the signatures by `keyid` and keep one of each";
}
