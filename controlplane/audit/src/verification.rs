//! The whole log, recomputed (45 CFR 164.312(c)(2)).

mod finding;
mod mismatch;
mod recent;

pub use finding::{Finding, Source};

use crate::{Entry, Hash, Keyring, SignedCheckpoint, Tree, limits::FINDINGS_MAX};
use mismatch::{Mismatch, Mismatches};
use recent::Recent;
use std::collections::VecDeque;

/// Goes through a log from its first entry to its last, recomputes every hash, compares each with
/// the one that is stored and each root with what was signed, and names what is wrong. Holds the
/// tree's right edge and what was fed ahead; the size of the log costs no memory.
///
/// Leaf hashes say most where they are kept apart from the entries: one that moves with its row is
/// compared with itself. Then the last checkpoints still bound what was rewritten, and name two rows
/// that were swapped.
///
/// The caller feeds it in any portions: stored hashes before the entries that they belong to
/// (entry `n` has those from `stored_hash_index(0, n)` on), checkpoints before the entry with the
/// index that is their size.
pub struct Verification {
    keyring: Keyring,
    table: Table,
    /// Entries that are missing from the tree: neither they nor their hashes are there.
    unknown: u64,
    /// The tree of the entries as they are.
    tree: Tree,
    /// The tree of the stored leaf hashes, while it differs from that of the entries.
    stored: Option<Tree>,
    /// Number of the next stored hash.
    stored_index: u64,
    hashes: VecDeque<(u64, Hash)>,
    /// What the last entry completed, in either tree; kept for their memory.
    by_entries: Vec<Hash>,
    by_table: Vec<Hash>,
    checkpoints: VecDeque<Awaited>,
    mismatches: Mismatches,
    recent: Recent,
    /// Size of the last checkpoint whose root was ours.
    vouched: u64,
    /// Size of the first checkpoint since whose root was not, and where it was kept.
    refuted: Option<(u64, Source)>,
    signed_size_max: u64,
    checked: u64,
    findings: Vec<Finding>,
    unnamed: u64,
}

/// Which stored hashes a log has to have. They are what tells one changed entry from its neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// None, as an export of entries alone: only roots are compared.
    None,
    /// That of each leaf.
    Leaves,
    /// That of each complete subtree.
    All,
}

struct Awaited {
    checkpoint: SignedCheckpoint,
    source: Source,
}

/// What a verification found.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Entries that were there.
    pub entries: u64,
    /// Checkpoints whose signature and root are right.
    pub checkpoints: u64,
    /// The root of all entries.
    pub root: Hash,
    /// What is wrong; in a log that is intact nothing.
    pub findings: Vec<Finding>,
    /// Findings beyond [`FINDINGS_MAX`].
    pub unnamed: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Verification {
    /// A verification that trusts `keys`, of a log that keeps the hashes of `table`.
    #[must_use]
    pub fn new(keys: Keyring, table: Table) -> Self {
        Self {
            keyring: keys,
            table,
            unknown: 0,
            tree: Tree::new(),
            stored: None,
            stored_index: 0,
            hashes: VecDeque::new(),
            by_entries: Vec::new(),
            by_table: Vec::new(),
            checkpoints: VecDeque::new(),
            mismatches: Mismatches::default(),
            recent: Recent::default(),
            vouched: 0,
            refuted: None,
            signed_size_max: 0,
            checked: 0,
            findings: Vec::new(),
            unnamed: 0,
        }
    }

    /// The stored hash of number `index`; in order. Those that [`Table`] does not ask for are
    /// compared as well.
    pub fn stored_hash(&mut self, index: u64, hash: Hash) {
        self.hashes.push_back((index, hash));
    }

    /// A checkpoint; in order of size. `source` says where it was kept: one that was kept outside,
    /// by a witness, a mirror or an auditor, is what a log that was rolled back disagrees with.
    pub fn checkpoint(&mut self, text: &str, source: Source) {
        let checkpoint = match SignedCheckpoint::parse(text) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.find(Finding::CheckpointUnreadable { source, error }),
        };
        let size = checkpoint.unverified().size;
        if size < self.tree.size() {
            return self.find(Finding::CheckpointOutOfOrder { size, source });
        }
        // Checkpoints from outside are fed beside those of the log: keep them in order.
        let later = |awaited: &Awaited| awaited.checkpoint.unverified().size <= size;
        let place = self.checkpoints.partition_point(later);
        self.checkpoints
            .insert(place, Awaited { checkpoint, source });
    }

    /// The entry of that index, from 0; in order.
    pub fn entry(&mut self, index: u64, bytes: &[u8]) {
        let next = self.tree.size() + self.unknown;
        if index < next {
            return self.find(Finding::Repeated { index });
        }
        if index > next {
            self.find(Finding::Removed {
                first: next,
                count: index - next,
            });
            // Where the table still has the leaves, what follows can be compared; where it has
            // not, no root will be right any more.
            while self.tree.size() + self.unknown < index {
                self.reach();
                if !self.append(None) {
                    self.unknown = index - self.tree.size();
                }
            }
        }
        self.reach();
        self.keyring.entry(bytes);
        self.append(Some(Entry::leaf_hash(bytes)));
    }

    /// Ends it.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.reach();
        self.rewritten();
        let entries = self.tree.size();
        // What is still awaited was signed over entries that are not there.
        while let Some(awaited) = self.checkpoints.pop_front() {
            let size = awaited.checkpoint.unverified().size;
            match self.keyring.checkpoint(&awaited.checkpoint) {
                Ok(()) => {
                    self.signed_size_max = size;
                    self.find(Finding::RolledBack {
                        size,
                        entries,
                        source: awaited.source,
                    });
                }
                Err(error) => {
                    self.find(Finding::SignatureWrong {
                        size,
                        source: awaited.source,
                        error,
                    });
                }
            }
        }
        if entries > self.signed_size_max {
            let first = self.signed_size_max;
            self.find(Finding::Appended {
                first,
                count: entries - first,
            });
        }
        let after = self.hashes.front().copied();
        if let Some((index, _)) = after {
            self.find(Finding::HashesLeft {
                first: index,
                count: self.hashes.len() as u64,
            });
        }
        let after = after.filter(|&(number, _)| number == self.stored_index);
        let after = after.map(|(_, leaf)| (entries, leaf));
        for finding in std::mem::take(&mut self.mismatches).findings(after) {
            self.find(finding);
        }
        Report {
            entries,
            checkpoints: self.checked,
            root: self.tree.root(),
            findings: self.findings,
            unnamed: self.unnamed,
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.unnamed += 1;
        }
    }

    /// Appends an entry, or the gap where one was, and compares what comes of it with what is
    /// stored. Whether anything is known of it.
    fn append(&mut self, leaf: Option<Hash>) -> bool {
        let index = self.tree.size();
        let stored = take(&mut self.hashes, self.stored_index);
        let (Some(own), Some(kept)) = (leaf.or(stored), stored.or(leaf)) else {
            return false;
        };
        self.recent.push(own);
        if own != kept {
            self.mismatches.push(Mismatch { index, own, kept });
            if self.stored.is_none() {
                self.stored = Some(self.tree.clone());
            }
        }
        // A hash of the table is right if it is that of the entries, or that of the table's own
        // leaves: a leaf that differs is said of the leaf, not of everything above.
        let (by_entries, by_table) = (&mut self.by_entries, &mut self.by_table);
        by_entries.clear();
        by_table.clear();
        self.tree.append(own, |hash| by_entries.push(hash));
        if let Some(tree) = &mut self.stored {
            tree.append(kept, |hash| by_table.push(hash));
        }
        let first = self.stored_index;
        self.stored_index += self.by_entries.len() as u64;
        if self.table == Table::None {
            return true;
        }
        let mut differing = Vec::new();
        if stored.is_none() {
            differing.push(first);
        }
        for (level, (number, hash)) in (first..).zip(&self.by_entries).enumerate().skip(1) {
            let stored = take(&mut self.hashes, number);
            let right = [Some(hash), self.by_table.get(level)];
            let missing = stored.is_none() && self.table == Table::All;
            if missing || stored.is_some_and(|hash| !right.contains(&Some(&hash))) {
                differing.push(number);
            }
        }
        for number in differing {
            self.find(Finding::HashChanged {
                number,
                entry: index,
            });
        }
        true
    }

    /// Compares the checkpoints of the size that is reached.
    fn reach(&mut self) {
        let size = self.tree.size();
        let reached = |awaited: &mut Awaited| awaited.checkpoint.unverified().size <= size;
        while let Some(awaited) = self.checkpoints.pop_front_if(reached) {
            self.compare(&awaited);
        }
    }

    fn compare(&mut self, Awaited { checkpoint, source }: &Awaited) {
        let (size, source) = (self.tree.size(), *source);
        if let Err(error) = self.keyring.checkpoint(checkpoint) {
            return self.find(Finding::SignatureWrong {
                size,
                source,
                error,
            });
        }
        self.signed_size_max = size;
        let root = checkpoint.unverified().root;
        if self.tree.root() == root {
            // The entries are what was signed; if the table says otherwise, the table is wrong.
            self.mismatches.settle(size, false);
            self.stored = None;
        } else if let Some(stored) = self.stored.take_if(|stored| stored.root() == root) {
            self.mismatches.settle(size, true);
            self.tree = stored;
        } else if self.vouched == size && self.checked > 0 {
            return self.find(Finding::Forked { size, later: size });
        } else {
            let (first_size, _) = *self.refuted.get_or_insert((size, source));
            let swapped = match &self.stored {
                None => self.recent.swapped(first_size, root),
                // What was done to these is known already.
                Some(_) => None,
            };
            let Some((first, second, tree)) = swapped else {
                return;
            };
            self.find(Finding::Swapped { first, second });
            self.refuted = None;
            self.tree = tree;
        }
        self.recent.settle(&self.tree);
        self.checked += 1;
        // Something signed before was not of this history, and what is signed now is.
        if let Some((refuted, _)) = self.refuted {
            self.rewritten();
            self.find(Finding::Forked {
                size: refuted,
                later: size,
            });
        }
        self.vouched = size;
    }

    /// Says so of the entries that no matching checkpoint covers, if one was there that did not
    /// match.
    fn rewritten(&mut self) {
        if let Some((size, source)) = self.refuted.take() {
            self.find(Finding::Rewritten {
                first: self.vouched,
                size,
                source,
            });
        }
    }
}

/// The hash of that number, if it is the next; those before it belong to nothing.
fn take(hashes: &mut VecDeque<(u64, Hash)>, number: u64) -> Option<Hash> {
    while hashes.pop_front_if(|(index, _)| *index < number).is_some() {}
    hashes
        .pop_front_if(|(index, _)| *index == number)
        .map(|(_, hash)| hash)
}

#[cfg(test)]
mod tests;
