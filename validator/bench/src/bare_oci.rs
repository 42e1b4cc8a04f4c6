//! The work that no check of an OCI layout can avoid: each layer decoded by the same library, the SHA-256 of what is
//! stored and of what it decodes to, with the same threads. Nothing is looked at.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use cornercast::store::lanes::{self, Lane};
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Bytes read at once, as many as a check reads.
const CHUNK: usize = 128 << 10;

/// Reads all layers of a layout with one image and hashes them.
pub(crate) fn run(layout: &Path, jobs: NonZero<usize>) -> io::Result<()> {
    let index = document(&layout.join("index.json"))?;
    let manifest = document(&blob(layout, index.pointer("/manifests/0"))?)?;
    let config = document(&blob(layout, manifest.get("config"))?)?;
    let layers = manifest.get("layers").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut layers = layers.iter().map(|layer| Layer::new(layout, layer)).collect::<io::Result<Vec<_>>>()?;
    let lanes = layers.iter_mut().map(Layer::lane).collect();
    if let Some(error) = lanes::run(lanes, jobs).into_iter().flatten().next() {
        return Err(error);
    }
    for (number, layer) in layers.into_iter().enumerate() {
        let stored = layer.source.map(Source::stored).unwrap_or_default();
        let diff_id = config.pointer(&format!("/rootfs/diff_ids/{number}")).and_then(Value::as_str).unwrap_or_default();
        if !layer.path.ends_with(&stored) || diff_id != format!("sha256:{}", hex(layer.decoded)) {
            return Err(io::Error::other(format!("{} is another layer", layer.path.display())));
        }
        println!("{diff_id}");
    }
    Ok(())
}

fn document(path: &Path) -> io::Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// The file that a descriptor names.
fn blob(layout: &Path, descriptor: Option<&Value>) -> io::Result<PathBuf> {
    let digest = descriptor.and_then(|it| it.get("digest")?.as_str()).and_then(|digest| digest.strip_prefix("sha256:"));
    let digest = digest.ok_or_else(|| io::Error::other("a descriptor without digest"))?;
    Ok(layout.join("blobs/sha256").join(digest))
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Layer {
    path: PathBuf,
    is_gzip: bool,
    source: Option<Source>,
    decoded: Sha256,
}

enum Source {
    Gzip(Box<MultiGzDecoder<Hashed>>),
    Zstd(Box<zstd::Decoder<'static, Hashed>>),
}

impl Source {
    /// The digest of what has been read.
    fn stored(self) -> String {
        hex(match self {
            Self::Gzip(decoder) => decoder.into_inner().hash,
            Self::Zstd(decoder) => decoder.finish().hash,
        })
    }
}

impl Layer {
    fn new(layout: &Path, descriptor: &Value) -> io::Result<Self> {
        let is_gzip = descriptor.get("mediaType").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("gzip"));
        Ok(Self { path: blob(layout, Some(descriptor))?, is_gzip, source: None, decoded: Sha256::new() })
    }

    fn lane(&mut self) -> Lane<'_> {
        let Self { path, is_gzip, source, decoded } = self;
        Lane::new(
            Box::new(move |buffer| {
                if source.is_none() {
                    let hashed =
                        Hashed { file: BufReader::with_capacity(CHUNK, File::open(&*path)?), hash: Sha256::new() };
                    *source = Some(if *is_gzip {
                        Source::Gzip(Box::new(MultiGzDecoder::new(hashed)))
                    } else {
                        Source::Zstd(Box::new(zstd::Decoder::with_buffer(hashed)?))
                    });
                }
                match source {
                    Some(Source::Gzip(decoder)) => decoder.read(buffer),
                    Some(Source::Zstd(decoder)) => decoder.read(buffer),
                    None => Ok(0),
                }
            }),
            [Box::new(|bytes| decoded.update(bytes)), Box::new(|_| {})],
        )
    }
}

/// A file that hashes what is taken of it.
struct Hashed {
    file: BufReader<File>,
    hash: Sha256,
}

impl BufRead for Hashed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, used: usize) {
        self.hash.update(self.file.buffer().get(..used).unwrap_or_default());
        self.file.consume(used);
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
