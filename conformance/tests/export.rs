//! Cases as files: that they are what the cases say, and the same again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_file};
use cornercast::limits::Limits;
use cornercast_conformance::builtin;
use serde_json::{Value, json};

/// Something that stands for the probe: nothing is run here.
fn probe(folder: &Path) -> PathBuf {
    let path = folder.join("probe");
    fs::write(&path, "no program").unwrap();
    path
}

fn export(folder: &Path, to: &str, cases: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    command.arg("export").arg(folder.join(to)).arg("--probe").arg(probe(folder));
    command.args(cases.iter().flat_map(|case| ["--case", case])).output().unwrap()
}

/// All files with their content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn errors_of_file(path: &Path, kind: &str) -> u64 {
    let mut findings = Findings::new(path.display().to_string(), 10);
    let kind = Kind::by_name(kind).unwrap();
    check_file(kind, &fs::read(path).unwrap(), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.errors
}

#[test]
fn every_case_has_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = export(folder.path(), "all", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all = folder.path().join("all");
    let (mut cases, mut broken) = (0, 0);
    for case in cornercast_conformance::run::cases() {
        let own = all.join(case.name.replace('/', "---"));
        let described: Value = serde_json::from_slice(&fs::read(own.join("case.json")).unwrap()).unwrap();
        assert_eq!(described["name"], json!(case.name));
        assert_eq!((&described["clauses"], &described["why"]), (&json!(case.clauses), &json!(case.why)));
        let outcome = described["expect"]["outcome"].as_str().unwrap();
        assert_eq!(outcome == "exited", described["expect"]["exitCode"].is_u64(), "{}", case.name);
        assert!(own.join("options.json").is_file() && own.join("input").is_file());
        let is_valid = described["valid"].as_bool().unwrap();
        assert_eq!(
            builtin::findings(&own.join("image.ccast"), Kind::by_name("archive").unwrap()).unwrap().errors == 0,
            is_valid
        );
        assert_eq!((own.join("oci").exists(), own.join("docker.tar").exists()), (is_valid, is_valid), "{}", case.name);
        assert!(is_valid || outcome == "refused", "{}: the image is broken, and runs", case.name);
        cases += 1;
        broken += u32::from(!is_valid);
    }
    assert!(cases >= 300 && (5..50).contains(&broken), "{cases} cases, {broken} of which are broken");
    assert_eq!(fs::read_dir(&all).unwrap().count(), cases + 1);
    assert!(all.join("README.md").is_file());
}

#[test]
fn the_other_forms_are_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    assert!(export(folder.path(), "some", &["RUN-012/exec-and-arguments", "RUN-068/file"]).status.success());
    let case = folder.path().join("some/RUN-012---exec-and-arguments");
    let layout = builtin::findings(&case.join("oci"), Kind::by_name("oci-layout").unwrap()).unwrap();
    assert_eq!(layout.errors, 0, "{:?}", layout.list());
    assert_eq!(errors_of_file(&case.join("docker.tar"), "docker-archive"), 0);
    let described: Value =
        serde_json::from_slice(&fs::read(folder.path().join("some/RUN-068---file/case.json")).unwrap()).unwrap();
    assert_eq!((&described["expect"]["clause"], &described["host"]), (&json!("RUN-068"), &json!(true)));
    let options = fs::read_to_string(folder.path().join("some/RUN-068---file/options.json")).unwrap();
    assert!(options.contains("\"/HOST/data\""), "{options}");
}

#[test]
fn it_is_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let cases = ["RUN-00*", "RUN-06*", "RUN-079*"];
    for to in ["one", "other"] {
        assert!(export(folder.path(), to, &cases).status.success());
    }
    let (one, other) = (files(&folder.path().join("one")), files(&folder.path().join("other")));
    assert!(one.len() > 100);
    assert!(one == other, "the files differ");
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/mine"), "mine").unwrap();
    let output = export(folder.path(), "full", &["RUN-003"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("full is not empty"));
    assert_eq!(files(&folder.path().join("full")).len(), 1);
}
