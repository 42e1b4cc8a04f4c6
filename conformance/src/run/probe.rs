//! Finding the probe.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Obstacle;

/// Names the probe's file; `--probe` comes first.
const VARIABLE: &str = "CORNERCAST_PROBE";

/// How the probe is made.
const RECIPE: &str = "cargo rustc -p cornercast-probe --release -- -C target-feature=+crt-static";

/// The bytes of the probe: of the file `given`, else of the one in the variable, else of the one
/// beside this program or in the folder of a release build.
///
/// # Errors
///
/// If it is not there or not static.
pub(super) fn read(given: Option<&Path>) -> Result<Vec<u8>, Obstacle> {
    let given = given.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    let path = match given {
        Some(path) => path,
        None => beside()?.ok_or_else(|| Obstacle::Host(format!("the probe is not there; make it with `{RECIPE}`")))?,
    };
    let bytes = fs::read(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("the probe {}: {error}", path.display())))?;
    if needs_loader(&bytes) {
        let path = path.display();
        return Err(Obstacle::Host(format!("the probe {path} is not static; make it with `{RECIPE}`")));
    }
    Ok(bytes)
}

fn beside() -> io::Result<Option<PathBuf>> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().skip(1).take(3);
    let places = folders.flat_map(|folder| [folder.join("cornercast-probe"), folder.join("release/cornercast-probe")]);
    // A probe that needs a loader is the by-product of a build of the whole workspace.
    let mut there: Vec<PathBuf> = places.filter(|path| path.is_file()).collect();
    there.sort_by_cached_key(|path| fs::read(path).map_or(true, |bytes| needs_loader(&bytes)));
    Ok(there.into_iter().next())
}

/// Whether a program header of a 64-bit little-endian ELF file is `PT_INTERP`.
fn needs_loader(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| -> Option<usize> {
        let bytes = elf.get(at..at.checked_add(length)?)?;
        bytes.iter().rev().try_fold(0_usize, |value, byte| value.checked_mul(256)?.checked_add(usize::from(*byte)))
    };
    let (Some(table), Some(length), Some(count)) = (number(0x20, 8), number(0x36, 2), number(0x38, 2)) else {
        return false;
    };
    (0..count).any(|index| number(table.saturating_add(index * length), 4) == usize::try_from(PT_INTERP).ok())
}
