//! Running under a policy (RUN-011, RUN-126, RUN-127).

use serde_json::{Value, json};

use crate::fixtures::trust::world;
use crate::run::evidence::Evidence;
use crate::run::image::{ACT, Form, LOOK, SIGNER};
use crate::run::scenario::{Judged, Scenario, case};
use crate::suite::Entry;

/// The reference of the image of the cases.
const REFERENCE: &str = "example.com/conformance/probe:1.0.0";

/// The same by the image id.
const BY_DIGEST: &str = "example.com/conformance/probe@{image}";

/// A policy with one rule for the names of the cases, which has these members besides.
fn rule(members: &Value) -> Value {
    let mut rule = members.clone();
    if let Some(rule) = rule.as_object_mut() {
        rule.insert("prefix".to_owned(), "example.com".into());
    }
    json!({"rules": [{"mode": "deny", "prefix": ""}, rule]})
}

fn unsigned() -> Value {
    rule(&json!({"mode": "unsigned"}))
}

/// The key has to have signed; an image is meant by its digest, or the catalog says which one is.
fn signed() -> Value {
    rule(&json!({"keys": [world::public(SIGNER)], "mode": "require", "threshold": 1}))
}

fn seen(evidence: &Evidence) -> Judged {
    evidence.member("/probe")
}

/// RUN-011, RUN-126, RUN-127
pub(super) fn policy() -> Vec<Entry> {
    let exec = |scenario: Scenario| scenario.options(|_| json!({"exec": [ACT, "exit:7"]}));
    let leave = || rule(&json!({"exec": true, "mode": "unsigned"}));
    let replaced =
        |exec: Value| Scenario::refused("RUN-010").options(move |_| json!({"exec": exec})).under(leave(), REFERENCE);
    let level = |level: &str| rule(&json!({"isolation": level, "mode": "unsigned"}));
    vec![
        case(
            "RUN-011/exec-with-leave",
            "the program is replaced, and the policy allows it",
            exec(Scenario::new(|_| Ok(Value::Null)).exits(7)).under(leave(), REFERENCE),
        ),
        case(
            "RUN-010/exec",
            "the program that stands in the place of that of the image is no path",
            replaced(json!(["act"])),
        ),
        case(
            "RUN-010/exec-with-parent",
            "nor is it one with a component that leads back",
            replaced(json!(["/usr/lib/../lib/cornercast/act"])),
        ),
        case("RUN-010/exec-empty", "nothing stands in the place of that of the image", replaced(json!([]))),
        case(
            "RUN-010/exec-with-any-argument",
            "only the program has to be a path, and the elements after it can be anything",
            Scenario::new(|evidence| evidence.is("/arguments", &json!([LOOK, "../a/", ""])))
                .options(|_| json!({"exec": [LOOK, "../a/", ""]}))
                .under(leave(), REFERENCE),
        ),
        case(
            "RUN-011/exec-without-leave",
            "the program is replaced, and the policy does not say that this is allowed",
            exec(Scenario::refused("RUN-011")).under(unsigned(), REFERENCE),
        ),
        case(
            "RUN-011/exec-denied",
            "the program is replaced, and the policy says that this is not allowed",
            exec(Scenario::refused("RUN-011")).under(rule(&json!({"exec": false, "mode": "unsigned"})), REFERENCE),
        ),
        case(
            "RUN-126/unsigned",
            "the policy accepts the name without signatures",
            Scenario::new(seen).under(unsigned(), REFERENCE),
        ),
        case(
            "RUN-126/denied",
            "the policy accepts nothing of the name",
            Scenario::refused("POL-021").under(rule(&json!({"mode": "deny"})), REFERENCE),
        ),
        case(
            "RUN-126/another-name",
            "the image is meant by a name that is not its own",
            Scenario::refused("POL-026").under(unsigned(), "example.com/conformance/other:1.0.0"),
        ),
        case(
            "RUN-126/signed",
            "the key that the policy names has signed the image that is meant",
            Scenario::new(seen).image(|image| image.is_signed = true).under(signed(), BY_DIGEST),
        ),
        case(
            "RUN-126/signed-store",
            "so it has an image of a store",
            Scenario::new(seen)
                .image(|image| (image.is_signed, image.form) = (true, Form::Store))
                .under(signed(), BY_DIGEST),
        ),
        case(
            "RUN-126/signed-compressed",
            "so it has an image of an archive that is compressed",
            Scenario::new(seen)
                .image(|image| (image.is_signed, image.form) = (true, Form::Compressed))
                .under(signed(), BY_DIGEST),
        ),
        case(
            "RUN-126/not-signed-compressed",
            "nobody has signed the image of an archive that is compressed",
            Scenario::refused("REL-037").image(|image| image.form = Form::Compressed).under(signed(), BY_DIGEST),
        ),
        case(
            "RUN-126/not-signed",
            "nobody has signed the image",
            Scenario::refused("REL-037").under(signed(), BY_DIGEST),
        ),
        case(
            "RUN-126/signed-by-another-key",
            "a key has signed that the policy does not name",
            Scenario::refused("SIG-019").image(|image| image.is_signed = true).under(
                rule(&json!({"keys": [world::public(SIGNER + 1)], "mode": "require", "threshold": 1})),
                BY_DIGEST,
            ),
        ),
        case(
            "RUN-126/no-catalog",
            "a release is signed, and there is no catalog that says which image the version is",
            Scenario::refused("POL-026").image(|image| image.is_signed = true).under(signed(), REFERENCE),
        ),
        case(
            "RUN-126/pinned",
            "the policy allows no image but another one",
            Scenario::refused("POL-025")
                .under(rule(&json!({"mode": "unsigned", "pin": [format!("sha256:{}", "0".repeat(64))]})), REFERENCE),
        ),
        case(
            "RUN-127/separated",
            "the policy wants the level that the image has",
            Scenario::new(seen).under(level("separated"), REFERENCE),
        ),
        case(
            "RUN-127/open",
            "the policy wants a lower level than the image has",
            Scenario::new(seen).under(level("open"), REFERENCE),
        ),
        case(
            "RUN-127/hardened",
            "the policy wants a higher level than the image has",
            Scenario::refused("RUN-127").under(level("hardened"), REFERENCE),
        ),
    ]
}
