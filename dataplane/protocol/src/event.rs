//! Data plane to control plane: what happened.

use crate::{DataChannelKind, Layer, PeerId, RoomId, TrackId, WorkerId};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// An event with its place in the worker's sequence. A gap in `sequence` means that events were
/// dropped while no control plane was connected; a gap in `record`, that evidence is lost, which the
/// receiver records.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventFrame {
    /// Which worker's sequence.
    pub worker: WorkerId,
    /// Counts from 1 in each boot and worker.
    pub sequence: u64,
    /// For evidence ([`Event::is_evidence`]): counts from 1 in each boot and worker. The data plane
    /// keeps the event until it is acknowledged by this number, and may send it again until then:
    /// boot, worker and number together say whether it is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// The room.
    pub room: RoomId,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// ICE and DTLS are up: media can flow. Sent again after an ICE restart moved the transport
    /// to other addresses, and to a control plane that has just connected for each live peer.
    PeerConnected {
        /// Which.
        peer: PeerId,
        /// Negotiated version.
        dtls: DtlsVersion,
        /// Negotiated protection.
        srtp: SrtpProfile,
        /// The certificate that DTLS verified (it equals the one signalled).
        remote_fingerprint_sha256: [u8; 32],
        /// How the client reaches us.
        candidate: CandidateKind,
        /// The client's address as we see it. Personal data: never logged or exported.
        remote_address: SocketAddr,
    },
    /// No packet has been authenticated for the ICE disconnect time; the peer is kept and may
    /// come back, with or without an ICE restart.
    PeerDisconnected {
        /// Which.
        peer: PeerId,
    },
    /// The transport is gone and will not come back.
    PeerClosed {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// A data channel can be written to.
    DataChannelOpen {
        /// Whose.
        peer: PeerId,
        /// Which.
        channel: DataChannelKind,
    },
    /// A message arrived on a data channel.
    Data {
        /// From whom.
        peer: PeerId,
        /// On which channel.
        channel: DataChannelKind,
        /// The message, at most
        /// [`DATA_MESSAGE_BYTES_MAX`](crate::limits::DATA_MESSAGE_BYTES_MAX).
        #[serde(with = "crate::frame::base64_bytes")]
        payload: Vec<u8>,
    },
    /// The layers of a track that are being received changed (the first one: the track is live).
    TrackLayers {
        /// Which.
        track: TrackId,
        /// What is being received now; empty when the publisher fell silent without a mute.
        active: Vec<LayerActivity>,
    },
    /// The layer that a subscriber is being sent changed; `None` while nothing is sent.
    SubscriptionLayer {
        /// Who receives it.
        subscriber: PeerId,
        /// What it receives.
        track: TrackId,
        /// Since now.
        layer: Option<Layer>,
    },
    /// A video that a subscriber wants was paused, or goes on, because of what its path carries.
    /// What was paused by a wish, a mute or a removal is not told of. After `paused: false` a
    /// [`SubscriptionLayer`](Self::SubscriptionLayer) follows with the first frame.
    SubscriptionPaused {
        /// Who receives it.
        subscriber: PeerId,
        /// What it receives.
        track: TrackId,
        /// Since now.
        paused: bool,
    },
    /// Who is speaking: tracks whose smoothed level crossed the threshold or changed by a step.
    /// Only changes; `active: false` ends one.
    Speakers {
        /// Loudest first.
        levels: Vec<SpeakerLevel>,
    },
    /// Every [`STATISTICS_INTERVAL_MS`](crate::limits::STATISTICS_INTERVAL_MS) while the room has
    /// peers.
    Statistics {
        /// One a peer.
        peers: Vec<PeerStatistics>,
        /// One a track.
        tracks: Vec<TrackStatistics>,
    },
    /// A command could not be carried out; the state is as before it.
    Refused {
        /// Which command, by its `type`.
        command: String,
        /// Why, in words for the operator; without anything personal.
        reason: String,
    },
}

impl Event {
    /// Whether the audit log has to have it (45 CFR 164.312(b)): who was connected, how, and what
    /// was refused.
    #[must_use]
    pub const fn is_evidence(&self) -> bool {
        matches!(
            self,
            Self::PeerConnected { .. }
                | Self::PeerDisconnected { .. }
                | Self::PeerClosed { .. }
                | Self::Refused { .. }
        )
    }
}

/// Version that DTLS agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DtlsVersion {
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}

/// SRTP protection profile that `use_srtp` agreed on (RFC 5764, RFC 7714).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SrtpProfile {
    /// RFC 7714.
    AeadAes256Gcm,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 3711; only for peers that have nothing else.
    Aes128CmHmacSha1_80,
}

/// The kind of the client's nominated candidate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// Learnt from a connectivity check over UDP (an ICE-lite agent cannot tell a host from a
    /// reflexive address).
    Udp,
    /// Over TCP (RFC 6544).
    Tcp,
    /// Through our own TURN.
    Relay,
}

/// Why a transport ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The control plane removed it.
    Removed,
    /// The client closed DTLS.
    ClosedByPeer,
    /// Nothing heard for the ICE failure time (RFC 7675).
    IceTimeout,
    /// The DTLS handshake failed or timed out.
    DtlsFailed,
    /// The certificate was not the one signalled.
    FingerprintMismatch,
    /// The policy refused the DTLS version or SRTP profile.
    Policy,
    /// The data plane is stopping.
    Shutdown,
}

/// A layer that is being received.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LayerActivity {
    /// Which.
    pub layer: Layer,
    /// Payload bits per second over the last interval.
    pub bitrate_bps: u64,
}

/// How loud a track is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct SpeakerLevel {
    /// Which.
    pub track: TrackId,
    /// 0.0 (silence) to 1.0 (loudest), from the smoothed RFC 6464 level.
    pub level: f32,
    /// Above the speaking threshold.
    pub active: bool,
}

/// A transport's figures over the last interval.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerStatistics {
    /// Which.
    pub peer: Option<PeerId>,
    /// Round-trip time from RTCP, milliseconds; `None` before the first report.
    pub rtt_ms: Option<f32>,
    /// Share of our packets that the client reported lost, 0.0 to 1.0.
    pub downlink_loss: f32,
    /// Jitter that the client reported, milliseconds, worst stream.
    pub downlink_jitter_ms: f32,
    /// Bits per second sent to it, all streams.
    pub sent_bps: u64,
    /// Bits per second received from it, all streams.
    pub received_bps: u64,
    /// What the path to it is believed to take now, bits per second; `None` for a client that has
    /// given no feedback to estimate it by.
    pub estimate_bps: Option<u64>,
    /// Longest time that a video packet to it waited for its turn, milliseconds.
    pub queue_delay_ms: f32,
    /// Packets retransmitted to it.
    pub retransmitted: u64,
    /// Datagrams from it that failed authentication or parsing, since it connected.
    pub rejected: u64,
}

/// A published track's figures over the last interval.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackStatistics {
    /// Which.
    pub track: Option<TrackId>,
    /// Share of the publisher's packets that never arrived, after retransmission, 0.0 to 1.0.
    pub uplink_loss: f32,
    /// Interarrival jitter (RFC 3550 §6.4.1), milliseconds.
    pub uplink_jitter_ms: f32,
    /// Bits per second received, all layers.
    pub bitrate_bps: u64,
    /// Key frames asked of the publisher.
    pub key_frame_requests: u64,
    /// Packets asked of the publisher again.
    pub nacked: u64,
}
