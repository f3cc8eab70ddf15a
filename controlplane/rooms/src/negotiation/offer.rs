//! Our offer to a client that only receives (RFC 8829 §5.2), and its answer.
//!
//! The first section is the data channels', which is never rejected and carries the transport.
//! A section of a track that is no longer sent becomes inactive and serves the same track again, or
//! the next one of its kind if the stream id names the track.

use super::codec::{Feedback, Format, Formats, Red, default_parameters, rtpmap};
use super::connection::{Connection, IceChange, Role};
use super::description::{Content, Described, Description, Media, MediaName, Rejected};
use super::direction::Direction;
use super::error::SdpError;
use super::extension::{Extension, Mapping};
use super::limits::SECTIONS_MAX;
use super::section::{Section, Sender};
use super::writer::{Header, MediaSection, Transport, Writer};
use bedside_protocol::{
    Codec, Encoding, IceCredentials, Layer, MediaKind, Mid, PayloadTypes, TrackId,
};

impl Connection {
    /// Offers everything that should be sent. It replaces an offer that is not answered yet.
    /// `restart_ice` are new random credentials; they become ours with the answer.
    ///
    /// # Errors
    /// [`SdpError::WrongRole`] unless this is a [`Role::Subscriber`].
    pub fn offer(&mut self, restart_ice: Option<IceCredentials>) -> Result<String, SdpError> {
        if self.role != Role::Subscriber {
            return Err(SdpError::WrongRole);
        }
        if self.sections.is_empty() {
            self.sections.push(Section::new(Described {
                name: MediaName::Application,
                protocol: DATA_PROTOCOL.to_owned(),
                content: Content::Data(mid_of(0)),
            }));
        }
        for track in self.waiting_senders() {
            self.place(track);
        }
        for section in &mut self.sections {
            section.offered_sending = section.sender.is_some();
            if let Some(sender) = section.sender.and_then(|track| self.senders.get(&track)) {
                section.offered = formats_for(sender, self.quirks.strip_red).into();
                let first = section.first_track.take();
                section.first_track = first.or_else(|| Some(sender.track_sid.clone()));
            }
        }
        self.offered_local = restart_ice.or_else(|| self.offered_local.take());
        self.stale = false;
        self.answer_outstanding = true;
        let version = self.next_version();
        Ok(self.write_offer(version))
    }

    /// Takes the answer to the last offer.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed then.
    pub fn accept_answer(&mut self, answer: &str) -> Result<IceChange, SdpError> {
        if self.role != Role::Subscriber {
            return Err(SdpError::WrongRole);
        }
        if !self.answer_outstanding {
            return Err(SdpError::AnswerMismatch("no offer is open"));
        }
        let description = Description::parse(answer)?;
        if description.setup != "active" {
            return Err(SdpError::Setup);
        }
        if description.sections.len() != self.sections.len() {
            return Err(SdpError::AnswerMismatch("number of media sections"));
        }
        for (ours, theirs) in self.sections.iter().zip(&description.sections) {
            check_answered(ours, theirs)?;
        }
        let change = self.check_remote(description.remote.as_ref())?;

        let offered_local = self.offered_local.take();
        self.local = offered_local.unwrap_or_else(|| self.local.clone());
        self.remote = description.remote;
        self.extensions = description.extensions;
        self.answer_outstanding = false;
        for (section, described) in self.sections.iter_mut().zip(description.sections) {
            let (mid, format) = (section.mid(), section.offered.list.first());
            let rejected = Rejected {
                mid,
                format: format.map_or_else(
                    || DATA_FORMAT.to_owned(),
                    |format| format.payload_types.media.to_string(),
                ),
                encoding: format.map_or_else(String::new, |format| rtpmap(format.codec).to_owned()),
            };
            let receives = described
                .content
                .media()
                .is_some_and(|media| media.direction.receives());
            let content = match described.content {
                Content::Rejected(_) => Content::Rejected(rejected),
                content => content,
            };
            section.described = Described {
                content,
                ..described
            }
            .into();
            section.negotiated = section.sender.filter(|_| receives);
            section.sending = std::mem::take(&mut section.offered_sending);
            let rejected = !section.is_accepted();
            if let Some(track) = section.sender.filter(|_| rejected) {
                let codec = self.senders.get(&track).map(|sender| sender.codec);
                section.sender = None;
                let new = codec.filter(|codec| !self.refused.contains(codec));
                self.refused.extend(new);
            }
        }
        Ok(change)
    }

    /// Finds or makes a section for a sender.
    fn place(&mut self, track: TrackId) {
        let Some(sender) = self.senders.get(&track) else {
            return;
        };
        let kind = sender.codec.kind();
        let formats = formats_for(sender, self.quirks.strip_red);
        let codec = sender.codec;
        let is_free = |section: &Section| {
            !self.quirks.no_section_reuse
                && section.is_free()
                && section.media().is_some_and(|media| media.kind == kind)
                && section.can_carry(sender)
        };
        // One that had the codec before is better: not every client changes codecs.
        let same_codec = self
            .sections
            .iter()
            .position(|section| is_free(section) && section.offered.find(codec).is_some());
        let any = || self.sections.iter().position(is_free);
        if let Some(index) = same_codec.or_else(any) {
            if let Some(section) = self.sections.get_mut(index) {
                section.sender = Some(track);
            }
        } else if self.sections.len() < SECTIONS_MAX {
            let mut section = Section::new(unanswered(self.sections.len(), kind, formats));
            section.sender = Some(track);
            self.sections.push(section);
        }
    }

    fn write_offer(&self, version: u64) -> String {
        let accepted = self.sections.iter().filter(|section| section.is_accepted());
        let header = Header {
            session: self.session,
            version,
            bundle: accepted.filter_map(Section::mid).collect(),
            extmap_allow_mixed: true,
        };
        let transport = Transport {
            local: self.offered_local.as_ref().unwrap_or(&self.local),
            host: &self.host,
            options: &["trickle", "ice2"],
            setup: "actpass",
        };
        let mut writer = Writer::new(&header, transport);
        for section in &self.sections {
            let line = &section.described;
            match &line.content {
                Content::Rejected(rejected) => {
                    writer.rejected(line.name.as_str(), &line.protocol, rejected);
                }
                Content::Data(mid) => writer.data(&line.protocol, *mid),
                Content::Media(media) => writer.media(&self.offered_section(section, media)),
            }
        }
        writer.finish()
    }

    fn offered_section<'a>(&'a self, section: &'a Section, media: &'a Media) -> MediaSection<'a> {
        let formats = section.offered.list.iter();
        let extensions = offered_extensions(media.kind);
        MediaSection {
            name: section.described.name.as_str(),
            protocol: MEDIA_PROTOCOL,
            mid: media.mid,
            direction: Direction::new(section.sender.is_some(), false),
            formats: formats
                .map(|format| (format, format.parameters.clone()))
                .collect(),
            red: section.offered.red.map(|red| (red, true)),
            extensions: extensions
                .map(|mapping| (mapping.extension, mapping.id, None))
                .collect(),
            extmap_allow_mixed: false,
            reduced_size: true,
            nack: true,
            transport_cc: true,
            rids: &[],
            source: section.sender.and_then(|track| {
                let sender = self.senders.get(&track)?;
                let format = section.offered.find(sender.codec)?;
                Some(super::writer::Source {
                    stream_id: &sender.stream_id,
                    track_id: &sender.track_sid,
                    ssrc: sender.ssrc,
                    rtx_ssrc: format.payload_types.rtx.map(|_| sender.rtx_ssrc),
                })
            }),
        }
    }
}

/// An answer's section must be ours: same place, MID and kind, no payload type or extension id
/// that we did not offer.
fn check_answered(ours: &Section, theirs: &Described) -> Result<(), SdpError> {
    let mid = theirs.content.mid();
    if theirs.name != ours.described.name || mid.is_some() && mid != ours.mid() {
        return Err(SdpError::AnswerMismatch("order of media sections"));
    }
    let Some(media) = theirs.content.media() else {
        return Ok(());
    };
    if !ours.is_accepted() {
        return Err(SdpError::AnswerMismatch("a rejected section is accepted"));
    }
    let offered = |format: &Format| {
        let ours = ours
            .offered
            .find(format.codec)
            .map(|ours| ours.payload_types);
        ours.is_some_and(|ours| {
            let types = format.payload_types;
            ours.media == types.media && (types.rtx.is_none() || types.rtx == ours.rtx)
        })
    };
    let red = media.formats.red;
    let red_offered = red.is_none_or(|red| {
        ours.offered
            .red
            .is_some_and(|ours| ours.payload_type == red.payload_type)
    });
    if !red_offered || !media.formats.list.iter().all(offered) {
        return Err(SdpError::AnswerMismatch("a payload type was not offered"));
    }
    let extension_offered = |theirs: &Mapping| {
        offered_extensions(media.kind)
            .any(|ours| ours.extension == theirs.extension && ours.id == theirs.id)
    };
    if !media.extensions.iter().all(extension_offered) {
        return Err(SdpError::AnswerMismatch(
            "a header extension was not offered",
        ));
    }
    Ok(())
}

/// A section that the client has not seen yet.
fn unanswered(index: usize, kind: MediaKind, formats: Formats) -> Described {
    Described {
        name: MediaName::of(kind),
        protocol: MEDIA_PROTOCOL.to_owned(),
        content: Content::Media(Box::new(Media {
            mid: mid_of(index),
            kind,
            direction: Direction::Inactive,
            formats,
            extensions: Vec::new(),
            extmap_allow_mixed: false,
            reduced_size: true,
            stream_id: None,
            track_id: None,
            encodings: vec![Encoding {
                layer: Layer::Low,
                rid: None,
                ssrc: None,
                rtx_ssrc: None,
            }],
            rids: Vec::new(),
        })),
    }
}

/// A section's MID is its index.
fn mid_of(index: usize) -> Mid {
    Mid::new(&index.to_string()).expect("an index below SECTIONS_MAX has three digits")
}

/// The payload types that we offer for a sender's codec. A payload type means one thing in the
/// whole bundle, parameters and feedback included, so Opus has one for each way of sending it:
/// with RED, or without and with NACKs instead; mono or stereo.
fn formats_for(sender: &Sender, strip_red: bool) -> Formats {
    let red = sender.codec == Codec::Opus && sender.red && !strip_red;
    let (media, rtx) = match (sender.codec, sender.stereo, red) {
        (Codec::Opus, false, true) => (111, None),
        (Codec::Opus, false, false) => (110, None),
        (Codec::Opus, true, true) => (112, None),
        (Codec::Opus, true, false) => (109, None),
        (Codec::Pcmu, ..) => (0, None),
        (Codec::Pcma, ..) => (8, None),
        (Codec::Vp8, ..) => (96, Some(97)),
        (Codec::Vp9, ..) => (98, Some(99)),
        (Codec::H264, ..) => (102, Some(103)),
        (Codec::Av1, ..) => (45, Some(46)),
    };
    let stereo = sender.codec == Codec::Opus && sender.stereo;
    let is_video = sender.codec.kind() == MediaKind::Video;
    let stereo_parameters = if stereo { ";sprop-stereo=1" } else { "" };
    Formats {
        list: vec![Format {
            codec: sender.codec,
            payload_types: PayloadTypes { media, rtx },
            parameters: format!("{}{stereo_parameters}", default_parameters(sender.codec)),
            feedback: Feedback {
                nack: !red,
                pli: is_video,
                fir: is_video,
                transport_cc: true,
            },
        }],
        red: red.then_some(Red {
            payload_type: if stereo { 62 } else { 63 },
            blocks: 2,
        }),
    }
}

/// The header extensions that we offer.
fn offered_extensions(kind: MediaKind) -> impl Iterator<Item = Mapping> {
    let wanted = move |extension: Extension| match extension {
        Extension::AudioLevel => kind == MediaKind::Audio,
        Extension::PlayoutDelay | Extension::VideoOrientation | Extension::DependencyDescriptor => {
            kind == MediaKind::Video
        }
        _ => true,
    };
    let offered = OFFERED_EXTENSIONS
        .into_iter()
        .filter(move |(extension, _)| wanted(*extension));
    offered.map(|(extension, id)| Mapping {
        extension,
        id,
        direction: None,
    })
}

const OFFERED_EXTENSIONS: [(Extension, u8); 7] = [
    (Extension::Mid, 1),
    (Extension::AudioLevel, 2),
    (Extension::TransportCc, 3),
    (Extension::AbsCaptureTime, 4),
    (Extension::PlayoutDelay, 5),
    (Extension::VideoOrientation, 6),
    (Extension::DependencyDescriptor, 7),
];

const MEDIA_PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";
const DATA_PROTOCOL: &str = "UDP/DTLS/SCTP";
const DATA_FORMAT: &str = "webrtc-datachannel";
