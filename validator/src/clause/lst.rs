//! Listing and rootfs.

super::clauses! { LST:
    LST_001 = Error "LST-001" "end the last line with a newline";
    LST_002 = Error "LST-002" "remove the empty line";
    LST_003 = Error "LST-003" "use `file`, `hardlink`, `dir`, `symlink` or `whiteout`";
    LST_004 = Error "LST-004" "add the member";
    LST_005 = Error "LST-005" "remove the member";
    LST_006 = Error "LST-006" "give the member a value of the type that the listing chapter says";
    LST_007 = Error "LST-007" "write the path without the final `/`";
    LST_008 = Error "LST-008" "write 64 hexadecimal digits in lower case";
    LST_009 = Error "LST-009" "leave the member out";
    LST_010 = Error "LST-010" "leave the member out";
    LST_011 = Error "LST-011" "write base64 with the alphabet of RFC 4648 section 4, padding, and unused bits zero";
    LST_012 = Error "LST-012" "write the digest of the empty string";
    LST_013 = Error "LST-013" "repeat the size and sha256 of the file";
    LST_014 = Error "LST-014" "split the layer";
    LST_015 = Error "LST-015" "make the extended attributes of the entry smaller";
    LST_016 = Error "LST-016" "make the listing from the layer with `cornercast listing`";
    LST_017 = Error "LST-017" "compute the digest with `cornercast listing --digest`, or pack the image again";
    LST_018 = Error "LST-018" "write the number of lines of the merged listing";
    LST_019 = Error "LST-019" "write the sum of the sizes of the files in the merged listing";
    LST_020 = Error "LST-020" "make the image smaller";
    LST_021 = Error "LST-021" "leave the whiteout out; a merged listing has nothing to hide";
    LST_022 = Error "LST-022" "leave the member out; a merged listing has nothing to hide";
}
