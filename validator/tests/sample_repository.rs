//! The sample repository: the commands of its jobs do what they are for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use command::fixtures;
use serde_json::Value;
use tempfile::TempDir;

mod command;

const GITHUB: &str = ".github/workflows/image.yml";
const GITLAB: &str = ".gitlab-ci.yml";

/// The commands of a job: what stands after `run: `, or the elements of `script:`.
fn commands(file: &str) -> Vec<String> {
    let text = fs::read_to_string(fixtures().join("sample-repository").join(file)).unwrap();
    let commands: Vec<String> = if file == GITHUB {
        text.lines().filter_map(|line| line.trim().strip_prefix("run: ")).map(str::to_owned).collect()
    } else {
        let script = text.lines().skip_while(|line| line.trim() != "script:").skip(1);
        script.map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
    };
    assert_eq!(commands.len(), 2, "{file}: {commands:#?}");
    commands
}

fn repository() -> TempDir {
    let folder = TempDir::new().unwrap();
    let sample = fixtures().join("sample-repository");
    fs::create_dir_all(folder.path().join("tree/srv/site")).unwrap();
    for file in ["manifest.toml", "cornercast.toml", "tree/srv/site/index.html"] {
        fs::copy(sample.join(file), folder.path().join(file)).unwrap();
    }
    folder
}

/// Runs one command of a job as its runner does.
fn shell(folder: &Path, command: &str) -> Output {
    let binaries = Path::new(env!("CARGO_BIN_EXE_cornercast")).parent().unwrap();
    Command::new("sh")
        .args(["-e", "-c", command])
        .current_dir(folder)
        .env("PATH", format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap()))
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .output()
        .unwrap()
}

fn json(folder: &Path, file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(file)).unwrap()).unwrap()
}

#[test]
fn the_jobs_pack_an_image_that_is_clean() {
    let folder = repository();
    for file in [GITHUB, GITLAB] {
        for command in commands(file) {
            let output = shell(folder.path(), &command);
            assert!(output.status.success(), "{file}: {output:?}");
        }
    }
    let run = &json(folder.path(), "check.sarif")["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 0);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(json(folder.path(), "gl-code-quality-report.json").as_array().unwrap().len(), 0);
    let junit = fs::read_to_string(folder.path().join("check.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("<testcase"), "{junit}");
}

/// A defect fails the job, and each report that is uploaded has it.
#[test]
fn the_jobs_fail_and_show_a_defect() {
    let folder = repository();
    let image = folder.path().join("image.ccast");
    for file in [GITHUB, GITLAB] {
        let [pack, check] = commands(file).try_into().unwrap();
        assert!(shell(folder.path(), &pack).status.success());
        let mut bytes = fs::read(&image).unwrap();
        bytes.push(b'x');
        fs::write(&image, bytes).unwrap();
        let output = shell(folder.path(), &check);
        assert_eq!(output.status.code(), Some(1), "{file}: {output:?}");
        if file == GITHUB {
            assert!(String::from_utf8(output.stdout).unwrap().starts_with("::error file=image.ccast,title=LAY-003::"));
        }
    }
    let result = &json(folder.path(), "check.sarif")["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "LAY-003");
    assert_eq!(json(folder.path(), "gl-code-quality-report.json")[0]["check_name"], "LAY-003");
    assert!(fs::read_to_string(folder.path().join("check.xml")).unwrap().contains("<failure type=\"LAY-003\""));
}

/// What the book quotes are the lines of the jobs.
#[test]
fn the_book_shows_the_jobs() {
    let book = fs::read_to_string(fixtures().join("../spec/reference/check.md")).unwrap();
    let quotes: Vec<&str> = book.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(quotes.len(), 2);
    for (file, quote) in [GITHUB, GITLAB].into_iter().zip(quotes) {
        let job = fs::read_to_string(fixtures().join("sample-repository").join(file)).unwrap();
        let lines: Vec<&str> = job.lines().map(str::trim).collect();
        for line in quote.lines() {
            assert!(lines.contains(&line.trim()), "{file}: {line}");
        }
    }
}
