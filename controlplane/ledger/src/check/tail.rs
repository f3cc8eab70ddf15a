//! The last entries, hashed again, against the checkpoints over them.

use super::damaged;
use crate::Error;
use crate::limits::START_ENTRIES;
use crate::sealing::columns;
use crate::storage::{Storage, StoredCheckpoint, StoredEntry};
use crate::tiles::{Hashes, TILE_HASHES};
use bedside_audit::{Entry, SignedCheckpoint, Tree, VerifyingKey};

/// Hashes the last entries on top of the stored tree before them, and compares the root with each
/// checkpoint on the way; the last one's signature is checked too.
///
/// # Errors
/// [`Error::Fork`] naming the entry; as [`Error`] of a database.
pub(super) async fn check(
    storage: &dyn Storage,
    hashes: &mut Hashes<'_>,
    last: &StoredCheckpoint,
    origin: &str,
    keys: &[VerifyingKey],
) -> Result<(), Error> {
    let signed = SignedCheckpoint::parse(&last.note).map_err(|error| bad(last, &error))?;
    let checkpoint = signed.verify(keys).map_err(|error| bad(last, &error))?;
    if checkpoint.origin != origin || checkpoint.size != last.size {
        let what = format!("the checkpoint at {} entries is another one's", last.size);
        return Err(Error::fork(what, None, "the checkpoint itself"));
    }
    let base = last.size.saturating_sub(START_ENTRIES) / TILE_HASHES * TILE_HASHES;
    let edge = hashes
        .stored(&Tree::edge_indexes(base).map_err(damaged)?)
        .await?;
    let mut tree = Tree::restore(base, &edge).map_err(damaged)?;
    let mut good = base;
    for stored in storage.checkpoints(base + 1, u32::MAX).await? {
        while tree.size() < stored.size {
            let batch = u32::try_from(stored.size - tree.size()).unwrap_or(u32::MAX);
            let entries = storage.entries(tree.size(), batch).await?;
            if entries.is_empty() {
                return Err(missing(tree.size()));
            }
            for entry in &entries {
                if entry.sequence != tree.size() {
                    return Err(missing(tree.size()));
                }
                same(entry)?;
                tree.append(Entry::leaf_hash(&entry.body), drop);
            }
        }
        let claimed =
            SignedCheckpoint::parse(&stored.note).map_err(|error| bad(&stored, &error))?;
        if claimed.unverified().root != tree.root() {
            let what = format!(
                "its entries do not lead to the checkpoint at {} entries: one of the entries from \
                 {good} on, or one before, was exchanged for another",
                stored.size
            );
            return Err(Error::fork(
                what,
                Some(good),
                "the checkpoint in the database",
            ));
        }
        good = stored.size;
    }
    Ok(())
}

/// That an entry's hash and columns are those of its bytes.
///
/// # Errors
/// [`Error::Fork`] naming it.
pub(crate) fn same(stored: &StoredEntry) -> Result<(), Error> {
    let changed = |what: &str| Err(Error::fork(what, Some(stored.sequence), "the entry's hash"));
    if Entry::leaf_hash(&stored.body).0 != stored.leaf {
        return changed("an entry's bytes or its hash were changed");
    }
    match Entry::parse(&stored.body) {
        Ok(entry) if columns(&entry) == stored.columns => Ok(()),
        Ok(_) => changed("what an entry is searched by was changed"),
        Err(_) => changed("an entry is none"),
    }
}

fn missing(sequence: u64) -> Error {
    Error::fork(
        "an entry is missing",
        Some(sequence),
        "the checkpoint in the database",
    )
}

fn bad(checkpoint: &StoredCheckpoint, error: &bedside_audit::AuditError) -> Error {
    let what = format!("the checkpoint at {} entries: {error}", checkpoint.size);
    Error::fork(what, None, "the log's keys")
}
