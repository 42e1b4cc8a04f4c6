//! Variables, arguments, and the program.

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{case, push, set, unset};
use crate::bundles::evidence::Evidence;
use crate::bundles::oci;
use crate::bundles::rule::{Checked, otherwise};
use crate::suite::Entry;

/// As many variables as no order at random has by chance.
const MANY: [&str; 14] =
    ["M=1", "C=2", "Z=3", "A=4", "T=5", "E=6", "Q=7", "B=8", "Y=9", "D=10", "X=11", "F=12", "PATH=/bin", "HOME=/"];

/// The variables as they came.
fn variables(evidence: &Evidence) -> Vec<String> {
    let all = evidence.at("/environment");
    all.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// In which order the variables came.
fn order(evidence: &Evidence) -> Value {
    let came = variables(evidence);
    let given: Vec<&str> = came.iter().map(String::as_str).filter(|one| MANY.contains(one)).collect();
    let mut sorted = given.clone();
    sorted.sort_unstable();
    let order = if given == MANY {
        "as given"
    } else if given == sorted {
        "sorted"
    } else if sorted.len() == MANY.len() {
        "another"
    } else {
        "some are missing"
    };
    json!({"order": order, "variables": came.len()})
}

/// The variables whose order is not to be recorded.
fn sorted(evidence: &Evidence) -> Value {
    let mut all = variables(evidence);
    all.sort_unstable();
    all.into()
}

/// Those of the name `A`, in their order.
fn of_a(evidence: &Evidence) -> Value {
    variables(evidence).into_iter().filter(|one| one.starts_with("A=")).collect()
}

/// Whether exactly these variables are there, in any order.
fn has(evidence: &Evidence, wanted: &[&str]) -> Checked {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    let came = sorted(evidence);
    if came == json!(wanted) {
        Ok(())
    } else {
        otherwise(format!("the variables are {came}, expected {}", json!(wanted)))
    }
}

pub(super) fn environment() -> Vec<Entry> {
    vec![
        case(
            "env/given",
            "variables with all sorts of values",
            Case::new(|config, _| {
                set(config, "/process/env", json!(["PATH=/bin", "HOME=/", "A==b=c", "B= ", "C=", "D=\u{e4}\n"]))
            })
            .extra(sorted)
            .unless_error(&oci::PROCESS, |evidence| {
                has(evidence, &["PATH=/bin", "HOME=/", "A==b=c", "B= ", "C=", "D=\u{e4}\n"])
            }),
        ),
        case(
            "env/order",
            "many variables: the order in which they come",
            Case::new(|config, _| set(config, "/process/env", json!(MANY))).extra(order),
        ),
        case(
            "env/duplicate",
            "a name twice: the first value, the last one, or both",
            Case::new(|config, _| set(config, "/process/env", json!(["A=first", "PATH=/bin", "HOME=/", "A=last"])))
                .extra(of_a),
        ),
        case(
            "env/no-equals-sign",
            "an entry that is no variable",
            Case::new(|config, _| push(config, "/process/env", json!("word"))).extra(sorted),
        ),
        case(
            "env/no-name",
            "a variable without a name",
            Case::new(|config, _| push(config, "/process/env", json!("=value"))).extra(sorted),
        ),
        case(
            "env/no-home",
            "no HOME: some runtimes give one",
            Case::new(|config, _| set(config, "/process/env", json!(["PATH=/bin"]))).extra(sorted),
        ),
        case(
            "env/empty-home",
            "a HOME that is empty",
            Case::new(|config, _| set(config, "/process/env", json!(["PATH=/bin", "HOME="]))).extra(sorted),
        ),
        case("env/absent", "no `env` at all", Case::new(|config, _| unset(config, "/process/env")).extra(sorted)),
        case(
            "args/given",
            "arguments with blanks, quotes and none",
            Case::new(|config, _| set(config, "/process/args", json!(["/bin/probe", "", " a  b ", "\"$HOME\"", "--"])))
                .seen(&["/arguments"])
                .unless_error(&oci::PROCESS, |evidence| {
                    evidence.is("/arguments", &json!(["/bin/probe", "", " a  b ", "\"$HOME\"", "--"]))
                }),
        ),
        case(
            "args/none",
            "an empty list",
            Case::new(|config, _| set(config, "/process/args", json!([]))).is_error(&oci::ARGS),
        ),
        case("args/absent", "no list", Case::new(|config, _| unset(config, "/process/args"))),
        case(
            "args/empty-word",
            "a program whose name is empty",
            Case::new(|config, _| set(config, "/process/args", json!([""]))),
        ),
        case(
            "args/looked-up",
            "a name without `/`, of a program in a directory of PATH",
            Case::new(|config, _| set(config, "/process/args", json!(["probe"]))).seen(&["/arguments"]),
        ),
        case(
            "args/looked-up-nowhere",
            "a name without `/`, of a program in no directory of PATH",
            Case::new(|config, _| {
                set(config, "/process/args", json!(["probe"]));
                set(config, "/process/env", json!(["PATH=/etc", "HOME=/"]));
            }),
        ),
        case(
            "args/looked-up-without-path",
            "a name without `/`, where there is no PATH",
            Case::new(|config, _| {
                set(config, "/process/args", json!(["probe"]));
                set(config, "/process/env", json!(["HOME=/"]));
            })
            .seen(&["/arguments"]),
        ),
        case(
            "args/looked-up-here",
            "a name without `/`, of a program in the working directory, where PATH has an empty entry",
            Case::new(|config, _| {
                set(config, "/process/args", json!(["probe"]));
                set(config, "/process/cwd", json!("/bin"));
                set(config, "/process/env", json!(["PATH=:/etc", "HOME=/"]));
            })
            .seen(&["/arguments"]),
        ),
        case(
            "args/relative",
            "a path that is relative to the working directory",
            Case::new(|config, _| {
                set(config, "/process/args", json!(["./probe"]));
                set(config, "/process/cwd", json!("/bin"));
            })
            .seen(&["/arguments"]),
        ),
        case(
            "args/missing",
            "a program that is not there",
            Case::new(|config, _| set(config, "/process/args", json!(["/missing"]))),
        ),
        case(
            "args/directory",
            "a program that is a directory",
            Case::new(|config, _| set(config, "/process/args", json!(["/work"]))),
        ),
        case(
            "args/file",
            "a program that is not executable",
            Case::new(|config, _| set(config, "/process/args", json!(["/etc/file"]))),
        ),
        case(
            "args/closed",
            "a program that the user cannot reach, but root can",
            Case::new(|config, _| {
                set(config, "/process/args", json!(["/closed/probe"]));
                set(config, "/process/user", json!({"uid": 1000, "gid": 1000}));
            })
            .tree(|root| std::fs::hard_link(root.join("bin/probe"), root.join("closed/probe"))),
        ),
    ]
}
