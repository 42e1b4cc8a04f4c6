//! The root tree (RUN-035 to RUN-043).

use serde_json::{Value, json};

use crate::run::evidence::{Evidence, ensure, same};
use crate::run::image::{Image, capable, plain};
use crate::run::scenario::{Judged, Scenario, case};
use crate::suite::Entry;

/// What is not the image's: the engine's own paths.
const OWN: [&str; 4] = ["/dev", "/proc", "/run/cornercast", "/sys"];

/// The files that the engine writes.
const FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// The directories that the engine may make.
const MADE: [&str; 6] = ["/dev", "/etc", "/proc", "/run", "/run/cornercast", "/sys"];

pub(super) fn tree() -> Vec<Entry> {
    let mut all = vec![
        case(
            "RUN-035/all-kinds",
            "every kind of entry and attribute is as the image has it",
            Scenario::new(judge_tree),
        ),
        case(
            "RUN-035/bare",
            "the image has nothing of what the engine needs",
            Scenario::new(judge_tree).image(|image| {
                for path in ["dev", "etc", "proc", "run", "sys"] {
                    image.remove(path);
                }
                image.remove("srv/up");
            }),
        ),
        case(
            "RUN-035/own-paths",
            "the image has something at each of the engine's own paths",
            Scenario::new(judge_tree).image(|image| {
                image.dir("run/cornercast", 0o700, (5, 5), 5);
                image.file("run/cornercast/identity.json", plain(0o644, 5), b"{}");
                image.file("dev/null", plain(0o644, 5), b"no device");
                image.dir("proc/1", 0o755, (0, 0), 5);
                image.file("sys/secret", plain(0o644, 5), b"");
                for path in FILES {
                    image.file(path.trim_start_matches('/'), plain(0o600, 5), b"of the image");
                }
                image.file("etc/other", plain(0o600, 5), b"of the image");
            }),
        ),
        case(
            "RUN-035/capabilities",
            "file capabilities and set-user-ID bits are there",
            Scenario::new(judge_tree).image(|image| {
                image.file("usr/bin/ping", capable(&[13], 0o755), b"#!/nowhere\n");
                image.file("usr/bin/su", plain(0o4755, 9), b"#!/nowhere\n");
            }),
        ),
        case(
            "RUN-035/many",
            "there are 2,000 files in 50 directories",
            Scenario::new(judge_tree).image(|image| {
                for directory in 0..50_u32 {
                    image.dir(&format!("srv/d{directory:02}"), 0o755, (0, 0), u64::from(directory));
                    for file in 0..40_u32 {
                        let path = format!("srv/d{directory:02}/f{file:02}");
                        image.file(&path, plain(0o644, u64::from(file)), path.as_bytes());
                    }
                }
            }),
        ),
        case(
            "RUN-036/root",
            "the root has the mode 0755, the owner 0:0 and the time 0",
            Scenario::new(|evidence| evidence.is("/root", &json!({"gid": 0, "mode": 0o755, "mtime": 0, "uid": 0}))),
        ),
        case(
            "RUN-037/made",
            "directories that the engine makes can be entered and read by all",
            Scenario::new(|evidence| {
                for path in ["/etc", "/run"] {
                    let Ok(seen) = evidence.step(&format!("stat:{path}"))? else {
                        return Err(format!("{path} is not there"));
                    };
                    same(path, &json!([0o755, 0, 0]), &json!([seen["mode"], seen["uid"], seen["gid"]]))?;
                }
                Ok(Value::Null)
            })
            .image(|image| {
                for path in ["dev", "etc", "proc", "run", "sys", "srv/up"] {
                    image.remove(path);
                }
                image.act(&["stat:/etc", "stat:/run"]);
            }),
        ),
    ];
    for (name, path, mtime) in [("etc", "/etc", 1_000_000_000_u64), ("run", "/run", 1_000_000_002)] {
        let step = format!("stat:{path}");
        all.push(case(
            &format!("RUN-038/{name}"),
            "the directory in which the engine makes something keeps its time",
            Scenario::new(move |evidence| {
                let Ok(seen) = evidence.step(&format!("stat:{path}"))? else {
                    return Err(format!("{path} is not there"));
                };
                same("the time", &json!(mtime), &seen["mtime"])
            })
            .image(move |image| image.act(&[&step])),
        ));
    }
    all.extend(occupied());
    all.extend(links());
    all
}

/// RUN-041 and RUN-042
fn occupied() -> Vec<Entry> {
    let mut all = Vec::new();
    for path in ["dev", "etc", "proc", "run", "run/cornercast", "sys"] {
        let name = path.replace('/', "-");
        all.push(case(
            &format!("RUN-041/link-{name}"),
            "what the engine needs is a link, which leads out of the image",
            Scenario::refused("RUN-041").image(move |image| {
                remove(image, path);
                image.symlink(path, "../../../../../../tmp", (0, 0), 0);
            }),
        ));
        all.push(case(
            &format!("RUN-041/file-{name}"),
            "what the engine needs is a file",
            Scenario::refused("RUN-041").image(move |image| {
                remove(image, path);
                image.file(path, plain(0o644, 0), b"");
            }),
        ));
    }
    for path in FILES {
        let relative = path.trim_start_matches('/');
        all.push(case(
            &format!("RUN-042/{}", relative.trim_start_matches("etc/")),
            "the place of a file of the engine is a directory",
            Scenario::refused("RUN-042").image(move |image| image.dir(relative, 0o755, (0, 0), 0)),
        ));
    }
    all
}

fn remove(image: &mut Image, path: &str) {
    image.remove(path);
    // It leads to a file that is gone with `etc`.
    image.remove("srv/up");
}

/// RUN-043
fn links() -> Vec<Entry> {
    let mut all = Vec::new();
    for path in FILES {
        let relative = path.trim_start_matches('/');
        let name = relative.trim_start_matches("etc/").to_owned();
        let stat = format!("stat:{path}");
        all.push(case(
            &format!("RUN-043/{name}-of-the-image"),
            "the image has a link to another of its files, which stays as it is",
            Scenario::new(move |evidence| {
                let kind = evidence.step(&format!("stat:{path}"))?.map(|seen| seen["kind"].clone());
                same("kind", &json!(Ok::<&str, String>("file")), &json!(kind))?;
                evidence.came_to("read:/srv/kept", &json!({"size": 4, "text": "kept"}))
            })
            .image(move |image| {
                image.file("srv/kept", plain(0o644, 0), b"kept");
                image.symlink(relative, "/srv/kept", (0, 0), 0);
                image.act(&[&stat, "read:/srv/kept"]);
            }),
        ));
        let stat = format!("stat:{path}");
        all.push(case(
            &format!("RUN-043/{name}-hard-link"),
            "the image has another name of one of its files there, which stays as it is",
            Scenario::new(move |evidence| {
                evidence.all_succeed(&[&format!("stat:{path}")])?;
                evidence.came_to("read:/etc/a-kept", &json!({"size": 4, "text": "kept"}))
            })
            .image(move |image| {
                image.file("etc/a-kept", plain(0o644, 0), b"kept");
                image.hardlink(relative, "etc/a-kept");
                image.act(&[&stat, "read:/etc/a-kept"]);
            }),
        ));
        let stat = format!("stat:{path}");
        all.push(case(
            &format!("RUN-043/{name}-of-the-host"),
            "the image has a link that would lead to the same file of the host",
            Scenario::new(move |evidence| {
                let kind = evidence.step(&format!("stat:{path}"))?.map(|seen| seen["kind"].clone());
                same("kind", &json!(Ok::<&str, String>("file")), &json!(kind))?;
                let host = std::fs::read(evidence.place.path("kept")).unwrap_or_default();
                ensure(host == b"kept", "the file of the host has changed")?;
                Ok(Value::Null)
            })
            .host(|place| std::fs::write(place.path("kept"), b"kept"))
            .image(move |image| {
                image.symlink(relative, &format!("../../../../../../../../..{path}"), (0, 0), 0);
                image.act(&[&stat]);
            }),
        ));
    }
    all
}

/// The tree outside the engine's own paths.
fn judge_tree(evidence: &Evidence) -> Judged {
    let seen = evidence.seen()?;
    let problems = seen.pointer("/rootfs/problems").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(problem) = problems.first() {
        return Err(problem.to_string());
    }
    let lines = evidence.member("/rootfs/listing")?;
    let got: Vec<&str> = lines.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let digest = digest(&got);
    same("the digest that the probe says", &json!(digest), &evidence.member("/rootfs/digest")?)?;
    let expected: Vec<&str> = evidence.image.listing.iter().map(String::as_str).filter(|line| !is_own(line)).collect();
    let has = |path: &str| evidence.image.listing.iter().any(|line| path_of(line).as_deref() == Some(path));
    let is_made = |line: &&str| path_of(line).is_some_and(|path| MADE.contains(&path.as_str()) && !has(&path));
    let got: Vec<&str> = got.into_iter().filter(|line| !is_own(line) && !is_made(line)).collect();
    for (expected, got) in expected.iter().zip(&got) {
        ensure(expected == got, format!("expected {expected}, got {got}"))?;
    }
    match (expected.get(got.len()), got.get(expected.len())) {
        (Some(missing), _) => Err(format!("expected {missing}, got nothing")),
        (None, Some(more)) => Err(format!("expected nothing more, got {more}")),
        (None, None) => Ok(json!({"entries": expected.len()})),
    }
}

fn path_of(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(format!("/{}", line.get("path")?.as_str()?))
}

/// Whether a line is for one of the engine's own paths.
fn is_own(line: &str) -> bool {
    let Some(path) = path_of(line) else { return false };
    let is_below =
        |point: &&str| path.strip_prefix(*point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    OWN.iter().any(is_below) || FILES.contains(&path.as_str())
}

fn digest(lines: &[&str]) -> String {
    let mut hasher = cornercast::digest::Hasher::default();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finish().to_string()
}
