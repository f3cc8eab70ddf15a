//! Full tiles of 256 hashes, kept as they fill, and every hash of the tree from them.
//!
//! `bedside-audit` numbers a hash for each complete subtree. Two thirds of those rows would be
//! hashes that 256 leaves give in 40 us, so the database holds leaves, beside their entries, and
//! full tiles; what a proof needs is folded from one tile of each level.

use crate::Error;
use crate::storage::{Storage, StoredTile};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use tlog_tiles::{EMPTY_HASH, Hash, node_hash, split_stored_hash_index};

/// Hashes of a tile, and entries of a leaf tile (C2SP tlog-tiles).
pub(crate) const TILE_HASHES: u64 = 256;

/// The tiles at the right edge that are not full yet, one a level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    levels: Vec<Growing>,
}

#[derive(Clone, Debug, Default)]
struct Growing {
    number: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// Takes the hashes that one appended entry stored, its leaf first and then one for each
    /// subtree that it completed; tiles that are full with it go to `full`.
    pub(crate) fn push(&mut self, stored: &[Hash], full: &mut Vec<StoredTile>) {
        // Every eighth is the root of a full tile of the level below.
        for (level, hash) in stored.iter().step_by(8).enumerate() {
            if self.levels.len() == level {
                self.levels.push(Growing::default());
            }
            let growing = &mut self.levels[level];
            growing.hashes.push(*hash);
            if growing.hashes.len() as u64 == TILE_HASHES {
                full.push(StoredTile {
                    level: u8::try_from(level).expect("a tree of 2^48 entries has 6 levels"),
                    number: growing.number,
                    hashes: growing.hashes.iter().flat_map(|hash| hash.0).collect(),
                });
                growing.hashes.clear();
                growing.number += 1;
            }
        }
    }

    /// The edge of the stored tree of `size` entries.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where something is missing; as [`Error`] of a database.
    pub(crate) async fn restore(size: u64, hashes: &mut Hashes<'_>) -> Result<Self, Error> {
        let mut levels = Vec::new();
        let mut count = size;
        let mut level = 0;
        while count > 0 {
            let number = count / TILE_HASHES;
            let mut partial = Vec::new();
            for index in number * TILE_HASHES..count {
                partial.push(hashes.node(level, 0, index).await?);
            }
            levels.push(Growing {
                number,
                hashes: partial,
            });
            count = number;
            level += 1;
        }
        Ok(Self { levels })
    }
}

/// Hashes of a stored tree, by what was read already.
#[derive(Debug)]
pub(crate) struct Hashes<'a> {
    storage: &'a dyn Storage,
    partial: &'a Partial,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

impl<'a> Hashes<'a> {
    pub(crate) fn new(storage: &'a dyn Storage, partial: &'a Partial) -> Self {
        Self {
            storage,
            partial,
            tiles: HashMap::new(),
        }
    }

    /// The hashes of these numbers, as `bedside-audit` asks for them.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where something is missing; as [`Error`] of a database.
    pub(crate) async fn stored(&mut self, indexes: &[u64]) -> Result<BTreeMap<u64, Hash>, Error> {
        let mut hashes = BTreeMap::new();
        for &index in indexes {
            let (level, number) = split_stored_hash_index(index);
            let hash = self.node(level / 8, level % 8, number).await?;
            hashes.insert(index, hash);
        }
        Ok(hashes)
    }

    /// The root of the complete subtree `number` of height 8 * `level` + `height`.
    async fn node(&mut self, level: u8, height: u8, number: u64) -> Result<Hash, Error> {
        let first = number << height;
        let count = 1 << height;
        let within = usize::try_from(first % TILE_HASHES).unwrap_or(usize::MAX);
        let tile = self.tile(level, first / TILE_HASHES).await?;
        let part = tile.get(within..within + count).ok_or_else(|| {
            Error::Corrupt(format!(
                "hashes are missing in level {level} from {first} on"
            ))
        })?;
        Ok(fold(part))
    }

    /// A tile, which may not be full.
    async fn tile(&mut self, level: u8, number: u64) -> Result<&[Hash], Error> {
        if !self.tiles.contains_key(&(level, number)) {
            let hashes = self.read(level, number).await?;
            self.tiles.insert((level, number), hashes);
        }
        Ok(&self.tiles[&(level, number)])
    }

    async fn read(&self, level: u8, number: u64) -> Result<Vec<Hash>, Error> {
        let stored = self.storage.tiles(level, number, 1).await?;
        if let Some(tile) = stored.first().filter(|tile| tile.number == number) {
            return Ok(split(&tile.hashes));
        }
        // Not full: what was read of it before is still so, and the rest is read now.
        let mut hashes = self.partial.known(level, number);
        let next = number * TILE_HASHES + hashes.len() as u64;
        let rest = 256 - u32::try_from(hashes.len()).unwrap_or(256);
        if level == 0 {
            let entries = self.storage.entries(next, rest).await?;
            let in_order = entries.iter().zip(next..);
            let in_order = in_order.take_while(|(entry, sequence)| entry.sequence == *sequence);
            hashes.extend(in_order.map(|(entry, _)| Hash(entry.leaf)));
        } else {
            // The roots of the full tiles below.
            let below = self.storage.tiles(level - 1, next, rest).await?;
            let in_order = below.iter().zip(next..);
            let in_order = in_order.take_while(|(tile, number)| tile.number == *number);
            hashes.extend(in_order.map(|(tile, _)| fold(&split(&tile.hashes))));
        }
        self.partial.keep(level, number, &hashes);
        Ok(hashes)
    }
}

/// The tiles at the right edge as far as they were read, one a level. Folding 255 tiles for the
/// next level takes 20 ms; they never change, so it is done once.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    levels: Mutex<HashMap<u8, (u64, Vec<Hash>)>>,
}

impl Partial {
    fn known(&self, level: u8, number: u64) -> Vec<Hash> {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let known = levels.get(&level).filter(|(known, _)| *known == number);
        known.map(|(_, hashes)| hashes.clone()).unwrap_or_default()
    }

    fn keep(&self, level: u8, number: u64, hashes: &[Hash]) {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = levels.entry(level).or_default();
        // Whoever proves from an older tree does not put the edge back.
        if number > kept.0 || (number == kept.0 && hashes.len() > kept.1.len()) {
            *kept = (number, hashes.to_vec());
        }
    }
}

/// The hashes of a stored tile.
pub(crate) fn split(bytes: &[u8]) -> Vec<Hash> {
    let (hashes, _) = bytes.as_chunks::<32>();
    hashes.iter().copied().map(Hash).collect()
}

/// The root of a complete subtree: a power of two of hashes.
pub(crate) fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => EMPTY_HASH,
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(fold(left), fold(right))
        }
    }
}
