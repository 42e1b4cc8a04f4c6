//! `cornercast inspect`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::image::Image;
use super::{Failure, print};
use crate::inspection::{Amount, Counts, Inspection, Inspector, LayerEffect, TreeLine};
use crate::manifest::{App, Manifest};
use crate::shown::{escaped, size};
use crate::store::SignatureSet;

/// Print what an image says of itself, and what each of its layers does
///
/// The manifest and the listings are read, and verified by their digests; the contents of layers are not
/// read. `check` judges an image; `inspect` shows one.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// A store with one image, STORE@sha256:…, an archive, or - for standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    image: String,
    /// Print one JSON object, in the form of inspection.schema.json, with the effects of all layers
    #[arg(long)]
    json: bool,
    /// Print what each layer adds, changes and hides
    #[arg(long)]
    layers: bool,
    /// Print the merged tree, with the totals of directories
    #[arg(long)]
    tree: bool,
    /// How deep the tree is printed: 1 for the entries of the root
    #[arg(long, value_name = "N", requires = "tree")]
    depth: Option<usize>,
}

pub(super) fn run(arguments: &Inspect) -> Result<ExitCode, Failure> {
    let depth = arguments.tree.then_some(arguments.depth.unwrap_or(usize::MAX));
    let inspection = inspect(&arguments.image, depth)?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&inspection).map_err(|error| Failure::Error(error.to_string()))?;
        format!("{json}\n")
    } else {
        let mut text = summary(&inspection);
        if arguments.layers {
            text.push_str(&layers(&inspection));
        }
        if let Some(tree) = &inspection.tree {
            text.push_str(&heading("tree"));
            tree_lines(&mut text, tree);
        }
        text
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn inspect(argument: &str, depth: Option<usize>) -> Result<Inspection, Failure> {
    let image = Image::open(argument)?;
    let mut inspector = Inspector::default();
    for layer in &image.manifest.layers {
        inspector.layer(image.entries(layer)?);
    }
    let (merged, rootfs) = (inspector.summary(), image.manifest.rootfs);
    if (merged.digest, merged.entries, merged.size) != (rootfs.digest, rootfs.entries, rootfs.size) {
        return Err(Failure::Refused(format!(
            "{0}: the manifest gives a rootfs of {1} entries with the digest {2}, and the listings merge to {3} with {4}; \
             `cornercast check {0}` says more",
            escaped(argument),
            rootfs.entries,
            rootfs.digest,
            merged.entries,
            merged.digest
        )));
    }
    let signatures = image.envelopes(SignatureSet::Signatures);
    let attestations = image.envelopes(SignatureSet::Attestations);
    let inspection = inspector.finish(image.id, image.manifest, depth);
    Ok(Inspection { signatures, attestations, ..inspection })
}

/// Names and values, in the order in which they are printed.
type Rows = Vec<(String, String)>;

fn row(name: impl Into<String>, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}

fn summary(inspection: &Inspection) -> String {
    let Manifest { app, attachments, annotations, layers, .. } = &inspection.manifest;
    let mut out = String::new();
    push_rows(&mut out, &identity(inspection));
    if let Some(app) = app {
        push_section(&mut out, "app", &app_rows(app));
        push_section(&mut out, "environment", &texts(&app.environment));
    }
    push_section(&mut out, "annotations", &texts(annotations));
    let documents: Rows = attachments
        .iter()
        .map(|attachment| row(&attachment.media_type, format!("{}  {}", attachment.digest, size(attachment.size))))
        .collect();
    push_section(&mut out, "attachments", &documents);
    if !layers.is_empty() {
        let layers = layers.iter().zip(&inspection.layers).enumerate();
        let columns: Vec<[String; 4]> = layers
            .map(|(index, (layer, effect))| {
                let entries = counted(effect.entries, "entry", "entries");
                [(index + 1).to_string(), layer.digest.to_string(), size(layer.size), entries]
            })
            .collect();
        out.push_str(&heading("layers"));
        push_columns(&mut out, &columns);
    }
    out
}

fn identity(inspection: &Inspection) -> Rows {
    let Manifest { name, version, platform, app, rootfs, base, created, .. } = &inspection.manifest;
    let variant = platform.variant.iter().map(|variant| format!("/{variant}")).collect::<String>();
    let mut rows = vec![
        row("name", name),
        row("version", version),
        row("platform", format!("{}/{}{variant}", platform.os, platform.architecture)),
        row("image", inspection.image),
    ];
    rows.extend(created.as_ref().map(|created| row("created", created)));
    if let Some(base) = base {
        rows.push(row("base", format!("{} {}", base.name, base.version)));
        rows.push(row("", format!("{}, {}", base.image, counted(base.layers, "layer", "layers"))));
    }
    let not_verified = |count: u64| if count == 0 { "none".to_owned() } else { format!("{count}, not verified") };
    rows.push(row("rootfs", rootfs.digest));
    rows.push(row("", format!("{}, {}", size(rootfs.size), in_words(inspection.counts))));
    rows.push(row("signatures", not_verified(inspection.signatures)));
    rows.push(row("attestations", not_verified(inspection.attestations)));
    if app.is_none() {
        rows.push(row("app", "none: the image holds files only"));
    }
    rows
}

fn app_rows(app: &App) -> Rows {
    let App { exec, arguments, user, working_directory, stop, ports, mounts, isolation, environment: _ } = app;
    let mut rows = vec![row("exec", array(exec))];
    if !arguments.is_empty() {
        rows.push(row("arguments", array(arguments)));
    }
    let groups = user.supplementary_gids.iter().map(|gid| format!(" {gid}")).collect::<String>();
    let further = if groups.is_empty() { String::new() } else { format!(", further groups{groups}") };
    rows.push(row("user", format!("{}:{}{further}", user.uid, user.gid)));
    rows.push(row("working directory", working_directory));
    rows.push(row("stop", format!("{}, SIGKILL after {} s", stop.signal, stop.grace_seconds)));
    for port in ports {
        rows.push(row("port", format!("{}  {}/{}", port.name, port.protocol, port.port)));
    }
    for mount in mounts {
        let read_only = if mount.read_only { "  read-only" } else { "" };
        let required = if mount.required { "  required" } else { "" };
        rows.push(row("mount", format!("{}  {}{read_only}{required}", mount.name, mount.path)));
    }
    rows.push(row("isolation", &isolation.level));
    for (name, isolator) in &isolation.isolators {
        let optional = if isolator.required { "" } else { "  not required" };
        rows.push(row(format!("  {name}"), format!("{}{optional}", isolator.value)));
    }
    rows
}

fn texts(texts: &BTreeMap<String, String>) -> Rows {
    texts.iter().map(|(name, value)| row(name, value)).collect()
}

/// What each layer does to those below.
fn layers(inspection: &Inspection) -> String {
    let mut out = String::new();
    let amount = |amount: Amount| format!("{}, {}", counted(amount.entries, "entry", "entries"), size(amount.size));
    for (index, (layer, effect)) in inspection.manifest.layers.iter().zip(&inspection.layers).enumerate() {
        let LayerEffect { added, changed, repeated, removed, hidden, .. } = *effect;
        let rows = [
            row("listing", format!("{}  {}", layer.listing.digest, size(layer.listing.size))),
            row("added", amount(added)),
            row("changed", amount(changed)),
            row("repeated", amount(repeated)),
            row("removed", counted(removed, "entry", "entries")),
            row("hidden below", size(hidden)),
        ];
        push_section(&mut out, &format!("layer {}", index + 1), &rows);
    }
    out
}

fn tree_lines(out: &mut String, tree: &[TreeLine]) {
    let rows: Vec<[String; 4]> = tree
        .iter()
        .map(|line| {
            let mode = line.mode.map_or_else(|| "-".to_owned(), |mode| format!("{mode:04o}"));
            let name = line.path.rsplit('/').next().unwrap_or_default();
            let indent = "  ".repeat(line.depth() - 1);
            let rest = match (line.kind.as_str(), &line.target) {
                ("dir", _) => "/".to_owned(),
                ("symlink", Some(target)) => format!(" -> {target}"),
                (_, Some(target)) => format!(" = {target}"),
                (_, None) => String::new(),
            };
            [mode, format!("{}:{}", line.uid, line.gid), size(line.size), escaped(&format!("{indent}{name}{rest}"))]
        })
        .collect();
    push_columns(out, &rows);
}

/// Rows of columns that are as wide as they have to be; sizes, in the third, end in line.
fn push_columns(out: &mut String, rows: &[[String; 4]]) {
    let width =
        |column: fn(&[String; 4]) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or_default();
    let (first, second, third) = (width(|row| &row[0]), width(|row| &row[1]), width(|row| &row[2]));
    for [a, b, c, d] in rows {
        let _ = writeln!(out, "  {a:<first$}  {b:<second$}  {c:>third$}  {d}");
    }
}

fn push_section(out: &mut String, title: &str, rows: &[(String, String)]) {
    if !rows.is_empty() {
        out.push_str(&heading(title));
        let indented: Rows = rows.iter().map(|(name, value)| row(format!("  {name}"), value)).collect();
        push_rows(out, &indented);
    }
}

fn push_rows(out: &mut String, rows: &[(String, String)]) {
    let escaped: Rows = rows.iter().map(|(name, value)| (escaped(name), escaped(value))).collect();
    let width = escaped.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in escaped {
        let _ = writeln!(out, "{name:<width$}  {value}");
    }
}

fn heading(title: &str) -> String {
    let bold = anstyle::Style::new().bold();
    format!("\n{bold}{title}{bold:#}\n")
}

fn array(strings: &[String]) -> String {
    serde_json::to_string(strings).unwrap_or_default()
}

fn in_words(counts: Counts) -> String {
    let Counts { directories, files, hardlinks, symlinks } = counts;
    let kinds = [
        (directories, "directory", "directories"),
        (files, "file", "files"),
        (hardlinks, "hard link", "hard links"),
        (symlinks, "symbolic link", "symbolic links"),
    ];
    let words: Vec<String> =
        kinds.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many)).collect();
    if words.is_empty() { "empty".to_owned() } else { words.join(", ") }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
