//! Layers compressed for OCI. The bytes depend on the compressor; what they decode to does not (OCI-122).

use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder};

use super::media::LayerForm;

/// The level of gzip, its default.
const GZIP_LEVEL: u32 = 6;
/// The level of Zstandard, its default; its window is far below what every decoder takes.
const ZSTD_LEVEL: i32 = 3;
/// An operating system that is not known, in the header of gzip.
const UNKNOWN_SYSTEM: u8 = 255;

/// Writes the `size` bytes of `layer` to `out` in this form: as one gzip member without time and name, or one
/// Zstandard frame with content size and checksum.
///
/// # Errors
///
/// Errors of `layer` and `out`.
pub fn compress(form: LayerForm, size: u64, layer: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    match form {
        LayerForm::Plain => {
            io::copy(layer, out)?;
        }
        LayerForm::Gzip => {
            let builder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
            let mut encoder = builder.write(out, Compression::new(GZIP_LEVEL));
            io::copy(layer, &mut encoder)?;
            encoder.finish()?;
        }
        LayerForm::Zstd => {
            let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
            encoder.include_checksum(true)?;
            encoder.set_pledged_src_size(Some(size))?;
            io::copy(layer, &mut encoder)?;
            encoder.finish()?;
        }
    }
    Ok(())
}
