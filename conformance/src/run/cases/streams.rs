//! Descriptors and what passes through them (RUN-024 to RUN-028).

use cornercast::digest::Digest;
use serde_json::{Value, json};

use crate::run::evidence::{Evidence, ensure, same};
use crate::run::scenario::{Judged, Scenario, case};
use crate::suite::Entry;

pub(super) fn streams() -> Vec<Entry> {
    let pipes = |evidence: &Evidence| {
        for fd in [1, 2] {
            evidence.is(&format!("/descriptors/{fd}/kind"), &json!("pipe"))?;
        }
        let targets = (evidence.member("/descriptors/1/target")?, evidence.member("/descriptors/2/target")?);
        ensure(targets.0 != targets.1, format!("both are {}", targets.0))?;
        Ok(Value::Null)
    };
    let flood = |output: usize, errors: usize| {
        Scenario::new(move |evidence| {
            judge_flood("standard output", &evidence.output, output)?;
            judge_flood("standard error", &evidence.errors, errors)
        })
    };
    vec![
        case(
            "RUN-024/descriptors",
            "0, 1 and 2 are open, and nothing that the engine or the runtime has left open",
            Scenario::new(|evidence| {
                let seen = evidence.member("/descriptors")?;
                let open: Vec<&Value> = seen.as_array().into_iter().flatten().map(|one| &one["fd"]).collect();
                same("the descriptors", &json!([0, 1, 2]), &json!(open))
            }),
        ),
        case("RUN-025/pipes", "output and errors are pipes, each its own", Scenario::new(pipes)),
        case(
            "RUN-025/pipes-of-a-user",
            "so they are for a user other than 0",
            Scenario::new(pipes).image(|image| image.user(1000, 1000)),
        ),
        case(
            "RUN-026/nothing",
            "without input, reading ends at once",
            Scenario::new(|evidence| evidence.came_to("stdin", &json!({"bytes": 0, "sha256": digest(b"")})))
                .image(|image| image.act(&["stdin"])),
        ),
        case(
            "RUN-026/bytes",
            "the bytes of the caller come as they are, and then the end",
            Scenario::new(|evidence| {
                evidence.came_to("stdin", &json!({"bytes": 300_000, "sha256": digest(&pattern(300_000))}))
            })
            .image(|image| image.act(&["stdin"]))
            .input(pattern(300_000)),
        ),
        case(
            "RUN-026/unread",
            "an application that reads nothing ends all the same",
            Scenario::new(|_| Ok(Value::Null)).exits(7).image(|image| image.act(&["exit:7"])).input(pattern(1_000_000)),
        ),
        case(
            "RUN-027/terminals",
            "none of the three is a terminal",
            Scenario::new(|evidence| {
                let seen = evidence.member("/descriptors")?;
                let of = |one: &Value| one["terminal"].clone();
                let terminals: Vec<Value> = seen.as_array().into_iter().flatten().map(of).collect();
                same("terminals", &json!([false, false, false]), &json!(terminals))
            }),
        ),
        case(
            "RUN-028/bytes",
            "all values of bytes come to the caller, each stream by itself",
            flood(1000, 502).image(|image| image.act(&["flood:1000", "flood-error:502"])),
        ),
        case(
            "RUN-028/large",
            "16 MiB come whole, and as many errors as the caller reads",
            flood(16 << 20, 40_000).image(|image| image.act(&["flood:16777216", "flood-error:40000"])),
        ),
        case(
            "RUN-028/echo",
            "what is read and written at the same time comes whole",
            Scenario::new(|evidence| {
                ensure(evidence.output == pattern(3_000_000), "other bytes came back")?;
                Ok(Value::Null)
            })
            .image(|image| image.act(&["echo"]))
            .input(pattern(3_000_000)),
        ),
        case(
            "RUN-028/no-newline",
            "nothing is added to what has no newline at its end",
            Scenario::new(|evidence| {
                same("standard output", &json!("a"), &json!(String::from_utf8_lossy(&evidence.output)))?;
                same("standard error", &json!("b"), &json!(String::from_utf8_lossy(&evidence.errors)))
            })
            .image(|image| image.act(&["print:a", "error:b"])),
        ),
        case(
            "RUN-028/nothing",
            "an application that writes nothing has empty streams",
            Scenario::new(|evidence| {
                ensure(evidence.output.is_empty() && evidence.errors.is_empty(), "something came on the streams")?;
                Ok(Value::Null)
            })
            .image(|image| image.act(&["exit:0"])),
        ),
    ]
}

/// Bytes in which each position can be told from its neighbours.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 256) % 256).unwrap_or(0)).collect()
}

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string().trim_start_matches("sha256:").to_owned()
}

fn judge_flood(what: &str, got: &[u8], expected: usize) -> Judged {
    ensure(got.len() == expected, format!("{what}: expected {expected} bytes, got {}", got.len()))?;
    let at = got.iter().enumerate().find(|(at, byte)| usize::from(**byte) != at % 251);
    match at {
        None => Ok(Value::Null),
        Some((at, byte)) => Err(format!("{what}: byte {at} is {byte}, not {}", at % 251)),
    }
}
