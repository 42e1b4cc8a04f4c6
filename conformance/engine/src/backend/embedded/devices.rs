//! Which devices the processes of a container can use, exactly as its configuration says.
//!
//! With control groups of version 1, libcontainer adds rules that it thinks everybody needs. With version 2, where the
//! rules are a program for the kernel, it is built without what would make it.

use std::fs;
use std::io;
use std::path::Path;

use libcontainer::oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use rustix::fs::{Mode, OFlags};

use super::cgroups::hierarchies;
use crate::sys;

/// Sets the rules for the control group at `path` of its hierarchy.
///
/// # Errors
///
/// Which rule cannot be set, in words.
pub(super) fn set(path: &str, rules: &[LinuxDeviceCgroup]) -> Result<(), String> {
    let hierarchies = hierarchies()?;
    // A file takes one rule a write, and later ones overrule.
    if let Some(devices) = hierarchies.iter().find(|hierarchy| hierarchy.has("devices")) {
        let group = devices.group(path);
        return rules.iter().try_for_each(|rule| write(&group, rule));
    }
    let group = hierarchies.iter().find(|hierarchy| hierarchy.is_unified()).map(|unified| unified.group(path));
    let group = group.ok_or("this host has no control groups for devices")?;
    let program = program(rules)?;
    attach(&group, &program).map_err(|error| format!("the device rules of {}: {error}", group.display()))
}

fn write(group: &Path, rule: &LinuxDeviceCgroup) -> Result<(), String> {
    let file = group.join(if rule.allow() { "devices.allow" } else { "devices.deny" });
    fs::write(&file, rule.to_string()).map_err(|error| format!("the rule {rule} for {}: {error}", file.display()))
}

fn attach(group: &Path, program: &[Instruction]) -> io::Result<()> {
    let group = rustix::fs::open(group, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    sys::attach_device_program(&group, program)
}

/// An instruction of the kernel's machine (instruction-set.rst in its documentation): from the lowest bits on, 8 are
/// the code, 4 the register that is changed or compared, 4 another one, 16 how far a jump goes, and 32 a number.
type Instruction = u64;

/// The registers: what the program is given and what it returns, then what it takes apart.
const RESULT: u64 = 0;
const CONTEXT: u64 = 1;
const KIND: u64 = 2;
const ACCESS: u64 = 3;
const MAJOR: u64 = 4;
const MINOR: u64 = 5;

const LOAD_WORD: u64 = 0x61;
const MOVE_REGISTER: u64 = 0xbf;
const MOVE_NUMBER: u64 = 0xb7;
const AND_NUMBER: u64 = 0x57;
const SHIFT_RIGHT: u64 = 0x77;
const JUMP_UNLESS_EQUAL: u64 = 0x55;
const EXIT: u64 = 0x95;

fn instruction(code: u64, register: u64, other: u64, offset: u16, number: u32) -> Instruction {
    code | register << 8 | other << 12 | u64::from(offset) << 16 | u64::from(number) << 32
}

/// The program that allows what the rules allow, of which the first has to refuse everything.
fn program(rules: &[LinuxDeviceCgroup]) -> Result<Vec<Instruction>, String> {
    let all = |rule: &LinuxDeviceCgroup| {
        matches!(rule.typ(), None | Some(LinuxDeviceType::A)) && rule.major().is_none() && rule.minor().is_none()
    };
    let rules = match rules.split_first() {
        Some((first, rules)) if !first.allow() && all(first) => rules,
        _ => return Err("linux.resources.devices does not begin with a rule that refuses all devices".to_owned()),
    };
    // What the kernel gives: the access in the upper half of a word, the type in the lower, and the numbers.
    let mut program = vec![
        instruction(LOAD_WORD, KIND, CONTEXT, 0, 0),
        instruction(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        instruction(AND_NUMBER, KIND, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules {
        program.extend(allow(rule)?);
    }
    program.extend([instruction(MOVE_NUMBER, RESULT, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)]);
    Ok(program)
}

/// Allows what a rule allows, and goes on with the next one otherwise.
fn allow(rule: &LinuxDeviceCgroup) -> Result<Vec<Instruction>, String> {
    if !rule.allow() {
        return Err(format!("linux.resources.devices refuses {rule} after the first rule"));
    }
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => None,
        Some(LinuxDeviceType::B) => Some(1),
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => Some(2),
        Some(LinuxDeviceType::P) => return Err(format!("linux.resources.devices has {rule}, which is no device")),
    };
    let access = rule.access().as_deref().unwrap_or_default().chars().map(|letter| match letter {
        'm' => Ok(1),
        'r' => Ok(2),
        'w' => Ok(4),
        _ => Err(format!("linux.resources.devices has {rule} with the access {letter}")),
    });
    let access = access.sum::<Result<u32, String>>()?;
    let number = |number: Option<i64>| match number {
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| format!("{number} is no number of a device")),
    };
    let kind = kind.map(|kind| (KIND, kind));
    let major = number(rule.major())?.map(|number| (MAJOR, number));
    let minor = number(rule.minor())?.map(|number| (MINOR, number));
    let mut tests = vec![
        // No access but that of the rule.
        instruction(MOVE_REGISTER, RESULT, ACCESS, 0, 0),
        instruction(AND_NUMBER, RESULT, 0, 0, !access),
    ];
    let equal = [Some((RESULT, 0)), kind, major, minor];
    let equal: Vec<(u64, u32)> = equal.into_iter().flatten().collect();
    // Each jumps over the tests after it and over what allows.
    for (left, (register, number)) in (0..equal.len()).rev().zip(&equal) {
        let over = u16::try_from(left + 2).map_err(|error| error.to_string())?;
        tests.push(instruction(JUMP_UNLESS_EQUAL, *register, 0, over, *number));
    }
    tests.extend([instruction(MOVE_NUMBER, RESULT, 0, 0, 1), instruction(EXIT, 0, 0, 0, 0)]);
    Ok(tests)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rules(value: serde_json::Value) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn jumps_end_behind_the_rule() {
        let all = serde_json::json!({"allow": false, "access": "rwm"});
        let zero = serde_json::json!({"allow": true, "access": "rw", "type": "c", "major": 1, "minor": 5});
        let made = program(&rules(serde_json::json!([all, zero]))).unwrap();
        let rule = made.get(6..14).unwrap();
        let jumps: Vec<u64> =
            rule.iter().filter(|one| **one & 0xff == JUMP_UNLESS_EQUAL).map(|one| one >> 16 & 0xffff).collect();
        assert_eq!(jumps, [5, 4, 3, 2]);
        assert_eq!(made.len(), 16);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let error = program(&rules(serde_json::json!([{"allow": true, "access": "rwm"}]))).unwrap_err();
        assert_eq!(error, "linux.resources.devices does not begin with a rule that refuses all devices");
        let all = serde_json::json!({"allow": false, "access": "rwm"});
        let error = program(&rules(serde_json::json!([all, all]))).unwrap_err();
        assert_eq!(error, "linux.resources.devices refuses a *:* rwm after the first rule");
    }
}
