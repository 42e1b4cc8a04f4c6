//! Policies and states.

super::clauses! { POL:
    POL_001 = Error "POL-001" "write the members that the chapter gives, and no other";
    POL_002 = Error "POL-002" "write a host, a name, or nothing at all";
    POL_003 = Error "POL-003" "make one rule of the two";
    POL_004 = Error "POL-004" "write `require`, `unsigned` or `deny`";
    POL_005 = Error "POL-005" "leave the member out, or write another mode";
    POL_006 = Error "POL-006" "pin a keyring, or list keys";
    POL_007 = Error "POL-007" "write `threshold` beside `keys`, and nowhere else";
    POL_008 = Error "POL-008" "write a rule for each host that is meant";
    POL_009 = Error "POL-009" "list something, or leave the member out";
    POL_010 = Error "POL-010" "give each signer, log and witness a key of its own";
    POL_011 = Error "POL-011" "ask for at least one key and for no more than there are";
    POL_012 = Error "POL-012" "write the greatest age in seconds, such as 604800 for a week";
    POL_013 = Error "POL-013" "write the name as the log or witness signs with it";
    POL_014 = Error "POL-014" "list each witness once";
    POL_015 = Error "POL-015" "ask for at least one witness and for no more than there are";
    POL_016 = Error "POL-016" "sort the image ids and list each once";
    POL_017 = Error "POL-017" "write `open`, `separated`, `hardened` or `sealed`";
    POL_030 = Error "POL-030" "remove the state only if you know why it is broken: everything that was rolled back is accepted again";
    POL_031 = Error "POL-031" "remove images from the state that nobody asks for any more";
    POL_032 = Error "POL-032" "remove the state only if you know why it is broken: everything that was rolled back is accepted again";
}
