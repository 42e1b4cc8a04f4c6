//! Introduction and conformance.

super::clauses! { CNF:
    CNF_001 = Error "CNF-001" "use a reader that implements this version, or make the image again for version 1.0";
    CNF_002 = Error "CNF-002" "use a reader that implements this operating system; version 1.0 defines `linux`";
}
