//! `clean`.

use std::io::Write;

use super::Trouble;
use crate::scratch::{self, Left};

/// Removes what runs that were killed have left, and says what.
pub(super) fn clean() -> Result<(), Trouble> {
    let all = scratch::clean()?;
    let mut out = anstream::stdout();
    if all.is_empty() {
        writeln!(out, "nothing is left of earlier runs")?;
    }
    for Left { folder, instances, trouble } in &all {
        if trouble.is_none() {
            writeln!(out, "removed {}", folder.display())?;
        }
        for instance in instances {
            writeln!(out, "removed the instance {instance}")?;
        }
    }
    match all.iter().find_map(|left| Some((&left.folder, left.trouble.as_ref()?))) {
        None => Ok(()),
        Some((folder, trouble)) => Err(Trouble::new(format!("{} is still there: {trouble}", folder.display()))),
    }
}

/// The same before a run, which what is left of another one does not hinder.
pub(super) fn silently() {
    let _ = scratch::clean();
}
