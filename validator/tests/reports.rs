//! The forms of the report: what they say, and that the programs they are for can read them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use command::{cornercast, fixtures, transcript};
use serde_json::{Value, json};
use tempfile::TempDir;

mod command;

/// The report of all fixtures and of two inputs that cannot be checked, one of them with a bad name.
fn of_everything(format: &str) -> String {
    let output =
        cornercast(&fixtures(), &["check", "--recursive", "--format", format, ".", "100%: <a>, b", "README.md"]);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stdout).unwrap()
}

fn assert_valid(schema: &Value, instance: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(instance).take(5).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn each_format_shows_text_layers_stores_and_what_could_not_be_checked() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("a b")).unwrap();
    let copy = |from: &str, to: &str| fs::copy(fixtures().join(from), folder.path().join(to)).unwrap();
    copy("LAY-010/rejected-one-too-high/layer.tar", "layer.tar");
    fs::write(folder.path().join("a b/manifest.json"), "{\n  \"cornercast\": \"1.0\",\n  \"näme\": \"<&\\\"%\"\n}\n")
        .unwrap();
    fs::write(folder.path().join("clean.json"), "{\"cornercast\":\"1.0\",\"kind\":\"store\"}").unwrap();
    for format in ["sarif", "junit", "github", "gitlab"] {
        let arguments = ["check", "--format", format, "a b/manifest.json", "layer.tar", "missing,%", "clean.json"];
        insta::assert_snapshot!(format, transcript(folder.path(), &arguments));
    }
}

/// The schema of the OASIS committee; see fixtures/third-party/README.md.
#[test]
fn sarif_is_valid() {
    let schema = fs::read_to_string(fixtures().join("third-party/sarif/sarif-schema-2.1.0.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    // `]?` without a `[` is no regular expression for the validator; the report names no language.
    for part in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][part]["properties"]["language"];
        language.as_object_mut().unwrap().remove("pattern").unwrap();
    }
    let log: Value = serde_json::from_str(&of_everything("sarif")).unwrap();
    assert_valid(&schema, &log);
    let run = &log["runs"][0];
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap().len(), 2);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 2000, "{}", results.len());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["help"]["markdown"].as_str().unwrap().is_empty());
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let of = |name: &str| region[name].as_u64();
        // 3.30: text or bytes, and never an end before the beginning.
        assert!(of("startLine").is_none() || of("byteOffset").is_none(), "{result}");
        assert!((of("startLine"), of("startColumn")) <= (of("endLine"), of("endColumn")), "{result}");
    }
    let used: BTreeSet<&str> = results.iter().filter_map(|result| result["ruleId"].as_str()).collect();
    assert_eq!(rules.len(), used.len(), "a rule without result");
}

/// The members that the chapter *Code Quality* of GitLab's documentation asks for.
#[test]
fn gitlab_is_valid() {
    let schema = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": {"type": "string", "minLength": 1},
                "check_name": {"type": "string", "minLength": 1},
                "fingerprint": {"type": "string", "minLength": 1},
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        // Relative to the repository, and not beginning with `./`.
                        "path": {"type": "string", "pattern": "^[^./]"},
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": {
                                "begin": {"type": "integer", "minimum": 1},
                                "end": {"type": "integer", "minimum": 1},
                            },
                        },
                    },
                },
            },
        },
    });
    let report: Value = serde_json::from_str(&of_everything("gitlab")).unwrap();
    assert_valid(&schema, &report);
    let entries = report.as_array().unwrap();
    let fingerprints: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["fingerprint"].as_str()).collect();
    assert_eq!(fingerprints.len(), entries.len(), "GitLab shows one entry of a fingerprint");
}

/// Each line is one command, whatever the input holds.
#[test]
fn github_has_one_command_a_line() {
    let text = of_everything("github");
    for line in text.lines() {
        let (properties, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (command, properties) = properties.split_once(' ').unwrap();
        assert!(["error", "warning"].contains(&command), "{line}");
        let properties: BTreeMap<&str, &str> =
            properties.split(',').map(|property| property.split_once('=').unwrap()).collect();
        assert!(properties.contains_key("file") && properties.contains_key("title"), "{line}");
        assert!(properties.values().all(|value| !value.contains(':')), "{line}");
        assert!(!message.is_empty() && !line.contains('\r'), "{line}");
    }
    assert!(text.contains("file=100%25%3A <a>%2C b,title=INP-001::"), "the escapes of properties");
}

/// The numbers of a suite are those of its test cases, and the document is well-formed.
#[test]
fn junit_is_well_formed_and_counts() {
    use quick_xml::events::Event;
    let text = of_everything("junit");
    let mut reader = quick_xml::Reader::from_str(&text);
    reader.config_mut().check_end_names = true;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut declared: BTreeMap<String, u64> = BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(element) | Event::Empty(element) => {
                let name = element.name().as_ref().to_owned();
                for attribute in element.attributes() {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    let value = attribute.value.into_owned();
                    assert!(!value.contains(['<', '\n']), "{value}");
                    if name == "testsuite" && ["tests", "failures", "errors"].contains(&key.as_str()) {
                        *declared.entry(key).or_default() += value.parse::<u64>().unwrap();
                    }
                }
                *seen.entry(name).or_default() += 1;
            }
            _ => {}
        }
    }
    assert_eq!(declared["tests"], seen["testcase"]);
    assert_eq!(declared["failures"], seen["failure"]);
    assert_eq!(declared["errors"], 2);
    assert_eq!(seen["error"], 2);
    assert!(seen["testcase"] > seen["failure"] + seen["error"], "no test case passes");
}

/// What makes the check fail is a failure in JUnit, and nothing else is.
#[test]
fn fail_on_decides_on_status_and_failures() {
    let folder = fixtures();
    let warned = "STO-004/warned-marker-below/store";
    for (fail_on, input, status, failures) in [
        ("error", warned, 0, 0),
        ("warning", warned, 1, 1),
        ("never", warned, 0, 0),
        ("error", "LAY-010/rejected-one-too-high/layer.tar", 1, 1),
        ("never", "LAY-010/rejected-one-too-high/layer.tar", 0, 0),
        ("never", "missing", 2, 0),
    ] {
        let output = cornercast(&folder, &["check", "--format", "junit", "--fail-on", fail_on, input]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(status), "{fail_on} {input}");
        assert_eq!(text.matches("<failure").count(), failures, "{text}");
    }
}

#[test]
fn several_reports_at_once() {
    let folder = TempDir::new().unwrap();
    fs::copy(fixtures().join("LAY-010/rejected-one-too-high/layer.tar"), folder.path().join("layer.tar")).unwrap();
    let run = |arguments: &[&str]| cornercast(folder.path(), &[&["check", "layer.tar"], arguments].concat());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let alone = String::from_utf8(run(&["--format", "sarif"]).stdout).unwrap();
    let output = run(&["--format", "github", "--output", "sarif=a.sarif", "--output", "human=a.txt"]);
    assert!(output.stdout.starts_with(b"::error "));
    assert_eq!(read("a.sarif"), alone);
    assert!(!read("a.txt").contains('\u{1b}'), "styles in a file");
    // Standard output has the named report in place of the one for people.
    assert_eq!(String::from_utf8(run(&["--output", "sarif=-"]).stdout).unwrap(), alone);
    // A report that cannot be written leaves nothing and costs no other file.
    for (arguments, message) in [
        (&["--output", "sarif=none/a.sarif"][..], "none/a.sarif cannot be written: the folder none does not exist"),
        (&["--format", "json", "--output", "sarif=-"], "two reports go to standard output"),
        (&["--output", "sarif=x", "--output", "json=x"], "two reports go to x"),
        (&["--output", "srif=x"], "did you mean `sarif`?"),
        (&["--output", "sarif="], "the name of the file is missing"),
        (&["--output", "sarif"], "write FORMAT=FILE"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(message), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.sarif", "a.txt", "layer.tar"]);
}

/// What is underlined is what is wrong, whatever the width of the characters before it.
#[test]
fn excerpts() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("wide.json", "{\"kind\":\"コンテナ\",\"e\u{301}\":\"日本\",\"tab\":\"a\tb\u{7}\"}");
    write("pretty.json", "{\r\n\t\"cornercast\": \"1.0\",\r\n\t\"kind\": \"image\",\r\n\t\t\"vezion\": true\r\n}\n");
    let (long, longer) = ("x".repeat(90), "y".repeat(300));
    write("long.json", &format!("{{\"a\":[\"{long}\",1.5,\"{longer}\\u0041\",{{\"b\":null}}]}}"));
    write("twice.json", "{\"a\":1,\"b\":{\"c\":1,\n\"c\":2}}");
    write("deep.json", &format!("{}1{}", "{\"a\":[".repeat(9), "]}".repeat(9)));
    let mut text = String::new();
    for (kind, name) in [
        ("canonical", "wide.json"),
        ("manifest", "pretty.json"),
        ("canonical", "long.json"),
        ("canonical", "twice.json"),
        ("canonical", "deep.json"),
    ] {
        text.push_str(&transcript(folder.path(), &["check", "--as", kind, name]));
    }
    for case in [
        "LST-003/rejected-capital/layer.listing",
        "LAY-011/rejected-archive-mtime-base-256/image.ccast",
        "LAY-026/rejected-archive-length/image.ccast",
        "LAY-048/rejected-apart/layer.tar",
        "STO-021/rejected-archive-one-byte/image.ccast",
        "MAN-033/rejected-apart/manifest.json",
        "STO-008/rejected-annotation/store",
    ] {
        text.push_str(&transcript(&fixtures(), &["check", case]));
    }
    insta::assert_snapshot!(text);
}

/// A second place is in every format.
#[test]
fn related_places_are_shown() {
    for (format, shown) in [
        ("human", "note: the first is here\n --> MAN-033/rejected-apart/manifest.json:1:346: /app/ports/0/name"),
        ("concise", "(the first is here: MAN-033/rejected-apart/manifest.json:1:346: /app/ports/0/name)"),
        ("json", "\"related\":[{\"message\":\"the first is here\",\"location\":{\"chain\":"),
        ("sarif", "\"relatedLocations\": ["),
        ("junit", "manifest.json:1:346: /app/ports/0/name: the first is here"),
        ("github", "%0AMAN-033/rejected-apart/manifest.json:1:346: /app/ports/0/name: the first is here"),
        ("gitlab", "the first is here: MAN-033/rejected-apart/manifest.json:1:346"),
    ] {
        let output = cornercast(&fixtures(), &["check", "--format", format, "MAN-033/rejected-apart/manifest.json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(shown), "{format}: {text}");
    }
}

/// Colours are for terminals, unless they are asked for or refused.
#[test]
fn colours() {
    let run = |arguments: &[&str], variable: Option<&str>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(["check", "LAY-048/rejected-apart/layer.tar"]).args(arguments).current_dir(fixtures());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("CLICOLOR");
        command.envs(variable.map(|name| (name, "1")));
        command.output().unwrap().stdout.contains(&0x1B)
    };
    assert!(!run(&[], None), "no terminal");
    assert!(run(&[], Some("CLICOLOR_FORCE")));
    assert!(run(&["--color", "always"], None));
    assert!(!run(&["--color", "never"], Some("CLICOLOR_FORCE")));
    assert!(!run(&[], Some("NO_COLOR")));
}

/// A name that is nearly right gets the right one as help.
#[test]
fn mistyped_names_get_a_suggestion() {
    let folder = TempDir::new().unwrap();
    let manifest = fs::read_to_string(fixtures().join("MAN-033/rejected-apart/manifest.json")).unwrap();
    for (right, mistyped, suggestion) in [
        ("\"version\"", "\"vesion\"", "version"),
        ("\"architecture\":\"amd64\"", "\"architecture\":\"amd46\"", "amd64"),
        ("\"level\":\"hardened\"", "\"level\":\"hardend\"", "hardened"),
        ("\"graceSeconds\"", "\"graceSecond\"", "graceSeconds"),
    ] {
        assert!(manifest.contains(right), "{right} in {manifest}");
        fs::write(folder.path().join("manifest.json"), manifest.replacen(right, mistyped, 1)).unwrap();
        let text = String::from_utf8(cornercast(folder.path(), &["check", "manifest.json"]).stdout).unwrap();
        assert!(text.contains(&format!("= help: did you mean `{suggestion}`?")), "{mistyped}: {text}");
    }
    for (arguments, suggestion) in [
        (&["explain", "CFG-01"][..], "did you mean `CFG-001`?"),
        (&["explain", "INP-0002"], "did you mean `INP-002`?"),
        (&["check", "--format", "serif", "x"], "'sarif'"),
        (&["check", "--fix-only", "x"], "'--fix'"),
    ] {
        let text = String::from_utf8(cornercast(folder.path(), arguments).stderr).unwrap();
        assert!(text.contains(suggestion), "{arguments:?}: {text}");
    }
}

/// The transcript in README is what the command prints.
#[test]
fn the_readme_shows_what_is_printed() {
    let folder = TempDir::new().unwrap();
    let manifest = concat!(
        r#"{"app":{"exec":["/usr/bin/api"],"stop":{"signal":"SIGTERM"},"user":{"gid":1000,"uid":1000},"#,
        r#""workingDirectory":"/srv/../etc"},"cornercast":"1.0","kind":"image","layers":[],"name":"example.com/api","#,
        r#""platform":{"architecture":"amd64","os":"linux"},"rootfs":{"digest":"#,
        r#""sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","entries":0,"size":0},"#,
        r#""version":"1.4"}"#
    );
    fs::write(folder.path().join("manifest.json"), manifest).unwrap();
    let readme = fs::read_to_string(fixtures().join("../README.md")).unwrap();
    let shown = readme.split("$ cornercast check manifest.json\n").nth(1).unwrap().split("```").next().unwrap();
    let printed = cornercast(folder.path(), &["check", "manifest.json"]).stdout;
    assert_eq!(String::from_utf8(printed).unwrap(), shown);
}
