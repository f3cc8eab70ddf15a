//! The command line.

use std::path::PathBuf;

use bedside_ring::Engine;
use clap::{Parser, ValueEnum};
use tracing::Level;

/// Bedside's data plane: forwards media between the peers that a control plane names.
///
/// It takes its configuration from the control plane that connects to its socket. Either process
/// may be restarted without the other: while there is no control plane, media keeps flowing.
#[derive(Debug, Parser)]
#[command(name = "bedside-dataplane", version)]
pub(crate) struct Arguments {
    /// Unix socket to listen on for the control plane; only this user and root may connect
    #[arg(long, value_name = "PATH", required_unless_present = "check")]
    pub(crate) socket: Option<PathBuf>,

    /// Least severe level to log to standard error: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: Level,

    /// What moves packets: io_uring where it works, and epoll where it does not, at more processor
    /// time a packet; or only one of them
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t)]
    pub(crate) engine: EngineArgument,

    /// Print whether this host can run a data plane and what to do if not, then exit
    #[arg(long)]
    pub(crate) check: bool,

    /// Print the check as JSON, for programs
    #[arg(long, requires = "check")]
    pub(crate) json: bool,
}

/// The engine as the command line has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum EngineArgument {
    /// The first that works
    #[default]
    Auto,
    IoUring,
    Epoll,
}

impl EngineArgument {
    /// The only engine to try; `None` for the first that works.
    pub(crate) fn wanted(self) -> Option<Engine> {
        match self {
            Self::Auto => None,
            Self::IoUring => Some(Engine::IoUring),
            Self::Epoll => Some(Engine::Epoll),
        }
    }
}

#[cfg(test)]
mod tests;
