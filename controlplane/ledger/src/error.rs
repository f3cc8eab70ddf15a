//! What can keep the log from being opened, read or written.

use std::path::{Path, PathBuf};

/// Why the log cannot be used. Every text says what to do and holds nothing personal.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "read as bedside_ledger::Error")]
#[non_exhaustive]
pub enum Error {
    /// The disk of the database is full.
    #[error("the disk of the audit log is full: make room on it; what waits is written then")]
    DiskFull,
    /// The disk failed to read or write.
    #[error("the disk of the audit log fails ({0}): look at the kernel's log and replace it")]
    Disk(String),
    /// The database does not answer.
    #[error("the database of the audit log cannot be reached: {0}")]
    Away(String),
    /// The database is damaged.
    #[error(
        "the database of the audit log is damaged ({0}): run `bedside audit verify`, then restore \
         a backup or go on in a new log with `bedside serve --accept-fork`"
    )]
    Corrupt(String),
    /// Another control plane has this log.
    #[error("another control plane writes this audit log; stop it first")]
    Sequencer,
    /// Somebody else appended.
    #[error(
        "the audit log was appended to by somebody else; nothing more is written until this \
         control plane is started again, which checks the log"
    )]
    Conflict,
    /// PostgreSQL acknowledges what is not durable.
    #[error("PostgreSQL runs with {0} = off, so that a power cut loses records: turn it on")]
    Unsafe(&'static str),
    /// The URL of the database cannot be used.
    #[error("the URL of the audit database {0}")]
    Url(&'static str),
    /// The database refuses for a reason of its own.
    #[error("the database of the audit log refuses: {0}")]
    Database(sqlx::Error),
    /// The database was written by a newer release.
    #[error("the database of the audit log: {0}; was it written by a newer release?")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A file cannot be used.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it and what to do.
        cause: String,
    },
    /// The kernel gives no random numbers.
    #[error("no random numbers from the kernel: {0}")]
    Random(getrandom::Error),
    /// Sealing failed.
    #[error("an event cannot be sealed: {0}; this is a defect of bedside")]
    Seal(String),
    /// The log in the database is not the log that was written.
    #[error("{0}")]
    Fork(Box<Fork>),
    /// A setting of the log's cannot work.
    #[error("configuration: {0}")]
    Config(String),
}

/// How the log differs from what is known of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the audit log is not what was written: {what}{}. Known from {source_of_truth}. Nothing was \
     changed. Keep a copy of the database for whoever investigates; then restore a backup that is \
     complete, or start once with `bedside serve --accept-fork`, which sets this log aside, begins \
     a new one and records the incident in it",
    .sequence.map(|sequence| format!(" (entry {sequence})")).unwrap_or_default()
)]
pub struct Fork {
    /// What was found.
    pub what: String,
    /// The first entry that is known to be concerned.
    pub sequence: Option<u64>,
    /// What contradicts the log: a checkpoint, a mirror, a witness.
    pub source_of_truth: String,
}

/// Who has to act on an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// Whoever runs the server: disk, database, keys.
    Operator,
    /// The operating system.
    Kernel,
    /// Us.
    Bug,
}

impl Error {
    /// Who has to act.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Random(_) => Blame::Kernel,
            Self::Seal(_) => Blame::Bug,
            _ => Blame::Operator,
        }
    }

    /// Whether trying again without a restart can help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::DiskFull
                | Self::Disk(_)
                | Self::Away(_)
                | Self::Sequencer
                | Self::Database(_)
                | Self::Random(_)
        )
    }

    /// A code for records, metrics and answers: a closed set.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Disk(_) => "disk_failed",
            Self::Away(_) => "database_away",
            Self::Corrupt(_) => "database_damaged",
            Self::Sequencer => "other_sequencer",
            Self::Conflict => "appended_by_another",
            Self::Fork(_) => "fork",
            _ => "database_refused",
        }
    }

    pub(crate) fn file(path: &Path, cause: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.to_owned(),
            cause: cause.to_string(),
        }
    }

    pub(crate) fn fork(
        what: impl Into<String>,
        sequence: Option<u64>,
        source_of_truth: impl Into<String>,
    ) -> Self {
        Self::Fork(Box::new(Fork {
            what: what.into(),
            sequence,
            source_of_truth: source_of_truth.into(),
        }))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(cause) => Self::Away(cause.to_string()),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Away(error.to_string())
            }
            sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Self::Away(error.to_string()),
            sqlx::Error::Database(cause) => {
                let code = cause.code().unwrap_or_default().into_owned();
                match code.parse::<u32>() {
                    Ok(number) if code.len() < 5 => Self::sqlite(number, error),
                    _ => Self::postgres(&code, error),
                }
            }
            _ => Self::Database(error),
        }
    }
}

impl Error {
    /// By SQLite's extended result code (sqlite.org/rescode.html): the primary code is its low
    /// byte.
    fn sqlite(code: u32, error: sqlx::Error) -> Self {
        match code & 0xff {
            13 => Self::DiskFull,
            11 | 26 => Self::Corrupt(error.to_string()),
            10 => Self::Disk(error.to_string()),
            5 | 6 | 14 => Self::Away(error.to_string()),
            19 if code == 1555 || code == 2067 => Self::Conflict,
            _ => Self::Database(error),
        }
    }

    /// By SQLSTATE (PostgreSQL documentation, appendix A).
    fn postgres(code: &str, error: sqlx::Error) -> Self {
        match code {
            "53100" => Self::DiskFull,
            "XX001" | "XX002" => Self::Corrupt(error.to_string()),
            "58030" => Self::Disk(error.to_string()),
            "23505" => Self::Conflict,
            _ if ["08", "53", "57"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                Self::Away(error.to_string())
            }
            _ => Self::Database(error),
        }
    }
}

/// Why a record could not be written. What it was for must not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritable {
    /// The database refuses; the text says what to do.
    #[error("the audit log cannot be written, so that nobody can be let in: {text}")]
    Database {
        /// As [`Error::code`].
        code: &'static str,
        /// What to do.
        text: String,
    },
    /// More records wait than are taken.
    #[error("the audit log cannot keep up: {0} records wait; try again")]
    Busy(usize),
    /// The log was closed.
    #[error("the audit log is closed: the control plane is stopping")]
    Closed,
}

impl Unwritable {
    /// A code for answers and metrics: a closed set.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Database { code, .. } => code,
            Self::Busy(_) => "busy",
            Self::Closed => "closed",
        }
    }
}

impl From<&Error> for Unwritable {
    fn from(error: &Error) -> Self {
        Self::Database {
            code: error.code(),
            text: error.to_string(),
        }
    }
}
