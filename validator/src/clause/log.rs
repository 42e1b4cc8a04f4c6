//! Log proofs.

super::clauses! { LOG:
    LOG_001 = Error "LOG-001" "ask the log for the proof again";
    LOG_002 = Error "LOG-002" "ask the log for the proof again";
    LOG_003 = Error "LOG-003" "begin the proof with `c2sp.org/tlog-proof@v1`";
    LOG_004 = Error "LOG-004" "write the number of the entry as `index 17`";
    LOG_005 = Error "LOG-005" "write each hash of the inclusion proof in base64, and then an empty line";
    LOG_006 = Error "LOG-006" "write the checkpoint as origin, size and root hash, without further lines";
    LOG_007 = Error "LOG-007" "ask the log for a proof in a later checkpoint";
    LOG_008 = Error "LOG-008" "write a signature line as `— NAME BASE64`";
    LOG_009 = Error "LOG-009" "keep the signatures of the log and of the witnesses that are needed, at most 64";
}
