//! Control plane to data plane: what should be.

use crate::{
    ExtensionIds, Generation, PeerId, RoomId, Secret, Subscription, Track, TrackId, WorkerId,
};
use serde::{Deserialize, Serialize};

/// A command with the generation of its sender.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommandFrame {
    /// The sender's generation; older ones are ignored.
    pub generation: Generation,
    /// The room that the command is about.
    pub room: RoomId,
    /// The worker that carries it out. A room of ordinary size has one; a larger one has a part on
    /// each of several, and each part is told what concerns it.
    pub worker: WorkerId,
    /// What should be.
    pub command: Command,
}

/// What should be. All are idempotent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// The worker holds a part of the room: nothing else of a room is accepted before.
    EnsureRoom,
    /// The worker's part of the room is gone, with its peers, tracks and subscriptions.
    RemoveRoom,
    /// A transport exists. Sent again with other remote credentials it is an ICE restart, with
    /// other extension ids a renegotiation. A changed remote fingerprint is refused: that is a
    /// new peer.
    EnsurePeer(Box<Peer>),
    /// The record of the peer's verified connection is durable: what it sends is forwarded from now
    /// on, and it is sent what it receives. Until then nothing but ICE, DTLS and SCTP passes. It
    /// holds for the DTLS association, through every ICE restart. Refused for a peer that has not
    /// connected: what is admitted is a verified connection.
    AdmitPeer {
        /// Which.
        peer: PeerId,
    },
    /// A transport is gone: DTLS is closed, its tracks and subscriptions go with it.
    RemovePeer {
        /// Which.
        peer: PeerId,
    },
    /// A track is published, by a peer of the worker or, where [`Track::relay`] says so, by one of
    /// another worker that relays it.
    EnsureTrack(Track),
    /// A track is gone, and its subscriptions with it.
    RemoveTrack {
        /// Which.
        track: TrackId,
    },
    /// A peer receives a track.
    EnsureSubscription(Subscription),
    /// A peer no longer receives a track.
    RemoveSubscription {
        /// Who received it.
        subscriber: PeerId,
        /// What it received.
        track: TrackId,
    },
    /// Ask the publisher for a key frame on every layer (throttled like any other request). For the
    /// worker of the publisher.
    RequestKeyFrame {
        /// Of which track.
        track: TrackId,
    },
    /// Send a message on the data channels of these peers. A peer without an open channel of
    /// that kind is skipped and counted.
    SendData(DataMessage),
    /// Everything wanted has been named: remove what is left of older generations in the worker's
    /// part of this room.
    Reconcile,
}

/// A transport. The data plane is always ICE-lite (RFC 8445 §2.5) and the DTLS server
/// (`a=setup:passive`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Which.
    pub peer: PeerId,
    /// Our ICE credentials, at least 128 bits of password (RFC 8445 §5.3). After an ICE restart
    /// the new ones; the old ones are answered until the new ones have been nominated.
    pub local: IceCredentials,
    /// The client's.
    pub remote: IceCredentials,
    /// SHA-256 of the client's certificate as signalled (RFC 8122); DTLS fails on any other.
    pub remote_fingerprint_sha256: [u8; 32],
    /// Negotiated header extensions.
    pub extensions: ExtensionIds,
    /// Whether the client negotiated transport-wide feedback (it gets ours as a publisher).
    pub transport_cc: bool,
    /// Data channels were negotiated (`m=application`, RFC 8841).
    pub data_channels: bool,
    /// Open `_reliable` and `_lossy` ourselves: LiveKit's subscriber connection in
    /// two-connection mode. Otherwise the client opens them.
    pub open_data_channels: bool,
}

/// ICE user name fragment and password.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IceCredentials {
    /// User name fragment, 4 to 256 characters.
    pub ufrag: String,
    /// Password, 22 to 256 characters.
    #[serde(serialize_with = "crate::exposed")]
    pub password: Secret<String>,
}

/// LiveKit's two data channels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataChannelKind {
    /// `_reliable`: ordered, retransmitted.
    Reliable,
    /// `_lossy`: unordered, no retransmission.
    Lossy,
}

/// A message to data channels. Its text is the control plane's business: the data plane never
/// looks inside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DataMessage {
    /// To whom.
    pub peers: Vec<PeerId>,
    /// On which channel.
    pub channel: DataChannelKind,
    /// At most [`DATA_MESSAGE_BYTES_MAX`](crate::limits::DATA_MESSAGE_BYTES_MAX).
    #[serde(with = "crate::frame::base64_bytes")]
    pub payload: Vec<u8>,
}
