//! The Merkle tree over the entries (RFC 6962 §2.1), and the hashes of it that are stored.
//!
//! Every complete subtree has one stored hash, numbered in the order in which they come into being
//! (`tlog_tiles::stored_hash_index`): appending entry `n` adds its leaf's hash and then one for
//! each subtree that it completes. Storage is a table from that number to 32 bytes, only ever
//! appended to.

use crate::{AuditError, limits::TREE_SIZE_MAX};
use std::{cell::RefCell, collections::BTreeMap};
use tlog_tiles::{EMPTY_HASH, Error, Hash, HashReader, node_hash, stored_hash_index};

/// A tree that grows: its size, and the hashes of the complete subtrees on its right edge (at most
/// 48), from which the root follows. It reads nothing to append.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    /// Largest subtree first: one for each bit of the size.
    edge: Vec<Hash>,
}

impl Tree {
    /// The tree of no entries.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            edge: Vec::new(),
        }
    }

    /// The tree of `size` entries whose right edge was stored. Nothing vouches for it yet: compare
    /// [`root`](Self::root) with the checkpoint.
    ///
    /// # Errors
    /// [`AuditError::HashMissing`] if `hashes` lacks one of [`edge_indexes`](Self::edge_indexes),
    /// [`AuditError::OutOfRange`] above [`TREE_SIZE_MAX`].
    pub fn restore(size: u64, hashes: &dyn StoredHashes) -> Result<Self, AuditError> {
        let edge = Self::edge_indexes(size)?;
        let edge = edge
            .into_iter()
            .map(|index| hashes.hash(index))
            .collect::<Result<_, _>>()?;
        Ok(Self { size, edge })
    }

    /// Which stored hashes [`restore`](Self::restore) reads.
    ///
    /// # Errors
    /// [`AuditError::OutOfRange`] above [`TREE_SIZE_MAX`].
    pub fn edge_indexes(size: u64) -> Result<Vec<u64>, AuditError> {
        if size > TREE_SIZE_MAX {
            return Err(AuditError::OutOfRange("the size of a tree"));
        }
        Ok(tlog_tiles::sub_tree_index(0, size, Vec::new()))
    }

    /// Entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Number of the first stored hash that the next [`append`](Self::append) adds; so many are
    /// stored before it.
    #[must_use]
    pub fn stored_count(&self) -> u64 {
        stored_hash_index(0, self.size)
    }

    /// Appends an entry by its leaf's hash ([`Entry::leaf_hash`](crate::Entry::leaf_hash)), and
    /// hands each hash that is to be stored to `store`, in order: the first has the number
    /// [`stored_count`](Self::stored_count), each next one more. Returns the entry's index.
    ///
    /// # Panics
    /// Above [`TREE_SIZE_MAX`] entries, which no log reaches.
    pub fn append(&mut self, leaf: Hash, mut store: impl FnMut(Hash)) -> u64 {
        assert!(self.size < TREE_SIZE_MAX, "a log of 2^48 entries");
        let index = self.size;
        let mut hash = leaf;
        store(hash);
        // Each trailing one of the index is a subtree of that size, complete with this leaf.
        for _ in 0..index.trailing_ones() {
            let left = self.edge.pop().expect("one hash for each bit of the size");
            hash = node_hash(left, hash);
            store(hash);
        }
        self.edge.push(hash);
        self.size += 1;
        index
    }

    /// The root (RFC 6962 §2.1): of the tree of no entries the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut edge = self.edge.iter().rev();
        let Some(&smallest) = edge.next() else {
            return EMPTY_HASH;
        };
        edge.fold(smallest, |right, &left| node_hash(left, right))
    }
}

/// Where stored hashes are read: a table in memory, or one transaction of a database.
pub trait StoredHashes {
    /// The stored hash of that number.
    ///
    /// # Errors
    /// [`AuditError::HashMissing`] if there is none or it cannot be read.
    fn hash(&self, index: u64) -> Result<Hash, AuditError>;
}

impl StoredHashes for &[Hash] {
    fn hash(&self, index: u64) -> Result<Hash, AuditError> {
        let hash = usize::try_from(index)
            .ok()
            .and_then(|index| self.get(index));
        hash.copied().ok_or(AuditError::HashMissing(index))
    }
}

impl StoredHashes for Vec<Hash> {
    fn hash(&self, index: u64) -> Result<Hash, AuditError> {
        self.as_slice().hash(index)
    }
}

impl StoredHashes for BTreeMap<u64, Hash> {
    fn hash(&self, index: u64) -> Result<Hash, AuditError> {
        self.get(&index)
            .copied()
            .ok_or(AuditError::HashMissing(index))
    }
}

/// What the functions of `tlog_tiles` read from; keeps our error while they carry theirs.
pub(crate) struct Reader<'a> {
    hashes: &'a dyn StoredHashes,
    failed: RefCell<Option<AuditError>>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(hashes: &'a dyn StoredHashes) -> Self {
        Self {
            hashes,
            failed: RefCell::new(None),
        }
    }

    /// What a read ended with, if one failed.
    pub(crate) fn finish<T>(self, result: Result<T, Error>) -> Result<T, AuditError> {
        let failed = self.failed.into_inner();
        result.map_err(|_| failed.unwrap_or(AuditError::OutOfRange("the index or size of a proof")))
    }
}

impl HashReader for Reader<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let read = |&index| {
            self.hashes.hash(index).map_err(|error| {
                *self.failed.borrow_mut() = Some(error);
                Error::IndexesNotInTree
            })
        };
        indexes.iter().map(read).collect()
    }
}

/// Notes which hashes are asked for, and gives none.
#[derive(Default)]
pub(crate) struct Needed(RefCell<Vec<u64>>);

impl Needed {
    pub(crate) fn into_indexes(self) -> Vec<u64> {
        self.0.into_inner()
    }
}

impl HashReader for Needed {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        self.0.borrow_mut().extend_from_slice(indexes);
        Err(Error::IndexesNotInTree)
    }
}

#[cfg(test)]
mod tests;
