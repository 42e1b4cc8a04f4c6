//! What a program runs on, from the first bytes of an ELF file.

use crate::manifest::Platform;

/// The platform of a program for Linux; `None` if `head` is not the beginning of one.
///
/// The numbers are those of the generic ABI (`e_ident`, `e_machine`). The variant of an ARM program is not
/// in its header; `v7` is what distributions build for.
pub(super) fn platform(head: &[u8]) -> Option<Platform> {
    let ident = head.strip_prefix(b"\x7FELF")?;
    let (class, order) = (*ident.first()?, *ident.get(1)?);
    let machine: [u8; 2] = head.get(18..20)?.try_into().ok()?;
    let is_little = order == 1;
    let machine = if is_little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
    let architecture = match (machine, class, is_little) {
        (3, 1, true) => "386",
        (8, 1, false) => "mips",
        (8, 1, true) => "mipsle",
        (8, 2, false) => "mips64",
        (8, 2, true) => "mips64le",
        (21, 2, false) => "ppc64",
        (21, 2, true) => "ppc64le",
        (22, 2, false) => "s390x",
        (40, 1, true) => "arm",
        (62, 2, true) => "amd64",
        (183, 2, true) => "arm64",
        (243, 2, true) => "riscv64",
        (258, 2, true) => "loong64",
        _ => return None,
    };
    let variant = (architecture == "arm").then(|| "v7".to_owned());
    Some(Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_the_architecture() {
        let header = |class, order, machine: [u8; 2]| {
            let mut head = b"\x7FELF".to_vec();
            head.extend([class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
            head.extend(machine);
            head
        };
        let of = |head: &[u8]| platform(head).map(|platform| platform.architecture);
        assert_eq!(of(&header(2, 1, [62, 0])).as_deref(), Some("amd64"));
        assert_eq!(of(&header(2, 2, [0, 22])).as_deref(), Some("s390x"));
        assert_eq!(of(&header(2, 1, [0, 22])), None);
        assert_eq!(of(&header(2, 1, [62, 0])[..19]), None);
        assert_eq!(of(b"#!/bin/sh\n"), None);
        assert_eq!(platform(&header(1, 1, [40, 0])).unwrap().variant.as_deref(), Some("v7"));
    }
}
