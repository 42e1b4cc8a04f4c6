//! `--output FORMAT=FILE`.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::Trouble;
use crate::report::{Besides, Format, Report, book, html, junit, markdown};

/// What stands for standard output.
const STDOUT: &str = "-";

/// A report as the command line asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    format: Format,
    path: PathBuf,
}

impl Output {
    /// JSON lines, in the place of those of `--json`.
    pub(super) fn json(path: &Path) -> Self {
        Self { format: Format::Json, path: path.to_owned() }
    }
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').ok_or("there is no `=`: FORMAT=FILE")?;
        let format = Format::from_str(format, false).map_err(|_| {
            let known = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let known: Vec<String> = known.map(|value| value.get_name().to_owned()).collect();
            format!("`{format}` is none of the formats {}", known.join(", "))
        })?;
        if path.is_empty() {
            return Err("the file is missing: FORMAT=FILE".to_owned());
        }
        Ok(Self { format, path: path.into() })
    }
}

/// The reports of a run that is going on.
pub(super) struct Outputs {
    all: Vec<(Format, Destination)>,
}

/// Where a report goes.
enum Destination {
    Stdout(BufWriter<io::Stdout>),
    /// Under a temporary name until all is there.
    File(BufWriter<NamedTempFile>, PathBuf),
}

impl Outputs {
    /// Opens all, so that what cannot be written is known before the run.
    pub(super) fn new(outputs: &[Output]) -> Result<Self, Trouble> {
        if outputs.iter().filter(|output| output.path == Path::new(STDOUT)).count() > 1 {
            return Err(Trouble::new("only one report can go to standard output"));
        }
        let all = outputs.iter().map(|output| Ok((output.format, Destination::new(&output.path)?)));
        Ok(Self { all: all.collect::<Result<_, Trouble>>()? })
    }

    /// Whether one of them is lines.
    pub(super) fn has_lines(&self) -> bool {
        self.all.iter().any(|(format, _)| *format == Format::Json)
    }

    /// A line of the reports that are lines.
    pub(super) fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        for (_, destination) in self.all.iter_mut().filter(|(format, _)| *format == Format::Json) {
            let out = destination.out();
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")?;
            // Whoever follows the run sees each result when it is there.
            out.flush()?;
        }
        Ok(())
    }

    /// Writes those that are no lines, and whether standard output is free for the text.
    pub(super) fn finish(self, report: &Report, besides: &Besides) -> Result<bool, Trouble> {
        let mut is_free = true;
        for (format, mut destination) in self.all {
            match format {
                Format::Json => {}
                Format::Junit => destination.out().write_all(junit::write(report)?.as_bytes())?,
                Format::Markdown => destination.out().write_all(markdown::write(report).as_bytes())?,
                Format::Html => destination.out().write_all(html::write(report, besides)?.as_bytes())?,
                Format::Book => destination.out().write_all(book::write(report, besides).as_bytes())?,
            }
            is_free &= matches!(destination, Destination::File(..));
            destination.finish()?;
        }
        Ok(is_free)
    }
}

impl Destination {
    fn new(path: &Path) -> Result<Self, Trouble> {
        if path == Path::new(STDOUT) {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        }
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(Trouble::at(path.display()))?;
        Ok(Self::File(BufWriter::new(file), path.to_owned()))
    }

    fn out(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(out) => out,
            Self::File(out, _) => out,
        }
    }

    fn finish(self) -> Result<(), Trouble> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File(out, path) => {
                let file = out.into_inner().map_err(|error| Trouble::new(error.to_string()))?;
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|error| Trouble::at(path.display())(error.error))?;
                Ok(())
            }
        }
    }
}
