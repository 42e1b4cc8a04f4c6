//! Namespaces, names of the host, the network, kernel parameters, paths that are hidden.

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{case, push, set};
use crate::bundles::evidence::Evidence;
use crate::bundles::oci;
use crate::bundles::rule::{Checked, Unmet, otherwise};
use crate::suite::Entry;

/// Leaves out the namespace of a kind.
fn without(config: &mut Value, kind: &str) {
    if let Some(all) = config.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut) {
        all.retain(|namespace| namespace["type"] != kind);
    }
}

/// Whether a namespace is the caller's.
fn is_of_the_caller(evidence: &Evidence, kind: &str) -> Option<bool> {
    let (own, callers) = (evidence.at(&format!("/namespaces/{kind}")), &evidence.caller["namespaces"][kind]);
    (own.is_string() && callers.is_string()).then(|| own == *callers)
}

/// Which namespaces are the caller's.
fn shared(evidence: &Evidence) -> Value {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    kinds.iter().map(|kind| ((*kind).to_owned(), json!(is_of_the_caller(evidence, kind)))).collect()
}

pub(super) fn isolation() -> Vec<Entry> {
    vec![
        case(
            "namespaces/new",
            "namespaces of five kinds, without a path",
            Case::good().extra(shared).unless_error(&oci::NAMESPACE_NEW, |evidence| {
                evidence.ran()?;
                let kinds = ["ipc", "mnt", "net", "pid", "uts"];
                let of_the_caller = kinds.map(|kind| (kind, is_of_the_caller(evidence, kind)));
                if let Some((kind, _)) = of_the_caller.iter().find(|(_, is)| *is == Some(true)) {
                    return otherwise(format!("the namespace `{kind}` is the runtime's"));
                }
                let untold = of_the_caller.iter().find(|(_, is)| is.is_none());
                untold.map_or(Ok(()), |(kind, _)| untold_namespace(kind))
            }),
        ),
        case(
            "namespaces/no-network",
            "no network namespace in the list",
            Case::new(|config, _| without(config, "network"))
                .extra(shared)
                .unless_error(&oci::NAMESPACE_NONE, |evidence| is_shared(evidence, "net")),
        ),
        case(
            "namespaces/no-ipc",
            "no IPC namespace in the list",
            Case::new(|config, _| without(config, "ipc"))
                .extra(shared)
                .unless_error(&oci::NAMESPACE_NONE, |evidence| is_shared(evidence, "ipc")),
        ),
        case(
            "namespaces/no-uts",
            "no UTS namespace in the list, but a hostname",
            Case::new(|config, _| without(config, "uts")).extra(shared).seen(&["/hostname"]),
        ),
        case(
            "namespaces/twice",
            "two UTS namespaces",
            Case::new(|config, _| push(config, "/linux/namespaces", json!({"type": "uts"})))
                .is_error(&oci::NAMESPACE_TWICE),
        ),
        case(
            "namespaces/other-type",
            "a network namespace whose path is that of another kind",
            Case::new(|config, _| {
                without(config, "network");
                push(config, "/linux/namespaces", json!({"type": "network", "path": "/proc/1/ns/uts"}));
            })
            .is_error(&oci::NAMESPACE_TYPE),
        ),
        case(
            "namespaces/missing-path",
            "a network namespace whose path is not there",
            Case::new(|config, _| {
                without(config, "network");
                push(config, "/linux/namespaces", json!({"type": "network", "path": "/missing"}));
            })
            .is_error(&oci::APPLIED),
        ),
        case(
            "namespaces/unknown",
            "a namespace of a kind that no kernel has",
            Case::new(|config, _| push(config, "/linux/namespaces", json!({"type": "nothing"}))).is_error(&oci::VALUES),
        ),
        case(
            "network/loopback",
            "a new network namespace: whether the loopback interface is up",
            Case::good().seen(&["/interfaces"]),
        ),
        case(
            "host/hostname",
            "a hostname",
            Case::new(|config, _| set(config, "/hostname", json!("Case.example")))
                .seen(&["/hostname"])
                .unless_error(&oci::APPLIED, |evidence| evidence.is("/hostname", &json!("Case.example"))),
        ),
        case(
            "host/hostname-too-long",
            "a hostname of 65 characters, of which the kernel takes 64",
            Case::new(|config, _| set(config, "/hostname", json!("x".repeat(65)))).is_error(&oci::APPLIED),
        ),
        case(
            "host/domainname",
            "a name of the domain, which release 1.1.0 has added",
            Case::new(|config, _| {
                set(config, "/ociVersion", json!("1.1.0"));
                set(config, "/domainname", json!("example.com"));
            })
            .seen(&["/domainname"]),
        ),
        case(
            "sysctl/given",
            "a parameter of the network namespace, with a value that no host has by default",
            Case::new(|config, _| set(config, "/linux/sysctl", json!({"net.ipv4.ip_default_ttl": "77"})))
                .steps(&["ready", "read:/proc/sys/net/ipv4/ip_default_ttl"])
                .unless_error(&oci::APPLIED, |evidence| {
                    let read = evidence.step("read:/proc/sys/net/ipv4/ip_default_ttl");
                    if read["text"] == "77\n" { Ok(()) } else { otherwise(format!("the parameter is {read}")) }
                }),
        ),
        case(
            "sysctl/missing",
            "a parameter that no kernel has",
            Case::new(|config, _| set(config, "/linux/sysctl", json!({"net.nothing_of_the_sort": "1"})))
                .is_error(&oci::APPLIED),
        ),
        case(
            "sysctl/of-the-host",
            "a parameter of the whole host, with the value that it has",
            Case::new(|config, _| {
                let value = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
                set(config, "/linux/sysctl", json!({"kernel.pid_max": value.trim()}));
            }),
        ),
        case(
            "sysctl/of-no-own-namespace",
            "a parameter of the IPC namespace, where the container has none of its own",
            Case::new(|config, _| {
                without(config, "ipc");
                let value = std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap_or_default();
                set(config, "/linux/sysctl", json!({"kernel.msgmax": value.trim()}));
            }),
        ),
        case(
            "paths/masked",
            "a file and a directory of the tree that are masked",
            Case::new(|config, _| set(config, "/linux/maskedPaths", json!(["/etc/file", "/work"])))
                .steps(&["ready", "read:/etc/file", "list:/work"])
                .unless_error(&oci::APPLIED, |evidence| {
                    evidence.ran()?;
                    let (read, list) = (evidence.step("read:/etc/file"), evidence.step("list:/work"));
                    if read.is_null() || list.is_null() {
                        return otherwise("the application did not look");
                    }
                    if read["text"].as_str().is_some_and(|text| !text.is_empty()) {
                        return otherwise(format!("/etc/file can be read: {read}"));
                    }
                    if list.as_array().is_some_and(|names| !names.is_empty()) {
                        return otherwise(format!("/work can be read: {list}"));
                    }
                    Ok(())
                }),
        ),
        case(
            "paths/masked-missing",
            "a masked path that is not there: nothing to hide",
            Case::new(|config, _| set(config, "/linux/maskedPaths", json!(["/missing/below"]))),
        ),
        case(
            "paths/masked-relative",
            "a masked path that is not absolute",
            Case::new(|config, _| set(config, "/linux/maskedPaths", json!(["etc/file"]))).is_error(&oci::VALUES),
        ),
        case(
            "paths/read-only",
            "a directory of the tree that is read-only, in a root that is not",
            Case::new(|config, _| set(config, "/linux/readonlyPaths", json!(["/work"])))
                .steps(&["ready", "create:/work/new", "create:/tmp/new"])
                .unless_error(&oci::APPLIED, |evidence| {
                    let made = evidence.step("create:/work/new");
                    if made == "EROFS" { Ok(()) } else { otherwise(format!("making a file came to {made}, not EROFS")) }
                }),
        ),
        case(
            "paths/read-only-missing",
            "a read-only path that is not there",
            Case::new(|config, _| set(config, "/linux/readonlyPaths", json!(["/missing/below"]))),
        ),
    ]
}

fn untold_namespace(kind: &str) -> Checked {
    Err(Unmet::Untold(format!("in which namespace `{kind}` it is")))
}

fn is_shared(evidence: &Evidence, kind: &str) -> Checked {
    evidence.ran()?;
    match is_of_the_caller(evidence, kind) {
        Some(true) => Ok(()),
        Some(false) => otherwise(format!("the namespace `{kind}` is another one")),
        None => untold_namespace(kind),
    }
}
