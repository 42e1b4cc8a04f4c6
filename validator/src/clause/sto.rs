//! Store and archive.

super::clauses! { STO:
    STO_001 = Error "STO-001" "add the file `cornercast` with the content {\"cornercast\":\"1.0\",\"kind\":\"store\"}";
    STO_002 = Error "STO-002" "write {\"cornercast\":\"1.0\",\"kind\":\"store\"}";
    STO_003 = Error "STO-003" "replace it by a regular file, or remove it";
    STO_004 = Warning "STO-004" "remove the file, unless a web server needs it";
    STO_005 = Error "STO-005" "name the file by the SHA-256 of its content, 64 hexadecimal digits in lower case";
    STO_006 = Error "STO-006" "fetch the file again, or remove it";
    STO_007 = Error "STO-007" "fetch the blob, or copy the image again with all its blobs";
    STO_008 = Error "STO-008" "give one of the images another version";
    STO_009 = Error "STO-009" "use the path names/HOST/PATH/_/catalog.json or names/HOST/_/keyring/N.json";
    STO_010 = Error "STO-010" "write the number in the file's name from 1, without leading zeros, in 16 digits at most";
    STO_011 = Error "STO-011" "write {\"files\":[{\"digest\":…,\"size\":…}],\"kind\":…}, each element with an optional `proof`";
    STO_012 = Error "STO-012" "write `signatures` or `attestations`, as the folder is called";
    STO_013 = Error "STO-013" "remove the index";
    STO_014 = Error "STO-014" "sort the elements by digest and list each once";
    STO_015 = Error "STO-015" "keep at most 64 envelopes";
    STO_016 = Warning "STO-016" "make the index again from the files beside it";
    STO_017 = Error "STO-017" "add the envelope, or remove the proof";
    STO_018 = Error "STO-018" "compress the file again with zstd";
    STO_019 = Error "STO-019" "compress the file as one frame and append nothing";
    STO_020 = Error "STO-020" "compress the file with a window of at most 8 MiB (zstd levels up to 19 without --long or --ultra)";
    STO_021 = Error "STO-021" "compress the file without dictionary";
    STO_022 = Error "STO-022" "compress the file again";
    STO_023 = Error "STO-023" "fetch or compress the file again; it is damaged";
    STO_024 = Error "STO-024" "fetch or compress the file again; it is damaged";
    STO_025 = Error "STO-025" "begin the archive with the marker `cornercast`";
    STO_026 = Error "STO-026" "make the archive again with `cornercast pack`, or mend the tool that wrote it: entries are files with the mode 0644 and uid, gid and mtime 0";
    STO_027 = Error "STO-027" "make the archive again with `cornercast pack`, or mend the tool that wrote it: leave the record out";
    STO_028 = Error "STO-028" "leave the entry out of the archive";
    STO_029 = Error "STO-029" "make the archive again with `cornercast pack`, which puts the entries in order";
    STO_030 = Error "STO-030" "keep one of the two entries";
    STO_031 = Error "STO-031" "leave the entry out, or put the manifest that names the blob before it";
    STO_032 = Error "STO-032" "put the envelope where its type belongs";
    STO_033 = Error "STO-033" "put the envelope where what it says belongs";
    STO_034 = Error "STO-034" "name another blob here, or keep the images in two archives";
}
