//! The log as a folder of static files (C2SP tlog-tiles): `checkpoint`, `tile/<level>/<number>`
//! and `tile/entries/<number>`.

use crate::{
    AuditError, Hash, StoredHashes,
    limits::{ENTRY_BYTES_MAX, TREE_SIZE_MAX},
};
use std::ops::Range;
use tlog_tiles::stored_hash_index;

/// A file of up to 256 hashes or entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tile {
    /// Hashes of that level of tiles (0 is that of the leaves), or entries.
    level: Option<u8>,
    number: u64,
    width: u64,
}

/// Hashes or entries of a full tile: tiles are eight levels of the tree high.
pub const TILE_WIDTH: u64 = 256;

impl Tile {
    /// All tiles of a tree of `size` entries that are not, or not as wide, in one of `old_size`:
    /// what an export adds. From `old_size` 0 it is everything.
    ///
    /// # Errors
    /// [`AuditError::OutOfRange`] unless `old_size <= size <= `[`TREE_SIZE_MAX`].
    pub fn added(old_size: u64, size: u64) -> Result<impl Iterator<Item = Self>, AuditError> {
        if old_size > size || size > TREE_SIZE_MAX {
            return Err(AuditError::OutOfRange("the size of a tree"));
        }
        let entries = Self::of_level(None, old_size, size);
        let hashes = (0..=LEVEL_MAX).flat_map(move |level| {
            let shift = 8 * u32::from(level);
            Self::of_level(Some(level), old_size >> shift, size >> shift)
        });
        Ok(entries.chain(hashes))
    }

    /// Tiles over `count` hashes or entries that are not over the first `old_count`.
    fn of_level(level: Option<u8>, old_count: u64, count: u64) -> impl Iterator<Item = Self> {
        let first = old_count / TILE_WIDTH;
        let end = if old_count == count {
            first
        } else {
            count.div_ceil(TILE_WIDTH)
        };
        (first..end).map(move |number| Self {
            level,
            number,
            width: TILE_WIDTH.min(count - number * TILE_WIDTH),
        })
    }

    /// Its path in the folder, with `/`: numbers in groups of three digits, all but the last after
    /// an `x`; a tile that is not full ends in `.p/<width>`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = match self.level {
            Some(level) => format!("tile/{level}"),
            None => "tile/entries".to_owned(),
        };
        let mut groups = vec![self.number % 1_000];
        let mut rest = self.number / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        while let Some(group) = groups.pop() {
            let mark = if groups.is_empty() { "" } else { "x" };
            path.push_str(&format!("/{mark}{group:03}"));
        }
        if self.width < TILE_WIDTH {
            path.push_str(&format!(".p/{}", self.width));
        }
        path
    }

    /// Which entries it holds, if it is one of entries.
    #[must_use]
    pub fn entries(&self) -> Option<Range<u64>> {
        let first = self.number * TILE_WIDTH;
        self.level.is_none().then_some(first..first + self.width)
    }

    /// Which stored hashes it holds, in order; none if it is one of entries.
    #[must_use]
    pub fn hash_indexes(&self) -> Vec<u64> {
        let Some(level) = self.level else {
            return Vec::new();
        };
        let first = self.number * TILE_WIDTH;
        (first..first + self.width)
            .map(|number| stored_hash_index(8 * level, number))
            .collect()
    }

    /// The content of a tile of hashes: 32 bytes each.
    ///
    /// # Errors
    /// [`AuditError::HashMissing`].
    pub fn hashes(&self, hashes: &dyn StoredHashes) -> Result<Vec<u8>, AuditError> {
        let mut content = Vec::new();
        for index in self.hash_indexes() {
            let Hash(hash) = hashes.hash(index)?;
            content.extend_from_slice(&hash);
        }
        Ok(content)
    }
}

/// Appends an entry to the content of a tile of entries: its length in two bytes, big endian, and
/// its bytes.
///
/// # Errors
/// [`AuditError::EntryTooLarge`].
pub fn push_entry(content: &mut Vec<u8>, entry: &[u8]) -> Result<(), AuditError> {
    let bytes = entry.len();
    let length = u16::try_from(bytes).map_err(|_| AuditError::EntryTooLarge { bytes })?;
    content.extend_from_slice(&length.to_be_bytes());
    content.extend_from_slice(entry);
    Ok(())
}

/// The entries of a tile of entries.
///
/// # Errors
/// [`AuditError::Malformed`] if its bytes do not end with an entry.
pub fn entries(mut content: &[u8]) -> Result<Vec<&[u8]>, AuditError> {
    let malformed = || AuditError::Malformed("tile of entries");
    let mut entries = Vec::new();
    while !content.is_empty() {
        let (length, rest) = content.split_first_chunk().ok_or_else(malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
        entries.push(entry);
        content = rest;
    }
    Ok(entries)
}

/// Level of tiles whose one tile is above 2^48 entries.
const LEVEL_MAX: u8 = 5;

const _: () = assert!(ENTRY_BYTES_MAX == u16::MAX as usize);
const _: () = assert!(TREE_SIZE_MAX >> (8 * (LEVEL_MAX as u32 + 1)) <= 1);

#[cfg(test)]
mod tests;
