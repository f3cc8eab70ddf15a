//! RTP parameters: what SDP negotiation leaves over once the control plane is done with the text.

use crate::{PeerId, TrackId, WorkerId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Audio or video.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Sound; always forwarded before video.
    Audio,
    /// Pictures.
    Video,
}

/// A codec that the data plane can forward. Nothing is decoded; the codec decides how key frames
/// are recognised and which descriptor fields are rewritten.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// RFC 7587, 48 kHz clock.
    Opus,
    /// RFC 7741, 90 kHz clock; picture ids and TL0PICIDX are rewritten across layer switches.
    Vp8,
    /// RFC 9628, 90 kHz clock.
    Vp9,
    /// RFC 6184, 90 kHz clock.
    H264,
    /// AOMedia RTP specification v1.0, 90 kHz clock.
    Av1,
    /// G.711 mu-law (RFC 3551), 8 kHz clock.
    Pcmu,
    /// G.711 A-law (RFC 3551), 8 kHz clock.
    Pcma,
}

impl Codec {
    /// RTP clock rate in Hz.
    #[must_use]
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => 90_000,
        }
    }

    /// Which kind of media the codec carries.
    #[must_use]
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => MediaKind::Video,
        }
    }
}

/// A simulcast layer, lowest first. A track without simulcast has only `Low`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// RID `q`: a quarter of the width, or the only layer.
    #[default]
    Low,
    /// RID `h`: half of the width.
    Medium,
    /// RID `f`: full size.
    High,
}

impl Layer {
    /// Every layer, lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// 0, 1 or 2.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A media identification or RID value as it stands in an RTP header extension: 1 to 16 bytes of
/// ASCII (RFC 8843 §15, RFC 8852 §3). The bound is what a one-byte header extension can carry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mid {
    bytes: [u8; Self::BYTES_MAX],
    len: u8,
}

impl Mid {
    /// Longest value, in bytes.
    pub const BYTES_MAX: usize = 16;

    /// # Errors
    /// [`MidTooLong`] unless `value` is 1 to 16 bytes of visible ASCII.
    pub fn new(value: &str) -> Result<Self, MidTooLong> {
        Self::from_bytes(value.as_bytes()).ok_or(MidTooLong)
    }

    /// The value in a received header extension; `None` unless it is 1 to 16 bytes of visible
    /// ASCII.
    #[must_use]
    pub fn from_bytes(value: &[u8]) -> Option<Self> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self {
            bytes,
            len: u8::try_from(value.len()).ok()?,
        })
    }

    /// The value's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Mid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Mid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::new(&value).map_err(serde::de::Error::custom)
    }
}

/// A MID or RID is empty, longer than 16 bytes or not ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a MID or RID is 1 to 16 visible ASCII characters")]
pub struct MidTooLong;

/// Negotiated RTP header extension ids of one transport (RFC 8285), 1 to 14 or, in two-byte form,
/// 1 to 255; `None` where the client did not offer one. In a bundle they are the same for every
/// media section and both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid` (RFC 8843).
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id` (RFC 8852).
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id` (RFC 8852).
    pub repaired_rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464).
    pub audio_level: Option<u8>,
    /// `draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    pub transport_cc: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`.
    pub abs_send_time: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`.
    pub abs_capture_time: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`.
    pub playout_delay: Option<u8>,
    /// `urn:3gpp:video-orientation`.
    pub video_orientation: Option<u8>,
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`.
    pub dependency_descriptor: Option<u8>,
}

/// Payload type numbers of one codec on one transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PayloadTypes {
    /// The codec's own, 0 to 127.
    pub media: u8,
    /// Its retransmission format (RFC 4588), if negotiated.
    pub rtx: Option<u8>,
}

/// How one layer of a published track is recognised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Encoding {
    /// Which layer it is.
    pub layer: Layer,
    /// RID, where the client sends simulcast by RID (RFC 8853).
    pub rid: Option<Mid>,
    /// SSRC, where the SDP announced one; otherwise learnt from the first packet with the MID
    /// (and RID).
    pub ssrc: Option<u32>,
    /// SSRC of its retransmissions, where the SDP announced one.
    pub rtx_ssrc: Option<u32>,
}

/// A published track: what one peer sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// The track.
    pub track: TrackId,
    /// The transport that it arrives on.
    pub publisher: PeerId,
    /// Its media section.
    pub mid: Mid,
    /// Its codec.
    pub codec: Codec,
    /// The publisher's payload types for the codec.
    pub payload_types: PayloadTypes,
    /// Payload type of RED (RFC 2198) around the codec, if the publisher may send it.
    pub red_payload_type: Option<u8>,
    /// Its layers, lowest first; one without simulcast. At most
    /// [`ENCODINGS_PER_TRACK_MAX`](crate::limits::ENCODINGS_PER_TRACK_MAX).
    pub encodings: Vec<Encoding>,
    /// Whether the publisher answers generic NACKs (RFC 4585).
    pub nack: bool,
    /// Whether it is asked for key frames by full intra request (RFC 5104 §4.3.1): it negotiated
    /// that and no picture loss indication (RFC 4585 §6.3.1), which is what is sent otherwise.
    #[serde(default)]
    pub full_intra: bool,
    /// Muted by its publisher or an administrator: nothing is forwarded and its silence is no
    /// fault.
    pub muted: bool,
    /// What its pictures show; of no meaning for audio.
    #[serde(default)]
    pub content: VideoContent,
    /// Whether it crosses workers.
    #[serde(default)]
    pub relay: Relay,
}

/// What pictures show, which decides what is given up first where not everything fits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoContent {
    /// People and things that move: fewer pixels before fewer frames.
    #[default]
    Camera,
    /// Text and drawings: fewer frames before fewer pixels.
    Screen,
}

/// How a track crosses workers, when a room is spread over several. The worker of the publisher
/// receives, repairs and reports it; the others get its packets from there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relay {
    /// It does not: its publisher and all subscribers are on the worker.
    #[default]
    None,
    /// Its publisher is on the worker, and subscribers are on these others too; none twice, at
    /// most [`RELAYS_PER_TRACK_MAX`](crate::limits::RELAYS_PER_TRACK_MAX).
    To(Vec<WorkerId>),
    /// Its publisher is on this other worker.
    From(WorkerId),
}

/// That a peer receives a track, and how.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// The transport that the track is sent on.
    pub subscriber: PeerId,
    /// The track. It must be in the subscriber's room.
    pub track: TrackId,
    /// Media section on the subscriber's transport.
    pub mid: Mid,
    /// SSRC on the subscriber's transport. Never one that was used before on it.
    pub ssrc: u32,
    /// SSRC of retransmissions, if RTX was negotiated.
    pub rtx_ssrc: Option<u32>,
    /// The subscriber's payload types for the track's codec.
    pub payload_types: PayloadTypes,
    /// The subscriber's payload type of RED, if it takes RED; otherwise RED is stripped.
    pub red_payload_type: Option<u8>,
    /// Whether the subscriber sends generic NACKs for it.
    pub nack: bool,
    /// The highest layer wanted. The data plane forwards the highest one that is being received
    /// and is not above it.
    pub layer_max: Layer,
    /// Paused by the subscriber (hidden tile) or by policy: nothing is sent.
    pub paused: bool,
    /// What gives way last where the subscriber's path does not carry everything, counted as
    /// LiveKit's `track_setting` does: 1 is the most important, 255 the least. 0 where nothing was
    /// said: a screen then comes before a camera, and both before what was given a number above
    /// 128.
    #[serde(default)]
    pub priority: u8,
    /// Frames per second that are enough, where the subscriber said so. Kept to as far as the
    /// track's temporal layers allow.
    #[serde(default)]
    pub frame_rate_max: Option<u8>,
}
