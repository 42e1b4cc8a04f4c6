//! Where the reports of `check` go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Failure, print};
use crate::build::unwritable;
use crate::report::{Format, Report};

/// A form, and the file that it goes to; `None` is standard output.
pub(super) type Destination = (Format, Option<PathBuf>);

/// The destinations that the arguments name, each with one report.
///
/// # Errors
///
/// Two reports go to the same place.
pub(super) fn destinations(format: Option<Format>, outputs: &[(Format, PathBuf)]) -> Result<Vec<Destination>, Failure> {
    let mut out: Vec<Destination> = format.map(|format| (format, None)).into_iter().collect();
    for (format, file) in outputs {
        let file = (file != Path::new("-")).then(|| file.clone());
        if out.iter().any(|(_, other)| *other == file) {
            let place = file.as_ref().map_or_else(|| "standard output".to_owned(), |file| file.display().to_string());
            return Err(Failure::Error(format!("two reports go to {place}; give one of them another file")));
        }
        out.push((*format, file));
    }
    if out.iter().all(|(_, file)| file.is_some()) {
        out.push((Format::Human, None));
    }
    // Files first: a reader of standard output that goes away early takes none of them along.
    out.sort_by_key(|(_, file)| file.is_none());
    Ok(out)
}

/// Writes the report to all destinations.
///
/// # Errors
///
/// Errors of the file system; files are written whole or not at all.
pub(super) fn write(report: &Report, destinations: &[Destination]) -> Result<(), Failure> {
    for (format, file) in destinations {
        let text = report.render(*format);
        match file {
            Some(file) => {
                let text = anstream::adapter::strip_str(&text).to_string();
                write_file(file, &text).map_err(|error| Failure::from(unwritable(file)(error)))?;
            }
            None => print(&text)?,
        }
    }
    Ok(())
}

/// Writes a file, whole or not at all.
pub(super) fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = crate::build::temporary_in(folder)?;
    file.write_all(text.as_bytes())?;
    crate::build::finish(file, path)
}
