//! JSON.

super::clauses! { JSN:
    JSN_001 = Error "JSN-001" "save the document as UTF-8";
    JSN_002 = Error "JSN-002" "save the document as UTF-8 without byte order mark";
    JSN_003 = Error "JSN-003" "correct the JSON here and check again; nothing after this place has been read";
    JSN_004 = Error "JSN-004" "put the content into an object, in `{` and `}`";
    JSN_005 = Error "JSN-005" "make the document smaller";
    JSN_006 = Error "JSN-006" "write the character itself, or both surrogates of the pair";
    JSN_007 = Error "JSN-007" "remove the character U+0000";
    JSN_008 = Error "JSN-008" "keep one of the two members";
    JSN_009 = Error "JSN-009" "use ASCII characters only in member names";
    JSN_010 = Error "JSN-010" "shorten the member name";
    JSN_011 = Error "JSN-011" "shorten the string";
    JSN_012 = Error "JSN-012" "write the number as an integer in plain digits";
    JSN_013 = Error "JSN-013" "write `0`";
    JSN_014 = Error "JSN-014" "use a number from -9007199254740991 to 9007199254740991";
    JSN_015 = Error "JSN-015" "leave the member or element out";
    JSN_016 = Error "JSN-016" "flatten the document";
    JSN_017 = Error "JSN-017" "write the document in canonical form, as `cornercast check --fix` does for one outside a store";
    JSN_018 = Error "JSN-018" "sort the members by the bytes of their names, as `cornercast check --fix` does for a document outside a store";
    JSN_019 = Error "JSN-019" "write the string with the escapes of RFC 8785";
}
