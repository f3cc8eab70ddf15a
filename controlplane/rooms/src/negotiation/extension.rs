//! RTP header extensions (RFC 8285): which are taken, under which ids.

use super::attributes::Attributes;
use super::direction::Direction;
use super::error::SdpError;
use bedside_protocol::ExtensionIds;
use serde::{Deserialize, Serialize};

/// A header extension that the data plane knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Extension {
    Mid,
    Rid,
    RepairedRid,
    AudioLevel,
    TransportCc,
    AbsSendTime,
    AbsCaptureTime,
    PlayoutDelay,
    VideoOrientation,
    DependencyDescriptor,
}

impl Extension {
    const ALL: [Self; 10] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AudioLevel,
        Self::TransportCc,
        Self::AbsSendTime,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
        Self::VideoOrientation,
        Self::DependencyDescriptor,
    ];

    pub(super) fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::TransportCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    fn id(self, ids: &mut ExtensionIds) -> &mut Option<u8> {
        match self {
            Self::Mid => &mut ids.mid,
            Self::Rid => &mut ids.rid,
            Self::RepairedRid => &mut ids.repaired_rid,
            Self::AudioLevel => &mut ids.audio_level,
            Self::TransportCc => &mut ids.transport_cc,
            Self::AbsSendTime => &mut ids.abs_send_time,
            Self::AbsCaptureTime => &mut ids.abs_capture_time,
            Self::PlayoutDelay => &mut ids.playout_delay,
            Self::VideoOrientation => &mut ids.video_orientation,
            Self::DependencyDescriptor => &mut ids.dependency_descriptor,
        }
    }
}

/// One `a=extmap` line of the client; stored as a tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    from = "(Extension, u8, Option<Direction>)",
    into = "(Extension, u8, Option<Direction>)"
)]
pub(super) struct Mapping {
    pub(super) extension: Extension,
    pub(super) id: u8,
    /// The direction as the client sees it, where it limits one.
    pub(super) direction: Option<Direction>,
}

impl From<(Extension, u8, Option<Direction>)> for Mapping {
    fn from((extension, id, direction): (Extension, u8, Option<Direction>)) -> Self {
        Self {
            extension,
            id,
            direction,
        }
    }
}

impl From<Mapping> for (Extension, u8, Option<Direction>) {
    fn from(mapping: Mapping) -> Self {
        (mapping.extension, mapping.id, mapping.direction)
    }
}

/// Reads the `a=extmap` lines that we know, each extension once. Id 15 is reserved (RFC 8285
/// §4.2).
pub(super) fn parse(attributes: Attributes<'_>) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for value in attributes.all("extmap") {
        let mut words = value.split_ascii_whitespace();
        let (Some(id), Some(uri)) = (words.next(), words.next()) else {
            continue;
        };
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => match Direction::parse(direction) {
                Some(direction) => (id, Some(direction)),
                None => continue,
            },
            None => (id, None),
        };
        let Some(id) = id.parse().ok().filter(|id| *id != 0 && *id != 15) else {
            continue;
        };
        let Some(extension) = Extension::ALL.into_iter().find(|known| known.uri() == uri) else {
            continue;
        };
        let known = mappings.iter().any(|other| other.extension == extension);
        if !known && direction != Some(Direction::Inactive) {
            mappings.push(Mapping {
                extension,
                id,
                direction,
            });
        }
    }
    mappings
}

/// Which of a section's extensions we take. Congestion control needs one clock: transport-wide
/// sequence numbers where the client has them on any section of the transport, else absolute send
/// times.
pub(super) fn accepted(mappings: &[Mapping], transport_cc: bool) -> impl Iterator<Item = &Mapping> {
    mappings
        .iter()
        .filter(move |mapping| !(transport_cc && mapping.extension == Extension::AbsSendTime))
}

/// Whether a section offers transport-wide sequence numbers.
pub(super) fn has_transport_cc(mappings: &[Mapping]) -> bool {
    mappings
        .iter()
        .any(|mapping| mapping.extension == Extension::TransportCc)
}

/// Joins one section's mappings to those of the transport.
///
/// # Errors
/// [`SdpError::BundleConflict`] if an id or an extension is taken differently elsewhere in the
/// bundle.
pub(super) fn join<'a>(
    ids: &mut ExtensionIds,
    mappings: impl Iterator<Item = &'a Mapping>,
) -> Result<(), SdpError> {
    for mapping in mappings {
        for other in Extension::ALL {
            let taken = *other.id(ids);
            let same_extension = other == mapping.extension;
            let same_id = taken == Some(mapping.id);
            if taken.is_some() && same_extension != same_id {
                return Err(SdpError::BundleConflict("header extension id"));
            }
        }
        *mapping.extension.id(ids) = Some(mapping.id);
    }
    Ok(())
}
