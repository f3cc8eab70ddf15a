//! What can keep the data plane from starting or running on.

use std::io;
use std::path::PathBuf;

use bedside_protocol::WorkerId;

/// A failure of the process. Peers and control planes cause none of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WorkerError {
    /// No engine that may be used works on this host. The report says why and what to type.
    #[error("packets cannot be moved on this host\n{report}")]
    Engine {
        /// What was tried, step by step.
        report: String,
    },

    /// The control socket cannot be listened on.
    #[error("cannot listen on {path}: {source}")]
    Listen {
        /// The path from the command line.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },

    /// Another data plane answers on the control socket.
    #[error("{path} is in use by a running data plane; stop it first or choose another path")]
    InUse {
        /// The path from the command line.
        path: PathBuf,
    },

    /// The main thread's runtime or its signal handlers could not be made.
    #[error("cannot set up the main thread: {source}")]
    Runtime {
        /// The kernel's answer.
        source: io::Error,
    },

    /// The kernel refused to take rights away from the process.
    #[error("cannot give up core dumps and privileges: {source}")]
    Hardening {
        /// The kernel's answer.
        source: io::Error,
    },

    /// The cryptographic module gave no random bytes or no certificate.
    #[error("the cryptographic module does not work: {what}")]
    Cryptography {
        /// What it did not give.
        what: &'static str,
    },

    /// The control plane asks for a configuration that cannot be.
    #[error("{what}")]
    Configuration {
        /// What is wrong with it and what is allowed.
        what: String,
    },

    /// A worker's ring could not be made.
    #[error("{worker}: {source}")]
    Ring {
        /// Which worker.
        worker: WorkerId,
        /// Why.
        source: bedside_ring::RingError,
    },

    /// A worker's thread could not be started or pinned.
    #[error("{worker}: cannot {what} its thread: {source}")]
    Thread {
        /// Which worker.
        worker: WorkerId,
        /// Start or pin.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },

    /// A worker ended without being told to; the rooms on it are lost. The service manager starts
    /// the process again, and clients join anew.
    #[error("{worker} ended unexpectedly")]
    WorkerEnded {
        /// Which worker.
        worker: WorkerId,
    },

    /// Workers did not start or stop in time.
    #[error("the workers did not {what} in time")]
    WorkersLate {
        /// Start or stop.
        what: &'static str,
    },
}
