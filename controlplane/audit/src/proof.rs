//! Proofs that an entry is in the log, and that a log only grew (RFC 6962 §2.1.1, §2.1.2).

use crate::{
    AuditError, Checkpoint, StoredHashes,
    limits::{PROOF_HASHES_MAX, TREE_SIZE_MAX},
    tree::{Needed, Reader},
};
use tlog_tiles::{Hash, check_record, check_tree, prove_record, prove_tree};

/// That the entry of an index is in the tree of a size (RFC 6962 §2.1.1, "audit path").
#[derive(Clone, PartialEq, Debug)]
pub struct InclusionProof {
    /// The entry's index, from 0.
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
}

impl InclusionProof {
    /// Which stored hashes [`new`](Self::new) reads: for storage that is read beforehand.
    #[must_use]
    pub fn needs(index: u64, size: u64) -> Vec<u64> {
        let needed = Needed::default();
        if size <= TREE_SIZE_MAX && prove_record(size, index, &needed).is_ok() {
            return Vec::new();
        }
        needed.into_indexes()
    }

    /// The proof for entry `index` in the tree of `size` entries.
    ///
    /// # Errors
    /// [`AuditError::OutOfRange`] unless `index < size`; [`AuditError::HashMissing`].
    pub fn new(index: u64, size: u64, hashes: &dyn StoredHashes) -> Result<Self, AuditError> {
        if size > TREE_SIZE_MAX {
            return Err(AuditError::OutOfRange("the size of a tree"));
        }
        let reader = Reader::new(hashes);
        let proof = prove_record(size, index, &reader);
        Ok(Self {
            index,
            hashes: reader.finish(proof)?,
        })
    }

    /// Checks that `leaf` is in the tree of `checkpoint`.
    ///
    /// # Errors
    /// [`AuditError::ProofWrong`].
    pub fn verify(&self, leaf: Hash, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        let Checkpoint { size, root, .. } = *checkpoint;
        if size > TREE_SIZE_MAX || self.hashes.len() > PROOF_HASHES_MAX {
            return Err(AuditError::ProofWrong);
        }
        check_record(&self.hashes, size, root, self.index, leaf).map_err(|_| AuditError::ProofWrong)
    }
}

/// That a tree begins with all of an older one (RFC 6962 §2.1.2).
#[derive(Clone, PartialEq, Debug)]
pub struct ConsistencyProof {
    /// In the order of RFC 6962; empty if the older tree has no entries or is the same.
    pub hashes: Vec<Hash>,
}

impl ConsistencyProof {
    /// Which stored hashes [`new`](Self::new) reads: for storage that is read beforehand.
    #[must_use]
    pub fn needs(old_size: u64, size: u64) -> Vec<u64> {
        let needed = Needed::default();
        if size <= TREE_SIZE_MAX && prove_tree(size, old_size, &needed).is_ok() {
            return Vec::new();
        }
        needed.into_indexes()
    }

    /// The proof that the tree of `size` entries begins with that of `old_size`.
    ///
    /// # Errors
    /// [`AuditError::OutOfRange`] unless `old_size <= size`; [`AuditError::HashMissing`].
    pub fn new(old_size: u64, size: u64, hashes: &dyn StoredHashes) -> Result<Self, AuditError> {
        if size > TREE_SIZE_MAX {
            return Err(AuditError::OutOfRange("the size of a tree"));
        }
        if old_size == 0 {
            return Ok(Self { hashes: Vec::new() });
        }
        let reader = Reader::new(hashes);
        let proof = prove_tree(size, old_size, &reader);
        Ok(Self {
            hashes: reader.finish(proof)?,
        })
    }

    /// Checks that the tree of `new` begins with that of `old`. Every tree begins with the empty
    /// one.
    ///
    /// # Errors
    /// [`AuditError::ProofWrong`].
    pub fn verify(&self, old: &Checkpoint, new: &Checkpoint) -> Result<(), AuditError> {
        if new.size > TREE_SIZE_MAX || self.hashes.len() > PROOF_HASHES_MAX {
            return Err(AuditError::ProofWrong);
        }
        if old.size == 0 {
            let empty = old.root == tlog_tiles::EMPTY_HASH && self.hashes.is_empty();
            return if empty {
                Ok(())
            } else {
                Err(AuditError::ProofWrong)
            };
        }
        check_tree(&self.hashes, new.size, new.root, old.size, old.root)
            .map_err(|_| AuditError::ProofWrong)
    }
}

#[cfg(test)]
mod tests;
