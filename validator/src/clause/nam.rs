//! Names, versions, references, platforms, digests.

super::clauses! { NAM:
    NAM_001 = Error "NAM-001" "use a lower-case DNS host of letters, digits and inner hyphens, without port";
    NAM_002 = Error "NAM-002" "shorten the label to 63 bytes";
    NAM_003 = Error "NAM-003" "shorten the host to 253 bytes";
    NAM_004 = Error "NAM-004" "begin the name with the full host, such as `example.com`; there is no default host";
    NAM_005 = Error "NAM-005" "use a host whose last label begins with a letter, not an address";
    NAM_006 = Error "NAM-006" "add a segment after the host, such as `example.com/app`";
    NAM_007 = Error "NAM-007" "use lower-case letters and digits, with single `.`, `_` or `-` between them";
    NAM_008 = Error "NAM-008" "shorten the name to 255 bytes";
    NAM_009 = Error "NAM-009" "write MAJOR.MINOR.PATCH, such as `1.4.0` or `1.4.0-rc.1`, without a `v` before it";
    NAM_010 = Error "NAM-010" "remove the part that begins with `+`";
    NAM_011 = Error "NAM-011" "shorten the version to 128 bytes";
    NAM_012 = Error "NAM-012" "use a number of at most 9007199254740991";
    NAM_013 = Error "NAM-013" "begin the channel with a lower-case letter and use letters, digits and hyphens, 64 bytes at most";
    NAM_014 = Error "NAM-014" "write NAME, NAME:VERSION, NAME:CHANNEL, NAME@DIGEST or NAME:VERSION@DIGEST";
    NAM_015 = Error "NAM-015" "remove the channel or the digest";
    NAM_018 = Error "NAM-018" "write `linux`";
    NAM_019 = Error "NAM-019" "use one of 386, amd64, arm, arm64, loong64, mips, mips64, mips64le, mipsle, ppc64, ppc64le, riscv64, s390x";
    NAM_020 = Error "NAM-020" "write the variant `v5`, `v6`, `v7` or `v8`";
    NAM_021 = Error "NAM-021" "use `v2`, `v3` or `v4`, or leave the variant out";
    NAM_022 = Error "NAM-022" "leave the variant out";
    NAM_024 = Error "NAM-024" "use a SHA-256 digest, `sha256:` and 64 hexadecimal digits";
    NAM_025 = Error "NAM-025" "copy the whole digest; `sha256sum` prints such digits";
    NAM_026 = Error "NAM-026" "write the size of the blob in bytes; no blob is empty";
    NAM_027 = Error "NAM-027" "correct the size that is not the size of the blob";
    NAM_028 = Error "NAM-028" "fetch or make the blob again; it is not the one that the descriptor names";
    NAM_029 = Error "NAM-029" "fetch or make the blob again; it is not the one that the descriptor names";
}
