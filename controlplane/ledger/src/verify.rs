//! All of the log, hashed again: entries, stored hashes, columns, every checkpoint, and what is
//! known from elsewhere (45 CFR 164.312(c)(2)).
//!
//! One task reads ahead while another hashes, so that on two cores the database is the limit.

use crate::archive::Archive;
use crate::limits::{VERIFY_AHEAD, VERIFY_ENTRIES};
use crate::storage::{Columns, Storage, StoredCheckpoint, StoredEntry, StoredTile};
use crate::tiles::{TILE_HASHES, split};
use crate::{Error, mirror};
use bedside_audit::{Keyring, Report, Source, Table, Timestamp, Verification};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::PathBuf;
use tlog_tiles::{Hash, stored_hash_index};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// What a verification is given beside the log.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Verifier keys that the auditor has from elsewhere; the log's first key where there are none.
    pub keys: Vec<bedside_audit::VerifyingKey>,
    /// Signed checkpoints that were kept elsewhere.
    pub outside: Vec<String>,
    /// Mirrors to be read.
    pub mirrors: Vec<PathBuf>,
    /// Whether the database checks its own pages too.
    pub integrity: bool,
}

/// What a verification found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// What the tree says.
    pub report: Report,
    /// What is wrong beside the tree, in sentences: columns, tiles, pages of the database.
    pub storage: Vec<String>,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.report.is_intact() && self.storage.is_empty()
    }
}

/// What is read ahead: some entries, the checkpoints among them, the tiles that they fill.
struct Portion {
    entries: Vec<StoredEntry>,
    checkpoints: Vec<StoredCheckpoint>,
    tiles: Vec<StoredTile>,
}

/// Verifies the whole log as it is when this is called; what is appended meanwhile is left out.
///
/// # Errors
/// As [`Error`] of a database that cannot be read at all; [`Error::File`]. What is wrong with the
/// log is no error but stands in the report.
pub(crate) async fn verify(
    archive: &Archive,
    storage: &std::sync::Arc<dyn Storage>,
    options: &VerifyOptions,
) -> Result<Verified, Error> {
    let size = storage.last_checkpoint().await?.map_or(0, |last| last.size);
    let keys = if options.keys.is_empty() {
        archive.verifying_keys()?.into_iter().take(1).collect()
    } else {
        options.keys.clone()
    };
    let mut outside = options.outside.clone();
    for path in &options.mirrors {
        outside.extend(mirror::last(path, archive.origin())?);
    }
    let mut upper = Vec::new();
    for level in 1..=MAX_LEVEL {
        upper.extend(storage.tiles(level, 0, u32::MAX).await?);
    }
    let pass = Pass::new(Keyring::new(keys), outside, &upper, size);
    let (portions, ahead) = mpsc::channel(VERIFY_AHEAD);
    let hashing = spawn_blocking(move || pass.run(ahead));
    let read = read(&**storage, size, portions).await;
    let (report, mut problems) = hashing
        .await
        .map_err(|_| Error::Away("a thread ended".to_owned()))?;
    match read {
        Ok(()) => {}
        // A page that cannot be read is a finding: it names what is lost.
        Err(Error::Corrupt(problem)) => {
            problems.push(format!("the database is damaged: {problem}"))
        }
        Err(error) => return Err(error),
    }
    if options.integrity {
        match storage.integrity().await {
            Ok(found) => problems.extend(found),
            Err(Error::Corrupt(problem)) => problems.push(problem),
            Err(error) => return Err(error),
        }
    }
    Ok(Verified {
        report,
        storage: problems,
    })
}

/// Reads the log from its beginning, portion by portion.
async fn read(
    storage: &dyn Storage,
    size: u64,
    portions: mpsc::Sender<Portion>,
) -> Result<(), Error> {
    let mut from = 0;
    while from < size {
        let mut entries = storage.entries(from, VERIFY_ENTRIES).await?;
        entries.retain(|entry| entry.sequence < size);
        let until = entries.last().map_or(size, |last| last.sequence + 1);
        let count = until.div_ceil(TILE_HASHES) - from / TILE_HASHES;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let portion = Portion {
            checkpoints: checkpoints(storage, from, until).await?,
            tiles: storage.tiles(0, from / TILE_HASHES, count).await?,
            entries,
        };
        if portions.send(portion).await.is_err() {
            return Ok(());
        }
        from = until;
    }
    // Rows past what was signed, unless a writer has just signed them.
    let entries = storage.entries(size, VERIFY_ENTRIES).await?;
    let signed = storage.last_checkpoint().await?.map_or(0, |last| last.size);
    if signed == size && !entries.is_empty() {
        let appended = Portion {
            entries,
            checkpoints: Vec::new(),
            tiles: Vec::new(),
        };
        // The other side ends only after this one.
        portions.send(appended).await.unwrap_or_default();
    }
    Ok(())
}

/// The checkpoints of more than `from` and at most `until` entries.
async fn checkpoints(
    storage: &dyn Storage,
    mut from: u64,
    until: u64,
) -> Result<Vec<StoredCheckpoint>, Error> {
    let mut found = Vec::new();
    while from < until {
        let some = storage.checkpoints(from + 1, VERIFY_ENTRIES).await?;
        let Some(last) = some.last().map(|last| last.size) else {
            break;
        };
        found.extend(some.into_iter().filter(|some| some.size <= until));
        from = last;
    }
    Ok(found)
}

/// One pass over the log.
struct Pass {
    verification: Verification,
    outside: Vec<String>,
    /// Hashes of full tiles above the leaves, by level and number.
    upper: HashMap<(u8, u64), Hash>,
    size: u64,
    problems: Vec<String>,
    unnamed: u64,
}

impl Pass {
    fn new(keyring: Keyring, outside: Vec<String>, upper: &[StoredTile], size: u64) -> Self {
        let mut hashes = HashMap::new();
        for tile in upper {
            for (number, hash) in (tile.number * TILE_HASHES..).zip(split(&tile.hashes)) {
                hashes.insert((tile.level, number), hash);
            }
        }
        Self {
            verification: Verification::new(keyring, Table::Leaves),
            outside,
            upper: hashes,
            size,
            problems: Vec::new(),
            unnamed: 0,
        }
    }

    fn run(mut self, mut portions: mpsc::Receiver<Portion>) -> (Report, Vec<String>) {
        for note in std::mem::take(&mut self.outside) {
            self.verification.checkpoint(&note, Source::Outside);
        }
        while let Some(portion) = portions.blocking_recv() {
            for checkpoint in &portion.checkpoints {
                self.verification.checkpoint(&checkpoint.note, Source::Log);
            }
            self.tiles(&portion);
            for entry in &portion.entries {
                self.entry(entry);
            }
        }
        if self.unnamed > 0 {
            self.problems.push(format!("and {} more", self.unnamed));
        }
        (self.verification.finish(), self.problems)
    }

    fn entry(&mut self, entry: &StoredEntry) {
        let leaf = stored_hash_index(0, entry.sequence);
        self.verification.stored_hash(leaf, Hash(entry.leaf));
        // What it completes that has a place in a tile: every eighth level.
        for level in (1..=MAX_LEVEL).take_while(|level| completes(entry.sequence, *level)) {
            let number = entry.sequence >> (8 * level);
            if let Some(hash) = self.upper.get(&(level, number)) {
                let index = stored_hash_index(8 * level, number);
                self.verification.stored_hash(index, *hash);
            }
        }
        self.verification.entry(entry.sequence, &entry.body);
        if !agrees(&entry.columns, &entry.body) {
            self.problem(|| {
                format!(
                    "what entry {} is searched by is not what it says",
                    entry.sequence
                )
            });
        }
    }

    /// Leaf tiles repeat the leaves beside the entries.
    fn tiles(&mut self, portion: &Portion) {
        let tiles: HashMap<u64, &StoredTile> = portion
            .tiles
            .iter()
            .map(|tile| (tile.number, tile))
            .collect();
        for entries in portion
            .entries
            .chunk_by(|a, b| a.sequence / TILE_HASHES == b.sequence / TILE_HASHES)
        {
            let Some(first) = entries.first().map(|entry| entry.sequence) else {
                continue;
            };
            let number = first / TILE_HASHES;
            if (number + 1) * TILE_HASHES > self.size || entries.len() as u64 != TILE_HASHES {
                continue;
            }
            let leaves = entries.iter().map(|entry| Hash(entry.leaf));
            let kept = tiles.get(&number).map(|tile| split(&tile.hashes));
            if kept.is_none_or(|kept| !kept.iter().copied().eq(leaves)) {
                self.problem(|| format!("tile {number} of the leaves was changed or removed"));
            }
        }
    }

    fn problem(&mut self, text: impl FnOnce() -> String) {
        if self.problems.len() < bedside_audit::limits::FINDINGS_MAX {
            self.problems.push(text());
        } else {
            self.unnamed += 1;
        }
    }
}

/// Whether the entry is the last of a subtree of 256^`level`.
const fn completes(sequence: u64, level: u8) -> bool {
    (sequence + 1).is_multiple_of(1 << (8 * level))
}

/// Whether the columns are those of the body. Only what is in columns is read of it: whether the
/// body is an entry at all, its hash says.
fn agrees(columns: &Columns, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Person<'a> {
        #[serde(borrow)]
        pid: Option<&'a str>,
    }
    #[derive(Deserialize)]
    struct Searched<'a> {
        action: &'a str,
        actor: Person<'a>,
        #[serde(borrow)]
        encounter: Option<std::borrow::Cow<'a, str>>,
        outcome: &'a str,
        #[serde(borrow)]
        patient: Option<Person<'a>>,
        room: Option<&'a str>,
        ts: &'a str,
    }
    let Ok(searched) = serde_json::from_slice::<Searched<'_>>(body) else {
        return false;
    };
    let at_us = searched.ts.parse::<Timestamp>().map(Timestamp::micros);
    columns.action == searched.action
        && columns.outcome == searched.outcome
        && columns.actor.as_deref() == searched.actor.pid
        && columns.patient.as_deref() == searched.patient.and_then(|patient| patient.pid)
        && columns.room.as_deref() == searched.room
        && columns.encounter.as_deref() == searched.encounter.as_deref()
        && at_us == Ok(columns.at_us)
}

/// Tiles of this level and below exist in a log of 2^48 entries.
const MAX_LEVEL: u8 = 5;
