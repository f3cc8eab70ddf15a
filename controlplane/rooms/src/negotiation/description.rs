//! A client's SDP, read into types and checked.
//!
//! The grammar (RFC 8866) is `rtc-sdp`'s business; what the lines mean is read here. Bounds are
//! checked on the text before it is parsed.

use super::attributes::{Attributes, is_token};
use super::codec::{Format, Formats};
use super::direction::Direction;
use super::error::SdpError;
use super::extension::{self, Extension, Mapping};
use super::limits::{
    LINE_BYTES_MAX, LINES_MAX, MEDIA_LINE_BYTES_MAX, MSID_BYTES_MAX, SDP_BYTES_MAX, SECTIONS_MAX,
};
use super::simulcast;
use super::transport::{self, Remote};
use bedside_protocol::{Encoding, ExtensionIds, MediaKind, Mid};
use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Cursor;

/// A checked offer or answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Description {
    /// `None` if every section is rejected.
    pub(super) remote: Option<Remote>,
    /// `a=setup` of the transport; empty if there is none.
    pub(super) setup: String,
    pub(super) sections: Vec<Described>,
    /// Header extensions of the transport, joined from all sections.
    pub(super) extensions: ExtensionIds,
    /// Firefox says who it is, and browsers speaking WHIP or WHEP do not say it elsewhere.
    pub(super) by_firefox: bool,
}

/// One `m=` section.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) name: MediaName,
    /// `UDP/TLS/RTP/SAVPF`; anything in a rejected section.
    pub(super) protocol: String,
    pub(super) content: Content,
}

/// A section that is used for nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Rejected {
    pub(super) mid: Option<Mid>,
    /// The first format of its `m=` line, to repeat.
    pub(super) format: String,
    /// That format's `a=rtpmap`, empty if it has none: some parsers want one here too.
    pub(super) encoding: String,
}

/// What an `m=` line begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MediaName {
    Audio,
    Video,
    Application,
    Text,
    Message,
    Image,
}

/// What a section is used for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    /// Nothing: its writer rejected it, or it cannot be accepted.
    Rejected(Rejected),
    /// Data channels (RFC 8841).
    Data(Mid),
    /// Audio or video.
    Media(Box<Media>),
}

/// Audio or video, as the client describes it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Media {
    pub(super) mid: Mid,
    pub(super) kind: MediaKind,
    pub(super) direction: Direction,
    pub(super) formats: Formats,
    pub(super) extensions: Vec<Mapping>,
    /// One-byte and two-byte header extensions may be mixed, said in this section.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) extmap_allow_mixed: bool,
    /// Reduced-size RTCP (RFC 5506).
    pub(super) reduced_size: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stream_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) track_id: Option<String>,
    /// What it sends, lowest first; at least one.
    pub(super) encodings: Vec<Encoding>,
    /// Simulcast by RID, in the client's order; empty without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rids: Vec<Mid>,
}

impl Content {
    pub(super) fn mid(&self) -> Option<Mid> {
        match self {
            Self::Rejected(rejected) => rejected.mid,
            Self::Data(mid) => Some(*mid),
            Self::Media(media) => Some(media.mid),
        }
    }

    pub(super) fn is_accepted(&self) -> bool {
        !matches!(self, Self::Rejected(_))
    }

    pub(super) fn media(&self) -> Option<&Media> {
        match self {
            Self::Media(media) => Some(media),
            Self::Rejected(_) | Self::Data(_) => None,
        }
    }
}

impl MediaName {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Text => "text",
            Self::Message => "message",
            Self::Image => "image",
        }
    }

    pub(super) fn of(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Audio,
            Self::Video,
            Self::Application,
            Self::Text,
            Self::Message,
            Self::Image,
        ]
        .into_iter()
        .find(|name| name.as_str() == text)
    }

    fn kind(self) -> Option<MediaKind> {
        match self {
            Self::Audio => Some(MediaKind::Audio),
            Self::Video => Some(MediaKind::Video),
            Self::Application | Self::Text | Self::Message | Self::Image => None,
        }
    }
}

impl Description {
    /// Parses and checks everything that does not depend on what was negotiated before.
    ///
    /// # Errors
    /// Any [`SdpError`] about the text itself.
    pub(super) fn parse(text: &str) -> Result<Self, SdpError> {
        check_bounds(text)?;
        let parsed = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|_| SdpError::Malformed("a line does not follow the grammar"))?;
        let session = Attributes(&parsed.attributes);
        let lines = &parsed.media_descriptions;
        check_keys_and_profiles(session, lines)?;
        let bundle: BTreeSet<&str> = session
            .all("group")
            .find_map(|group| group.strip_prefix("BUNDLE"))
            .ok_or(SdpError::NoBundle)?
            .split_ascii_whitespace()
            .collect();

        let mut sections = Vec::with_capacity(lines.len());
        let mut mids = BTreeSet::new();
        let mut tagged: Option<Attributes<'_>> = None;
        let mut has_data = false;
        for line in lines {
            let attributes = Attributes(&line.attributes);
            let mid = attributes.first("mid");
            if mid.is_some_and(|mid| !mids.insert(mid)) {
                return Err(SdpError::Malformed("a=mid is not unique"));
            }
            let bundled = mid.is_some_and(|mid| bundle.contains(mid));
            let mut described = describe(line, session, mid, bundled)?;
            let second = matches!(described.content, Content::Data(_))
                && std::mem::replace(&mut has_data, true);
            if second {
                described.content = Content::Rejected(rejected(line, described.content.mid())?);
            }
            if described.content.is_accepted() {
                tagged = tagged.or(Some(attributes));
            }
            sections.push(described);
        }
        let extensions = check_bundle(&sections)?;
        Ok(Self {
            remote: tagged
                .map(|section| Remote::parse(session, section))
                .transpose()?,
            setup: tagged
                .map(|section| transport::setup(session, section).to_owned())
                .unwrap_or_default(),
            sections,
            extensions,
            by_firefox: parsed.origin.username.starts_with("mozilla"),
        })
    }
}

fn check_bounds(text: &str) -> Result<(), SdpError> {
    if text.len() > SDP_BYTES_MAX {
        return Err(SdpError::TooLarge("bytes"));
    }
    let mut lines = 0;
    let mut sections = 0;
    for line in text.split('\n') {
        lines += 1;
        let is_section = line.starts_with("m=");
        sections += usize::from(is_section);
        if line.len() > LINE_BYTES_MAX || is_section && line.len() > MEDIA_LINE_BYTES_MAX {
            return Err(SdpError::TooLarge("characters in a line"));
        }
    }
    if lines > LINES_MAX {
        return Err(SdpError::TooLarge("lines"));
    }
    if sections > SECTIONS_MAX {
        return Err(SdpError::TooLarge("media sections"));
    }
    Ok(())
}

/// Refuses keys in the text anywhere, and any RTP profile in use but the one with DTLS and
/// feedback. `TCP/` in front only says what the default candidate is (RFC 8829 §5.1.2).
fn check_keys_and_profiles(
    session: Attributes<'_>,
    lines: &[MediaDescription],
) -> Result<(), SdpError> {
    let sdes = |attributes: Attributes<'_>| attributes.has("crypto");
    if sdes(session) || lines.iter().any(|line| sdes(Attributes(&line.attributes))) {
        return Err(SdpError::Sdes);
    }
    for line in lines {
        let is_media = matches!(line.media_name.media.as_str(), "audio" | "video");
        let protocol = line.media_name.protos.join("/");
        let suitable = matches!(protocol.as_str(), "UDP/TLS/RTP/SAVPF" | "TCP/TLS/RTP/SAVPF");
        if is_media && in_use(line) && !suitable {
            return Err(SdpError::Profile(profile_name(&protocol)));
        }
    }
    Ok(())
}

/// Profiles of IANA's "proto" registry for RTP, so that a refusal can name one without quoting.
fn profile_name(protocol: &str) -> &'static str {
    [
        "RTP/AVP",
        "RTP/AVPF",
        "RTP/SAVP",
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
    ]
    .into_iter()
    .find(|known| protocol == *known)
    .unwrap_or("another one")
}

/// Port 0 rejects a section, unless it only says that the section has no port of its own (RFC
/// 8843 §6).
fn in_use(line: &MediaDescription) -> bool {
    line.media_name.port.value != 0 || Attributes(&line.attributes).has("bundle-only")
}

fn describe(
    line: &MediaDescription,
    session: Attributes<'_>,
    mid: Option<&str>,
    bundled: bool,
) -> Result<Described, SdpError> {
    let name = MediaName::parse(&line.media_name.media).ok_or(SdpError::Malformed("m="))?;
    let protocol = line.media_name.protos.join("/");
    if !is_token(&protocol, TOKEN_BYTES_MAX) {
        return Err(SdpError::Malformed("m="));
    }
    let mid = mid
        .map(|mid| Mid::new(mid).map_err(|_| SdpError::Malformed("a=mid")))
        .transpose()?;
    let usable = mid.filter(|_| bundled && in_use(line));
    let content = match (usable, name.kind()) {
        (Some(mid), Some(kind)) => media(line, session, mid, kind)?,
        (Some(mid), None) if name == MediaName::Application && is_data(line) => {
            Some(Content::Data(mid))
        }
        _ => None,
    };
    Ok(Described {
        name,
        protocol,
        content: match content {
            Some(content) => content,
            None => Content::Rejected(rejected(line, mid)?),
        },
    })
}

fn rejected(line: &MediaDescription, mid: Option<Mid>) -> Result<Rejected, SdpError> {
    let format = line.media_name.formats.first().cloned().unwrap_or_default();
    if !is_token(&format, TOKEN_BYTES_MAX) {
        return Err(SdpError::Malformed("m="));
    }
    let prefix = format!("{format} ");
    let encoding = Attributes(&line.attributes)
        .all("rtpmap")
        .find_map(|value| value.strip_prefix(&prefix))
        .filter(|encoding| is_token(encoding, TOKEN_BYTES_MAX));
    Ok(Rejected {
        mid,
        encoding: encoding.unwrap_or_default().to_owned(),
        format,
    })
}

/// Data channels over the one SCTP port that WebRTC uses (RFC 8841 §5, RFC 8831).
fn is_data(line: &MediaDescription) -> bool {
    let name = &line.media_name;
    let dtls = name
        .protos
        .get(1..)
        .is_some_and(|rest| rest == ["DTLS", "SCTP"]);
    let transport = name
        .protos
        .first()
        .is_some_and(|first| first == "UDP" || first == "TCP");
    let channels = name
        .formats
        .first()
        .is_some_and(|format| format == "webrtc-datachannel");
    dtls && transport && channels && Attributes(&line.attributes).first("sctp-port") == Some("5000")
}

/// `None` if there is no codec that we forward.
fn media(
    line: &MediaDescription,
    session: Attributes<'_>,
    mid: Mid,
    kind: MediaKind,
) -> Result<Option<Content>, SdpError> {
    let attributes = Attributes(&line.attributes);
    let formats = Formats::parse(kind, &line.media_name.formats, attributes);
    if formats.list.is_empty() {
        return Ok(None);
    }
    if !attributes.has("rtcp-mux") && !attributes.has("rtcp-mux-only") {
        return Err(SdpError::NoRtcpMux);
    }
    let direction =
        |attributes: Attributes<'_>| attributes.iter().find_map(|(key, _)| Direction::parse(key));
    let direction = direction(attributes)
        .or_else(|| direction(session))
        .unwrap_or(Direction::SendRecv);
    let extensions = extension::parse(attributes);
    let by_rid = extensions
        .iter()
        .any(|mapping| mapping.extension == Extension::Rid);
    let rids = match kind {
        MediaKind::Video if by_rid => simulcast::rids(attributes),
        MediaKind::Video | MediaKind::Audio => Vec::new(),
    };
    let (stream_id, track_id) = msid(attributes)?;
    Ok(Some(Content::Media(Box::new(Media {
        mid,
        kind,
        direction,
        formats,
        extensions,
        extmap_allow_mixed: attributes.has("extmap-allow-mixed"),
        reduced_size: attributes.has("rtcp-rsize"),
        stream_id,
        track_id,
        encodings: simulcast::encodings(attributes, &rids),
        rids,
    }))))
}

/// Stream and track id (RFC 8830); older clients write them beside an SSRC. Of several streams
/// the first.
fn msid(attributes: Attributes<'_>) -> Result<(Option<String>, Option<String>), SdpError> {
    let by_ssrc = || {
        attributes
            .all("ssrc")
            .find_map(|value| value.split_once(' ')?.1.strip_prefix("msid:"))
    };
    let Some(value) = attributes.first("msid").or_else(by_ssrc) else {
        return Ok((None, None));
    };
    let mut words = value.split_ascii_whitespace();
    let mut id = || match words.next() {
        None | Some("-") => Ok(None),
        Some(id) if is_token(id, MSID_BYTES_MAX) => Ok(Some(id.to_owned())),
        Some(_) => Err(SdpError::Malformed("a=msid")),
    };
    Ok((id()?, id()?))
}

/// In a bundle a payload type and a header extension id mean one thing everywhere.
fn check_bundle(sections: &[Described]) -> Result<ExtensionIds, SdpError> {
    let mut meanings = [None; 128];
    let mut extensions = ExtensionIds::default();
    let media = || {
        sections
            .iter()
            .filter_map(|section| section.content.media())
    };
    let transport_cc = media().any(|media| extension::has_transport_cc(&media.extensions));
    for media in media() {
        let used = media.formats.list.iter().flat_map(meanings_of);
        let red = media.formats.red.iter();
        for (payload_type, meaning) in used.chain(red.map(|red| (red.payload_type, Meaning::Red))) {
            let known = &mut meanings[usize::from(payload_type & 127)];
            if known.is_some_and(|known| known != meaning) {
                return Err(SdpError::BundleConflict("payload type"));
            }
            *known = Some(meaning);
        }
        let accepted = extension::accepted(&media.extensions, transport_cc);
        extension::join(&mut extensions, accepted)?;
    }
    Ok(extensions)
}

#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    Media(bedside_protocol::Codec),
    RetransmissionOf(u8),
    Red,
}

fn meanings_of(format: &Format) -> impl Iterator<Item = (u8, Meaning)> {
    let types = format.payload_types;
    let retransmission = types
        .rtx
        .map(|rtx| (rtx, Meaning::RetransmissionOf(types.media)));
    std::iter::once((types.media, Meaning::Media(format.codec))).chain(retransmission)
}

/// Longest protocol or format of an `m=` line that we repeat; `TCP/TLS/RTP/SAVPF` has 17
/// characters, `webrtc-datachannel` 18.
const TOKEN_BYTES_MAX: usize = 64;
