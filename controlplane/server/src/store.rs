//! What must survive a restart, in SQLite: the generation, the open rooms' snapshots, one-time
//! links, what is known of API keys.
//!
//! Write-ahead log and `synchronous=FULL`: what a transaction has committed survives a power cut.

pub(crate) mod access;
pub(crate) mod breakglass;
pub(crate) mod configuration;
pub(crate) mod consults;
pub(crate) mod links;
pub(crate) mod revocations;
pub(crate) mod users;

use crate::Error;
use crate::clock::since_epoch;
use crate::limits::STORE_RETRY;
use bedside_protocol::Generation;
use bedside_rooms::Snapshot;
use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

/// What a start finds.
#[derive(Debug)]
pub(crate) struct Incarnation {
    /// Greater than that of every start before.
    pub(crate) generation: Generation,
    /// The node's name, the same at every start: `ND_` and 16 characters.
    pub(crate) node: String,
}

/// What is known of an API key; times are Unix seconds.
#[derive(Debug)]
pub(crate) struct KnownKey {
    pub(crate) name: String,
    pub(crate) first_seen_s: i64,
    pub(crate) last_used_s: Option<i64>,
}

/// Room snapshots to be written in one transaction.
#[derive(Default)]
pub(crate) struct SnapshotChanges {
    pub(crate) changed: Vec<(String, Snapshot)>,
    pub(crate) finished: Vec<String>,
}

impl SnapshotChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.finished.is_empty()
    }
}

impl Store {
    /// Opens or makes the database in `data_directory` and brings it to this release's form.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Migration`].
    pub(crate) async fn open(data_directory: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(data_directory.join("bedside.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // A deleted snapshot holds personal data: its pages are overwritten.
            .pragma("secure_delete", "on")
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Counts this start. Committed before it returns, so that no two starts share a generation.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Random`].
    pub(crate) async fn incarnation(&self) -> Result<Incarnation, Error> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(Error::Random)?;
        let name = format!("ND_{:016x}", u64::from_be_bytes(random));
        let row = sqlx::query(
            "INSERT INTO node (id, name, generation) VALUES (1, ?, 1)
             ON CONFLICT (id) DO UPDATE SET generation = generation + 1
             RETURNING name, generation",
        )
        .bind(name)
        .fetch_one(&self.pool)
        .await?;
        let generation: i64 = row.try_get("generation")?;
        Ok(Incarnation {
            generation: Generation(u64::try_from(generation).unwrap_or_default()),
            node: row.try_get("name")?,
        })
    }

    /// The snapshots that the last incarnation left. One that cannot be read is reported and
    /// deleted: its clients join anew.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let rows = sqlx::query("SELECT room, snapshot FROM room_snapshot ORDER BY room")
            .fetch_all(&self.pool)
            .await?;
        let mut snapshots = Vec::with_capacity(rows.len());
        let mut unreadable = SnapshotChanges::default();
        for row in rows {
            let room: String = row.try_get("room")?;
            let text: String = row.try_get("snapshot")?;
            match serde_json::from_str(&text) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(_) => {
                    tracing::error!(
                        room,
                        "a room cannot be restored: its snapshot is unreadable"
                    );
                    unreadable.finished.push(room);
                }
            }
        }
        self.write(&unreadable).await?;
        Ok(snapshots)
    }

    /// Writes what comes until the sender is gone. While the database refuses (disk full), the
    /// same changes are tried again; what comes meanwhile waits with the sender.
    pub(crate) async fn write_snapshots(self, mut changes: mpsc::Receiver<SnapshotChanges>) {
        while let Some(change) = changes.recv().await {
            while let Err(error) = self.write(&change).await {
                tracing::error!(%error, "room snapshots cannot be stored: a restart would lose them");
                if changes.is_closed() {
                    return;
                }
                sleep(STORE_RETRY).await;
            }
        }
    }

    async fn write(&self, changes: &SnapshotChanges) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        for (room, snapshot) in &changes.changed {
            let text = serde_json::to_string(snapshot)
                .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            sqlx::query(
                "INSERT INTO room_snapshot (room, snapshot) VALUES (?, ?)
                 ON CONFLICT (room) DO UPDATE SET snapshot = excluded.snapshot",
            )
            .bind(room)
            .bind(text)
            .execute(&mut *transaction)
            .await?;
        }
        for room in &changes.finished {
            sqlx::query("DELETE FROM room_snapshot WHERE room = ?")
                .bind(room)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Notes which API keys there are.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn note_api_keys(
        &self,
        names: impl Iterator<Item = &str>,
    ) -> Result<(), Error> {
        for name in names {
            sqlx::query(
                "INSERT INTO api_key (name, first_seen_s) VALUES (?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(name)
            .bind(now_s())
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// When each API key that was ever seen was last used, Unix seconds.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn api_key_use(&self) -> Result<BTreeMap<String, Option<u64>>, Error> {
        let rows = sqlx::query("SELECT name, last_used_s FROM api_key")
            .fetch_all(&self.pool)
            .await?;
        let used = rows.iter().map(|row| {
            let last_s: Option<i64> = row.try_get("last_used_s")?;
            let last_s = last_s.and_then(|last_s| u64::try_from(last_s).ok());
            Ok((row.try_get("name")?, last_s))
        });
        used.collect()
    }

    /// Notes when API keys were last used, Unix seconds.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn note_api_key_use(&self, used: BTreeMap<String, u64>) -> Result<(), Error> {
        for (name, at_s) in used {
            sqlx::query("UPDATE api_key SET last_used_s = ? WHERE name = ?")
                .bind(i64::try_from(at_s).unwrap_or(i64::MAX))
                .bind(name)
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }

    /// What is known of the API keys called `names`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn api_keys(&self, names: &[String]) -> Result<Vec<KnownKey>, Error> {
        let rows = sqlx::query("SELECT name, first_seen_s, last_used_s FROM api_key ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            known.push(KnownKey {
                name: row.try_get("name")?,
                first_seen_s: row.try_get("first_seen_s")?,
                last_used_s: row.try_get("last_used_s")?,
            });
        }
        known.retain(|key| names.contains(&key.name));
        Ok(known)
    }

    /// Closes the database; what was written stays.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

pub(crate) fn now_s() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// SQLite has one writer at a time; the others read.
const CONNECTIONS: u32 = 4;

#[cfg(test)]
mod tests;
