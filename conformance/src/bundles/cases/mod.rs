//! The cases of the role `runtime`, by subject.

mod devices;
mod directory;
mod environment;
mod hooks;
mod isolation;
mod lifecycle;
mod mounts;
mod privileges;
mod process;
mod root;
mod run;
mod values;

use crate::suite::Entry;

/// All cases, in the order of their names.
#[must_use]
pub fn cases() -> Vec<Entry> {
    let mut all = Vec::new();
    for of_subject in [
        devices::of_the_bundle,
        directory::directory,
        environment::environment,
        hooks::hooks,
        isolation::isolation,
        lifecycle::lifecycle,
        mounts::mounts,
        privileges::privileges,
        process::process,
        root::root,
        run::run,
        values::values,
    ] {
        all.extend(of_subject());
    }
    all.sort_by(|one: &Entry, other| one.name.cmp(&other.name));
    all
}
