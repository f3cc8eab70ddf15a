//! A file of its own beside the server's: write-ahead log, `synchronous=FULL`, so that what a
//! transaction has committed survives a power cut.

use super::queries::implement_storage;
use super::{
    Batch, Columns, Head, LogRow, Search, Storage, StoredCheckpoint, StoredCosignature,
    StoredDetailKey, StoredEntry, StoredTile, hash, signed, unsigned,
};
use crate::Error;
use crate::limits::{BATCH_EVENTS_MAX, DATABASE_BUSY, READERS_MAX, ROWS_PER_STATEMENT};
use futures_util::future::BoxFuture;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, Row as _};
use std::path::Path;
use tokio::sync::Mutex;

/// A log in a file.
#[derive(Debug)]
pub(crate) struct SqliteStorage {
    options: SqliteConnectOptions,
    pool: SqlitePool,
    writer: Mutex<Option<SqliteConnection>>,
}

impl SqliteStorage {
    /// Opens or makes the file and brings it to this release's form.
    ///
    /// # Errors
    /// As [`Error`] of a database; [`Error::Migration`].
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // A destroyed key's page is overwritten.
            .pragma("secure_delete", "on")
            .busy_timeout(DATABASE_BUSY);
        let mut writer = options.clone().connect().await?;
        sqlx::migrate!("migrations/sqlite").run(&mut writer).await?;
        Self::with(options, Some(writer)).await
    }

    /// Opens the file to read it only, whoever else has it open.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub(crate) async fn open_to_read(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(DATABASE_BUSY);
        Self::with(options, None).await
    }

    async fn with(
        options: SqliteConnectOptions,
        writer: Option<SqliteConnection>,
    ) -> Result<Self, Error> {
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(DATABASE_BUSY)
            // A file does not go away between two queries.
            .test_before_acquire(false)
            .connect_with(options.clone().read_only(true).create_if_missing(false))
            .await?;
        Ok(Self {
            options,
            pool,
            writer: Mutex::new(writer),
        })
    }

    async fn connect(&self) -> Result<SqliteConnection, Error> {
        Ok(self
            .options
            .clone()
            .create_if_missing(false)
            .connect()
            .await?)
    }

    /// The whole transaction in one message to SQLite's thread and one back: on a busy host each
    /// message costs a turn of the scheduler, and statement by statement that is more than the
    /// flush (measured at a load of 12 on two cores: 21 ms a join, of which the flush took 2).
    async fn append_on(
        connection: &mut SqliteConnection,
        batch: &Batch,
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("BEGIN IMMEDIATE; ");
        for entries in batch.entries.chunks(ROWS_PER_STATEMENT) {
            push_entries(&mut query, entries);
            query.push("; ");
        }
        for keys in batch.detail_keys.chunks(ROWS_PER_STATEMENT) {
            push_detail_keys(&mut query, keys);
            query.push("; ");
        }
        if !batch.tiles.is_empty() {
            push_tiles(&mut query, &batch.tiles);
            query.push("; ");
        }
        push_checkpoint(&mut query, &batch.checkpoint);
        query.push("; COMMIT");
        // Of the many sizes only the most frequent is worth a place in the cache.
        let cached = batch.entries.len() == 1;
        query
            .build()
            .persistent(cached)
            .execute(connection)
            .await
            .map(drop)
    }

    async fn check_integrity(&self) -> Result<Vec<String>, Error> {
        let rows = sqlx::query("PRAGMA integrity_check")
            .fetch_all(&self.pool)
            .await?;
        let mut problems = Vec::new();
        for row in rows {
            let problem: String = row.try_get(0)?;
            if problem != "ok" {
                problems.push(problem);
            }
        }
        Ok(problems)
    }
}

implement_storage!(
    SqliteStorage,
    Sqlite,
    SqliteConnection,
    "PRAGMA wal_checkpoint(TRUNCATE)"
);
