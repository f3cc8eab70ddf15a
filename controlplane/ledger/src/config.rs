//! What the operator decides about the log.

use bedside_protocol::Secret;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the operator decides about the log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LedgerConfig {
    /// Where it is kept.
    pub database: Database,
    /// Where its keys are: a directory of mode 0700, made where there is none.
    pub keys_directory: PathBuf,
    /// The log's name, first line of its checkpoints: unique in the world by a domain of the
    /// operator's, as in `clinic.example/audit`. Used when the log is begun; one is made up where
    /// there is none.
    pub origin: Option<String>,
    /// Files, best on another machine's mount, to which checkpoints are appended.
    pub mirrors: Vec<PathBuf>,
    /// How often mirrors and witnesses get the last checkpoint.
    pub publish_interval: Duration,
    /// Who cosigns checkpoints.
    pub witnesses: Vec<WitnessConfig>,
    /// How many witnesses make a checkpoint witnessed; 0 stands for all.
    pub quorum: usize,
    /// Whether a log that is not what was written is set aside and a new one begun.
    pub accept_fork: bool,
}

/// Where a log is kept.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of its own.
    Sqlite(PathBuf),
    /// The schema `bedside_audit` of a PostgreSQL database, by its URL.
    Postgres(Secret<String>),
}

/// A witness (C2SP tlog-witness).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessConfig {
    /// Prefix of its endpoints: `add-checkpoint` is posted below it.
    pub url: String,
    /// Its verifier key: `name+id+key`.
    pub vkey: String,
    /// Authorities for its certificate; the public ones where there is none.
    pub ca_file: Option<PathBuf>,
}

impl LedgerConfig {
    /// SQLite and keys in the server's data directory, nobody else told.
    #[must_use]
    pub fn in_directory(data: &Path) -> Self {
        Self {
            database: Database::Sqlite(data.join("audit.sqlite")),
            keys_directory: data.join("keys"),
            origin: None,
            mirrors: Vec::new(),
            publish_interval: Duration::from_secs(10),
            witnesses: Vec::new(),
            quorum: 0,
            accept_fork: false,
        }
    }
}
