//! One media section over the life of a connection, and what it is called outside.

use super::codec::{Format, Formats, Red};
use super::description::{Content, Described, Media};
use super::shared::Shared;
use bedside_protocol::{Codec, Encoding, MediaKind, Mid, PayloadTypes, TrackId};
use serde::{Deserialize, Serialize};

/// A track that we send on this connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sender {
    /// Which.
    pub track: TrackId,
    /// Its codec.
    pub codec: Codec,
    /// Stream id of the `a=msid` line; LiveKit's clients want `PA_...|stream`.
    pub stream_id: String,
    /// Track id of the `a=msid` line: `TR_...`.
    pub track_sid: String,
    /// SSRC, never used before on this connection.
    pub ssrc: u32,
    /// SSRC of its retransmissions, used if the client takes any.
    pub rtx_ssrc: u32,
    /// RED may be sent around Opus: the publisher makes it.
    pub red: bool,
    /// Opus in stereo.
    pub stereo: bool,
}

/// Where and how a [`Sender`] is sent, once the client has agreed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BoundSender {
    /// Its media section.
    pub mid: Mid,
    /// The client's payload types for the codec.
    pub payload_types: PayloadTypes,
    /// The client's payload type of RED, if it may be sent.
    pub red_payload_type: Option<u8>,
    /// The client sends generic NACKs.
    pub nack: bool,
    /// SSRC.
    pub ssrc: u32,
    /// SSRC of retransmissions, if they were agreed on.
    pub rtx_ssrc: Option<u32>,
}

/// A section on which the client sends or once sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receiver {
    /// The section.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// The client sends now. `false`: the track ended, the section is free for another.
    pub live: bool,
    /// Stream id of its `a=msid` line.
    pub stream_id: Option<String>,
    /// Track id of its `a=msid` line: the `cid` of LiveKit's browser clients. Another one than
    /// before is another track.
    pub track_id: Option<String>,
    /// What we accept, most wanted first; at least one. The client sends the first.
    pub codecs: Vec<ReceivedCodec>,
    /// Its layers, lowest first; at least one.
    pub encodings: Vec<Encoding>,
    /// The client answers generic NACKs.
    pub nack: bool,
    /// The client answers full intra requests and no picture loss indications.
    pub full_intra: bool,
}

/// A codec that we accept in a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceivedCodec {
    /// Which.
    pub codec: Codec,
    /// The client's payload types for it.
    pub payload_types: PayloadTypes,
    /// The client's payload type of RED around it.
    pub red_payload_type: Option<u8>,
}

/// What is known of a track that the client publishes in a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Publication {
    /// The codec that it asked for; the first in the answer.
    pub codec: Option<Codec>,
    /// RED is wanted around Opus (not with end-to-end encryption, not where the client said so).
    pub red: bool,
    /// Opus may stop sending in silence.
    pub dtx: bool,
    /// Opus in stereo.
    pub stereo: bool,
}

impl Default for Publication {
    fn default() -> Self {
        Self {
            codec: None,
            red: true,
            dtx: true,
            stereo: false,
        }
    }
}

/// One section. It keeps its index for as long as the connection lives.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Section {
    /// What the client said last; in a section that we offered and that is unanswered, what we
    /// offered.
    pub(super) described: Shared<Described>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) publication: Publication,
    /// The client has sent on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) has_sent: bool,
    /// The sender that is bound to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) sender: Option<TrackId>,
    /// The sender that the client has agreed to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) negotiated: Option<TrackId>,
    /// The last description that the client has applied sends something on it. Its track there
    /// ends, and another can begin, only with a description that does not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) sending: bool,
    /// Our unanswered offer does (we offer only).
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) offered_sending: bool,
    /// Track id of the first sender that we offered on it: the client's track has it for good
    /// (we offer only).
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) first_track: Option<String>,
    /// What we offered last (we offer only).
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) offered: Shared<Formats>,
}

/// A section's codecs as we agree to them, in order.
pub(super) struct Agreed<'a> {
    pub(super) formats: Vec<&'a Format>,
    /// RED, and whether it comes first.
    pub(super) red: Option<(Red, bool)>,
}

impl Section {
    pub(super) fn new(described: Described) -> Self {
        Self {
            described: described.into(),
            publication: Publication::default(),
            has_sent: false,
            sender: None,
            negotiated: None,
            sending: false,
            offered_sending: false,
            first_track: None,
            offered: Shared::default(),
        }
    }

    pub(super) fn mid(&self) -> Option<Mid> {
        self.described.content.mid()
    }

    pub(super) fn media(&self) -> Option<&Media> {
        self.described.content.media()
    }

    /// A section in which the client is ready to receive.
    pub(super) fn receiving(&self, kind: MediaKind) -> Option<&Media> {
        self.media()
            .filter(|media| media.kind == kind && media.direction.receives())
    }

    /// Whether another track can begin on it.
    pub(super) fn is_free(&self) -> bool {
        self.sender.is_none() && !self.sending && !self.offered_sending
    }

    /// Whether the next description makes it free.
    pub(super) fn is_draining(&self) -> bool {
        self.sender.is_none() && (self.sending || self.offered_sending)
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.described.content.is_accepted()
    }

    /// Takes what the client says now. What was known of a track that the section no longer
    /// carries is forgotten.
    pub(super) fn update(&mut self, described: Described) {
        let track = |content: &Content| {
            let media = content.media().filter(|media| media.direction.sends())?;
            Some((media.mid, media.track_id.clone(), media.stream_id.clone()))
        };
        let (before, now) = (track(&self.described.content), track(&described.content));
        if before != now {
            self.publication = Publication::default();
        }
        if described.content.mid() != self.mid() {
            self.has_sent = false;
        }
        self.has_sent |= now.is_some();
        self.described = described.into();
    }

    /// Whether a client would take what we send here for this sender's track: its own track in
    /// the section keeps the id that it had at first, so another one must be named by its stream.
    pub(super) fn can_carry(&self, sender: &Sender) -> bool {
        let first = self.first_track.as_ref();
        first.is_none_or(|first| *first == sender.track_sid)
            || sender.stream_id.contains(&sender.track_sid)
    }
}

impl Agreed<'_> {
    /// The RED that may be used with the first codec.
    pub(super) fn red_payload_type(&self) -> Option<u8> {
        self.red.map(|(red, _)| red.payload_type)
    }

    /// Whether generic NACKs go with the first codec. For audio RED does their work.
    pub(super) fn nack(&self) -> bool {
        self.red.is_none_or(|(_, first)| !first)
            && self
                .formats
                .first()
                .is_some_and(|format| format.feedback.nack)
    }

    /// Whether full intra requests go with the first codec, and picture loss indications do not.
    pub(super) fn full_intra(&self) -> bool {
        self.formats
            .first()
            .is_some_and(|format| format.feedback.fir && !format.feedback.pli)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
