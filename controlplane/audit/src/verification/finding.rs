//! What can be wrong with a log, by name.

use crate::AuditError;
use std::fmt;

/// Where a checkpoint was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// With the log.
    Log,
    /// Elsewhere: a witness, a mirror, an auditor's file.
    Outside,
}

/// One thing that is wrong. Entries are named by their index, from 0.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The entry's bytes are not those that were signed.
    Changed {
        /// Which.
        index: u64,
    },
    /// Two entries stand in each other's place.
    Swapped {
        /// One.
        first: u64,
        /// The other.
        second: u64,
    },
    /// Entries are not there.
    Removed {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
    },
    /// An entry is not there, and those after it were renumbered.
    RemovedAndRenumbered {
        /// Which.
        index: u64,
    },
    /// An entry that was not signed stands here, and those after it were renumbered.
    Inserted {
        /// Which.
        index: u64,
    },
    /// The entry is there a second time, or not in order.
    Repeated {
        /// Which.
        index: u64,
    },
    /// Entries after the last that was signed.
    Appended {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
    },
    /// A checkpoint speaks of entries that are not there: the log was rolled back or cut.
    RolledBack {
        /// Entries that it speaks of.
        size: u64,
        /// Entries that are there.
        entries: u64,
        /// Where it was kept.
        source: Source,
    },
    /// Some of these entries are not what was signed, and their stored hashes were changed with
    /// them.
    Rewritten {
        /// The first that no matching checkpoint covers.
        first: u64,
        /// Size of the checkpoint.
        size: u64,
        /// Where it was kept.
        source: Source,
    },
    /// A checkpoint of another history than that of a later one: two logs were shown.
    Forked {
        /// Size of the one that differs.
        size: u64,
        /// Size of the later one that is of this history.
        later: u64,
    },
    /// A checkpoint is not signed by a key that is trusted at that point.
    SignatureWrong {
        /// Its size.
        size: u64,
        /// Where it was kept.
        source: Source,
        /// What is wrong.
        error: AuditError,
    },
    /// A checkpoint cannot be read.
    CheckpointUnreadable {
        /// Where it was kept.
        source: Source,
        /// Why.
        error: AuditError,
    },
    /// A checkpoint stands after one of a larger tree.
    CheckpointOutOfOrder {
        /// Its size.
        size: u64,
        /// Where it was kept.
        source: Source,
    },
    /// A stored hash is missing or not that of its subtree. The entries are not touched by that.
    HashChanged {
        /// Its number.
        number: u64,
        /// The entry that completes its subtree.
        entry: u64,
    },
    /// The hash table holds hashes of entries that are not there.
    HashesLeft {
        /// Number of the first.
        first: u64,
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { index } => {
                write!(
                    f,
                    "entry {index} was changed: its bytes are not those that were signed"
                )
            }
            Self::Swapped { first, second } => {
                write!(f, "entries {first} and {second} were swapped")
            }
            Self::Removed { first, count: 1 } => write!(f, "entry {first} was removed"),
            Self::Removed { first, count } => {
                write!(f, "{count} entries were removed, from entry {first} on")
            }
            Self::RemovedAndRenumbered { index } => {
                write!(
                    f,
                    "entry {index} was removed and those after it were renumbered"
                )
            }
            Self::Inserted { index } => {
                write!(
                    f,
                    "entry {index} was inserted and those after it were renumbered"
                )
            }
            Self::Repeated { index } => {
                write!(f, "entry {index} is there twice or not in order")
            }
            Self::Appended { first, count } => write!(
                f,
                "{count} entries from entry {first} on were appended without a signed checkpoint"
            ),
            Self::RolledBack {
                size,
                entries,
                source,
            } => write!(
                f,
                "the log was rolled back or cut: a checkpoint kept {source} has {size} entries, \
                 here are {entries}"
            ),
            Self::Rewritten {
                first,
                size,
                source,
            } => write!(
                f,
                "among entries {first} to {} some were rewritten together with the stored hashes: \
                 the checkpoint of size {size} kept {source} was signed over others",
                size.saturating_sub(1)
            ),
            Self::Forked { size, later } => write!(
                f,
                "the log was forked: the checkpoint of size {size} is of another history than that \
                 of size {later}, and both are signed"
            ),
            Self::SignatureWrong {
                size,
                source,
                error,
            } => write!(
                f,
                "the checkpoint of size {size} kept {source} is not to be believed: {error}"
            ),
            Self::CheckpointUnreadable { source, error } => {
                write!(f, "a checkpoint kept {source} cannot be read: {error}")
            }
            Self::CheckpointOutOfOrder { size, source } => write!(
                f,
                "the checkpoint of size {size} kept {source} stands after one of a larger tree"
            ),
            Self::HashChanged { number, entry } => write!(
                f,
                "stored hash {number}, of the subtree that entry {entry} completes, was changed or \
                 removed"
            ),
            Self::HashesLeft { first, count } => write!(
                f,
                "{count} stored hashes from number {first} on belong to entries that are not there"
            ),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "with the log",
            Self::Outside => "outside",
        })
    }
}
