//! The files of a log (C2SP tlog-tiles): which there are, where they stand, and what is in them.
//!
//! A *tile* is up to 256 hashes of one level; each hash of level *l* + 1 is the root of a whole tile of level *l*, and
//! level 0 has the hashes of the leaves. A *bundle* is the entries that belong to a tile of level 0.

use super::tree::{Hash, root};

/// The hashes in a whole tile, and the entries in a whole bundle.
pub const WIDTH: usize = 256;

/// A tile, or a bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// The level; of a bundle, `None`.
    pub level: Option<u8>,
    /// The number in its level, from 0.
    pub number: usize,
    /// The hashes or entries in it, from 1 to 256.
    pub width: usize,
}

impl Tile {
    /// Its path in the directory of the log.
    ///
    /// ```
    /// use cornercast::trust::tiles::Tile;
    ///
    /// let tile = Tile { level: Some(1), number: 1_234_067, width: 17 };
    /// assert_eq!(tile.path(), "tile/1/x001/x234/067.p/17");
    /// ```
    #[must_use]
    pub fn path(&self) -> String {
        let whole = self.whole().plain_path();
        if self.is_whole() { whole } else { format!("{whole}.p/{}", self.width) }
    }

    fn plain_path(&self) -> String {
        let level = self.level.map_or_else(|| "entries".to_owned(), |level| level.to_string());
        let (mut name, mut rest) = (format!("{:03}", self.number % 1000), self.number / 1000);
        while rest > 0 {
            name = format!("x{:03}/{name}", rest % 1000);
            rest /= 1000;
        }
        format!("tile/{level}/{name}")
    }

    /// The whole tile that this one becomes.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { width: WIDTH, ..*self }
    }

    /// Whether there is no room in it for more.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.width == WIDTH
    }

    /// The number of its first hash in the level.
    #[must_use]
    pub fn start(&self) -> usize {
        self.number * WIDTH
    }
}

/// The tiles of a level with `count` hashes, from the hash number `from` on; with `None`, the bundles of so many
/// entries.
pub fn tiles(level: Option<u8>, from: usize, count: usize) -> impl Iterator<Item = Tile> {
    let numbers = from / WIDTH..count.div_ceil(WIDTH);
    let tile = move |number| Tile { level, number, width: (count - number * WIDTH).min(WIDTH) };
    numbers.map(tile).filter(move |_| from < count)
}

/// The hashes of all levels of the tree of these leaves, from the leaves upwards. There is no level without hashes.
#[must_use]
pub fn levels(leaves: &[Hash]) -> Vec<Vec<Hash>> {
    let mut levels = Vec::new();
    let mut level = leaves.to_vec();
    while !level.is_empty() {
        let above = level.chunks_exact(WIDTH).filter_map(root).collect();
        levels.push(std::mem::replace(&mut level, above));
    }
    levels
}

/// The tiles that the log of these leaves has and that of the first `old` of them has not, with their contents. Those
/// that both have are the same.
#[must_use]
pub fn new_tiles(leaves: &[Hash], old: usize) -> Vec<(Tile, Vec<u8>)> {
    let mut out = Vec::new();
    let mut old = old;
    for (level, hashes) in (0..).zip(levels(leaves)) {
        for tile in tiles(Some(level), old, hashes.len()) {
            let content = hashes.iter().skip(tile.start()).take(tile.width).flatten().copied().collect();
            out.push((tile, content));
        }
        old /= WIDTH;
    }
    out
}

/// The hashes in a tile; `None` if it is not that wide.
#[must_use]
pub fn read_tile(content: &[u8], width: usize) -> Option<Vec<Hash>> {
    let (hashes, rest) = content.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == width).then(|| hashes.to_vec())
}

/// The content of a bundle; `None` if an entry is longer than 65,535 bytes.
#[must_use]
pub fn write_bundle<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        out.extend(entry);
    }
    Some(out)
}

/// The entries in a bundle; `None` if they are not so many, or the last one is cut.
#[must_use]
pub fn read_bundle(content: &[u8], width: usize) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = content;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = after;
    }
    (rest.is_empty() && entries.len() == width).then_some(entries)
}
