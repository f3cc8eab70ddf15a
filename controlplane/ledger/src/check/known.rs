//! Checkpoints that are known from elsewhere: noted beside the keys, mirrored, cosigned.

use super::damaged;
use crate::Error;
use crate::archive::Archive;
use crate::config::LedgerConfig;
use crate::keys::KeyFiles;
use crate::limits::WITNESS_START_TIMEOUT;
use crate::mirror;
use crate::storage::StoredCheckpoint;
use crate::tiles::Hashes;
use crate::witness::{Refusal, Witness};
use bedside_audit::{Checkpoint, SignedCheckpoint, Tree, VerifyingKey};
use futures_util::future::join_all;
use tokio::time::timeout;

/// Entries and the last checkpoint are written in one transaction.
///
/// # Errors
/// [`Error::Fork`].
pub(super) fn compare_size(entries: u64, checkpoint: u64) -> Result<(), Error> {
    let source = "the checkpoint in the database";
    if entries < checkpoint {
        let what = format!("it ends at {entries} entries, and {checkpoint} were signed");
        return Err(Error::fork(what, Some(entries), source));
    }
    if entries > checkpoint {
        let what = format!("it has {entries} entries, and only {checkpoint} were signed");
        return Err(Error::fork(what, Some(checkpoint), source));
    }
    Ok(())
}

/// Compares the stored tree of `size` entries with every checkpoint that is known.
///
/// # Errors
/// [`Error::Fork`] naming the source; [`Error::File`]; as [`Error`] of a database.
pub(super) async fn compare(
    config: &LedgerConfig,
    files: &KeyFiles,
    hashes: &mut Hashes<'_>,
    origin: &str,
    size: u64,
    keys: &[VerifyingKey],
) -> Result<(), Error> {
    let mut known = Vec::new();
    if let Some(note) = files.head()? {
        known.push((files.head_path().display().to_string(), note));
    }
    for path in &config.mirrors {
        if let Some(note) = mirror::last(path, origin)? {
            known.push((format!("the mirror {}", path.display()), note));
        }
    }
    for (source, note) in known {
        // Nothing that somebody else could have written there stops a start.
        let Ok(signed) = SignedCheckpoint::parse(&note) else {
            tracing::warn!(source, "no checkpoint can be read there");
            continue;
        };
        match signed.verify(keys) {
            Ok(checkpoint) => contains(hashes, size, checkpoint, &source).await?,
            Err(error) => tracing::warn!(source, %error, "the checkpoint there is not this log's"),
        }
    }
    Ok(())
}

/// Shows the last checkpoint to the witnesses: one that knows of a longer log, or of another one,
/// stops the start.
///
/// # Errors
/// [`Error::Fork`].
pub(super) async fn ask(
    witnesses: &mut [Witness],
    archive: &Archive,
    last: &StoredCheckpoint,
) -> Result<(), Error> {
    let asked = witnesses.iter_mut().map(async |witness| {
        let submitted = timeout(WITNESS_START_TIMEOUT, witness.submit(archive, last)).await;
        (witness.name().to_owned(), submitted)
    });
    for (name, submitted) in join_all(asked).await {
        match submitted {
            Ok(Ok(())) => {}
            Ok(Err(Refusal::Ahead(size))) => {
                let what = format!(
                    "it ends at {} entries, and {size} were shown to others: it was put back to an \
                     earlier state",
                    last.size
                );
                return Err(Error::fork(
                    what,
                    Some(last.size),
                    format!("the witness {name}"),
                ));
            }
            Ok(Err(Refusal::Inconsistent)) => {
                let what = "it is not the log that was shown to others";
                return Err(Error::fork(what, None, format!("the witness {name}")));
            }
            Ok(Err(refusal)) => {
                tracing::warn!(witness = name, %refusal, "a witness did not cosign")
            }
            Err(_) => tracing::warn!(witness = name, "a witness does not answer"),
        }
    }
    Ok(())
}

/// That the stored tree of `size` entries begins with what `checkpoint` covers.
///
/// # Errors
/// [`Error::Fork`]; as [`Error`] of a database.
pub(crate) async fn contains(
    hashes: &mut Hashes<'_>,
    size: u64,
    checkpoint: &Checkpoint,
    source: &str,
) -> Result<(), Error> {
    if checkpoint.size > size {
        let what = format!(
            "it ends at {size} entries, and {} are known: it was put back to an earlier state",
            checkpoint.size
        );
        return Err(Error::fork(what, Some(size), source));
    }
    let edge = hashes
        .stored(&Tree::edge_indexes(checkpoint.size).map_err(damaged)?)
        .await?;
    let tree = Tree::restore(checkpoint.size, &edge).map_err(damaged)?;
    if tree.root() != checkpoint.root {
        let what = format!(
            "its first {} entries are not those that are known",
            checkpoint.size
        );
        return Err(Error::fork(what, None, source));
    }
    Ok(())
}
