//! What a verifier is given besides the store, and what is left of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::case::{Case, PolicyFile};
use crate::protocol::Request;
use crate::runner::text;
use crate::verifying::SIGNATURE;

/// The name of the policy, beside `case.json` and in the scratch folder.
const POLICY: &str = "policy.json";

/// The name of the folder with the states, there too.
const STATE: &str = "state";

/// Says in a request where policy and state are.
pub(crate) fn tell(case: &Case, scratch: &Path, request: &mut Request) -> io::Result<()> {
    if let Request::Run { options, .. } = request
        && case.kind != SIGNATURE
    {
        for (name, file) in [("policy", POLICY), ("state", STATE)] {
            options.insert(name.to_owned(), text(&scratch.join(file)).map_err(io::Error::other)?);
        }
    }
    Ok(())
}

/// The shell commands that make policy and state in the folder `$scratch`.
pub(crate) fn script(case: &Case, folder: &Path) -> Vec<String> {
    if case.kind == SIGNATURE {
        return Vec::new();
    }
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let given = quoted(&folder.join(POLICY));
    let policy = match case.policy {
        None => format!("install -m 600 {given} \"$scratch/policy.json\""),
        Some(PolicyFile::GroupWritable) => format!("install -m 620 {given} \"$scratch/policy.json\""),
        Some(PolicyFile::WorldWritable) => format!("install -m 602 {given} \"$scratch/policy.json\""),
        Some(PolicyFile::Link) => format!("ln -s {given} \"$scratch/policy.json\""),
        Some(PolicyFile::Directory) => "mkdir \"$scratch/policy.json\"".to_owned(),
        Some(PolicyFile::Missing) => ":".to_owned(),
    };
    let state = folder.join(STATE);
    let mut lines = vec![policy, "mkdir \"$scratch/state\"".to_owned()];
    if state.exists() {
        lines.push(format!("install -m 600 {}/*.json \"$scratch/state\"", quoted(&state)));
    }
    lines
}

/// Makes policy and state in `scratch`, and says in the request where they are.
pub(crate) fn prepare(case: &Case, folder: &Path, scratch: &Path, request: &mut Request) -> io::Result<()> {
    if case.kind == SIGNATURE {
        return Ok(());
    }
    let (given, policy) = (folder.join(POLICY), scratch.join(POLICY));
    match case.policy {
        None => write(&policy, &fs::read(given)?, 0o600)?,
        Some(PolicyFile::GroupWritable) => write(&policy, &fs::read(given)?, 0o620)?,
        Some(PolicyFile::WorldWritable) => write(&policy, &fs::read(given)?, 0o602)?,
        Some(PolicyFile::Link) => {
            let target = scratch.join("a-policy.json");
            write(&target, &fs::read(given)?, 0o600)?;
            symlink(target, &policy)?;
        }
        Some(PolicyFile::Directory) => fs::create_dir(&policy)?,
        Some(PolicyFile::Missing) => {}
    }
    let state = scratch.join(STATE);
    fs::create_dir(&state)?;
    for (name, bytes) in files(&folder.join(STATE))? {
        write(&state.join(name), &bytes, 0o600)?;
    }
    tell(case, scratch, request)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fs::write(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// The JSON files of a folder by name; none if it is not there.
fn files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

/// Whether the state is what the case expects.
pub(crate) fn judge(case: &Case, folder: &Path, scratch: &Path) -> Result<(), String> {
    let Some(expected) = &case.expect.state else { return Ok(()) };
    let read = |path: &Path| files(path).map_err(|error| format!("the state cannot be read: {error}"));
    let (expected, found) = (read(&folder.join(expected))?, read(&scratch.join(STATE))?);
    for (name, wanted) in &expected {
        match found.get(name) {
            None => return Err(format!("the state has no file {name}")),
            Some(bytes) if bytes != wanted => {
                let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                return Err(format!("expected the state {}, got {}", shown(wanted), shown(bytes)));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(format!("the state has a file {name} that was not to be written")),
        None => Ok(()),
    }
}
