//! `reproduce`, and the hidden `make` that its scripts call.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::implementations::Named;
use super::{Cases, Fixtures, Trouble, one};
use crate::adapter::Adapter;
use crate::bundles::{self, script};
use crate::case::{Case, Verdict};
use crate::process::quote;
use crate::protocol::{Codec, Operation, Request};
use crate::run::image::Image;
use crate::run::policy::Given;
use crate::run::{self, Engine, Scenario, through};
use crate::runner::{self, Reach};
use crate::suite::{Entry, Task};
use crate::trust;

/// The instance id of a case that is run by hand.
const INSTANCE: &str = "cornercast-reproduce";

/// What stands for the scratch folder until the script knows it.
const SCRATCH: &str = "/@SCRATCH@";

/// Stands for the reference of a case, which has the image id in it.
const REFERENCE: &str = "@REFERENCE@";

#[derive(Debug, Args)]
pub(super) struct ReproduceArgs {
    #[command(flatten)]
    fixtures: Fixtures,
    /// The name of the case
    #[arg(value_name = "CASE")]
    case: String,
    /// The implementation, as `run` takes it
    #[arg(long = "impl", value_name = "NAME[=PATH]", default_value = super::implementations::REFERENCE)]
    implementation: Named,
}

#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    #[command(flatten)]
    fixtures: Fixtures,
    /// The name of the case
    #[arg(value_name = "CASE")]
    case: String,
    /// Where the input goes: a file, or a folder for a store or all that an engine is given
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The probe for cases of the role `run`
    #[arg(long, value_name = "FILE")]
    probe: Option<PathBuf>,
    /// The id of the container for cases of the role `runtime`, which is the name of its control group
    #[arg(long, value_name = "ID", default_value = INSTANCE)]
    container: String,
}

/// Prints the script.
pub(super) fn reproduce(arguments: &ReproduceArgs) -> Result<(), Trouble> {
    let cases = arguments.fixtures.load()?;
    let entry = one(&cases.entries, &arguments.case)?;
    if let Task::Bundle(case) = &entry.task {
        let runtime = arguments.implementation.runtime().map_err(Trouble::new)?;
        let make = make_command(arguments, entry, "\"$scratch/case\"")?;
        io::stdout().write_all(script::script(entry, case, &runtime, &make).as_bytes())?;
        return Ok(());
    }
    let body = match (&entry.task, arguments.implementation.reach()?) {
        (Task::Case { case, folder }, Reach::Reference(adapter) | Reach::Adapter(adapter)) => {
            check(arguments, &cases, entry, (case, folder), &adapter)?
        }
        (Task::Run(scenario), Reach::Engine(engine)) => run_script(arguments, entry, scenario, &engine)?,
        (Task::Run(scenario), Reach::Adapter(adapter)) => run_through(arguments, entry, scenario, &adapter)?,
        _ => {
            let (name, role) = (&arguments.implementation.name, entry.role.name());
            return Err(Trouble::new(format!("`{name}` does not have the role `{role}` of {}", entry.name)));
        }
    };
    let script = format!(
        "#!/bin/sh\n# {}: {}\nset -eu\nscratch=$(mktemp -d)\ntrap 'rm -rf \"$scratch\"' EXIT\n{body}",
        entry.name, entry.why
    );
    io::stdout().write_all(script.as_bytes())?;
    Ok(())
}

fn check(
    arguments: &ReproduceArgs,
    cases: &Cases,
    entry: &Entry,
    (case, folder): (&Case, &Path),
    adapter: &Adapter,
) -> Result<String, Trouble> {
    let scratch = Path::new(SCRATCH);
    let mut lines = vec!["mkdir \"$scratch/adapter\"".to_owned()];
    // Inputs that are only made for this command are made again by the script.
    let is_changed = !case.links.is_empty() || !case.executables.is_empty() || case.keyrings.is_some();
    let input = if case.recipe.is_some() || is_changed || cases.made.is_some() {
        lines.push(make_command(arguments, entry, "\"$scratch/input\"")?);
        scratch.join("input")
    } else {
        folder.join(case.input.as_deref().unwrap_or_default())
    };
    let mut request = runner::request(case, &input, 1, scratch).map_err(Trouble::new)?;
    if case.operation == Operation::Verify {
        lines.extend(trust::script(case, folder));
        trust::tell(case, scratch, &mut request)?;
    }
    let put = put(&request, adapter)?;
    lines.push(format!("# Expected is \"outcome\":\"{}\".", case.expect.verdict.outcome().name()));
    lines.push(put);
    if let Some(look) = look(case) {
        lines.push(look);
    }
    Ok(lines.join("\n"))
}

/// The command that puts a message to an adapter.
fn put(request: &Request, adapter: &Adapter) -> Result<String, Trouble> {
    let message = Codec::new().and_then(|codec| codec.write(request)).map_err(Trouble::new)?;
    let message = filled(&quote(message.trim_end()));
    let mut program = quote(&adapter.program.display().to_string());
    for argument in &adapter.arguments {
        program.push_str(&format!(" {}", quote(&argument.to_string_lossy())));
    }
    Ok(format!("printf '%s\\n' {message} | {program}\n"))
}

/// The commands that show whether what is made is what the case expects.
fn look(case: &Case) -> Option<String> {
    let output = format!("\"$scratch/{}\"", runner::OUTPUT);
    let (command, what) = match (case.operation, case.expect.verdict) {
        (_, Verdict::Refused) => (format!("ls -d {output}"), "Nothing is to be there".to_owned()),
        (Operation::Check | Operation::Run, _) => return None,
        (Operation::Verify, _) => {
            let after = case
                .expect
                .state
                .as_ref()
                .map_or("any state".to_owned(), |folder| format!("that of the folder `{folder}`"));
            ("cat \"$scratch\"/state/*.json".to_owned(), format!("Expected is {after}"))
        }
        (Operation::Unpack, _) => (format!("cornercast listing --digest {output}"), digest(&case.expect.tree)),
        (Operation::Import, _) => (format!("ls {output}/images/sha256"), digest(&case.expect.result)),
        (Operation::Export, _) => (format!("sha256sum {output}/index.json"), digest(&case.expect.result)),
        (Operation::Bundle, _) => (format!("sha256sum {output}/config.json"), digest(&case.expect.result)),
    };
    Some(format!("# {what}.\n{command}\n"))
}

fn digest(digest: &Option<String>) -> String {
    format!("Expected is {}", digest.as_deref().unwrap_or("any digest"))
}

fn run_script(
    arguments: &ReproduceArgs,
    entry: &Entry,
    scenario: &Scenario,
    engine: &Engine,
) -> Result<String, Trouble> {
    let make = make_command(arguments, entry, "\"$scratch/case\"")?;
    let engine = Engine { state: Path::new(SCRATCH).join("instances"), ..engine.clone() };
    let folder = Path::new(SCRATCH).join("case");
    let mut command = engine.command(&folder)?;
    if let Some(given) = Given::planned(scenario, &folder, REFERENCE) {
        command.args(given.arguments());
    }
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> =
        words.filter(|word| *word != "--quiet").map(|word| filled(&quote(&word.to_string_lossy()))).collect();
    let mut lines = vec![make];
    lines.extend(notes(scenario, "engine"));
    lines.push(format!("{} <\"$scratch/case/input\" || true", words.join(" ")));
    lines.push("cat \"$scratch/case/reports/run-report.json\"; echo\n".to_owned());
    Ok(lines.join("\n"))
}

/// What whoever repeats a case by hand has to know.
fn notes(scenario: &Scenario, asked: &str) -> Vec<String> {
    let mut lines: Vec<String> = scenario.stack.iter().map(|limit| format!("ulimit -Ss {limit}")).collect();
    if let Some(other) = &scenario.other {
        lines.push(format!("# Before, another instance of the image is there: {}.", other.words()));
    }
    if scenario.stops > 0 {
        lines.push(format!("# When the line {{\"step\":\"ready\"…}} is there, send SIGTERM to the {asked}."));
    }
    lines.push(format!("# Expected is the outcome {}.", scenario.outcome.name()));
    lines
}

fn run_through(
    arguments: &ReproduceArgs,
    entry: &Entry,
    scenario: &Scenario,
    adapter: &Adapter,
) -> Result<String, Trouble> {
    let scratch = Path::new(SCRATCH);
    let case = scratch.join("case");
    let mut image = Image::new(b"");
    scenario.make(&mut image);
    let request = through::request(1, run::kind(&image), &case.join(run::IMAGE), &case, scratch);
    let mut request = request.map_err(Trouble::new)?;
    if let (Request::Run { options, .. }, Some(given)) = (&mut request, Given::planned(scenario, &case, REFERENCE)) {
        options.extend(given.members().map_err(Trouble::new)?);
    }
    let mut lines = vec!["mkdir \"$scratch/adapter\"".to_owned(), make_command(arguments, entry, "\"$scratch/case\"")?];
    lines.extend(notes(scenario, "adapter"));
    lines.push(put(&request, adapter)?);
    lines.push("cat \"$scratch/output/run-report.json\"; echo\n".to_owned());
    Ok(lines.join("\n"))
}

fn make_command(arguments: &ReproduceArgs, entry: &Entry, path: &str) -> Result<String, Trouble> {
    let program = std::env::current_exe()?;
    let fixtures = match &arguments.fixtures.folder {
        Some(folder) => format!(" --fixtures {}", quote(&folder.canonicalize()?.display().to_string())),
        None => String::new(),
    };
    Ok(format!("{} make{fixtures} {} {path}", quote(&program.display().to_string()), quote(&entry.name)))
}

/// A word of a shell with what is known only when the script runs.
fn filled(word: &str) -> String {
    word.replace(SCRATCH, "'\"$scratch\"'").replace(REFERENCE, "'\"$(cat \"$scratch/case/reference\")\"'")
}

/// Writes the input of a case, or all that an engine is given.
pub(super) fn make(arguments: &MakeArgs) -> Result<(), Trouble> {
    let cases = arguments.fixtures.load()?;
    let entry = one(&cases.entries, &arguments.case)?;
    match &entry.task {
        Task::Case { case, folder } => {
            let scratch = tempfile::tempdir()?;
            let input = runner::input(case, folder, scratch.path())?;
            copy(&input, &arguments.path).map_err(Trouble::at(arguments.path.display()))
        }
        Task::Bundle(case) => {
            let folder = &arguments.path;
            fs::create_dir(folder).map_err(Trouble::at(folder.display()))?;
            let probe = run::probe::read(arguments.probe.as_deref()).map_err(obstacle)?;
            Ok(bundles::make::make(case, &probe, &folder.canonicalize()?, &arguments.container)?)
        }
        Task::Run(scenario) => {
            fs::create_dir(&arguments.path).map_err(Trouble::at(arguments.path.display()))?;
            let made = run::prepare(scenario, arguments.probe.as_deref(), INSTANCE, &arguments.path);
            made.map(drop).map_err(obstacle)
        }
    }
}

fn obstacle(obstacle: run::Obstacle) -> Trouble {
    match obstacle {
        run::Obstacle::Host(reason) => Trouble::new(reason),
        run::Obstacle::Error(error) => error.into(),
    }
}

/// Copies a file, a folder, or a link as a link.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if !kind.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
