//! OCI runtime bundles (OCI-093 to OCI-119).
//!
//! `tables` are the members of `config.json`. `process` and `linux` judge their values, with the `names` that OCI
//! lists; `root` is the tree that the process is run in, and what `config.json` says of that.

mod linux;
mod names;
mod process;
mod root;
mod tables;

use std::io::{self, Read as _};

use super::config::text;
use super::document::Document;
use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::json::Node;
use crate::limits::Limits;
use crate::shown::quoted;
use crate::store::{Files, Standing};

const CONFIG: &str = "config.json";

/// Checks a bundle, and adds what is wrong to `findings`.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_bundle(files: &dyn Files, limits: &Limits, findings: &mut Findings) -> io::Result<()> {
    match files.look(CONFIG.as_bytes())? {
        Some(Standing::File { .. }) => {}
        // OCI-009
        Some(Standing::Symlink(_) | Standing::Special) => {
            let message = "the file is no regular file, and is not opened";
            findings.add(Violation::new(&clause::OCI_009, Place::default().file(CONFIG), message));
            return Ok(());
        }
        // OCI-093
        Some(Standing::Directory) | None => {
            let message = format!("the bundle has no file `{CONFIG}`");
            findings.add(Violation::new(&clause::OCI_093, Place::default(), message));
            return Ok(());
        }
    }
    let mut source = Vec::new();
    files.open(CONFIG)?.take(limits.oci_document + 1).read_to_end(&mut source)?;
    let mut document = Document::read(CONFIG, source, limits);
    let judged = judge(&mut document, files, limits);
    findings.extend(document.take_violations());
    judged
}

fn judge(document: &mut Document, files: &dyn Files, limits: &Limits) -> io::Result<()> {
    let Some(config) = document.root.clone() else { return Ok(()) };
    if !judge_version(document, &config) {
        return Ok(());
    }
    document.judge(&tables::BUNDLE);
    judge_annotations(document, &config);
    let has = |name: &str| config.get(name).is_some_and(|node| !document.is_null(node));
    let has_root = has("root");
    if has("windows") && !has("linux") {
        return Ok(());
    }
    process::judge(document, &config);
    linux::judge(document, &config);
    if has_root {
        return root::judge(document, &config, files, limits);
    }
    // OCI-015
    document.report(&clause::OCI_015, &config, "", "the member `root` is missing");
    Ok(())
}

/// OCI-094, OCI-095. Whether the bundle is of a version that can be judged.
fn judge_version(document: &mut Document, config: &Node) -> bool {
    let Some((node, version)) = text(config, "ociVersion") else { return true };
    match major(version) {
        None => {
            let message = format!("{} is no version of Semantic Versioning", quoted(version));
            document.report(&clause::OCI_094, node, "/ociVersion", message);
            true
        }
        Some("1") => true,
        Some(_) => {
            document.violations.clear();
            document.report(&clause::OCI_095, node, "/ociVersion", format!("the version is {}", quoted(version)));
            false
        }
    }
}

/// The major number of a version; nothing if it is none of Semantic Versioning 2.0.0.
fn major(version: &str) -> Option<&str> {
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, pre_release) = version.split_once('-').map_or((version, None), |(core, rest)| (core, Some(rest)));
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_identifier =
        |part: &str| is_word(part) && (part.bytes().any(|byte| !byte.is_ascii_digit()) || is_number(part));
    let is_right = core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre_release.is_none_or(|rest| rest.split('.').all(is_identifier))
        && build.is_none_or(|build| build.split('.').all(is_word));
    core.split('.').next().filter(|_| is_right)
}

/// OCI-111
fn judge_annotations(document: &mut Document, config: &Node) {
    let annotations = config.get("annotations").map(Node::members).unwrap_or_default();
    for member in annotations.iter().filter(|member| member.name.is_empty()) {
        document.report(&clause::OCI_111, &member.node, "/annotations/", "an annotation has an empty name");
    }
}

/// The elements of the array `name` that are objects, with their pointers below `pointer`.
fn objects<'a>(node: &'a Node, pointer: &str, name: &str) -> Vec<(String, &'a Node)> {
    let elements = node.get(name).map(Node::elements).unwrap_or_default();
    let each = elements.iter().enumerate().map(|(at, node)| (format!("{pointer}/{name}/{at}"), node));
    each.filter(|(_, node)| matches!(node.value, crate::json::Value::Object(_))).collect()
}

/// OCI-099: the path that a member is.
fn judge_absolute(document: &mut Document, node: &Node, pointer: &str, name: &str) {
    if let Some((member, path)) = text(node, name) {
        judge_absolute_path(document, member, path, &format!("{pointer}/{name}"));
    }
}

/// OCI-099
fn judge_absolute_path(document: &mut Document, node: &Node, path: &str, pointer: &str) {
    if !path.starts_with('/') {
        document.report(&clause::OCI_099, node, pointer, format!("{} is no absolute path", quoted(path)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;
    use crate::store::Listed;

    /// A bundle whose root has nothing in it.
    struct Bundle(&'static str);

    impl Files for Bundle {
        fn list(&self) -> io::Result<Vec<Listed>> {
            Ok(vec![Listed { path: CONFIG.to_owned(), irregular: None }])
        }

        fn open(&self, _: &str) -> io::Result<Box<dyn Read + Send + '_>> {
            Ok(Box::new(self.0.as_bytes()))
        }

        fn look(&self, path: &[u8]) -> io::Result<Option<Standing>> {
            Ok(match path {
                b"config.json" => Some(Standing::File { is_executable: false }),
                b"" | b"rootfs" => Some(Standing::Directory),
                _ => None,
            })
        }
    }

    /// The clauses that a bundle breaks.
    fn broken(config: &'static str, limits: &Limits) -> Vec<&'static str> {
        let mut findings = Findings::new("bundle".to_owned(), 100);
        check_bundle(&Bundle(config), limits, &mut findings).unwrap();
        findings.list().iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn what_is_run_is_judged_where_it_can_be_understood() {
        let judged = |process: &str| {
            let config = format!(r#"{{"ociVersion":"1.0.2","process":{process},"root":{{"path":"rootfs"}}}}"#);
            let broken = broken(config.leak(), &Limits::FORMAT);
            (broken.contains(&"OCI-106"), broken.contains(&"OCI-107"))
        };
        let user = r#""user":{"gid":0,"uid":0}"#;
        assert_eq!(judged(&format!(r#"{{"args":["/a"],"cwd":"/b",{user}}}"#)), (true, true));
        // Null is as good as absent.
        assert_eq!(judged(&format!(r#"{{"args":["/a"],"cwd":null,{user}}}"#)), (true, false));
        assert_eq!(judged(&format!(r#"{{"args":["/a"],"cwd":"/b","env":null,{user}}}"#)), (true, true));
        // Nothing more is said of what has another type.
        assert_eq!(judged(&format!(r#"{{"args":"/a","cwd":"/b",{user}}}"#)), (false, false));
        assert_eq!(judged(&format!(r#"{{"args":["/a"],"cwd":"/b","env":1,{user}}}"#)), (false, false));
        assert_eq!(judged(&format!(r#"{{"args":["/a"],"cwd":1,{user}}}"#)), (false, false));
    }

    #[test]
    fn a_config_is_as_long_as_the_limit_allows() {
        let config = r#"{"ociVersion":"1.0.2","root":{"path":"rootfs"}}"#;
        let length = config.len() as u64;
        let limits = |oci_document| Limits { oci_document, ..Limits::FORMAT };
        let accepted = broken(config, &limits(length));
        let longer = broken(config, &limits(length - 1));
        assert_eq!(broken(config, &Limits::FORMAT), accepted);
        assert_ne!(longer, accepted);
        // It is too long, and not cut off, which would be another fault.
        assert_eq!(broken(config, &limits(length - 2)), longer);
        assert_eq!(longer.len(), 1, "{longer:?}");
        assert_ne!(broken(&config[..config.len() - 1], &Limits::FORMAT), longer);
    }

    #[test]
    fn versions_are_those_of_semantic_versioning() {
        for (version, expected) in [
            ("1.0.2", Some("1")),
            ("1.0.2-dev", Some("1")),
            ("1.1.0-rc.2+build.01", Some("1")),
            ("10.0.0", Some("10")),
            ("1.0.0-0a", Some("1")),
            ("1.0.0--", Some("1")),
            ("1.0", None),
            ("v1.0.2", None),
            ("01.0.0", None),
            ("1.0.0-01", None),
            ("1.0.0-", None),
            ("1.0.0+", None),
            ("1.0.0+a+b", None),
            ("1.0.0-a..b", None),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }
}
