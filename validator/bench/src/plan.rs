//! Plans: where in a layer or an archive the parts are that have to be hashed.
//!
//! A plan stands beside its image: lists of places, each the number of them and then where each begins and
//! how long it is, as little-endian 64-bit numbers.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a part begins, and its length.
pub(crate) type Place = (u64, u64);

/// Where the plan of an image stands.
pub(crate) fn plan_of(image: &Path) -> PathBuf {
    let mut path = image.as_os_str().to_owned();
    path.push(".plan");
    path.into()
}

pub(crate) fn write(out: &mut impl Write, places: &[Place]) -> io::Result<()> {
    out.write_all(&(places.len() as u64).to_le_bytes())?;
    for (start, size) in places {
        out.write_all(&start.to_le_bytes())?;
        out.write_all(&size.to_le_bytes())?;
    }
    Ok(())
}

/// The lists of an image's plan.
pub(crate) fn read(image: &Path) -> io::Result<impl Iterator<Item = Vec<Place>>> {
    let plan = fs::read(plan_of(image))?;
    let (words, _) = plan.as_chunks::<8>();
    let mut words = words.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>().into_iter();
    Ok(std::iter::from_fn(move || {
        let count = words.next()?;
        Some((0..count).filter_map(|_| Some((words.next()?, words.next()?))).collect())
    }))
}
