//! What the log needs of a database: rows in, rows out, nothing ever changed.
//!
//! Storage knows no cryptography. Whether what it returns is what was written is for
//! [`check`](crate::check) and [`verify`](crate::verify) to find out.

pub(crate) mod postgres;
mod queries;
pub(crate) mod sqlite;

use crate::Error;
use futures_util::future::BoxFuture;
use std::fmt;

/// An entry as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEntry {
    /// Its place in the log, from 0.
    pub sequence: u64,
    /// The leaf's hash: SHA-256(0x00 || body), RFC 6962 §2.1.
    pub leaf: [u8; 32],
    /// The entry: canonical JSON (RFC 8785).
    pub body: Vec<u8>,
    /// What of the body can be searched for.
    pub columns: Columns,
}

/// What of an entry can be searched for. Pseudonyms, never names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Columns {
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Name of the action.
    pub action: String,
    /// Name of the outcome.
    pub outcome: String,
    /// Pseudonym of who did it.
    pub actor: Option<String>,
    /// Pseudonym of the patient.
    pub patient: Option<String>,
    /// Pseudonym of the room.
    pub room: Option<String>,
    /// The consult.
    pub encounter: Option<String>,
}

/// 256 hashes of the tree (C2SP tlog-tiles).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredTile {
    /// 0 for leaves; a hash of level n covers 256^n entries.
    pub level: u8,
    /// Its place in the level, from 0.
    pub number: u64,
    /// 8,192 bytes.
    pub hashes: Vec<u8>,
}

/// A signed tree head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCheckpoint {
    /// Entries that it covers.
    pub size: u64,
    /// When it was signed, microseconds since the Unix epoch.
    pub at_us: u64,
    /// The signed note.
    pub note: String,
}

/// What a witness signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCosignature {
    /// The checkpoint's size.
    pub size: u64,
    /// The witness's key name.
    pub witness: String,
    /// Its line in the note.
    pub line: String,
}

/// What one transaction appends.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) tiles: Vec<StoredTile>,
    pub(crate) checkpoint: StoredCheckpoint,
    pub(crate) detail_keys: Vec<StoredDetailKey>,
}

/// The key of one subject's details of one year.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredDetailKey {
    /// Pseudonym.
    pub(crate) subject: String,
    pub(crate) year: u16,
    /// As entries name it.
    pub(crate) id: String,
    /// Under the master key.
    pub(crate) wrapped: Vec<u8>,
}

/// The log's name and epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogRow {
    pub(crate) origin: String,
    pub(crate) epoch: u64,
}

/// How far the log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// Greatest sequence plus one.
    pub(crate) size: u64,
    /// Its last leaf.
    pub(crate) leaf: Option<[u8; 32]>,
}

/// What entries are wanted; all that is given must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    /// Not before, microseconds since the Unix epoch.
    pub from_us: Option<u64>,
    /// Before.
    pub until_us: Option<u64>,
    /// Name of an action, or its part before the dot.
    pub action: Option<String>,
    /// Name of an outcome.
    pub outcome: Option<String>,
    /// Pseudonym of an actor.
    pub actor: Option<String>,
    /// Pseudonym of a patient.
    pub patient: Option<String>,
    /// Pseudonym of a room.
    pub room: Option<String>,
    /// A consult.
    pub encounter: Option<String>,
    /// Only entries before this sequence: pages go back in time.
    pub before: Option<u64>,
}

/// A database that holds a log. Reads may run beside appends; appends come from one task.
pub(crate) trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The log's name, once it has one.
    fn log(&self) -> BoxFuture<'_, Result<Option<LogRow>, Error>>;
    /// Names a log that has no name yet.
    fn name(&self, log: LogRow, at_us: u64) -> BoxFuture<'_, Result<(), Error>>;
    /// How far the log goes, asked on the connection that appends (made anew if it is lost).
    fn head(&self) -> BoxFuture<'_, Result<Head, Error>>;
    /// Appends, whole or not at all, durable when it returns. After an error `head` tells
    /// whether it was applied.
    fn append<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Error>>;
    /// Up to `count` entries from sequence `from`, in order.
    fn entries(&self, from: u64, count: u32) -> BoxFuture<'_, Result<Vec<StoredEntry>, Error>>;
    /// Up to `count` entries, the last first.
    fn search<'a>(
        &'a self,
        search: &'a Search,
        count: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredEntry>, Error>>;
    /// Up to `count` tiles of a level from number `from`, in order.
    fn tiles(
        &self,
        level: u8,
        from: u64,
        count: u32,
    ) -> BoxFuture<'_, Result<Vec<StoredTile>, Error>>;
    /// The checkpoint of the greatest size.
    fn last_checkpoint(&self) -> BoxFuture<'_, Result<Option<StoredCheckpoint>, Error>>;
    /// Up to `count` checkpoints from `size` on.
    fn checkpoints(
        &self,
        size: u64,
        count: u32,
    ) -> BoxFuture<'_, Result<Vec<StoredCheckpoint>, Error>>;
    /// Keeps what a witness signed.
    fn put_cosignature<'a>(
        &'a self,
        cosignature: &'a StoredCosignature,
    ) -> BoxFuture<'a, Result<(), Error>>;
    /// What witnesses signed of the checkpoint of that size.
    fn cosignatures(&self, size: u64) -> BoxFuture<'_, Result<Vec<StoredCosignature>, Error>>;
    /// The last that each witness signed.
    fn last_cosignatures(&self) -> BoxFuture<'_, Result<Vec<StoredCosignature>, Error>>;
    /// The keys of these subjects, of all years.
    fn detail_keys<'a>(
        &'a self,
        subjects: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<StoredDetailKey>, Error>>;
    /// Destroys the keys of the years before `year`, of one subject or of all; how many.
    fn destroy_detail_keys<'a>(
        &'a self,
        subject: Option<&'a str>,
        year: u16,
    ) -> BoxFuture<'a, Result<u64, Error>>;
    /// The database's own consistency: what it finds wrong.
    fn integrity(&self) -> BoxFuture<'_, Result<Vec<String>, Error>>;
    /// Closes all connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A number as databases have them.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from the database; one that cannot be is reported as damage.
pub(crate) fn unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Corrupt("a negative number in the database".into()))
}

pub(crate) fn hash(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes
        .try_into()
        .map_err(|_| Error::Corrupt("a hash in the database has not 32 bytes".into()))
}
