//! File capabilities in words (`struct vfs_cap_data` of Linux's `uapi/linux/capability.h`, revision 2).

/// The capabilities by their numbers, as `uapi/linux/capability.h` has them.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// Revision 2 without and with the bit of effective capabilities.
const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;

/// The capabilities that a value of `security.capability` gives, such as `cap_net_raw=ep`: clauses of names and flags
/// (`e` effective, `i` inheritable, `p` permitted) as cap_to_text(3) uses them, each capability in one of them. A
/// capability without a name is its number. `None` if it is not of revision 2, the only one that layers can have.
#[must_use]
pub(super) fn in_words(value: &[u8]) -> Option<String> {
    let words: [u32; 5] = match value.as_chunks::<4>() {
        (words, []) => <[[u8; 4]; 5]>::try_from(words).ok()?.map(u32::from_le_bytes),
        _ => return None,
    };
    let [revision, permitted_low, inheritable_low, permitted_high, inheritable_high] = words;
    if revision & !EFFECTIVE != REVISION_2 {
        return None;
    }
    let wide = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let permitted = wide(permitted_low, permitted_high);
    let inheritable = wide(inheritable_low, inheritable_high);
    let effective = if revision & EFFECTIVE == 0 { 0 } else { permitted | inheritable };
    let mut clauses: Vec<(String, Vec<String>)> = Vec::new();
    for number in 0..u64::BITS {
        let has = |set: u64| set >> number & 1 == 1;
        let flags: String = [(effective, 'e'), (inheritable, 'i'), (permitted, 'p')]
            .into_iter()
            .filter_map(|(set, flag)| has(set).then_some(flag))
            .collect();
        if flags.is_empty() {
            continue;
        }
        let name = NAMES.get(number as usize).map_or_else(|| number.to_string(), |name| (*name).to_owned());
        match clauses.iter_mut().find(|(known, _)| *known == flags) {
            Some((_, names)) => names.push(name),
            None => clauses.push((flags, vec![name])),
        }
    }
    let clauses: Vec<String> = clauses.iter().map(|(flags, names)| format!("{}={flags}", names.join(","))).collect();
    // cap_to_text(3) writes no capability at all like this.
    Some(if clauses.is_empty() { "=".to_owned() } else { clauses.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(words: [u32; 5]) -> Vec<u8> {
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn values_in_words() {
        let words = |words| in_words(&value(words));
        assert_eq!(words([0x0200_0001, 1 << 13, 0, 0, 0]).unwrap(), "cap_net_raw=ep");
        assert_eq!(
            words([0x0200_0000, 1 << 10 | 1 << 12, 1 << 12, 0, 0]).unwrap(),
            "cap_net_bind_service=p cap_net_admin=ip"
        );
        assert_eq!(words([0x0200_0001, 0, 0, 1 << 7 | 1 << 31, 0]).unwrap(), "cap_bpf,63=ep");
        assert_eq!(words([0x0200_0000, 0, 0, 0, 0]).unwrap(), "=");
        assert_eq!(words([0x0300_0000, 1, 0, 0, 0]), None);
        assert_eq!(in_words(&value([0x0200_0001, 1, 0, 0, 0])[..19]), None);
    }
}
