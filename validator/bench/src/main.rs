//! Measures what `cornercast check` costs beside the decoding and hashing that it cannot avoid, and `cornercast verify`
//! beside `check`.
//!
//! `cargo build --release -p cornercast && cargo run --release -p cornercast-bench` makes the images,
//! which takes some minutes and 9 GB, and prints two tables. Each figure is the median of several runs, in
//! which the programs take turns; ratios are the medians of the ratios within a run.

mod bare;
mod bare_oci;
mod image;
mod measure;
mod plan;
mod signed;

use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::image::{Encoding, SHAPES, Shape};
use crate::measure::Cost;

/// Measure `cornercast check` beside a bare pipeline and `openssl dgst`
#[derive(Debug, Parser)]
#[command(max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Where the images are made and kept
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// How often each is run
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The threads of both
    #[arg(long, default_value = "2")]
    jobs: NonZero<usize>,
    /// Only images whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// The command to measure; by default the one beside this program
    #[arg(long)]
    cornercast: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program runs of itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// Decode and hash the blobs of a store or an archive, and nothing else
    Bare { input: PathBuf, jobs: NonZero<usize> },
    /// Decode and hash the layers of an OCI layout with one image, and nothing else
    BareOci { input: PathBuf, jobs: NonZero<usize> },
    /// Run a command and print its time in nanoseconds and its memory in bytes
    #[command(hide = true)]
    Child {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.part {
        Some(Part::Bare { input, jobs }) => bare::run(input, *jobs),
        Some(Part::BareOci { input, jobs }) => bare_oci::run(input, *jobs),
        Some(Part::Child { command }) => measure::child(command),
        None => table(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn table(arguments: &Arguments) -> io::Result<()> {
    let beside = std::env::current_exe()?.with_file_name("cornercast");
    let cornercast = arguments.cornercast.clone().unwrap_or(beside);
    if !cornercast.is_file() {
        return Err(io::Error::other(format!("there is no {}; build the command first", cornercast.display())));
    }
    fs::create_dir_all(&arguments.folder)?;
    println!("{}", measure::version(&cornercast, "--version"));
    println!("{}", measure::version(Path::new("openssl"), "version"));
    println!("{}", measure::version(Path::new("rustc"), "--version"));
    println!("{} runs, {} threads, {}\n", arguments.runs, arguments.jobs, processor());
    println!("| image | stored | check | bare | check / bare | openssl | check / openssl | memory | listings |");
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --: |");
    let lone = lone_manifest(&arguments.folder)?;
    let command = [cornercast.display().to_string(), "check".to_owned(), lone.display().to_string()];
    let costs = (0..arguments.runs.max(9)).map(|_| measure::measure(&command)).collect::<io::Result<Vec<_>>>()?;
    let time = median(costs.iter().map(|cost| cost.time));
    println!("| a lone manifest | | {} | | | | | {} | |", shown(time), mebibytes(most_memory(&costs)));
    for (shape, encoding, form) in images(arguments) {
        row(arguments, &cornercast, shape, encoding, form)?;
    }
    println!("\n| image | check | verify | verify / check | verify --trust-only | memory |");
    println!("| --- | --: | --: | --: | --: | --: |");
    for (shape, encoding, form) in images(arguments) {
        verify_row(arguments, &cornercast, shape, encoding, form)?;
    }
    Ok(())
}

/// The images that are asked for.
fn images(arguments: &Arguments) -> impl Iterator<Item = (&'static Shape, Encoding, Form)> {
    let encodings = [Encoding::Identity, Encoding::Zstd];
    let forms = encodings.into_iter().flat_map(|encoding| [(encoding, Form::Store), (encoding, Form::Archive)]);
    let all = SHAPES.iter().flat_map(move |shape| forms.clone().map(move |(encoding, form)| (shape, encoding, form)));
    all.filter(|(shape, encoding, form)| {
        format!("{}-{}-{}", shape.name, encoding.name(), form.name()).contains(&arguments.only)
    })
}

/// How an image is stored.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A directory, whose blobs are compressed each by itself.
    Store,
    /// One file, which is compressed as a whole.
    Archive,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Archive => "archive",
        }
    }
}

/// An image, and the store that it was made of.
fn made(arguments: &Arguments, shape: &Shape, encoding: Encoding, form: Form) -> io::Result<(PathBuf, PathBuf)> {
    match form {
        Form::Store => {
            let store = image::make(&arguments.folder, shape, encoding)?;
            Ok((store.clone(), store))
        }
        Form::Archive => {
            let store = image::make(&arguments.folder, shape, Encoding::Identity)?;
            Ok((image::make_archive(&store, encoding)?, store))
        }
    }
}

fn row(arguments: &Arguments, cornercast: &Path, shape: &Shape, encoding: Encoding, form: Form) -> io::Result<()> {
    let (input, store) = made(arguments, shape, encoding, form)?;
    let text = |path: &Path| path.display().to_string();
    let jobs = arguments.jobs.to_string();
    let check = [text(cornercast), "check".to_owned(), "--jobs".to_owned(), jobs.clone(), text(&input)];
    let bare = [text(&std::env::current_exe()?), "bare".to_owned(), text(&input), jobs];
    let blobs = stored(&input)?;
    let mut openssl = vec!["openssl".to_owned(), "dgst".to_owned(), "-sha256".to_owned()];
    openssl.extend(blobs.iter().map(|(path, _)| text(path)));
    let stored: u64 = blobs.iter().map(|(_, size)| size).sum();
    let [bares, checks, digests] = take_turns([&bare, &check, &openssl], runs_of(arguments, stored))?;
    println!(
        "| {} {} {} | {:.0} MB | {} | {} | {:.2} | {} | {:.2} | {} | {} |",
        shape.name,
        encoding.name(),
        form.name(),
        stored as f64 / 1e6,
        shown(median(checks.iter().map(|cost| cost.time))),
        shown(median(bares.iter().map(|cost| cost.time))),
        ratio(&checks, &bares),
        shown(median(digests.iter().map(|cost| cost.time))),
        ratio(&checks, &digests),
        mebibytes(most_memory(&checks)),
        mebibytes(listings(&store)?),
    );
    Ok(())
}

/// What it costs to find out who is trusted, and to check the image that is.
fn verify_row(
    arguments: &Arguments,
    cornercast: &Path,
    shape: &Shape,
    encoding: Encoding,
    form: Form,
) -> io::Result<()> {
    let (input, store) = made(arguments, shape, encoding, form)?;
    let (policy, state) = (signed::write_policy(&arguments.folder)?, arguments.folder.join("states").join(shape.name));
    let [program, input, policy, state] = [cornercast, &input, &policy, &state].map(|path| path.display().to_string());
    let jobs = arguments.jobs.to_string();
    let check = [&program, "check", "--jobs", &jobs, &input].map(str::to_owned);
    let reference = signed::reference(&store)?;
    let verify = [
        &program,
        "verify",
        "--jobs",
        &jobs,
        "--policy",
        &policy,
        "--state",
        &state,
        "--platform",
        "linux/amd64",
        &input,
        &reference,
    ];
    let verify: Vec<String> = verify.into_iter().map(str::to_owned).collect();
    let trust_only: Vec<String> = verify.iter().cloned().chain(["--trust-only".to_owned()]).collect();
    let stored: u64 = stored(Path::new(&input))?.iter().map(|(_, size)| size).sum();
    let [checks, verifies, trusts] = take_turns([&check, &verify, &trust_only], runs_of(arguments, stored))?;
    println!(
        "| {} {} {} | {} | {} | {:.2} | {} | {} |",
        shape.name,
        encoding.name(),
        form.name(),
        shown(median(checks.iter().map(|cost| cost.time))),
        shown(median(verifies.iter().map(|cost| cost.time))),
        ratio(&verifies, &checks),
        shown(median(trusts.iter().map(|cost| cost.time))),
        mebibytes(most_memory(&verifies)),
    );
    Ok(())
}

/// What commands cost that take turns, so many times each.
fn take_turns(commands: [&[String]; 3], runs: usize) -> io::Result<[Vec<Cost>; 3]> {
    let mut costs = [const { Vec::new() }; 3];
    for run in 0..=runs {
        for (costs, command) in costs.iter_mut().zip(commands) {
            let cost = measure::measure(command)?;
            // The first run fills the cache of the file system.
            if run > 0 {
                costs.push(cost);
            }
        }
    }
    Ok(costs)
}

/// How often an image of so many bytes is measured: small ones more often, since what else the machine does weighs more
/// there.
fn runs_of(arguments: &Arguments, stored: u64) -> usize {
    if stored < 100 << 20 { arguments.runs * 5 } else { arguments.runs }
}

/// The files that hold the blobs of a store, and their sizes; an archive is one file.
fn stored(input: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut out = Vec::new();
    if input.is_file() {
        out.push((input.to_owned(), fs::metadata(input)?.len()));
    }
    for folder in ["blobs/sha256", "packed/sha256"] {
        let Ok(entries) = fs::read_dir(input.join(folder)) else { continue };
        for entry in entries {
            let entry = entry?;
            out.push((entry.path(), entry.metadata()?.len()));
        }
    }
    out.sort();
    Ok(out)
}

/// The bytes of all listings that the store's manifest names.
fn listings(store: &Path) -> io::Result<u64> {
    let manifest = manifest(store)?;
    let layers = manifest.pointer("/layers").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    Ok(layers.iter().filter_map(|layer| layer.pointer("/listing/size")?.as_u64()).sum())
}

fn manifest(store: &Path) -> io::Result<serde_json::Value> {
    Ok(serde_json::from_slice(&fs::read(image::manifest_of(store)?)?)?)
}

/// The manifest of the smallest image, as a file of its own.
fn lone_manifest(folder: &Path) -> io::Result<PathBuf> {
    let [shape, ..] = SHAPES;
    let store = image::make(folder, &shape, Encoding::Identity)?;
    let lone = folder.join("manifest.json");
    fs::copy(image::manifest_of(&store)?, &lone)?;
    Ok(lone)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "an unknown processor".to_owned(), |(_, name)| name.to_owned())
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ratio(costs: &[Cost], others: &[Cost]) -> f64 {
    let each = costs.iter().zip(others).map(|(cost, other)| cost.time.as_secs_f64() / other.time.as_secs_f64());
    let mut each: Vec<f64> = each.collect();
    each.sort_by(f64::total_cmp);
    each.get(each.len() / 2).copied().unwrap_or_default()
}

fn most_memory(costs: &[Cost]) -> u64 {
    costs.iter().map(|cost| cost.memory).max().unwrap_or_default()
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
