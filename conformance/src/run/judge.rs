//! Judging what the probe saw.

use std::collections::{BTreeMap, BTreeSet};

use cornercast::digest::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{MOUNT_POINTS, arguments, environment};
use super::scenario::LookAt;
use super::{Bundle, Judged, Scenario};
use crate::results::Verdict;

/// The document of the probe, as far as it is judged.
#[derive(Debug, Deserialize)]
struct Seen {
    arguments: Vec<Value>,
    environment: Vec<Value>,
    root: Root,
    rootfs: SeenTree,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Root {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeenTree {
    digest: String,
    listing: Vec<String>,
    problems: Vec<String>,
}

/// A value that is judged: what is expected, what was got.
type Compared = Result<Value, String>;

pub(super) fn judge(scenario: &Scenario, bundle: &Bundle, output: &[u8]) -> Judged {
    let seen: Seen = match serde_json::from_slice(output) {
        Ok(seen) => seen,
        Err(error) => return Judged::because(Verdict::Errored, format!("the probe's answer cannot be read: {error}")),
    };
    let (name, compared) = match scenario.look_at {
        LookAt::Arguments => ("arguments", judge_arguments(bundle, &seen)),
        LookAt::Environment => ("environment", judge_environment(bundle, &seen)),
        LookAt::Rootfs => ("rootfs", judge_rootfs(bundle, &seen)),
    };
    match compared {
        Ok(value) => {
            let values = BTreeMap::from([(name.to_owned(), value)]);
            Judged { verdict: Verdict::Pass, reason: None, values }
        }
        Err(reason) => Judged::because(Verdict::Fail, reason),
    }
}

/// Point 1 of the contract: `exec` followed by `arguments`, byte for byte.
fn judge_arguments(bundle: &Bundle, seen: &Seen) -> Compared {
    let expected: Vec<Value> = arguments(&bundle.image.manifest).into_iter().map(Value::from).collect();
    if seen.arguments == expected {
        return Ok(expected.into());
    }
    let at = expected.iter().zip(&seen.arguments).position(|(expected, got)| expected != got);
    let at = at.unwrap_or_else(|| expected.len().min(seen.arguments.len()));
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    Err(format!("argument {at}: expected {}, got {}", shown(expected.get(at)), shown(seen.arguments.get(at))))
}

/// Point 2 of the contract: each variable once, no other; the order is not judged.
fn judge_environment(bundle: &Bundle, seen: &Seen) -> Compared {
    let expected = environment(&bundle.image.manifest, &bundle.image.id.to_string(), &bundle.instance);
    let expected: BTreeSet<String> = expected.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut left: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for variable in &seen.environment {
        match variable.as_str() {
            Some(text) if left.remove(text) => {}
            Some(text) if expected.contains(text) => wrong.push(format!("`{text}` is there twice")),
            _ => wrong.push(format!("{variable} is not expected")),
        }
    }
    wrong.extend(left.into_iter().map(|variable| format!("`{variable}` is missing")));
    if wrong.is_empty() {
        // The instance id is another one in each run.
        let same = expected.iter().filter(|variable| !variable.starts_with("CORNERCAST_INSTANCE="));
        return Ok(same.cloned().collect::<Vec<_>>().into());
    }
    Err(wrong.join("; "))
}

/// Point 6 of the contract: the tree outside the engine's own paths, and the root itself.
///
/// What something is mounted on cannot be seen from inside. So the image's own lines for such paths
/// are put in among those that the probe saw; with them the digest has to be the manifest's.
fn judge_rootfs(bundle: &Bundle, seen: &Seen) -> Compared {
    if let Some(problem) = seen.rootfs.problems.first() {
        return Err(problem.clone());
    }
    let root = Root { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
    if seen.root != root {
        return Err(format!("the root: expected {root:?}, got {:?}", seen.root));
    }
    let claimed = digest(seen.rootfs.listing.iter()).to_string();
    if claimed != seen.rootfs.digest {
        return Err(format!("the probe says {}, but its lines have {claimed}", seen.rootfs.digest));
    }
    let covered = |line: &&String| {
        let path =
            serde_json::from_str::<Value>(line).ok().and_then(|line| Some(format!("/{}", line.get("path")?.as_str()?)));
        path.is_some_and(|path| MOUNT_POINTS.iter().any(|point| is_at_or_below(&path, point)))
    };
    let mut got = seen.rootfs.listing.iter();
    let mut lines = Vec::new();
    for expected in &bundle.image.listing {
        if covered(&expected) {
            lines.push(expected);
            continue;
        }
        match got.next() {
            Some(line) if line == expected => lines.push(line),
            Some(line) => return Err(format!("expected {expected}, got {line}")),
            None => return Err(format!("expected {expected}, got nothing")),
        }
    }
    if let Some(line) = got.next() {
        return Err(format!("expected nothing more, got {line}"));
    }
    let (expected, got) = (bundle.image.manifest.rootfs.digest, digest(lines.into_iter()));
    if got != expected {
        return Err(format!("expected the digest {expected}, got {got}"));
    }
    Ok(json!({"digest": expected, "entries": bundle.image.manifest.rootfs.entries}))
}

fn is_at_or_below(path: &str, point: &str) -> bool {
    path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn digest<'a>(lines: impl Iterator<Item = &'a String>) -> Digest {
    let mut hasher = cornercast::digest::Hasher::default();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finish()
}
