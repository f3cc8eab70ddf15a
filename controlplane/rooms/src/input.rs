//! What the edges tell the rooms.

use bedside_protocol::{BootId, EventFrame, PeerId, RoomId, Welcome};
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// This time and so many microseconds.
    #[must_use]
    pub const fn after_us(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// This time and so many seconds.
    #[must_use]
    pub const fn after_s(self, seconds: u32) -> Self {
        self.after_us(seconds as u64 * 1_000_000)
    }

    /// How long after `earlier` this is, in seconds; 0.0 if it is not.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    pub const fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1_000_000.0
    }

    /// Whole milliseconds since the Unix epoch, as LiveKit's messages carry them.
    #[must_use]
    pub const fn ms(self) -> i64 {
        (self.0 / 1_000).cast_signed()
    }

    /// Whole seconds since the Unix epoch, as LiveKit's messages carry them.
    #[must_use]
    pub const fn s(self) -> i64 {
        (self.0 / 1_000_000).cast_signed()
    }
}

/// One signalling connection (WebSocket); numbered by the server, never used twice in a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionId(pub u64);

/// What happened at the edges.
pub enum Input {
    /// A WebSocket was accepted after `Rooms::check_join` said yes.
    Join(Box<Join>),
    /// A request on it.
    Signal {
        /// Whose.
        session: SessionId,
        /// What.
        request: Box<proto::SignalRequest>,
    },
    /// It is gone: closed, timed out or broken.
    SessionClosed {
        /// Which.
        session: SessionId,
    },
    /// From the data plane.
    Dataplane(DataplaneInput),
    /// The record that [`Output::Opened`](crate::Output::Opened) asked for is durable.
    Recorded {
        /// Whose.
        room: RoomId,
        /// Which.
        peer: PeerId,
    },
}

/// The data plane's side of things.
pub enum DataplaneInput {
    /// A connection was made and accepted: everything wanted is sent to it.
    Connected(Welcome),
    /// An earlier run of it had reported something, and nobody had taken it. Comes before
    /// [`Connected`](Self::Connected).
    Spooled(BootId, Box<EventFrame>),
    /// It reported something.
    Event(Box<EventFrame>),
    /// The connection is gone; media goes on, joins wait.
    Disconnected,
}

/// A participant at the door, with a token whose signature and dates the server has verified.
pub struct Join {
    /// The connection.
    pub session: SessionId,
    /// The token's claims.
    pub claims: Claims,
    /// The query's or join request's parameters.
    pub parameters: JoinParameters,
}

/// What the client asked for, whichever way it asked (`/rtc` query or `/rtc/v1` join request).
#[derive(Clone, Default)]
pub struct JoinParameters {
    /// One peer connection (`/rtc/v1`), or LiveKit's older publisher and subscriber pair (`/rtc`).
    pub single_connection: bool,
    /// Who the client is.
    pub client: proto::ClientInfo,
    /// Subscribe to everything that is and will be published.
    pub auto_subscribe: bool,
    /// The client reports tile sizes by `track_setting`.
    pub adaptive_stream: bool,
    /// Resume this participant (its sid) instead of joining anew.
    pub resume: Option<String>,
    /// Why it reconnects.
    pub reconnect_reason: i32,
    /// First offer, sent with the join request.
    pub publisher_offer: Option<proto::SessionDescription>,
    /// Tracks to publish at once.
    pub add_tracks: Vec<proto::AddTrackRequest>,
    /// State of a resumed connection, sent with the join request.
    pub sync_state: Option<proto::SyncState>,
    /// Overrides the token's, where the token allows it.
    pub metadata: Option<String>,
    /// Added to the token's, where the token allows it.
    pub attributes: BTreeMap<String, String>,
}

/// A LiveKit access token's claims (camelCase JSON), as far as Bedside knows them; unknown ones
/// are ignored.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Claims {
    /// API key that signed it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iss: String,
    /// Identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// Expiry, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// Not before, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The token's own id (RFC 7519 §4.1.7), where it may be used once.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// Display name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Older place of the identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// `standard`, `ingress`, `egress`, `sip` or `agent`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Participant metadata.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// Participant attributes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// base64 SHA-256 of a webhook's body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// In which role they come. Ours: a token of LiveKit's makers has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bedside_role: Option<bedside_audit::Role>,
    /// How they proved who they are, for the records. Ours: the server writes it into the tokens
    /// that a link or a session is given, and for any other token as what that token is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bedside_authentication: Option<bedside_audit::Authentication>,
    /// What it allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoGrant>,
}

/// A token's `video` grant. `None` means the default that LiveKit gives: `can_publish`,
/// `can_subscribe` and `can_publish_data` true, everything else false.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "the names are the wire's; see LiveKit's access-token reference"
)]
pub struct VideoGrant {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_create: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_list: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_record: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_admin: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_join: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorder: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub agent: bool,
}

// Names, metadata, SDP and messages are in these types; their debug text says only what they are.

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join(join) => fmt::Debug::fmt(join, f),
            Self::Signal { session, .. } => write!(f, "Signal({session:?}, ..)"),
            Self::SessionClosed { session } => write!(f, "SessionClosed({session:?})"),
            Self::Dataplane(DataplaneInput::Connected(welcome)) => {
                write!(f, "Connected({})", welcome.boot)
            }
            Self::Dataplane(DataplaneInput::Event(frame)) => {
                write!(f, "Event({}, {})", frame.worker, frame.sequence)
            }
            Self::Dataplane(DataplaneInput::Spooled(boot, frame)) => {
                write!(f, "Spooled({boot}, {})", frame.worker)
            }
            Self::Dataplane(DataplaneInput::Disconnected) => f.write_str("Disconnected"),
            Self::Recorded { peer, .. } => write!(f, "Recorded({peer})"),
        }
    }
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Join({:?}, ..)", self.session)
    }
}

impl fmt::Debug for JoinParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinParameters(..)")
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims(..)")
    }
}

impl Claims {
    /// Who the token is for: `sub`, or the older `identity`.
    #[must_use]
    pub fn subject(&self) -> &str {
        if self.sub.is_empty() {
            &self.identity
        } else {
            &self.sub
        }
    }
}
