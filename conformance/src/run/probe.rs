//! Finding the probe, or making it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Obstacle;

/// Names the probe's file; `--probe` comes first.
const VARIABLE: &str = "CORNERCAST_PROBE";

/// How the probe is made.
const RECIPE: &str = "cargo rustc -p cornercast-probe --release -- -C target-feature=+crt-static";

/// The bytes of the probe: of the file `given`, else of the one in the variable, else of the one beside this program or
/// in the folder of a release build, else of one that is made of the checkout.
///
/// # Errors
///
/// If it is not there, not static, or cannot be made.
pub fn read(given: Option<&Path>) -> Result<Vec<u8>, Obstacle> {
    let given = given.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    let path = match given {
        Some(path) => path,
        None => match beside()? {
            Some(path) => path,
            None => make()?,
        },
    };
    let bytes = fs::read(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("the probe {}: {error}", path.display())))?;
    if needs_loader(&bytes) {
        let path = path.display();
        return Err(Obstacle::Host(format!("the probe {path} is not static; make it with `{RECIPE}`")));
    }
    Ok(bytes)
}

/// A static probe beside this program or in the folder of a release build.
fn beside() -> io::Result<Option<PathBuf>> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().skip(1).take(3);
    let mut places =
        folders.flat_map(|folder| [folder.join("cornercast-probe"), folder.join("release/cornercast-probe")]);
    // A probe that needs a loader is the by-product of a build of the whole workspace.
    Ok(places.find(|path| path.is_file() && fs::read(path).is_ok_and(|bytes| !needs_loader(&bytes))))
}

/// Makes the probe of the checkout that this program was built in, once.
fn make() -> Result<PathBuf, Obstacle> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(build).clone().map_err(Obstacle::Host)
}

fn build() -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe");
    if !package.join("Cargo.toml").is_file() {
        return Err(format!("the probe is not there; make it with `{RECIPE}`"));
    }
    // Beside this program, and in a folder of its own: without the flag, the same program is built in the usual one.
    let target = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = target.parent().unwrap_or(Path::new(".")).join("probe");
    if std::io::IsTerminal::is_terminal(&io::stderr()) {
        eprintln!("making the probe, the program that runs in the images of the cases");
    }
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["rustc", "--quiet", "--release", "--target-dir"]).arg(&target).current_dir(&package);
    command.args(["--", "-C", "target-feature=+crt-static"]);
    let output = command.output().map_err(|error| format!("cargo, which makes the probe: {error}"))?;
    if output.status.success() {
        return Ok(target.join("release/cornercast-probe"));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("the probe cannot be made by `{RECIPE}`: {last}"))
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
