//! Listing and rootfs.

super::clauses! { LST:
    LST_001 = Error "LST-001" "end the last line with a newline";
    LST_002 = Error "LST-002" "remove the empty line";
    LST_003 = Error "LST-003" "use `file`, `hardlink`, `dir`, `symlink` or `whiteout`";
    LST_004 = Error "LST-004" "add the member, or make the listing again with `cornercast listing`";
    LST_005 = Error "LST-005" "remove the member";
    LST_006 = Error "LST-006" "make the listing again with `cornercast listing`";
    LST_007 = Error "LST-007" "write the path without the final `/`";
    LST_008 = Error "LST-008" "write the SHA-256 of the file's content as `sha256sum` prints it";
    LST_009 = Error "LST-009" "leave the member out";
    LST_010 = Error "LST-010" "leave the member out";
    LST_011 = Error "LST-011" "write the value as `base64 -w0` prints it";
    LST_012 = Error "LST-012" "write e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, or correct the size";
    LST_013 = Error "LST-013" "give the hard link the size and sha256 of its file, or make the listing again with `cornercast listing`";
    LST_014 = Error "LST-014" "split the layer";
    LST_015 = Error "LST-015" "make the extended attributes of the entry smaller";
    LST_016 = Error "LST-016" "make the listing from the layer with `cornercast listing`";
    LST_017 = Error "LST-017" "compute the digest with `cornercast listing --digest`, or pack the image again";
    LST_018 = Error "LST-018" "write the number that the message names, or pack the image again with `cornercast pack`";
    LST_019 = Error "LST-019" "write the number that the message names, or pack the image again with `cornercast pack`";
    LST_020 = Error "LST-020" "put fewer files into the image";
    LST_021 = Error "LST-021" "leave the whiteout out; a merged listing has nothing to hide";
    LST_022 = Error "LST-022" "leave the member out; a merged listing has nothing to hide";
}
