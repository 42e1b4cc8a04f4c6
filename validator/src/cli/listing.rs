//! `cornercast listing`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::image::{Image, is_image, plain_file};
use super::progress;
use super::{Failure, Listing, ListingOf, print, source_date_epoch};
use crate::build::{Ownership, SourceTree, read_directory, read_tar};
use crate::digest::Hasher;
use crate::layer::{Entry, write_line};

pub(super) fn run(arguments: &Listing) -> Result<ExitCode, Failure> {
    let mut out = Output {
        digest: arguments.digest.then(Hasher::default),
        out: io::BufWriter::new(io::stdout().lock()),
        failed: None,
    };
    let is_image = arguments.kind.map_or_else(|| is_image(&arguments.input), |kind| kind == ListingOf::Image);
    if is_image {
        Image::open(&arguments.input)?.tree()?.for_each_line(|line| out.line(line));
    } else {
        let tree = read_tree(Path::new(&arguments.input), &arguments.ownership.ownership(), source_date_epoch()?)?;
        let mut line = Vec::new();
        for entry in entries(&tree.0)? {
            line.clear();
            write_line(&mut line, &entry.path, &entry.node);
            out.line(&line);
        }
    }
    out.finish()
}

/// A tree from a directory or a tar archive, and what keeps its contents.
pub(super) fn read_tree(
    path: &Path,
    ownership: &Ownership,
    epoch: Option<u64>,
) -> Result<(SourceTree, Option<tempfile::NamedTempFile>), Failure> {
    let mut tree = SourceTree::new(epoch);
    tree.on_read = Some(progress::add);
    if path.is_dir() {
        read_directory(path, ownership, &mut tree)?;
        return Ok((tree, None));
    }
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let (file, spool) = plain_file(path).map_err(|error| Failure::Error(format!("{shown}: {error}")))?;
    let name = if spool.is_some() && file != path { format!("{shown} (decompressed)") } else { shown };
    read_tar(&file, &name, ownership, &mut tree)?;
    Ok((tree, spool))
}

/// The entries of the layer that `pack` would make from a tree; every file is read for its digest.
pub(super) fn entries(tree: &SourceTree) -> Result<Vec<Entry>, Failure> {
    let _shown = progress::show("reading", tree.size());
    Ok(tree.write_layer(io::sink())?)
}

struct Output<W: Write> {
    digest: Option<Hasher>,
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> Output<W> {
    fn line(&mut self, line: &[u8]) {
        match &mut self.digest {
            Some(hasher) => hasher.update(line),
            None if self.failed.is_none() => self.failed = self.out.write_all(line).err(),
            None => {}
        }
    }

    fn finish(mut self) -> Result<ExitCode, Failure> {
        if let Some(hasher) = self.digest {
            drop(self.out);
            print(&format!("{}\n", hasher.finish()))?;
            return Ok(ExitCode::SUCCESS);
        }
        match self.failed.or_else(|| self.out.flush().err()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Error(format!("standard output: {error}")))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}
