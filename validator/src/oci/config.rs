//! The config of an image by itself (OCI-021, OCI-031, OCI-033, OCI-034, OCI-041, OCI-086 to OCI-089).

use std::collections::BTreeMap;

use super::descriptor::{Descriptor, Platform, Spot, judge_time};
use super::digest;
use super::document::{Document, below};
use super::table;
use crate::clause;
use crate::json::{Node, Value};
use crate::shown::{quoted, shown};

/// A value of a config, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Spotted<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// What a config says of its image.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Its file.
    pub(super) path: String,
    /// The digests of the layers; those with a flaw are `None`.
    pub(super) diff_ids: Option<Spotted<Vec<Spotted<Option<String>>>>>,
    /// How many entries of the history stand for a layer; absent if there are none at all.
    pub(super) history: Option<Spotted<usize>>,
    /// Whether the image is for Windows, whose paths are others.
    pub(super) is_windows: bool,
    /// What is run.
    pub(super) exec: Option<Spotted<String>>,
    /// The value of `PATH`.
    pub(super) search_path: Option<String>,
    pub(super) directory: Option<Spotted<String>>,
    pub(super) user: Option<Spotted<String>>,
}

const SYSTEMS: &str = "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 \
                       windows";
const ARCHITECTURES: &str = "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm";
const SIGNALS: &str = "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP \
                       SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX";

/// Judges a config, which the descriptor `manifest` of an index may lead to through its manifest.
pub(super) fn judge_config(document: &mut Document, manifest: Option<&Descriptor>) -> Option<Config> {
    let root = document.judge(&table::CONFIG)?;
    judge_time(document, &root, "", "created");
    let history = root.get("history").map(Node::elements).unwrap_or_default();
    for (index, entry) in history.iter().enumerate() {
        judge_time(document, entry, &format!("/history/{index}"), "created");
    }
    judge_platform(document, &root, manifest);
    for (name, variable, known) in [("os", "GOOS", SYSTEMS), ("architecture", "GOARCH", ARCHITECTURES)] {
        // OCI-041
        if let Some((node, text)) = text(&root, name)
            && !known.split_ascii_whitespace().any(|known| known == text)
        {
            let message = format!("`{name}` is {}, which is no {variable} of Go", quoted(text));
            document.report(&clause::OCI_041, node, &below("", name), message);
        }
    }
    let mut config = Config { path: document.path.clone(), ..Config::default() };
    config.is_windows = text(&root, "os").is_some_and(|(_, os)| os == "windows");
    config.diff_ids = judge_rootfs(document, &root);
    let is_layer = |entry: &&Node| entry.get("empty_layer").is_none_or(|empty| empty.value != Value::Boolean(true));
    config.history = root.get("history").filter(|_| !history.is_empty()).map(|node| Spotted {
        value: history.iter().filter(is_layer).count(),
        spot: Spot { pointer: "/history".to_owned(), bytes: node.bytes.clone() },
    });
    if let Some(process) = root.get("config") {
        judge_process(document, process, &mut config);
    }
    Some(config)
}

pub(super) fn text<'a>(node: &'a Node, name: &str) -> Option<(&'a Node, &'a str)> {
    node.get(name).and_then(|member| Some((member, member.as_str()?)))
}

/// OCI-031
fn judge_platform(document: &mut Document, root: &Node, manifest: Option<&Descriptor>) {
    let given = manifest.and_then(|manifest| manifest.platform.as_ref());
    let Some((own, given)) = Platform::of(root).zip(given) else { return };
    let differs = own.os != given.os
        || own.architecture != given.architecture
        || own.variant.as_ref().zip(given.variant.as_ref()).is_some_and(|(own, given)| own != given);
    if differs {
        let message = format!("the config is for {own}; the index gives {given}");
        let name = if own.os == given.os { "architecture" } else { "os" };
        document.report(&clause::OCI_031, root.get(name).unwrap_or(root), &below("", name), message);
    }
}

/// OCI-033, OCI-034
fn judge_rootfs(document: &mut Document, root: &Node) -> Option<Spotted<Vec<Spotted<Option<String>>>>> {
    let rootfs = root.get("rootfs")?;
    if let Some((node, kind)) = text(rootfs, "type")
        && kind != "layers"
    {
        document.report(&clause::OCI_033, node, "/rootfs/type", format!("`type` is {}", quoted(kind)));
    }
    let list = rootfs.get("diff_ids").filter(|list| document.is_array(list))?;
    let mut diff_ids = Vec::new();
    for (index, (node, text)) in strings(rootfs, "diff_ids")?.into_iter().enumerate() {
        let pointer = format!("/rootfs/diff_ids/{index}");
        let flaw = digest::flaw(text);
        let value = flaw.is_none().then(|| text.to_owned());
        if let Some(flaw) = flaw {
            document.report(&clause::OCI_034, node, &pointer, flaw);
        }
        diff_ids.push(Spotted { value, spot: Spot { pointer, bytes: node.bytes.clone() } });
    }
    let spot = Spot { pointer: "/rootfs/diff_ids".to_owned(), bytes: list.bytes.clone() };
    Some(Spotted { value: diff_ids, spot })
}

/// OCI-086 to OCI-089, and what the tree is needed for.
fn judge_process(document: &mut Document, process: &Node, config: &mut Config) {
    judge_environment(document, process, config);
    for (name, clause, fits, what) in [
        ("ExposedPorts", &clause::OCI_087, is_port as fn(&str) -> bool, "is no port"),
        ("Volumes", &clause::OCI_088, is_volume, "is no absolute path below the root"),
    ] {
        let Some(node) = process.get(name).filter(|_| name != "Volumes" || !config.is_windows) else { continue };
        for member in node.members().iter().filter(|member| !fits(&member.name)) {
            let pointer = below(&below("/config", name), &member.name);
            document.report(clause, &member.node, &pointer, format!("{} {what}", quoted(&member.name)));
        }
    }
    // OCI-089
    if let Some((node, signal)) = text(process, "StopSignal")
        && !signal.is_empty()
        && !is_signal(signal)
    {
        document.report(&clause::OCI_089, node, "/config/StopSignal", format!("{} is no signal", quoted(signal)));
    }
    let spotted = |name: &str| {
        let (node, text) = text(process, name).filter(|(_, text)| !text.is_empty())?;
        let spot = Spot { pointer: below("/config", name), bytes: node.bytes.clone() };
        Some(Spotted { value: text.to_owned(), spot })
    };
    config.directory = spotted("WorkingDir");
    config.user = spotted("User");
    let is_wrong =
        |name: &&str| process.get(name).is_some_and(|node| !document.is_null(node)) && strings(process, name).is_none();
    let directory = process.get("WorkingDir").filter(|node| !document.is_null(node));
    if ["Entrypoint", "Cmd", "Env"].iter().any(is_wrong) || directory.is_some_and(|node| node.as_str().is_none()) {
        return;
    }
    config.exec = ["Entrypoint", "Cmd"].into_iter().find_map(|name| {
        let (node, first) = strings(process, name)?.into_iter().next().filter(|(_, text)| !text.is_empty())?;
        let pointer = format!("/config/{name}/0");
        Some(Spotted { value: first.to_owned(), spot: Spot { pointer, bytes: node.bytes.clone() } })
    });
}

/// The strings of the array `name`; nothing if it is no array of strings alone.
pub(super) fn strings<'a>(node: &'a Node, name: &str) -> Option<Vec<(&'a Node, &'a str)>> {
    let Value::Array(elements) = &node.get(name)?.value else { return None };
    elements.iter().map(|node| Some((node, node.as_str()?))).collect()
}

/// OCI-086
fn judge_environment(document: &mut Document, process: &Node, config: &mut Config) {
    let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
    for (index, (node, variable)) in strings(process, "Env").unwrap_or_default().into_iter().enumerate() {
        let pointer = format!("/config/Env/{index}");
        let Some((name, value)) = variable.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let message = format!("{} is no name and value", quoted(variable));
            document.report(&clause::OCI_086, node, &pointer, message);
            continue;
        };
        if seen.insert(name, node).is_some() {
            document.report(&clause::OCI_086, node, &pointer, format!("`{}` has a value before this one", shown(name)));
        } else if name == "PATH" {
            config.search_path = Some(value.to_owned());
        }
    }
}

/// OCI-087
fn is_port(text: &str) -> bool {
    let port = ["/tcp", "/udp", "/sctp"].iter().find_map(|protocol| text.strip_suffix(protocol)).unwrap_or(text);
    let is_decimal = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal && port.parse::<u16>().is_ok()
}

/// OCI-088
fn is_volume(path: &str) -> bool {
    path.starts_with('/') && path.split('/').any(|component| !matches!(component, "" | "."))
}

/// OCI-089
fn is_signal(text: &str) -> bool {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<u32>().is_ok_and(|number| (1..=64).contains(&number));
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let is_real_time = |name: &str| {
        let number = name.strip_prefix("RTMIN").or(name.strip_prefix("RTMAX"))?.strip_prefix(['+', '-'])?;
        let is_decimal = number.bytes().all(|byte| byte.is_ascii_digit());
        Some(is_decimal && number.parse::<u32>().is_ok_and(|number| number <= 30))
    };
    SIGNALS.split_ascii_whitespace().any(|known| known == name) || is_real_time(name).unwrap_or_default()
}
