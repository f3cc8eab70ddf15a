//! What a room decides, without I/O: who may join, what they publish and receive, what each SDP
//! says, what the data plane should do.
//!
//! `Rooms` takes inputs from the edges (`server`) and from the data plane, and
//! queues [`Output`]s. Time and randomness are arguments; it never logs. A message's way:
//! `server` hands a `SignalRequest` to `Rooms::handle`; the participant's room decides; out come
//! `SignalResponse`s, data-plane commands, webhooks and the news that the room's snapshot
//! changed.
#![forbid(unsafe_code)]

mod config;
mod input;
pub mod limits;
mod output;
mod rooms;
mod snapshot;
mod status;

pub use config::Config;
pub use input::{Claims, DataplaneInput, Input, Join, JoinParameters, SessionId, Time, VideoGrant};
pub use output::{
    CloseHow, OperationError, Output, Refusal, WebrtcAnswer, WebrtcAnswerFragment, WebrtcResource,
};
pub use rooms::Rooms;
pub use snapshot::Snapshot;
pub use status::Status;
