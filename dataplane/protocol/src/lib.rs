//! What crosses the Unix socket between the control plane and the data plane.
//!
//! The control plane sends [`Command`]s that state what should be; the data plane answers with
//! numbered [`Event`]s that say what happened. Neither ever carries a name, a token or an SDP
//! text: the data plane sees packets, numbers and keys of its own making.
//!
//! A connection begins with one [`Hello`] from the control plane and one [`Welcome`] back. After
//! that each side sends frames (see [`frame`]) at any time.
//!
//! **Desired state.** Commands are idempotent: sending one twice is the same as sending it once,
//! and a control plane that has just connected sends everything it wants, then
//! [`Command::Reconcile`]. Whatever the data plane holds of an older generation and was not
//! named again is then removed. A command whose generation is older than the newest one seen is
//! ignored and counted, so that a control plane that was replaced cannot undo its successor.
//!
//! **Evidence.** Events that the audit log has to have are numbered a second time, kept by the data
//! plane, on disk if nobody takes them, and sent again until they are acknowledged.
#![forbid(unsafe_code)]

mod command;
mod event;
pub mod frame;
mod handshake;
mod ids;
pub mod limits;
mod media;
mod redacted;

pub use command::{Command, CommandFrame, DataChannelKind, DataMessage, IceCredentials, Peer};
pub use event::{
    CandidateKind, CloseReason, DtlsVersion, Event, EventFrame, LayerActivity, PeerStatistics,
    SpeakerLevel, SrtpProfile, TrackStatistics,
};
pub use handshake::{
    Acknowledge, DataplaneConfig, FromControl, FromDataplane, Hello, PROTOCOL_VERSION, Policy,
    Refusal, SpoolDamage, Spooled, Welcome, WorkerInfo,
};
pub use ids::{BootId, Generation, PeerId, RoomId, TrackId, WorkerId};
pub use media::{
    Codec, Encoding, ExtensionIds, Layer, MediaKind, Mid, MidTooLong, PayloadTypes, Relay,
    Subscription, Track, VideoContent,
};
pub use redacted::{Phi, Redacted, Secret, exposed};
