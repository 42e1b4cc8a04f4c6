//! The manifest that is drafted, and its text in TOML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::manifest::{Mount, Platform, Port, User};
use crate::shown::{escaped, is_hidden, shown};

/// What is known of an image, and what its author has to know.
pub(super) struct Draft {
    /// What the draft was made from.
    pub(super) source: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) platform: Option<Platform>,
    pub(super) created: Option<String>,
    pub(super) program: Program,
    pub(super) arguments: Vec<String>,
    pub(super) user: User,
    pub(super) working_directory: Path,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) signal: Option<String>,
    pub(super) ports: Vec<Port>,
    pub(super) mounts: Vec<(Mount, bool)>,
    pub(super) annotations: BTreeMap<String, String>,
    /// What could not be taken over, as sentences.
    pub(super) remarks: Vec<String>,
}

/// What the image runs.
pub(super) enum Program {
    /// The program, and arguments that always stand first.
    Found(Vec<String>),
    /// Why there is none, and what it could be.
    Missing(String, Vec<String>),
}

/// A path that the manifest names, and whether the tree has a directory there.
pub(super) struct Path {
    pub(super) path: String,
    pub(super) exists: bool,
}

/// How many candidates a comment names.
const MAX_CANDIDATES: usize = 10;

impl Draft {
    /// Whether anything has to be filled in before the image can be packed as it is meant.
    pub(super) fn is_complete(&self) -> bool {
        self.platform.is_some()
            && matches!(self.program, Program::Found(_))
            && self.working_directory.exists
            && self.mounts.iter().all(|(_, exists)| *exists)
    }

    /// A TOML document for `pack --manifest`, with comments.
    pub(super) fn to_toml(&self) -> String {
        let mut out = format!(
            "# A manifest for `cornercast pack --manifest`, drafted from {}.\n\
             # The chapter Manifest of the specification says what the members mean; `cornercast explain ID` prints a clause.\n",
            shown(&self.source)
        );
        for remark in &self.remarks {
            let _ = writeln!(out, "#\n# Not taken over: {}.", escaped(remark));
        }
        self.identity(&mut out);
        match &self.program {
            Program::Found(exec) => {
                let mut app = String::new();
                self.app(&mut app, &strings(exec));
                out.push_str(&app);
            }
            Program::Missing(why, candidates) => {
                let _ = writeln!(out, "\n# {}. Without `app` the image holds files only; to let it run,", escaped(why));
                out.push_str("# name the program and remove the `#` from the lines below.\n");
                if !candidates.is_empty() {
                    out.push_str("# These could be meant:\n");
                }
                for candidate in candidates.iter().take(MAX_CANDIDATES) {
                    let _ = writeln!(out, "#   {}", escaped(candidate));
                }
                if let Some(more @ 1..) = candidates.len().checked_sub(MAX_CANDIDATES) {
                    let _ = writeln!(out, "#   and {more} more");
                }
                let mut app = String::new();
                self.app(&mut app, "[\"/path/of/the/program\"]");
                for line in app.lines() {
                    let mark = if line.is_empty() || line.starts_with('#') { "" } else { "#" };
                    let _ = writeln!(out, "{mark}{line}");
                }
            }
        }
        if !self.annotations.is_empty() {
            out.push_str(
                "\n# What others may want to know. Names are domains, written backwards (MAN-011).\n[annotations]\n",
            );
            push_pairs(&mut out, &self.annotations);
        }
        out
    }

    fn identity(&self, out: &mut String) {
        let _ = write!(
            out,
            "\n# A host, best a domain of yours, and a path (NAM-001 to NAM-008).\nname = {}\n\
             # Semantic Versioning 2.0.0, without build metadata (NAM-009, NAM-010).\nversion = {}\n",
            string(&self.name),
            string(&self.version)
        );
        if let Some(created) = &self.created {
            let _ =
                writeln!(out, "# When the image was made (MAN-009). Leave it out for images that can be made again.");
            let _ = writeln!(out, "created = {}", string(created));
        }
        out.push_str("\n# What the image runs on (NAM-018 to NAM-022).\n[platform]\nos = \"linux\"\n");
        match &self.platform {
            Some(platform) => {
                let _ = writeln!(out, "architecture = {}", string(&platform.architecture));
                if let Some(variant) = &platform.variant {
                    let _ = writeln!(out, "variant = {}", string(variant));
                }
            }
            None => out.push_str("# No program tells it; remove the `#` and correct it.\n#architecture = \"amd64\"\n"),
        }
    }

    fn app(&self, out: &mut String, exec: &str) {
        let _ = write!(
            out,
            "\n[app]\n# The program, by its absolute path, and arguments that always stand first (MAN-013 to MAN-018).\nexec = {exec}\n"
        );
        if !self.arguments.is_empty() {
            let _ = writeln!(out, "# Further arguments, which whoever runs the image can replace (MAN-021).");
            let _ = writeln!(out, "arguments = {}", strings(&self.arguments));
        }
        let User { uid, gid, supplementary_gids } = &self.user;
        let groups = if supplementary_gids.is_empty() {
            String::new()
        } else {
            format!(", supplementaryGids = {supplementary_gids:?}")
        };
        let _ = write!(
            out,
            "# Who runs it, in numbers (MAN-026 to MAN-028).\nuser = {{ uid = {uid}, gid = {gid}{groups} }}\n\
             # Where it starts: a directory of the image (MAN-019, MAN-020).\n"
        );
        let Path { path, exists } = &self.working_directory;
        if !exists {
            out.push_str("# The tree does not have it yet; add it and remove the `#`.\n#");
        }
        let _ = writeln!(out, "workingDirectory = {}", string(path));
        if let Some(signal) = &self.signal {
            let _ = writeln!(out, "# The signal that stops it (MAN-029).\nstop = {{ signal = {} }}", string(signal));
        }
        if !self.ports.is_empty() {
            out.push_str("# Where it listens (MAN-031 to MAN-036); rename them after what they are for.\nports = [\n");
            for Port { name, protocol, port } in &self.ports {
                let _ = writeln!(out, "    {{ name = \"{name}\", protocol = \"{protocol}\", port = {port} }},");
            }
            out.push_str("]\n");
        }
        if !self.mounts.is_empty() {
            out.push_str(
                "# Where volumes can be put (MAN-037 to MAN-043); rename them after what they hold.\nmounts = [\n",
            );
            for (Mount { name, path, .. }, exists) in &self.mounts {
                let absent = if *exists { "    " } else { "    # The tree does not have this directory yet:\n    #" };
                let _ = writeln!(out, "{absent}{{ name = \"{name}\", path = {} }},", string(path));
            }
            out.push_str("]\n");
        }
        if !self.environment.is_empty() {
            out.push_str("\n# The variables that it gets (MAN-022 to MAN-025).\n[app.environment]\n");
            push_pairs(out, &self.environment);
        }
    }
}

fn push_pairs(out: &mut String, pairs: &BTreeMap<String, String>) {
    for (name, value) in pairs {
        let is_bare =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let name = if is_bare { name.clone() } else { string(name) };
        let _ = writeln!(out, "{name} = {}", string(value));
    }
}

fn strings(strings: &[String]) -> String {
    let elements: Vec<String> = strings.iter().map(|element| string(element)).collect();
    format!("[{}]", elements.join(", "))
}

/// A basic string of TOML, in which nothing is invisible.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            hidden if is_hidden(hidden) => {
                let _ = write!(out, "\\u{:04X}", u32::from(hidden));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::string;
    use proptest::prelude::*;

    proptest! {
        /// A reader of TOML gets every string back.
        #[test]
        fn strings_are_toml(text in any::<String>()) {
            let table: toml::Table = toml::from_str(&format!("text = {}\n", string(&text))).unwrap();
            prop_assert_eq!(table["text"].as_str(), Some(text.as_str()));
        }
    }
}
