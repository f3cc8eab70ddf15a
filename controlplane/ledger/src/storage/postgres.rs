//! A schema of a PostgreSQL database, for clinics with a database of their own.
//!
//! One control plane appends: its connection holds an advisory lock for as long as it lives, so
//! that a second one is refused and not mixed in.

use super::queries::implement_storage;
use super::{
    Batch, Columns, Head, LogRow, Search, Storage, StoredCheckpoint, StoredCosignature,
    StoredDetailKey, StoredEntry, StoredTile, hash, signed, unsigned,
};
use crate::Error;
use crate::limits::{BATCH_EVENTS_MAX, DATABASE_BUSY, READERS_MAX, ROWS_PER_STATEMENT};
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode, Postgres};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, Row as _};
use std::net::IpAddr;
use std::str::FromStr as _;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// A log in a schema.
#[derive(Debug)]
pub(crate) struct PostgresStorage {
    options: PgConnectOptions,
    pool: PgPool,
    writer: Mutex<Option<PgConnection>>,
}

impl PostgresStorage {
    /// Connects, makes the schema where there is none and brings it to this release's form.
    ///
    /// # Errors
    /// [`Error::Url`]; [`Error::Sequencer`] where another control plane appends;
    /// [`Error::Unsafe`] for a server that acknowledges what is not durable; as [`Error`] of a
    /// database; [`Error::Migration`].
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let options = options(url)?;
        let mut first = timeout(DATABASE_BUSY, options.connect())
            .await
            .map_err(|_| Error::Away("PostgreSQL does not answer".to_owned()))??;
        sqlx::query("CREATE SCHEMA IF NOT EXISTS bedside_audit")
            .execute(&mut first)
            .await?;
        first.close().await?;
        let storage = Self::with(options)?;
        let mut writer = storage.connect().await?;
        sqlx::migrate!("migrations/postgres")
            .run(&mut writer)
            .await?;
        *storage.writer.lock().await = Some(writer);
        Ok(storage)
    }

    /// Connects to read only, whoever else appends.
    ///
    /// # Errors
    /// [`Error::Url`].
    pub(crate) fn open_to_read(url: &str) -> Result<Self, Error> {
        Self::with(options(url)?.options([("default_transaction_read_only", "on")]))
    }

    /// Gives the schema another name, so that the log in it is kept and a new one can be begun.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub(crate) async fn set_aside(url: &str, name: &str) -> Result<(), Error> {
        let mut connection = options(url)?.connect().await?;
        // The name is made of digits and our own words; identifiers cannot be bound.
        sqlx::query(&format!("ALTER SCHEMA bedside_audit RENAME TO {name}"))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    fn with(options: PgConnectOptions) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(DATABASE_BUSY)
            .connect_lazy_with(options.clone());
        Ok(Self {
            options,
            pool,
            writer: Mutex::new(None),
        })
    }

    /// Connects, becomes the one that appends, and makes sure that a commit is durable.
    async fn connect(&self) -> Result<PgConnection, Error> {
        let mut connection = timeout(DATABASE_BUSY, self.options.connect())
            .await
            .map_err(|_| Error::Away("PostgreSQL does not answer".to_owned()))??;
        let (held,): (bool,) = sqlx::query_as("SELECT pg_try_advisory_lock($1)")
            .bind(SEQUENCER_LOCK)
            .fetch_one(&mut connection)
            .await?;
        if !held {
            return Err(Error::Sequencer);
        }
        for (setting, unsafe_value) in [("fsync", "off"), ("full_page_writes", "off")] {
            let (value,): (String,) = sqlx::query_as("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut connection)
                .await?;
            if value == unsafe_value {
                return Err(Error::Unsafe(setting));
            }
        }
        let settings = [
            "SET synchronous_commit = on",
            // A connection that was cut off gives its lock back in half a minute, not in hours.
            "SET tcp_keepalives_idle = 10",
            "SET tcp_keepalives_interval = 5",
            "SET tcp_keepalives_count = 3",
            "SET idle_in_transaction_session_timeout = '10s'",
        ];
        for setting in settings {
            sqlx::query(setting).execute(&mut connection).await?;
        }
        Ok(connection)
    }

    async fn append_on(connection: &mut PgConnection, batch: &Batch) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let mut statements = Vec::new();
        for entries in batch.entries.chunks(ROWS_PER_STATEMENT) {
            let mut query = QueryBuilder::<Postgres>::default();
            push_entries(&mut query, entries);
            statements.push((query, entries.len()));
        }
        for keys in batch.detail_keys.chunks(ROWS_PER_STATEMENT) {
            let mut query = QueryBuilder::<Postgres>::default();
            push_detail_keys(&mut query, keys);
            statements.push((query, keys.len()));
        }
        if !batch.tiles.is_empty() {
            let mut query = QueryBuilder::<Postgres>::default();
            push_tiles(&mut query, &batch.tiles);
            statements.push((query, batch.tiles.len()));
        }
        let mut query = QueryBuilder::<Postgres>::default();
        push_checkpoint(&mut query, &batch.checkpoint);
        statements.push((query, 1));
        for (mut query, rows) in statements {
            // Sizes in between are not worth a place in the cache of statements.
            let cached = rows <= 2 || rows == ROWS_PER_STATEMENT;
            query
                .build()
                .persistent(cached)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Reads every row of every table, which fails at a page whose checksum is wrong.
    async fn check_integrity(&self) -> Result<Vec<String>, Error> {
        let mut problems = Vec::new();
        let (checksums,): (String,) = sqlx::query_as("SELECT current_setting('data_checksums')")
            .fetch_one(&self.pool)
            .await?;
        if checksums != "on" {
            tracing::warn!(
                "PostgreSQL was set up without page checksums (initdb --data-checksums): damage \
                 is found by the log's own hashes alone"
            );
        }
        for table in [
            "log",
            "entry",
            "tile",
            "checkpoint",
            "cosignature",
            "detail_key",
        ] {
            let read = sqlx::query(&format!("SELECT count(t::text) FROM {table} AS t"))
                .fetch_one(&self.pool)
                .await;
            if let Err(error) = read {
                match Error::from(error) {
                    Error::Corrupt(problem) => problems.push(problem),
                    other => return Err(other),
                }
            }
        }
        Ok(problems)
    }
}

/// Where to connect and how: encrypted and with the server's name checked, unless the server is
/// this machine.
fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url.trim())
        .map_err(|_| Error::Url("is not a PostgreSQL URL: postgres://user:password@host/database"))?
        .application_name("bedside-audit")
        .options([("search_path", SCHEMA)]);
    let host = options.get_host();
    let here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    Ok(if here {
        options.ssl_mode(PgSslMode::Prefer)
    } else {
        options.ssl_mode(PgSslMode::VerifyFull)
    })
}

implement_storage!(
    PostgresStorage,
    Postgres,
    PgConnection,
    "VACUUM FULL detail_key"
);

const SCHEMA: &str = "bedside_audit";

/// The lock's number: the first seven bytes of SHA-256("bedside audit log sequencer").
const SEQUENCER_LOCK: i64 = 0x00d9_32a6_4f20_a890;
