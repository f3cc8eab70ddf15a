//! What can keep the control plane from starting or from going on.

use crate::config::Refusals;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server did not start, or stopped. Every text says what to do about it and holds
/// nothing personal. What goes wrong with one client never ends up here.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "read as bedside_server::Error")]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot work.
    #[error("configuration: {0}")]
    Config(String),
    /// The configuration has values that cannot work or that its profile does not allow.
    #[error("the configuration is refused:\n{0}")]
    Refused(Refusals),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Request(String),
    /// A file or directory that the configuration names cannot be used.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it and what to do.
        cause: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; is another server running there?")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the kernel said.
        cause: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("TLS certificate: {0}")]
    Certificate(String),
    /// The policies cannot be used.
    #[error("{0}")]
    Policy(#[from] bedside_policy::Error),
    /// The database cannot be opened, read or written.
    #[error("database in the data directory: {0}")]
    Database(#[from] sqlx::Error),
    /// The database was written by a newer release, or its migration failed.
    #[error("database in the data directory: {0}; was it written by a newer release?")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// No data plane is there.
    #[error("{0}")]
    Dataplane(String),
    /// The audit log cannot be opened, or is not what was written.
    #[error("audit log: {0}")]
    Audit(#[from] bedside_ledger::Error),
    /// What must be recorded before it happens could not be.
    #[error(transparent)]
    Unwritable(#[from] bedside_ledger::Unwritable),
    /// The kernel gives no random numbers.
    #[error("no random numbers from the kernel: {0}")]
    Random(getrandom::Error),
    /// A task of ours ended that never does.
    #[error("the {0} task ended unexpectedly; this is a defect of bedside")]
    TaskEnded(&'static str),
}

/// Who has to act on an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// Whoever runs the server: configuration, files, ports.
    Operator,
    /// The operating system.
    Kernel,
    /// Us.
    Bug,
}

impl Error {
    /// Who has to act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Config(_)
            | Self::Refused(_)
            | Self::Request(_)
            | Self::File { .. }
            | Self::Listen { .. }
            | Self::Certificate(_)
            | Self::Dataplane(_)
            | Self::Policy(_)
            | Self::Migration(_)
            | Self::Database(_)
            | Self::Audit(_)
            | Self::Unwritable(_) => Blame::Operator,
            Self::Random(_) => Blame::Kernel,
            Self::TaskEnded(_) => Blame::Bug,
        }
    }

    /// A file that cannot be used, with what the kernel said.
    pub(crate) fn file(path: &std::path::Path, cause: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.to_owned(),
            cause: cause.to_string(),
        }
    }
}
