//! The cases of the role `run`, by the sections of the chapter Runtime.

mod directory;
mod end;
mod failing;
mod host;
mod ids;
mod isolation;
mod options;
mod policy;
mod process;
mod streams;
mod tree;
mod volumes;
mod writing;

use crate::suite::Entry;

/// All cases, in the order of the chapter.
#[must_use]
pub fn cases() -> Vec<Entry> {
    let mut all = Vec::new();
    for of_section in [
        options::image,
        options::options,
        policy::policy,
        process::process,
        directory::directory,
        ids::ids,
        streams::streams,
        tree::tree,
        host::host,
        writing::writing,
        volumes::volumes,
        end::end,
        isolation::isolation,
        failing::failing,
        failing::reports,
    ] {
        all.extend(of_section());
    }
    all.sort_by(|one: &Entry, other| one.name.cmp(&other.name));
    all
}
