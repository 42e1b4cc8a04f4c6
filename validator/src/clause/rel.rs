//! Releases, keyrings and catalogs.

super::clauses! { REL:
    REL_001 = Error "REL-001" "write the members that the chapter gives, and no other";
    REL_002 = Error "REL-002" "leave the member out";
    REL_003 = Error "REL-003" "write the time in UTC as 2026-11-24T00:00:00Z";
    REL_004 = Error "REL-004" "write a time that exists";
    REL_005 = Error "REL-005" "let the document expire after it was issued";
    REL_010 = Error "REL-010" "count keyrings from 1";
    REL_011 = Error "REL-011" "name each key by its key id, the SHA-256 of its 32 bytes";
    REL_012 = Error "REL-012" "name at least one key";
    REL_013 = Error "REL-013" "sort the key ids and list each once";
    REL_014 = Error "REL-014" "add the key to `keys`, or leave its key id out";
    REL_015 = Error "REL-015" "ask for at least one key and for no more than there are";
    REL_016 = Error "REL-016" "ask for fewer keys";
    REL_017 = Error "REL-017" "write the name of the keyring, or a name below it";
    REL_018 = Error "REL-018" "sort the rules by prefix and keep one of each";
    REL_019 = Error "REL-019" "sort the revoked keys by key id and list each once";
    REL_020 = Error "REL-020" "sort the revoked images by digest and list each once";
    REL_038 = Error "REL-038" "count catalogs from 1";
    REL_039 = Error "REL-039" "let the catalog expire at most 30 days after it was issued, and sign a new one in time";
    REL_040 = Error "REL-040" "list an image, or leave the version out";
    REL_041 = Error "REL-041" "sort the images of a version by platform and list each platform once";
    REL_042 = Error "REL-042" "sort what is withdrawn by version and platform and list each once";
    REL_043 = Error "REL-043" "leave it out of `versions`, or out of `withdrawn`";
    REL_044 = Error "REL-044" "list the version, or point the channel at one that is listed";
    REL_049 = Error "REL-049" "write a media type such as `application/spdx+json`";
}
