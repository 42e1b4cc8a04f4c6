//! The filter of system calls, which libcontainer leaves out where it is built without libseccomp.
//!
//! A program for the kernel has one error that it gives, so there is one for each error, and a system call fails if
//! one of them says so. A member that is not understood is refused, never left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use libcontainer::oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator, LinuxSyscall,
};
use seccompiler::{BpfProgram, TargetArch, sock_filter};
use serde_json::{Value, json};

use crate::sys;

/// The programs of a filter.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    programs: Vec<BpfProgram>,
}

impl Filter {
    /// The filter of a configuration, for the architecture of this program.
    ///
    /// # Errors
    ///
    /// What cannot be filtered, in words.
    pub(super) fn of(configured: &LinuxSeccomp) -> Result<Self, String> {
        understood(configured)?;
        let target = architecture()?;
        let mut programs = foreign_numbers(target).into_iter().collect::<Vec<_>>();
        for (errno, rules) in rules(configured.syscalls().as_deref().unwrap_or_default())? {
            programs.push(compile(errno, &rules, target)?);
        }
        Ok(Self { programs })
    }

    /// The instructions of each program, as the kernel reads them.
    pub(super) fn programs(&self) -> impl Iterator<Item = Vec<u8>> {
        let bytes = |one: &sock_filter| {
            let [code, k] = [one.code.to_ne_bytes().to_vec(), one.k.to_ne_bytes().to_vec()];
            [code, vec![one.jt, one.jf], k].concat()
        };
        self.programs.iter().map(move |program| program.iter().flat_map(bytes).collect())
    }

    /// Filters the system calls of this process from here on.
    ///
    /// # Errors
    ///
    /// Those of seccomp(2): EACCES without CAP_SYS_ADMIN, unless no new privileges can be had.
    pub(super) fn install(&self) -> io::Result<()> {
        self.programs.iter().try_for_each(|program| sys::install_filter(program))
    }
}

/// The architecture of this program.
///
/// # Errors
///
/// That there is no filter for it, in words.
pub(super) fn architecture() -> Result<TargetArch, String> {
    let name = std::env::consts::ARCH;
    TargetArch::try_from(name).map_err(|_| format!("system calls cannot be filtered on the architecture {name}"))
}

fn understood(configured: &LinuxSeccomp) -> Result<(), String> {
    if configured.default_action() != Action::ScmpActAllow {
        return Err(format!("linux.seccomp.defaultAction {} is not SCMP_ACT_ALLOW", configured.default_action()));
    }
    let others = [
        ("architectures", configured.architectures().is_some()),
        ("flags", configured.flags().is_some()),
        ("listenerPath", configured.listener_path().is_some()),
    ];
    match others.iter().find(|(_, is_there)| *is_there) {
        Some((name, _)) => Err(format!("linux.seccomp.{name} is not supported")),
        None => Ok(()),
    }
}

/// What makes a system call fail, by its name: always, or if all conditions of one of these arrays hold.
type Rules<'a> = BTreeMap<&'a str, Option<Vec<Value>>>;

/// The rules by the error that they give.
fn rules(syscalls: &[LinuxSyscall]) -> Result<BTreeMap<u32, Rules<'_>>, String> {
    let mut all: BTreeMap<u32, Rules<'_>> = BTreeMap::new();
    for syscall in syscalls {
        let (Action::ScmpActErrno, Some(errno)) = (syscall.action(), syscall.errno_ret()) else {
            let names = syscall.names().join(", ");
            return Err(format!("linux.seccomp has an action for {names} that is not SCMP_ACT_ERRNO with errnoRet"));
        };
        let conditions = conditions(syscall.args().as_deref().unwrap_or_default())?;
        for name in syscall.names() {
            if let Some(other) = all.iter().find(|(other, rules)| **other != errno && rules.contains_key(name.as_str()))
            {
                return Err(format!("linux.seccomp gives {name} the errors {} and {errno}", other.0));
            }
            let rule = all.entry(errno).or_default().entry(name).or_insert_with(|| Some(Vec::new()));
            match (rule.as_mut(), &conditions) {
                (Some(alternatives), Some(conditions)) => alternatives.push(conditions.clone()),
                // What always fails does so whatever else is said.
                _ => *rule = None,
            }
        }
    }
    Ok(all)
}

/// The conditions on the arguments of a system call, as seccompiler reads them; `None` without any.
fn conditions(arguments: &[LinuxSeccompArg]) -> Result<Option<Value>, String> {
    let mut seen = BTreeSet::new();
    let mut conditions = Vec::new();
    for argument in arguments {
        let index = argument.index();
        // Runtimes do not agree whether one of two such conditions is enough.
        if !seen.insert(index) {
            return Err(format!("linux.seccomp has two conditions on argument {index} of a system call"));
        }
        let (Operator::ScmpCmpMaskedEq, Some(datum)) = (argument.op(), argument.value_two()) else {
            return Err(format!(
                "linux.seccomp compares argument {index} otherwise than by SCMP_CMP_MASKED_EQ with valueTwo"
            ));
        };
        let operator = json!({"masked_eq": argument.value()});
        conditions.push(json!({"index": index, "type": "qword", "op": operator, "val": datum}));
    }
    Ok((!conditions.is_empty()).then_some(Value::Array(conditions)))
}

/// The program that gives one error.
fn compile(errno: u32, rules: &Rules<'_>, target: TargetArch) -> Result<BpfProgram, String> {
    let mut filter = Vec::new();
    for (name, alternatives) in rules {
        match alternatives {
            None => filter.push(json!({"syscall": name})),
            Some(alternatives) => {
                filter.extend(alternatives.iter().map(|conditions| json!({"syscall": name, "args": conditions})));
            }
        }
    }
    let document = json!({
        "filter": {"mismatch_action": "allow", "match_action": {"errno": errno}, "filter": filter},
    });
    let compiled = seccompiler::compile_from_json(document.to_string().as_bytes(), target);
    let mut programs = compiled.map_err(|error| format!("linux.seccomp cannot be applied: {error}"))?;
    programs.remove("filter").ok_or_else(|| "linux.seccomp cannot be applied".to_owned())
}

/// A program that ends the process at a system call of x32. These have the architecture of amd64 and numbers of their
/// own, so that no rule would meet them.
fn foreign_numbers(target: TargetArch) -> Option<BpfProgram> {
    /// Loads the number of the system call, which is the first word.
    const LOAD: u16 = 0x20;
    /// Goes on if it is at least this, or else skips an instruction.
    const AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    /// The bit that these numbers have.
    const X32: u32 = 0x4000_0000;
    const KILL_PROCESS: u32 = 0x8000_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let instruction = |code, skipped_if_not, k| sock_filter { code, jt: 0, jf: skipped_if_not, k };
    let program = vec![
        instruction(LOAD, 0, 0),
        instruction(AT_LEAST, 1, X32),
        instruction(RETURN, 0, KILL_PROCESS),
        instruction(RETURN, 0, ALLOW),
    ];
    (target == TargetArch::x86_64).then_some(program)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn filter(value: Value) -> Result<Filter, String> {
        Filter::of(&serde_json::from_value(value).unwrap())
    }

    fn refused(syscalls: Value) -> String {
        filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls})).unwrap_err()
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let error = filter(json!({"defaultAction": "SCMP_ACT_ERRNO"})).unwrap_err();
        assert_eq!(error, "linux.seccomp.defaultAction SCMP_ACT_ERRNO is not SCMP_ACT_ALLOW");
        let error = filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"]})).unwrap_err();
        assert_eq!(error, "linux.seccomp.architectures is not supported");
        let error = refused(json!([{"names": ["mount", "bpf"], "action": "SCMP_ACT_KILL"}]));
        assert_eq!(error, "linux.seccomp has an action for mount, bpf that is not SCMP_ACT_ERRNO with errnoRet");
        let error = refused(json!([{"names": ["nothing"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]));
        assert!(error.contains("nothing"), "{error}");
        let argument = json!({"index": 0, "op": "SCMP_CMP_EQ", "value": 1});
        let error =
            refused(json!([{"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [argument]}]));
        assert_eq!(error, "linux.seccomp compares argument 0 otherwise than by SCMP_CMP_MASKED_EQ with valueTwo");
        let error = refused(json!([
            {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2},
        ]));
        assert_eq!(error, "linux.seccomp gives mount the errors 1 and 2");
    }

    #[test]
    fn there_is_a_program_for_each_error() {
        let rule = |name, errno| json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": errno});
        let syscalls = json!([rule("mount", 1), rule("clone3", 38), rule("bpf", 1)]);
        let made = filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls})).unwrap();
        let foreign = usize::from(cfg!(target_arch = "x86_64"));
        assert_eq!(made.programs.len(), 2 + foreign);
    }
}
