//! The first error that libcontainer logs, which says more than the one that it returns.
//!
//! What goes wrong in the process that it forks comes back as a few words without a cause.

use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes every error to a file, a line each, from here on and in what is forked.
///
/// # Errors
///
/// Why the file cannot be written, in words.
pub(super) fn to_file(path: &Path) -> Result<(), String> {
    let file = File::options().append(true).create(true).open(path);
    let file = file.map_err(|error| format!("the log {}: {error}", path.display()))?;
    tracing::subscriber::set_global_default(Log { file }).map_err(|error| error.to_string())
}

/// The first line of the file.
pub(super) fn first(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next().map(str::to_owned)
}

struct Log {
    file: File,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        // There is no other place to say that this fails.
        let text = format!("{}{}", line.message, line.fields).replace('\n', " ");
        let _ = (&self.file).write_all(format!("{text}\n").as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name} {value:?}"),
        };
    }
}
