//! Programs of the host.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first line that `program --version` prints.
///
/// # Errors
///
/// Why it cannot be used here, in words.
pub fn version(program: &Path) -> Result<String, String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| unavailable(program, &error))?;
    if !output.status.success() {
        return Err(format!("{} --version ended with {}", program.display(), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

/// Why a program cannot be run, in words.
pub(super) fn unavailable(program: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{} is not installed", program.display()),
        _ => format!("{} cannot be run: {error}", program.display()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_its_version_or_why_not() {
        assert!(version(Path::new("cat")).unwrap().starts_with("cat "));
        assert_eq!(version(Path::new("/nowhere/a")).unwrap_err(), "/nowhere/a is not installed");
        assert!(version(Path::new("/")).unwrap_err().starts_with("/ cannot be run: "));
    }
}
