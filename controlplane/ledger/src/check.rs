//! Opening the log: is it what was written?
//!
//! The tree is restored from full tiles and the entries right of them, the last entries are hashed
//! again, and the root is compared with the last checkpoint and with every checkpoint that is
//! known from elsewhere. What lies further back is bound by the same root; `bedside audit verify`
//! hashes all of it.

mod known;
mod tail;

use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::{Database, LedgerConfig};
use crate::keys::{KeyFiles, random};
use crate::sealing::{Grown, Sealing};
use crate::storage::postgres::PostgresStorage;
use crate::storage::sqlite::SqliteStorage;
use crate::storage::{LogRow, Storage};
use crate::tiles::{Edge, Hashes, Partial};
use crate::witness::{self, Witness};
use crate::{Error, Fork};
use bedside_audit::{Action, Actor, Event, LogKey, Outcome, Sealer, SignedCheckpoint, Tree};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log that was opened and checked.
pub(crate) struct Opened {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) archive: Archive,
    pub(crate) sealing: Sealing,
    pub(crate) files: KeyFiles,
    pub(crate) key: LogKey,
    pub(crate) origin: String,
    pub(crate) grown: Grown,
    pub(crate) witnesses: Vec<Witness>,
    /// What the opening itself has to record.
    pub(crate) events: Vec<Event>,
    /// Held for as long as the log is open.
    pub(crate) lock: Option<File>,
}

/// Opens the log, makes it at the first start, and checks it.
///
/// # Errors
/// As [`Ledger::open`](crate::Ledger::open).
pub(crate) async fn open(config: &LedgerConfig, clock: &dyn Clock) -> Result<Opened, Error> {
    let files = KeyFiles::open(&config.keys_directory)?;
    let lock = match &config.database {
        Database::Sqlite(path) => Some(lock(path)?),
        Database::Postgres(_) => None,
    };
    let incident = match open_checked(config, &files, 1, clock).await {
        Ok(mut opened) => {
            opened.lock = lock;
            return Ok(opened);
        }
        Err(Error::Fork(fork)) if config.accept_fork => *fork,
        Err(error @ Error::Corrupt(_)) if config.accept_fork => Fork {
            what: error.to_string(),
            sequence: None,
            source_of_truth: "the database".to_owned(),
        },
        Err(error) => return Err(error),
    };
    let before = set_aside(config, &files, clock).await?;
    let mut opened = open_checked(config, &files, before.epoch + 1, clock).await?;
    opened.lock = lock;
    tracing::warn!(
        before = before.origin,
        now = opened.origin,
        "the audit log was set aside and a new one begun"
    );
    opened.events.insert(0, accepted(&incident, &before, clock));
    Ok(opened)
}

/// Opens the log, or begins one of that epoch where there is none.
async fn open_checked(
    config: &LedgerConfig,
    files: &KeyFiles,
    epoch: u64,
    clock: &dyn Clock,
) -> Result<Opened, Error> {
    let storage: Arc<dyn Storage> = match &config.database {
        Database::Sqlite(path) => Arc::new(SqliteStorage::open(path).await?),
        Database::Postgres(url) => Arc::new(PostgresStorage::open(url.expose()).await?),
    };
    let checked = check(&storage, config, files, epoch, clock).await;
    if checked.is_err() {
        storage.close().await;
    }
    checked
}

async fn check(
    storage: &Arc<dyn Storage>,
    config: &LedgerConfig,
    files: &KeyFiles,
    epoch: u64,
    clock: &dyn Clock,
) -> Result<Opened, Error> {
    let (log, mut key) = match storage.log().await? {
        Some(log) => {
            let key = files.signing()?.ok_or_else(|| {
                Error::file(
                    &config.keys_directory,
                    "the key that signs the audit log is gone: restore `keys` from a backup",
                )
            })?;
            (log, key)
        }
        None => begin(&**storage, config, files, epoch, clock).await?,
    };
    if key.verifying_key().name() != log.origin {
        return Err(Error::fork(
            format!(
                "the database holds the log {}, the keys are those of {}",
                log.origin,
                key.verifying_key().name()
            ),
            None,
            "the keys",
        ));
    }
    let last = storage.last_checkpoint().await?;
    if let Some(next) = files.next_signing()? {
        // A rotation was under way: the last checkpoint tells whether it took place.
        let signed = last
            .as_ref()
            .and_then(|last| SignedCheckpoint::parse(&last.note).ok());
        let taken = signed
            .is_some_and(|signed| signed.is_signed_by(&next.verifying_key()).unwrap_or(false));
        if taken {
            files.rotate()?;
            key = next;
        } else {
            files.forget_next()?;
        }
    }
    let keys = files.verifying()?;
    let head = storage.head().await?;
    let size = last.as_ref().map_or(0, |last| last.size);
    known::compare_size(head.size, size)?;
    let partial = Partial::default();
    let mut hashes = Hashes::new(&**storage, &partial);
    if let Some(last) = &last {
        let current = [key.verifying_key()];
        tail::check(&**storage, &mut hashes, last, &log.origin, &current).await?;
    }
    known::compare(config, files, &mut hashes, &log.origin, size, &keys).await?;
    let edges = hashes
        .stored(&Tree::edge_indexes(size).map_err(damaged)?)
        .await?;
    let grown = Grown {
        tree: Tree::restore(size, &edges).map_err(damaged)?,
        edge: Edge::restore(size, &mut hashes).await?,
    };
    let archive = Archive::new(Arc::clone(storage), &log.origin, files.clone())?;
    let mut witnesses = witness::witnesses(config, &**storage).await?;
    if let Some(last) = &last {
        known::ask(&mut witnesses, &archive, last).await?;
    }
    let mut events = Vec::new();
    events.extend(behind(&**storage, size, clock).await?);
    Ok(Opened {
        storage: Arc::clone(storage),
        archive,
        sealing: Sealing::new(Sealer::new(files.pseudonyms()?), files.master()?),
        files: files.clone(),
        key,
        origin: log.origin,
        grown,
        witnesses,
        events,
        lock: None,
    })
}

/// Begins a log: its key first, then its name in the database.
async fn begin(
    storage: &dyn Storage,
    config: &LedgerConfig,
    files: &KeyFiles,
    epoch: u64,
    clock: &dyn Clock,
) -> Result<(LogRow, LogKey), Error> {
    if let Some(note) = files.head()?
        && let Ok(known) = SignedCheckpoint::parse(&note)
    {
        let size = known.unverified().size;
        return Err(Error::fork(
            format!("the database is empty, and the log had {size} entries"),
            Some(0),
            files.head_path().display().to_string(),
        ));
    }
    let key = match files.signing()? {
        // A start that ended in between.
        Some(key) => key,
        None => {
            let base = match &config.origin {
                Some(origin) => origin.clone(),
                None => format!("bedside.invalid/{:016x}", u64::from_be_bytes(random()?)),
            };
            let origin = if epoch == 1 {
                base
            } else {
                format!("{base}/{epoch}")
            };
            files.make_signing(&origin)?
        }
    };
    let log = LogRow {
        origin: key.verifying_key().name().to_owned(),
        epoch,
    };
    storage.name(log.clone(), clock.wall_us()).await?;
    Ok((log, key))
}

/// A record of it, if the last entry is later than the clock says.
async fn behind(
    storage: &dyn Storage,
    size: u64,
    clock: &dyn Clock,
) -> Result<Option<Event>, Error> {
    let Some(before) = size.checked_sub(1) else {
        return Ok(None);
    };
    let last = storage.entries(before, 1).await?;
    let now_us = clock.wall_us();
    let ahead_us = last
        .first()
        .map_or(0, |last| last.columns.at_us.saturating_sub(now_us));
    if ahead_us < u64::try_from(crate::limits::TIME_STEP_MIN.as_micros()).unwrap_or(u64::MAX) {
        return Ok(None);
    }
    let mut step = Event {
        reason: Some("behind_last_entry"),
        ..Event::new(now_us, Action::TimeStep, Actor::SYSTEM)
    };
    step.facts.insert("milliseconds", (ahead_us / 1_000).into());
    Ok(Some(step))
}

/// The first entry of a log that replaces one that is not what was written.
fn accepted(incident: &Fork, before: &LogRow, clock: &dyn Clock) -> Event {
    let mut event = Event {
        outcome: Outcome::Failed,
        reason: Some("fork_accepted"),
        ..Event::new(clock.wall_us(), Action::AuditVerify, Actor::SYSTEM)
    };
    event.facts.insert("found", incident.what.clone().into());
    event
        .facts
        .insert("known_from", incident.source_of_truth.clone().into());
    event
        .facts
        .insert("previous_origin", before.origin.clone().into());
    event.facts.insert("previous_epoch", before.epoch.into());
    if let Some(sequence) = incident.sequence {
        event.facts.insert("first_entry", sequence.into());
    }
    event
}

/// Gives the log's database and keys other names. What it was called is taken from the keys, since
/// the database is not to be trusted.
async fn set_aside(
    config: &LedgerConfig,
    files: &KeyFiles,
    clock: &dyn Clock,
) -> Result<LogRow, Error> {
    let origin = files
        .signing()?
        .map_or_else(String::new, |key| key.verifying_key().name().to_owned());
    let epoch = match origin.rsplit_once('/') {
        Some((_, number)) if number.len() < 8 => number.parse().unwrap_or(1),
        _ => 1,
    };
    let stamp = clock.wall_us() / 1_000_000;
    match &config.database {
        Database::Sqlite(path) => {
            for suffix in ["", "-wal", "-shm"] {
                let from = with_suffix(path, suffix);
                let to = with_suffix(path, &format!(".epoch-{epoch}-{stamp}{suffix}"));
                match fs::rename(&from, to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::file(&from, error));
                    }
                    _ => {}
                }
            }
        }
        Database::Postgres(url) => {
            let name = format!("bedside_audit_epoch_{epoch}_{stamp}");
            PostgresStorage::set_aside(url.expose(), &name).await?;
        }
    }
    files.set_aside(epoch)?;
    Ok(LogRow { origin, epoch })
}

/// Keeps a second control plane from this file.
fn lock(database: &Path) -> Result<File, Error> {
    let path = with_suffix(database, ".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Error::file(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Sequencer),
        Err(TryLockError::Error(error)) => Err(Error::file(&path, error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn damaged(error: bedside_audit::AuditError) -> Error {
    Error::Corrupt(error.to_string())
}
