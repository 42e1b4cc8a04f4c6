//! Making, starting, asking, killing and deleting, in and out of order.

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{Call, Caller, case, set, unset};
use crate::bundles::evidence::Evidence;
use crate::bundles::oci;
use crate::bundles::rule::{Checked, otherwise};
use crate::suite::Entry;

use Call::{Create, CreateHere, Delete, DeleteForced, Kill, Ready, Start, State, Wait};

/// An application that stays until it is killed.
const STAYS: &[&str] = &["ready", "wait"];

fn stays(calls: &'static [Call]) -> Case {
    Case::good().steps(STAYS).calls(calls)
}

/// The states that were told, in their order.
fn states(evidence: &Evidence) -> impl Iterator<Item = &Value> {
    evidence.calls.iter().filter_map(|called| called.document.as_ref())
}

/// The status of the state that was told at this place.
fn status(evidence: &Evidence, index: usize) -> Value {
    states(evidence).nth(index).map(|state| state["status"].clone()).unwrap_or_default()
}

fn has_status(evidence: &Evidence, index: usize, wanted: &str) -> Checked {
    let status = status(evidence, index);
    if status == wanted { Ok(()) } else { otherwise(format!("the status is {status}, expected {wanted}")) }
}

/// What has to be in a state, and what else is.
fn members(evidence: &Evidence) -> Value {
    evidence.state().as_object().map_or(Value::Null, |state| state.keys().cloned().collect())
}

fn is_whole(evidence: &Evidence) -> Checked {
    let state = evidence.state();
    for member in ["ociVersion", "id", "status", "bundle"] {
        if !state[member].is_string() {
            return otherwise(format!("the state has no `{member}`"));
        }
    }
    if !state["bundle"].as_str().is_some_and(|path| path.starts_with('/')) {
        return otherwise(format!("the bundle is {}", state["bundle"]));
    }
    let has_process = state["status"] == "created" || state["status"] == "running";
    if has_process && state["pid"].as_i64().is_none_or(|pid| pid <= 0) {
        return otherwise(format!("the status is {}, and the process {}", state["status"], state["pid"]));
    }
    Ok(())
}

/// The application has run, and nothing is left of the container.
fn ran_and_is_gone(evidence: &Evidence) -> Checked {
    evidence.ran()?;
    if evidence.left.is_nothing() { Ok(()) } else { otherwise(format!("this is left: {}", json!(evidence.left))) }
}

/// How often the application has begun.
fn beginnings(evidence: &Evidence) -> usize {
    evidence.output.matches("\"probe\":").count() + evidence.output.matches("{\"step\":\"ready\"").count()
}

fn began_once(evidence: &Evidence) -> Checked {
    match beginnings(evidence) {
        1 => Ok(()),
        times => otherwise(format!("the application began {times} times")),
    }
}

/// Runs into an error after much has been made: a file system of a kind that no kernel has.
fn fails_late(config: &mut Value, _: &std::path::Path) {
    let mount = json!({"destination": "/mnt", "type": "nothing", "source": "nothing"});
    crate::bundles::case::push(config, "/mounts", mount);
}

pub(super) fn lifecycle() -> Vec<Entry> {
    vec![
        case(
            "lifecycle/statuses",
            "the status of a container from its making to the end of its process",
            stays(&[Create, State, Start, Ready, State, Kill("KILL"), Wait, State, Delete]).has_to(
                &oci::STATUS,
                |evidence| {
                    has_status(evidence, 0, "created")?;
                    has_status(evidence, 1, "running")?;
                    has_status(evidence, 2, "stopped")
                },
            ),
        ),
        case(
            "lifecycle/created-does-not-run",
            "a container that is made, and not started",
            stays(&[Create, State]).has_to(&oci::LIFECYCLE_CREATE, |evidence| {
                if evidence.has_begun() {
                    return otherwise("the application ran");
                }
                has_status(evidence, 0, "created")
            }),
        ),
        case(
            "lifecycle/state-members",
            "what the state of a running container has",
            stays(&[Create, Start, Ready, State, Kill("KILL"), Wait, Delete])
                .extra(members)
                .has_to(&oci::STATE, is_whole),
        ),
        case(
            "lifecycle/state-bundle",
            "the bundle in the state, where it was made by a relative path",
            stays(&[CreateHere, State]).has_to(&oci::STATE, is_whole),
        ),
        case(
            "lifecycle/state-annotations",
            "annotations: whether the state has them",
            Case::new(|config, _| {
                set(config, "/annotations", json!({"com.example.key": "value", "com.example.empty": ""}))
            })
            .extra(|evidence| {
                let annotations = &evidence.state()["annotations"];
                json!([annotations["com.example.key"], annotations["com.example.empty"]])
            }),
        ),
        case(
            "lifecycle/state-missing",
            "asking for a container that there is not",
            Case::good().calls(&[State]).has_to(&oci::STATE_NONE, |evidence| {
                let state = evidence.state();
                if state["status"].is_null() { Ok(()) } else { otherwise(format!("its state is {state}")) }
            }),
        ),
        case(
            "lifecycle/create-twice",
            "two containers of the same id",
            stays(&[Create, State, Create, State]).has_to(&oci::CREATE_TWICE, |evidence| {
                let pids: Vec<&Value> = states(evidence).map(|state| &state["pid"]).collect();
                match &pids[..] {
                    [one, other] if one == other => has_status(evidence, 1, "created"),
                    [_, _] => otherwise("the container has another process"),
                    _ => otherwise("the first container is gone"),
                }
            }),
        ),
        case(
            "lifecycle/start-twice",
            "starting what is running",
            stays(&[Create, Start, Ready, Start, State, Kill("KILL"), Wait, Delete]).has_to(
                &oci::START_STATE,
                |evidence| {
                    has_status(evidence, 0, "running")?;
                    began_once(evidence)
                },
            ),
        ),
        case(
            "lifecycle/start-stopped",
            "starting what has ended",
            Case::good().calls(&[Create, Start, Wait, Start, State, Delete]).has_to(&oci::START_STATE, |evidence| {
                has_status(evidence, 0, "stopped")?;
                began_once(evidence)
            }),
        ),
        case(
            "lifecycle/kill-created",
            "killing what has not been started",
            stays(&[Create, Kill("KILL"), Wait, State])
                .has_to(&oci::KILL, |evidence| has_status(evidence, 0, "stopped")),
        ),
        case(
            "lifecycle/kill-running",
            "a signal that the application handles, by its name",
            Case::good()
                .steps(&["trap:SIGUSR1:7", "ready", "wait"])
                .calls(&[Create, Start, Ready, Kill("SIGUSR1"), Wait, State, Delete])
                .has_to(&oci::KILL, |evidence| {
                    if evidence.output.contains("{\"caught\":\"SIGUSR1\"}") {
                        Ok(())
                    } else {
                        otherwise("the application did not get it")
                    }
                }),
        ),
        case(
            "lifecycle/kill-number",
            "a signal by its number",
            Case::good().steps(&["trap:SIGUSR1:7", "ready", "wait"]).calls(&[
                Create,
                Start,
                Ready,
                Kill("10"),
                Wait,
                State,
                Delete,
            ]),
        ),
        case(
            "lifecycle/kill-stopped",
            "killing what has ended",
            Case::good()
                .calls(&[Create, Start, Wait, Kill("KILL"), State, Delete])
                .has_to(&oci::KILL_STATE, |evidence| has_status(evidence, 0, "stopped")),
        ),
        case(
            "lifecycle/kill-real-time",
            "a real-time signal by its name, which ends who does not handle it but for the first process of a namespace",
            Case::good().steps(&["trap:SIGRTMIN+3:7", "ready", "wait"]).calls(&[
                Create,
                Start,
                Ready,
                Kill("SIGRTMIN+3"),
                Wait,
                State,
            ]),
        ),
        case(
            "lifecycle/kill-unknown",
            "a signal that no system has",
            stays(&[Create, Start, Ready, Kill("SIGNOTHING"), State]),
        ),
        case(
            "lifecycle/delete-created",
            "deleting what has not been started",
            stays(&[Create, Delete, State]).has_to(&oci::DELETE_STATE, |evidence| has_status(evidence, 0, "created")),
        ),
        case(
            "lifecycle/delete-running",
            "deleting what is running",
            stays(&[Create, Start, Ready, Delete, State])
                .has_to(&oci::DELETE_STATE, |evidence| has_status(evidence, 0, "running")),
        ),
        case(
            "lifecycle/delete-running-forced",
            "deleting what is running, with --force",
            stays(&[Create, Start, Ready, DeleteForced, State]).and_left(),
        ),
        case("lifecycle/delete-missing", "deleting a container that there is not", Case::good().calls(&[Delete])),
        case(
            "lifecycle/delete-missing-forced",
            "deleting a container that there is not, with --force",
            Case::good().calls(&[DeleteForced]),
        ),
        case(
            "lifecycle/deleted",
            "what is left of a container that is deleted",
            Case::good().and_left().has_to(&oci::DELETE, ran_and_is_gone),
        ),
        case(
            "lifecycle/deleted-with-orphans",
            "what is left of a container whose application has left a process, with a PID namespace",
            Case::good().and_left().steps(&["ready", "orphan"]).has_to(&oci::DELETE, |evidence| {
                if evidence.step("orphan").is_null() {
                    return otherwise("the application left no process");
                }
                ran_and_is_gone(evidence)
            }),
        ),
        case(
            "lifecycle/failed-early",
            "an error that can be known before anything is made: no root tree",
            Case::new(|config, _| set(config, "/root/path", json!("missing")))
                .and_left()
                .is_error(&oci::ERROR)
                .without_group(),
        ),
        case(
            "lifecycle/failed-late",
            "an error after much has been made: a file system of a kind that no kernel has",
            Case::new(fails_late).is_error(&oci::ERROR),
        ),
        case(
            "lifecycle/failed-late-run",
            "the same by `run`",
            Case::new(fails_late).calls(&[Call::Run]).is_error(&oci::ERROR),
        ),
        case(
            "lifecycle/no-process",
            "a bundle without `process`",
            Case::new(|config, _| unset(config, "/process")).is_error(&oci::NO_PROCESS),
        ),
        case("id/dots", "the id `..`", Case::good().id("..")),
        case("id/dot", "the id `.`", Case::good().id(".")),
        case("id/empty", "an empty id", Case::good().id("")),
        case("id/slash", "an id with a slash", Case::good().id("a/b")),
        case("id/outside", "an id that is a path out of the directory of the runtime", Case::good().id("../beside-it")),
        case("id/blank", "an id with a blank", Case::good().id("a b")),
        case("id/not-ascii", "an id with a letter that is not ASCII", Case::good().id("\u{e4}")),
        case("id/colon", "an id with a colon", Case::good().id("a:b")),
        case(
            "id/dots-deleted",
            "deleting the id `..` with --force: what is beside the directory of the runtime stays",
            Case::good().id("..").calls(&[DeleteForced]).extra(|evidence| json!({"neighbour": evidence.has_neighbour})),
        ),
        case(
            "lifecycle/annotation-without-value",
            "an annotation whose value is null",
            Case::new(|config, _| set(config, "/annotations", json!({"com.example.key": null})))
                .and_left()
                .and_left()
                .caller(Caller::Plain),
        ),
    ]
}
