//! Full participants: str0m behind real signalling.
//!
//! Each participant is a task with a socket of its own: it signals, shakes hands, sends what is
//! due and receives what comes, with everything that a client does on the way (NACK, RTX,
//! transport-wide feedback, reports, key frame requests). Threads share nothing but the board.
//!
//! Nothing that goes wrong with a participant ends the run: it is counted by kind, the first ones
//! are told, and the participant comes again.

mod alarm;
mod call;
mod connection;
mod entrance;
mod guest;
pub mod limits;
mod link;
mod socket;
mod streams;
mod thread;
mod tracks;

#[cfg(test)]
mod tests;

use crate::measure::Board;
use crate::pacing::Clock;
use crate::scenario::Scenario;
use crate::{Stop, Target, media, signalling};
use entrance::Entrance;
use guest::{Guest, guests};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread as threads;
use str0m::RtcError;
use thread::{Shared, work};

/// Why a run could not begin, or could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as full::Error")]
pub enum Error {
    /// The server cannot be looked up, or its CA file cannot be used.
    #[error(transparent)]
    Signalling(#[from] signalling::Error),
    /// A data plane without its control plane has no signalling.
    #[error("full participants need signalling: a data plane by itself takes light ones")]
    NoSignalling,
    /// A recording cannot be played.
    #[error(transparent)]
    Media(#[from] media::Error),
    /// The host refuses a thread, a timer or a socket.
    #[error("the host refuses what the generator needs: {0}")]
    Host(#[from] io::Error),
    /// A fault of the generator's.
    #[error("a thread of the generator ended early")]
    Thread,
}

/// What went wrong with one participant.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Signalling(#[from] signalling::Error),
    #[error("the answer cannot be read: {0}")]
    Answer(String),
    #[error("transport: {0}")]
    Transport(String),
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    #[error("recording: {0}")]
    Media(#[from] media::Error),
    #[error("the participant neither sends nor receives anything")]
    NothingToDo,
    #[error("the server does not take a track")]
    TrackRefused,
    #[error("refused: {0}")]
    Refused(String),
    #[error("the transport did not come up in time")]
    NotConnected,
    #[error("the transport was lost")]
    Lost,
}

impl Failure {
    /// The kind, for counting.
    fn label(&self) -> &'static str {
        match self {
            Self::Signalling(error) => error.label(),
            Self::Answer(_) => "answer",
            Self::Transport(_) => "transport",
            Self::Socket(_) => "socket",
            Self::Media(_) => "recording",
            Self::NothingToDo => "nothing to do",
            Self::TrackRefused => "track refused",
            Self::Refused(_) => "request refused",
            Self::NotConnected => "not connected",
            Self::Lost => "transport lost",
        }
    }

    fn transport(error: impl std::fmt::Display) -> Self {
        Self::Transport(error.to_string())
    }
}

impl From<RtcError> for Failure {
    fn from(error: RtcError) -> Self {
        Self::transport(error)
    }
}

/// How a run is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Threads that the participants are spread over.
    pub threads: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: NonZeroUsize::MIN,
        }
    }
}

/// Plays a scenario's participants until `stop` says so; then they leave.
///
/// # Errors
/// [`Error`], if it cannot begin. What happens to single participants is counted on the board.
pub fn run(
    scenario: &Scenario,
    target: &Target,
    options: Options,
    board: &Arc<Board>,
    stop: &Stop,
) -> Result<(), Error> {
    open_files();
    let entrance = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(Entrance::of(target))?;
    let guests = guests(&scenario.plan(), entrance.protocol());
    let mut shares: Vec<Vec<Guest>> = Vec::new();
    shares.resize_with(options.threads.get(), Vec::new);
    for (number, guest) in guests.into_iter().enumerate() {
        shares[number % options.threads].push(guest);
    }
    let start_ns = Clock::now_ns();
    let shared = Shared::new(entrance, board, stop, start_ns);
    threads::scope(|scope| {
        let threads = shares.into_iter().enumerate().map(|(number, guests)| {
            let shared = Arc::clone(&shared);
            threads::Builder::new()
                .name(format!("full-{number}"))
                .spawn_scoped(scope, move || work(shared, guests))
        });
        let threads = threads.collect::<Result<Vec<_>, _>>()?;
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| Error::Thread)?)
    })
}

/// Lets the process have as many open files as it may: a participant needs two.
fn open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
