//! `cornercast check`

use std::fs;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::files::{Directory, length};
use super::progress::{self, Counted};
use super::{Check, FailOn, Failure, Format, print, processors};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Findings, Severity};
use crate::input::{HEAD, Kind, check_stream, recognise};
use crate::limits::Limits;
use crate::report;
use crate::store::check_store;

/// What is known of one input after its check.
struct Checked {
    findings: Vec<Diagnostic>,
    errors: u64,
    warnings: u64,
    /// Why it could not be checked, or not to its end.
    failure: Option<String>,
}

pub(super) fn run(arguments: &Check) -> Result<ExitCode, Failure> {
    let config = configuration(arguments)?;
    let inputs = inputs(arguments)?;
    let shown = progress::show("checking", inputs.iter().map(|input| length(input)).sum());
    let checked = check_all(&inputs, arguments, &config);
    drop(shown);
    let findings: Vec<Diagnostic> = checked.iter().flat_map(|checked| checked.findings.iter().cloned()).collect();
    let (errors, warnings) = checked
        .iter()
        .fold((0, 0), |(errors, warnings), checked| (errors + checked.errors, warnings + checked.warnings));
    for (format, file) in &arguments.output {
        let text = anstream::adapter::strip_str(&render(*format, &findings)).to_string();
        write_report(file, &text).map_err(|error| Failure::Error(format!("{}: {error}", file.display())))?;
    }
    print(&render(arguments.format, &findings))?;
    let failures: Vec<&String> = checked.iter().filter_map(|checked| checked.failure.as_ref()).collect();
    if arguments.format == Format::Human && (failures.len() < inputs.len() || !findings.is_empty()) {
        let done = inputs.len() - failures.len();
        print(&report::summary(done, errors, warnings, findings.len() as u64))?;
    }
    if let Some((last, others)) = failures.split_last() {
        for failure in others {
            anstream::eprintln!("error: {failure}");
        }
        return Err(Failure::Error((*last).clone()));
    }
    let failing = errors > 0 || (arguments.fail_on == FailOn::Warning && warnings > 0);
    Ok(ExitCode::from(u8::from(failing)))
}

fn render(format: Format, findings: &[Diagnostic]) -> String {
    match format {
        Format::Human => report::human(findings),
        Format::Concise => report::concise(findings),
        Format::Json => report::json(findings),
    }
}

/// Writes a report whole or not at all.
fn write_report(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = crate::build::temporary_in(folder)?;
    file.write_all(text.as_bytes())?;
    crate::build::finish(file, path)
}

/// The configuration that was named, or the closest above this directory.
fn configuration(arguments: &Check) -> Result<Config, Failure> {
    let found = match &arguments.config {
        Some(file) => Some(file.clone()),
        None => std::env::current_dir()
            .ok()
            .and_then(|here| here.ancestors().map(|folder| folder.join("cornercast.toml")).find(|file| file.is_file())),
    };
    let Some(file) = found else { return Ok(Config::default()) };
    let shown = file.display();
    let text = fs::read_to_string(&file).map_err(|error| Failure::Error(format!("{shown}: {error}")))?;
    Config::parse(&text).map_err(|error| Failure::Error(format!("{shown}: {error}")))
}

/// The inputs that the arguments name, with everything recognised below directories if asked for.
fn inputs(arguments: &Check) -> Result<Vec<PathBuf>, Failure> {
    if !arguments.recursive {
        return Ok(arguments.paths.clone());
    }
    let mut out = Vec::new();
    for path in &arguments.paths {
        below(path, &mut out).map_err(|error| Failure::Error(format!("{}: {error}", path.display())))?;
    }
    Ok(out)
}

fn below(path: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() || path.join("cornercast").is_file() {
        out.push(path.to_owned());
        return Ok(());
    }
    let mut entries =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries.iter().filter(|entry| !entry.is_symlink()) {
        if entry.is_dir() {
            below(entry, out)?;
        } else if entry.is_file() {
            let mut head = Vec::new();
            super::files::open_regular(entry)?.take(HEAD as u64).read_to_end(&mut head)?;
            // Files that are not ours stand beside images everywhere; JSON of others does, too.
            if recognise(&head).is_some_and(|kind| kind != Kind::Manifest || is_manifest(&head)) {
                out.push(entry.clone());
            }
        }
    }
    Ok(())
}

fn is_manifest(head: &[u8]) -> bool {
    head.windows(12).any(|window| window == b"\"cornercast\"")
}

/// Checks inputs in parallel; the results come in the order of the inputs.
fn check_all(inputs: &[PathBuf], arguments: &Check, config: &Config) -> Vec<Checked> {
    let jobs = arguments.jobs.unwrap_or_else(processors);
    // As many inputs at once as there are threads; where there are fewer inputs, each gets several.
    let at_once = jobs.get().min(inputs.len());
    let each = NonZero::new(jobs.get() / at_once.max(1)).unwrap_or(NonZero::<usize>::MIN);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Checked)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else { break };
                    let checked = check_one(input, each, arguments, config);
                    if let Ok(mut results) = results.lock() {
                        results.push((index, checked));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, checked)| checked).collect()
}

fn check_one(path: &Path, jobs: NonZero<usize>, arguments: &Check, config: &Config) -> Checked {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut findings = Findings::new(&name, arguments.max_findings);
    let failure = read(path, arguments.kind, jobs, &mut findings).err().map(|error| format!("{name}: {error}"));
    let (mut errors, mut warnings) = (findings.errors, findings.warnings);
    let mut kept = Vec::new();
    for finding in findings.list() {
        let severity = config.severity(finding.id, finding.severity);
        match finding.severity {
            Severity::Error => errors -= 1,
            Severity::Warning => warnings -= 1,
        }
        match severity {
            Some(Severity::Error) => errors += 1,
            Some(Severity::Warning) => warnings += 1,
            None => continue,
        }
        kept.extend(severity.map(|severity| Diagnostic { severity, ..finding.clone() }));
    }
    Checked { findings: kept, errors, warnings, failure }
}

fn read(path: &Path, kind: Option<Kind>, jobs: NonZero<usize>, findings: &mut Findings) -> Result<(), String> {
    let limits = Limits::FORMAT;
    let text = |error: io::Error| error.to_string();
    if path == Path::new("-") {
        return stream(&mut Counted(io::stdin().lock()), kind, &limits, findings);
    }
    if path.is_dir() {
        if kind.is_some_and(|kind| kind != Kind::Store) {
            return Err("it is a directory, not a file".to_owned());
        }
        if kind.is_none() && !path.join("cornercast").exists() && !path.join("images").is_dir() {
            return Err("it is no store: it has no file `cornercast`; use --as store to check it as one".to_owned());
        }
        return check_store(&Directory(path.to_owned()), &limits, jobs, findings).map_err(text);
    }
    let mut file = Counted(fs::File::open(path).map_err(text)?);
    stream(&mut file, kind, &limits, findings)
}

/// Recognises a stream by its head, and checks it.
fn stream(input: &mut dyn Read, kind: Option<Kind>, limits: &Limits, findings: &mut Findings) -> Result<(), String> {
    let mut head = Vec::new();
    input.take(HEAD as u64).read_to_end(&mut head).map_err(|error| error.to_string())?;
    let Some(kind) = kind.or_else(|| recognise(&head)) else {
        let what = if head.is_empty() { "it is empty" } else { "it is none of the inputs that check knows" };
        return Err(format!("{what}; use --as KIND to check it as one"));
    };
    check_stream(kind, &mut head.as_slice().chain(input), limits, findings).map_err(|error| error.to_string())
}
