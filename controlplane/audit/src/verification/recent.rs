//! The entries since the last matching checkpoint, to find out what was done to them where the
//! table of hashes was moved with them.

use crate::{Hash, Tree};

/// Leaves since the tree that was vouched for last.
#[derive(Default)]
pub(super) struct Recent {
    base: Tree,
    leaves: Vec<Hash>,
    /// Leaves that were there when it was last asked.
    tried: usize,
}

/// Leaves that are looked at: each pair of them costs a root, all together three seconds, once and
/// only for a log that is not intact.
const RECENT_MAX: usize = 256;

impl Recent {
    pub(super) fn push(&mut self, leaf: Hash) {
        if self.leaves.len() <= RECENT_MAX {
            self.leaves.push(leaf);
        }
    }

    /// `tree` is vouched for.
    pub(super) fn settle(&mut self, tree: &Tree) {
        self.base.clone_from(tree);
        self.leaves.clear();
        self.tried = 0;
    }

    /// Two entries that give `root` if they change places, and the tree with them in their own;
    /// `size` is that of the first checkpoint that did not match: one of the two is before it.
    pub(super) fn swapped(&mut self, size: u64, root: Hash) -> Option<(u64, u64, Tree)> {
        let base = self.base.size();
        let before = usize::try_from(size - base).unwrap_or(usize::MAX);
        let from = std::mem::replace(&mut self.tried, self.leaves.len());
        if self.leaves.len() > RECENT_MAX {
            return None;
        }
        for second in from..self.leaves.len() {
            for first in 0..second.min(before) {
                self.leaves.swap(first, second);
                let tree = self.tree();
                self.leaves.swap(first, second);
                if tree.root() == root {
                    return Some((base + first as u64, base + second as u64, tree));
                }
            }
        }
        None
    }

    fn tree(&self) -> Tree {
        let mut tree = self.base.clone();
        for leaf in &self.leaves {
            tree.append(*leaf, |_| {});
        }
        tree
    }
}
