//! What the rooms tell the edges.

use crate::input::{Claims, SessionId};
use bedside_audit::Event;
use bedside_protocol::{CommandFrame, PeerId, RoomId};
use livekit_protocol as proto;
use std::fmt;

/// Something for the edges to do, in order.
pub enum Output {
    /// Send on a signalling connection.
    Signal {
        /// Which.
        session: SessionId,
        /// What.
        response: Box<proto::SignalResponse>,
    },
    /// Close a signalling connection, after everything queued for it was sent.
    CloseSession {
        /// Which.
        session: SessionId,
        /// How the client should take it.
        how: CloseHow,
    },
    /// Sign these claims with the API key that the participant came with and send them as
    /// `refresh_token`.
    RefreshToken {
        /// To whom.
        session: SessionId,
        /// What to sign; `exp` and `nbf` are set by the signer.
        claims: Box<Claims>,
    },
    /// Send to the data plane.
    Command(CommandFrame),
    /// The room's snapshot changed: store `Rooms::snapshot(room)` before the next restart.
    RoomChanged {
        /// The room's sid (`RM_...`).
        room: String,
    },
    /// The room is over: delete its snapshot.
    RoomFinished {
        /// The room's sid.
        room: String,
    },
    /// Deliver to the configured webhooks, in order within a room.
    Webhook(Box<proto::WebhookEvent>),
    /// Count for the operator's distributions.
    Measured(Measure),
    /// Note in the audit log.
    Audit(Box<Event>),
    /// Record in the audit log that a peer connection is open, and answer with
    /// [`Input::Recorded`](crate::Input::Recorded) once that is durable: its media waits for it.
    Opened {
        /// What to record.
        event: Box<Event>,
        /// Whose.
        room: RoomId,
        /// Which.
        peer: PeerId,
    },
}

impl fmt::Debug for Output {
    /// What is to be done, without what is in it: messages are people's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal { session, .. } => write!(f, "Signal({session:?}, ..)"),
            Self::CloseSession { session, how } => write!(f, "CloseSession({session:?}, {how:?})"),
            Self::RefreshToken { session, .. } => write!(f, "RefreshToken({session:?}, ..)"),
            Self::Command(frame) => write!(f, "Command({}, ..)", frame.room),
            Self::RoomChanged { room } => write!(f, "RoomChanged({room})"),
            Self::RoomFinished { room } => write!(f, "RoomFinished({room})"),
            Self::Webhook(event) => write!(f, "Webhook({}, ..)", event.event),
            Self::Measured(measure) => write!(f, "Measured({measure:?})"),
            Self::Audit(event) => write!(f, "Audit({}, ..)", event.action.name()),
            Self::Opened { peer, .. } => write!(f, "Opened({peer}, ..)"),
        }
    }
}

/// A number about somebody's connection, without whose.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Measure {
    /// What a participant's connection was scored, 1.0 to 4.5; 0.0 for one that is lost.
    Score(f32),
    /// How long a subscriber was sent one layer before it was sent another one, seconds.
    LayerSeconds(f64),
    /// How long a picture was paused because of the subscriber's network, seconds.
    PausedSeconds(f64),
}

/// How a signalling connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseHow {
    /// WebSocket close 1000: the client was told by `leave`.
    Normal,
    /// Drop TCP, so that LiveKit's clients notice at once and resume.
    Abrupt,
}

/// Why someone is not let in: an HTTP status and a plain-text reason that LiveKit's clients read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// 400, 401, 403, 404, 409, 412, 415 or 503.
    pub status: u16,
    /// Why; without anything personal.
    pub reason: String,
}

/// Why a room operation failed; maps to a Twirp error code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// `not_found`: no such room, participant or track.
    #[error("{0} does not exist")]
    NotFound(&'static str),
    /// `invalid_argument`.
    #[error("{0}")]
    InvalidArgument(String),
    /// `failed_precondition`.
    #[error("{0}")]
    FailedPrecondition(String),
    /// `resource_exhausted`.
    #[error("{0}")]
    LimitExceeded(String),
    /// `unavailable`: no data plane is connected.
    #[error("no data plane is connected; try again in a moment")]
    Unavailable,
}

/// Handle of a WHIP or WHEP session: unguessable, part of its URL (RFC 9725 §4.2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebrtcResource(pub String);

impl fmt::Debug for WebrtcResource {
    /// Whoever knows it can end the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebrtcResource(..)")
    }
}

/// An accepted WHIP or WHEP offer.
#[derive(Clone)]
pub struct WebrtcAnswer {
    /// The session.
    pub resource: WebrtcResource,
    /// SDP answer.
    pub sdp: String,
    /// Entity tag of the ICE session, changes with each ICE restart (RFC 9725 §4.3.1).
    pub etag: String,
}

/// The answer to an ICE restart.
#[derive(Clone)]
pub struct WebrtcAnswerFragment {
    /// Body of type `application/trickle-ice-sdpfrag` (RFC 8840 §9).
    pub sdpfrag: String,
    /// The new entity tag.
    pub etag: String,
}

// Both hold an ICE password.

impl fmt::Debug for WebrtcAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebrtcAnswer({}, ..)", self.etag)
    }
}

impl fmt::Debug for WebrtcAnswerFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebrtcAnswerFragment({}, ..)", self.etag)
    }
}
