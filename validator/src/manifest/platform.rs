//! What an image runs on (NAM-018 to NAM-022, CNF-002).

use crate::clause::{self, Clause};
use crate::json::{Node, Value};
use crate::shown::quoted;
use crate::suggestion::closest;

/// Something that is wrong with a platform.
pub(crate) struct Flaw {
    /// The member that it is wrong with; empty for the platform as a whole.
    pub(crate) member: &'static str,
    /// The clause that is broken.
    pub(crate) clause: &'static Clause,
    /// Why.
    pub(crate) message: String,
    /// What to do, where that is known better than by the clause.
    pub(crate) help: Option<String>,
}

const ARCHITECTURES: [&str; 13] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x",
];

/// Judges the values of a platform; members that are missing or of another type are left to others.
pub(crate) fn judge_platform(platform: &Node) -> Vec<Flaw> {
    let mut out = Vec::new();
    let mut report = |clause, member, message, help| out.push(Flaw { member, clause, message, help });
    if let Some(os) = platform.get("os").and_then(Node::as_str) {
        if os.is_empty() || !os.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')) {
            report(&clause::NAM_018, "os", format!("the os {} is not well formed", quoted(os)), None);
        } else if os != "linux" {
            report(&clause::CNF_002, "os", format!("the os {} is not supported", quoted(os)), None);
        }
    }
    let Some(architecture) = platform.get("architecture").and_then(Node::as_str) else { return out };
    if !ARCHITECTURES.contains(&architecture) {
        let meant = usual_architecture(architecture).unwrap_or(architecture);
        let help = closest(meant, ARCHITECTURES).map(|close| format!("did you mean `{close}`?"));
        report(&clause::NAM_019, "architecture", format!("the architecture {} is unknown", quoted(architecture)), help);
        return out;
    }
    let variant = match platform.get("variant") {
        None => None,
        Some(node) if matches!(node.value, Value::String(_)) => node.as_str(),
        Some(_) => return out,
    };
    let (clause, right) = match architecture {
        "arm" => (&clause::NAM_020, matches!(variant, Some("v5" | "v6" | "v7" | "v8"))),
        "amd64" => (&clause::NAM_021, matches!(variant, None | Some("v2" | "v3" | "v4"))),
        _ => (&clause::NAM_022, variant.is_none()),
    };
    if !right {
        let message = match variant {
            Some(variant) => format!("the architecture {architecture} has no variant {}", quoted(variant)),
            None => format!("the architecture {architecture} comes in variants, and none is given"),
        };
        report(clause, if variant.is_some() { "variant" } else { "" }, message, None);
    }
    out
}

/// The architecture that other programs call `name`.
fn usual_architecture(name: &str) -> Option<&'static str> {
    Some(match name {
        "x86_64" | "x86-64" | "x64" => "amd64",
        "aarch64" | "armv8" => "arm64",
        "armhf" | "armel" | "armv7l" | "armv6l" => "arm",
        "x86" | "i386" | "i486" | "i586" | "i686" => "386",
        "ppc64el" => "ppc64le",
        "loongarch64" => "loong64",
        "mips64el" => "mips64le",
        "mipsel" => "mipsle",
        _ => return None,
    })
}
