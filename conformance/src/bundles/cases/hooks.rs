//! Hooks: which are called, in which order, and what becomes of the container if one fails.

use std::path::Path;

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{Call, LIFE, case, push};
use crate::bundles::evidence::Evidence;
use crate::bundles::make::NOTES;
use crate::bundles::oci;
use crate::bundles::rule::{Checked, otherwise};
use crate::suite::Entry;

/// The hooks that are called outside of the container, in the order of the lifecycle.
const OUTSIDE: [&str; 4] = ["prestart", "createRuntime", "createContainer", "poststart"];

/// All of them but for those in the container, which can write nothing that is seen outside.
const KINDS: [&str; 5] = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];

/// Adds a hook of a kind that has a shell do something in the directory of notes.
fn hook(config: &mut Value, folder: &Path, kind: &str, commands: &str) {
    if config.get("hooks").is_none() {
        config["hooks"] = json!({});
    }
    let notes = folder.join(NOTES);
    let script = format!("cd '{}' && {{ {commands}; }}", notes.display());
    push(config, &format!("/hooks/{kind}"), json!({"path": "/bin/sh", "args": ["sh", "-c", script]}));
}

/// Adds a hook that fails, once it has read what it is given: who writes that would be told of it otherwise.
fn fails(config: &mut Value, folder: &Path, kind: &str) {
    hook(config, folder, kind, "cat >/dev/null; exit 3");
}

/// What hooks have written into the file `order`, a word each.
fn order(evidence: &Evidence) -> Vec<&str> {
    evidence.notes.get("order").map_or_else(Vec::new, |text| text.split_whitespace().collect())
}

/// What the file of a hook has of the state.
fn state(evidence: &Evidence, kind: &str) -> Value {
    let text = evidence.notes.get(kind).map_or("", String::as_str);
    serde_json::from_str(text).unwrap_or_default()
}

/// Whether the file of each hook has a state with what a state needs.
fn have_states(evidence: &Evidence) -> Checked {
    for kind in OUTSIDE {
        let state = state(evidence, kind);
        for member in ["ociVersion", "id", "status", "bundle"] {
            if !state[member].is_string() {
                return otherwise(format!("the hook `{kind}` got no state with `{member}`"));
            }
        }
    }
    Ok(())
}

/// Two hooks of each kind that write which they are, and keep what they are given.
fn two_of_each(config: &mut Value, folder: &Path) {
    for kind in KINDS {
        hook(config, folder, kind, &format!("echo {kind}/1 >>order; cat >{kind}"));
        hook(config, folder, kind, &format!("echo {kind}/2 >>order; cat >/dev/null"));
    }
}

pub(super) fn hooks() -> Vec<Entry> {
    vec![
        case(
            "hooks/called",
            "two hooks of each kind: whether they are called at all",
            Case::new(two_of_each).has_to(&oci::HOOK_CALLED, |evidence| {
                let order = order(evidence);
                let all = KINDS.iter().flat_map(|kind| [1, 2].map(|number| format!("{kind}/{number}")));
                let missing: Vec<String> = all.filter(|hook| !order.contains(&hook.as_str())).collect();
                if missing.is_empty() { Ok(()) } else { otherwise(format!("these were not called: {missing:?}")) }
            }),
        ),
        case(
            "hooks/order",
            "two hooks of each kind: whether the first one is called before the second",
            Case::new(two_of_each).extra(|evidence| json!(order(evidence))).has_to(&oci::HOOK_ORDER, |evidence| {
                let order = order(evidence);
                if order.is_empty() {
                    return otherwise("no hook was called");
                }
                // What is not called at all is in no order.
                for kind in KINDS {
                    let place = |number| order.iter().position(|word| *word == format!("{kind}/{number}"));
                    if let (Some(first), Some(second)) = (place(1), place(2))
                        && first > second
                    {
                        return otherwise(format!("of the hooks `{kind}`, the second was called first"));
                    }
                }
                Ok(())
            }),
        ),
        case(
            "hooks/state",
            "what hooks get on standard input",
            Case::new(two_of_each)
                .extra(|evidence| {
                    OUTSIDE.iter().map(|kind| ((*kind).to_owned(), state(evidence, kind)["status"].clone())).collect()
                })
                .has_to(&oci::HOOK_STATE, have_states),
        ),
        case(
            "hooks/start-container",
            "a hook in the container, before the program: one of the tree, not of the host",
            Case::new(|config, _| {
                config["hooks"] = json!({});
                let hook = json!({"path": "/bin/act", "args": ["act", "create:/tmp/hook"]});
                push(config, "/hooks/startContainer", hook);
            }),
        ),
        case(
            "hooks/start-container-fails",
            "a hook in the container that fails",
            Case::new(|config, _| {
                config["hooks"] = json!({});
                push(config, "/hooks/startContainer", json!({"path": "/bin/act", "args": ["act", "exit:3"]}));
            })
            .is_error(&oci::HOOK_FAILS),
        ),
        case(
            "hooks/prestart-fails",
            "a hook `prestart` that fails",
            Case::new(|config, folder| fails(config, folder, "prestart")).is_error(&oci::HOOK_FAILS),
        ),
        case(
            "hooks/create-runtime-fails",
            "a hook `createRuntime` that fails",
            Case::new(|config, folder| fails(config, folder, "createRuntime")).is_error(&oci::HOOK_FAILS),
        ),
        case(
            "hooks/create-container-fails",
            "a hook `createContainer` that fails",
            Case::new(|config, folder| fails(config, folder, "createContainer")).is_error(&oci::HOOK_FAILS),
        ),
        case(
            "hooks/poststart-fails",
            "a hook `poststart` that fails: a warning up to release 1.2.1, an error in 1.3.0",
            Case::new(|config, folder| fails(config, folder, "poststart"))
                .steps(&["ready", "sleep:300", "exit:0"])
                .calls(&[Call::Create, Call::Start, Call::Wait, Call::State, Call::Delete]),
        ),
        case(
            "hooks/poststop-fails",
            "a hook `poststop` that fails, and another one after it",
            Case::new(|config, folder| {
                fails(config, folder, "poststop");
                hook(config, folder, "poststop", "echo second >order; cat >/dev/null");
            })
            .calls(LIFE)
            .has_to(&oci::POSTSTOP_FAILS, |evidence| {
                if order(evidence) == ["second"] { Ok(()) } else { otherwise("the hook after it was not called") }
            }),
        ),
        case(
            "hooks/relative-path",
            "a hook whose path is not absolute",
            Case::new(|config, folder| {
                hook(config, folder, "createRuntime", "cat >/dev/null");
                config["hooks"]["createRuntime"][0]["path"] = json!("bin/sh");
            })
            .is_error(&oci::VALUES),
        ),
        case(
            "hooks/timeout",
            "a hook that takes longer than it can",
            Case::new(|config, _| {
                // Nothing but the hook itself: what a shell leaves could hold the streams that a runtime waits for.
                config["hooks"] =
                    json!({"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "600"], "timeout": 1}]});
            }),
        ),
    ]
}
