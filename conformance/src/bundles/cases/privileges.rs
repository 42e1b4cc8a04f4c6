//! Users, groups, capabilities, filters of system calls.

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{Change, case, set, unset};
use crate::bundles::oci;
use crate::suite::Entry;

/// A case that records the ids.
fn ids(change: Change) -> Case {
    Case::new(change).seen(&["/uid", "/gid", "/groups"])
}

/// A case that records the capabilities.
fn capabilities(change: Change) -> Case {
    Case::new(change).seen(&["/capabilities"])
}

/// A filter that lets everything pass but one call, which nothing here makes.
fn filter() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}],
    })
}

pub(super) fn privileges() -> Vec<Entry> {
    vec![
        case(
            "user/given",
            "a user, a group and two more",
            ids(|config, _| set(config, "/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 6]})))
                .unless_error(&oci::PROCESS, |evidence| {
                    evidence.is("/uid", &json!(1000))?;
                    evidence.is("/gid", &json!(1001))?;
                    evidence.has("/groups", &json!(5))?;
                    evidence.has("/groups", &json!(6))
                }),
        ),
        case(
            "user/no-groups",
            "a group without others: some runtimes add it to them, others leave those of the caller",
            ids(|config, _| set(config, "/process/user", json!({"uid": 1000, "gid": 1001}))),
        ),
        case(
            "user/group-in-groups",
            "the group of the user among the others as well",
            ids(|config, _| {
                set(config, "/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 1001]}))
            }),
        ),
        case(
            "user/group-not-in-groups",
            "the group of the user, and others: is it one of them?",
            ids(|config, _| set(config, "/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5]}))),
        ),
        case(
            "user/high",
            "the id 2147483648, which is no C integer: the user, or an error, but no other user",
            ids(|config, _| set(config, "/process/user", json!({"uid": 2_147_483_648_u32, "gid": 0})))
                .unless_error(&oci::VALUES, |evidence| evidence.is("/uid", &json!(2_147_483_648_u32))),
        ),
        case(
            "user/highest",
            "the id 4294967294, the greatest that the kernel has",
            ids(|config, _| set(config, "/process/user", json!({"uid": 4_294_967_294_u32, "gid": 4_294_967_294_u32})))
                .unless_error(&oci::VALUES, |evidence| evidence.is("/uid", &json!(4_294_967_294_u32))),
        ),
        case(
            "user/minus-one",
            "the id 4294967295, which says to the kernel that nothing is to be changed: no program can run with it",
            ids(|config, _| set(config, "/process/user", json!({"uid": 4_294_967_295_u32, "gid": 0})))
                .is_error(&oci::PROCESS),
        ),
        case(
            "user/too-high",
            "the id 4294968296, which is 1000 where only 32 bits are looked at",
            ids(|config, _| set(config, "/process/user", json!({"uid": 4_294_968_296_u64, "gid": 0})))
                .is_error(&oci::VALUES),
        ),
        case(
            "user/negative",
            "the id -1",
            ids(|config, _| set(config, "/process/user", json!({"uid": -1, "gid": 0}))).is_error(&oci::VALUES),
        ),
        case("user/absent", "no `user`", ids(|config, _| unset(config, "/process/user"))),
        case(
            "capabilities/given",
            "three capabilities in the bounding, permitted and effective sets of root; of the other two sets nothing is said",
            capabilities(|_, _| {}).unless_error(&oci::PROCESS, |evidence| {
                let given = json!(crate::bundles::make::CAPABILITIES);
                let sets = ["bounding", "permitted", "effective"];
                sets.iter().try_for_each(|set| evidence.is(&format!("/capabilities/{set}"), &given))
            }),
        ),
        case(
            "capabilities/of-a-user",
            "a user with a capability in all sets",
            capabilities(|config, _| {
                let one = json!(["CAP_NET_BIND_SERVICE"]);
                set(config, "/process/user", json!({"uid": 1000, "gid": 1000}));
                set(
                    config,
                    "/process/capabilities",
                    json!({"bounding": one, "permitted": one, "effective": one, "inheritable": one, "ambient": one}),
                );
            })
            .unless_error(&oci::PROCESS, |evidence| {
                for set in ["bounding", "permitted", "effective", "inheritable", "ambient"] {
                    evidence.is(&format!("/capabilities/{set}"), &json!(["CAP_NET_BIND_SERVICE"]))?;
                }
                Ok(())
            }),
        ),
        case(
            "capabilities/unknown",
            "a capability that no kernel has: an error in release 1.0.2, a warning since 1.1.0",
            capabilities(|config, _| {
                for set in ["bounding", "permitted", "effective"] {
                    crate::bundles::case::push(config, &format!("/process/capabilities/{set}"), json!("CAP_NOTHING"));
                }
            }),
        ),
        case(
            "capabilities/ambient-not-inheritable",
            "an ambient capability that is not inheritable, which the kernel does not take",
            capabilities(|config, _| set(config, "/process/capabilities/ambient", json!(["CAP_CHOWN"]))),
        ),
        case(
            "capabilities/effective-not-permitted",
            "an effective capability that is not permitted, which the kernel does not take",
            capabilities(|config, _| set(config, "/process/capabilities/permitted", json!(["CAP_CHOWN"]))),
        ),
        case(
            "capabilities/permitted-not-bounding",
            "permitted capabilities that are not in the bounding set",
            capabilities(|config, _| set(config, "/process/capabilities/bounding", json!(["CAP_CHOWN"]))),
        ),
        case(
            "capabilities/absent",
            "no `capabilities`: none, or those of the caller",
            capabilities(|config, _| unset(config, "/process/capabilities")),
        ),
        case(
            "capabilities/lower-case",
            "a name in lower case",
            capabilities(|config, _| {
                for set in ["bounding", "permitted", "effective"] {
                    crate::bundles::case::set(config, &format!("/process/capabilities/{set}"), json!(["cap_chown"]));
                }
            }),
        ),
        case(
            "privileges/none-new",
            "`noNewPrivileges` true",
            Case::good()
                .seen(&["/noNewPrivileges"])
                .unless_error(&oci::PROCESS, |evidence| evidence.is("/noNewPrivileges", &json!(true))),
        ),
        case(
            "privileges/new",
            "`noNewPrivileges` false",
            Case::new(|config, _| set(config, "/process/noNewPrivileges", json!(false)))
                .seen(&["/noNewPrivileges"])
                .unless_error(&oci::PROCESS, |evidence| evidence.is("/noNewPrivileges", &json!(false))),
        ),
        case(
            "seccomp/given",
            "a filter of system calls, where no new privileges can be had",
            Case::new(|config, _| set(config, "/linux/seccomp", filter()))
                .seen(&["/seccomp", "/noNewPrivileges"])
                .unless_error(&oci::APPLIED, |evidence| evidence.is("/seccomp", &json!(2))),
        ),
        case(
            "seccomp/new-privileges",
            "a filter, and `noNewPrivileges` false",
            Case::new(|config, _| {
                set(config, "/linux/seccomp", filter());
                set(config, "/process/noNewPrivileges", json!(false));
            })
            .seen(&["/seccomp", "/noNewPrivileges"])
            .unless_error(&oci::APPLIED, |evidence| evidence.is("/seccomp", &json!(2))),
        ),
        case(
            "seccomp/privileges-absent",
            "a filter, and no `noNewPrivileges`, which means the same as false",
            Case::new(|config, _| {
                set(config, "/linux/seccomp", filter());
                unset(config, "/process/noNewPrivileges");
            })
            .seen(&["/seccomp", "/noNewPrivileges"])
            .unless_error(&oci::APPLIED, |evidence| evidence.is("/seccomp", &json!(2))),
        ),
        case(
            "seccomp/unknown-call",
            "a filter with a system call that no kernel has",
            Case::new(|config, _| {
                set(config, "/linux/seccomp", filter());
                set(config, "/linux/seccomp/syscalls/0/names", json!(["acct", "nothing_of_the_sort"]));
            })
            .seen(&["/seccomp"]),
        ),
        case(
            "seccomp/same-as-default",
            "a filter with a rule that does what is the default",
            Case::new(|config, _| {
                set(config, "/linux/seccomp", filter());
                set(config, "/linux/seccomp/syscalls/0/action", json!("SCMP_ACT_ALLOW"));
            })
            .seen(&["/seccomp"]),
        ),
    ]
}
