//! From entries that differ from their stored hashes to what was done to them.

use super::Finding;
use crate::{Hash, limits::FINDINGS_MAX};
use std::collections::BTreeMap;

/// An entry whose hash is not the stored one.
pub(super) struct Mismatch {
    pub(super) index: u64,
    /// The hash of its bytes.
    pub(super) own: Hash,
    /// The hash that is stored for it.
    pub(super) kept: Hash,
}

/// Those of a log, until it is known which of the two a checkpoint vouches for.
#[derive(Default)]
pub(super) struct Mismatches {
    open: Vec<Mismatch>,
    /// The table is right: something was done to the entries.
    entries: Vec<Mismatch>,
    /// The entries are right: their stored hashes were changed.
    hashes: Vec<u64>,
}

/// One pass after a renumbering finds as many as there are entries: enough to see the pattern.
const KEPT_MAX: usize = 10 * FINDINGS_MAX;

impl Mismatches {
    pub(super) fn push(&mut self, mismatch: Mismatch) {
        if self.open.len() + self.entries.len() < KEPT_MAX {
            self.open.push(mismatch);
        }
    }

    /// A checkpoint of `size` vouches for the table (`table`), or else for the entries.
    pub(super) fn settle(&mut self, size: u64, table: bool) {
        let below = |mismatch: &mut Mismatch| mismatch.index < size;
        let settled = self.open.extract_if(.., below);
        if table {
            self.entries.extend(settled);
        } else {
            self.hashes.extend(settled.map(|mismatch| mismatch.index));
        }
    }

    /// What was done. `after` is the hash that is stored for the first entry that is not there.
    pub(super) fn findings(mut self, after: Option<(u64, Hash)>) -> Vec<Finding> {
        // Nothing vouches for either: an entry that differs from the table is what can be said.
        self.entries.append(&mut self.open);
        let number = |entry| tlog_tiles::stored_hash_index(0, entry);
        let changed = |&entry: &u64| Finding::HashChanged {
            number: number(entry),
            entry,
        };
        let mut findings: Vec<_> = self.hashes.iter().map(changed).collect();

        let kept: BTreeMap<u64, Hash> = self
            .entries
            .iter()
            .map(|mismatch| (mismatch.index, mismatch.kept))
            .collect();
        let own: BTreeMap<u64, Hash> = self
            .entries
            .iter()
            .map(|mismatch| (mismatch.index, mismatch.own))
            .collect();
        let places = kept.iter().map(|(&index, &hash)| (index, hash));
        let place: BTreeMap<[u8; 32], u64> = places
            .chain(after)
            .map(|(index, hash)| (hash.0, index))
            .collect();
        // Which way the entries from here on are shifted.
        let mut shift = Shift::None;
        for Mismatch {
            index, own: hash, ..
        } in &self.entries
        {
            let (index, next) = (*index, index + 1);
            let from = place.get(&hash.0).copied();
            let swapped =
                from.filter(|from| own.contains_key(from) && own.get(from) == kept.get(&index));
            let earlier = index.checked_sub(1);
            let is_last = !own.contains_key(&next);
            shift = match (shift, from) {
                (Shift::Down, Some(from)) if from == next => continue,
                (Shift::Down, None) if is_last => continue,
                (Shift::Up, Some(from)) if Some(from) == earlier => continue,
                (_, Some(from)) if swapped.is_some() => {
                    if from > index {
                        findings.push(Finding::Swapped {
                            first: index,
                            second: from,
                        });
                    }
                    Shift::None
                }
                (_, Some(from)) if from == next => {
                    findings.push(Finding::RemovedAndRenumbered { index });
                    Shift::Down
                }
                _ if own
                    .get(&next)
                    .is_some_and(|after| kept.get(&index) == Some(after)) =>
                {
                    findings.push(Finding::Inserted { index });
                    Shift::Up
                }
                _ => {
                    findings.push(Finding::Changed { index });
                    Shift::None
                }
            };
        }
        findings
    }
}

/// How entries are displaced against the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shift {
    None,
    /// Each stands where the one before it was.
    Down,
    /// Each stands where the one after it was.
    Up,
}
