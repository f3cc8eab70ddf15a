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
mod connections;
mod context;
mod course;
mod data;
mod dataplane;
mod dynacast;
mod events;
mod evidence;
mod input;
mod joining;
pub mod limits;
mod link;
mod negotiating;
pub mod negotiation;
mod output;
mod participant;
mod permission;
mod placement;
mod published;
mod publishing;
mod quality;
mod random;
mod resume;
mod room;
mod room_service;
mod rooms;
mod signalling;
mod snapshot;
mod status;
mod subscribing;
mod whip;

pub use config::Config;
pub use connections::{Connection, Received, Reception};
pub use input::{Claims, DataplaneInput, Input, Join, JoinParameters, SessionId, Time, VideoGrant};
pub use output::{
    CloseHow, Measure, OperationError, Output, Refusal, WebrtcAnswer, WebrtcAnswerFragment,
    WebrtcResource,
};
pub use room_service::{Removed, Whose};
pub use rooms::Rooms;
pub use snapshot::Snapshot;
pub use status::Status;
pub use whip::WHEP_PUBLISHER;

#[cfg(test)]
mod scenarios;
