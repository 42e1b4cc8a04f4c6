//! Making a bundle: the tree of the image, and its configuration.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{Config, Refusal, config};
use crate::build::PrivateFolder;
use crate::digest::Digest;
use crate::store::Files;
use crate::unpack::{self, Options, UnpackError, Unpacked};

/// The names of what is in a bundle (RUN-101).
const CONFIG: &str = "config.json";
const ROOTFS: &str = "rootfs";

/// What has been made.
#[derive(Debug)]
pub struct Made {
    /// The tree, and what it has not.
    pub unpacked: Unpacked,
    /// The configuration, and what it leaves out.
    pub config: Config,
}

/// Why no bundle has been made. Nothing is left behind then.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The image asks for what a bundle cannot say, for all these reasons.
    #[error("no bundle can be made of the image")]
    Refused(Vec<Refusal>),
    /// The tree cannot be made.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

/// Makes a bundle of the image `image` of a store in the directory `to`, which must not be there or be empty. It is
/// there as a whole or not at all, and for its owner alone: what is in the tree can have the rights of others.
///
/// # Errors
///
/// See [`BundleError`].
pub fn make(files: &dyn Files, image: Digest, name: &str, to: &Path, options: &Options) -> Result<Made, BundleError> {
    unpack::check_place(to)?;
    let unreadable = |error| UnpackError::Io(name.to_owned(), error);
    // Of an image that is not valid, unpacking says what is wrong with it (RUN-124).
    let config = match unpack::describe(files, image, &options.limits).map_err(unreadable)? {
        Some((manifest, tree)) => Some(config(&manifest, image, &tree).map_err(BundleError::Refused)?),
        None => None,
    };
    let unwritable = |error| UnpackError::Io(to.display().to_string(), error);
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = PrivateFolder::new_in(parent).map_err(unwritable)?;
    let unpacked = unpack::unpack(files, image, name, &folder.path().join(ROOTFS), options)?;
    let Some(config) = config else { return Err(UnpackError::Changed.into()) };
    write(&folder.path().join(CONFIG), &config.bytes).map_err(unwritable)?;
    File::open(folder.path()).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    let temporary = folder.path().to_owned();
    folder.keep(|| fs::rename(&temporary, to)).map_err(unwritable)?;
    Ok(Made { unpacked, config })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
