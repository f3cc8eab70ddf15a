//! Codecs: which payload types of a section can be forwarded, and what we say about them.

use super::attributes::{Attributes, is_token};
use bedside_protocol::{Codec, MediaKind, PayloadTypes};
use serde::{Deserialize, Serialize};

/// A codec that a section lists and that we forward, with its retransmission format. A call has
/// hundreds of them, so it is stored as a tuple.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "StoredFormat", into = "StoredFormat")]
pub(super) struct Format {
    pub(super) codec: Codec,
    pub(super) payload_types: PayloadTypes,
    /// The parameters that we answer with: those of the client that we know and that describe
    /// the stream.
    pub(super) parameters: String,
    pub(super) feedback: Feedback,
}

/// RTCP feedback that was offered for a codec (RFC 4585, RFC 5104). Stored as bits, the first
/// field lowest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub(super) struct Feedback {
    pub(super) nack: bool,
    pub(super) pli: bool,
    pub(super) fir: bool,
    pub(super) transport_cc: bool,
}

/// RED around Opus (RFC 2198).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Red {
    pub(super) payload_type: u8,
    /// How many Opus blocks its parameters name; the line is repeated as it came.
    pub(super) blocks: u8,
}

/// What a section lists, in its order: each codec once.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Formats {
    pub(super) list: Vec<Format>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) red: Option<Red>,
}

#[derive(Serialize, Deserialize)]
struct StoredFormat(Codec, u8, Option<u8>, Feedback, String);

impl From<StoredFormat> for Format {
    fn from(StoredFormat(codec, media, rtx, feedback, parameters): StoredFormat) -> Self {
        Self {
            codec,
            payload_types: PayloadTypes { media, rtx },
            parameters,
            feedback,
        }
    }
}

impl From<Format> for StoredFormat {
    fn from(format: Format) -> Self {
        let PayloadTypes { media, rtx } = format.payload_types;
        Self(format.codec, media, rtx, format.feedback, format.parameters)
    }
}

impl From<u8> for Feedback {
    fn from(bits: u8) -> Self {
        Self {
            nack: bits & 1 != 0,
            pli: bits & 2 != 0,
            fir: bits & 4 != 0,
            transport_cc: bits & 8 != 0,
        }
    }
}

impl From<Feedback> for u8 {
    fn from(feedback: Feedback) -> Self {
        Self::from(feedback.nack)
            | Self::from(feedback.pli) << 1
            | Self::from(feedback.fir) << 2
            | Self::from(feedback.transport_cc) << 3
    }
}

impl Formats {
    /// Reads the payload types that the `m=` line names and that we know. Unknown codecs,
    /// profiles that we do not forward and payload types that collide with RTCP (RFC 5761 §4) are
    /// left out.
    pub(super) fn parse(kind: MediaKind, listed: &[String], attributes: Attributes<'_>) -> Self {
        let entries = Entries::parse(attributes);
        let mut formats = Self::default();
        for payload_type in listed.iter().filter_map(|text| payload_type(text)) {
            let Some(codec) = entries.codec(payload_type, kind) else {
                continue;
            };
            let format = Format {
                codec,
                payload_types: PayloadTypes {
                    media: payload_type,
                    rtx: entries.retransmission(payload_type, listed),
                },
                parameters: entries.parameters(payload_type, codec),
                feedback: entries.feedback(payload_type),
            };
            match formats.list.iter_mut().find(|other| other.codec == codec) {
                None => formats.list.push(format),
                Some(other) if prefers(&format, other) => *other = format,
                Some(_) => {}
            }
        }
        formats.red = formats
            .find(Codec::Opus)
            .and_then(|opus| entries.red(opus.payload_types.media, listed));
        formats
    }

    pub(super) fn find(&self, codec: Codec) -> Option<&Format> {
        self.list.iter().find(|format| format.codec == codec)
    }
}

/// `opus/48000/2` and the like: encoding name, clock rate and channels (RFC 8866 §6.6).
pub(super) fn rtpmap(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus/48000/2",
        Codec::Vp8 => "VP8/90000",
        Codec::Vp9 => "VP9/90000",
        Codec::H264 => "H264/90000",
        Codec::Av1 => "AV1/90000",
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
    }
}

/// The `a=fmtp` parameters that pick a variant of the codec, as a subscriber's offer names them.
pub(super) fn default_parameters(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "minptime=10;useinbandfec=1",
        Codec::H264 => "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        Codec::Vp9 => "profile-id=0",
        Codec::Vp8 | Codec::Av1 | Codec::Pcmu | Codec::Pcma => "",
    }
}

/// One `key=value` of a parameter list; keys are compared as written, spaces do not count.
pub(super) fn parameter<'a>(parameters: &'a str, key: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })
}

/// Of two variants of H.264 the constrained baseline profile, which every decoder has; otherwise
/// the first.
fn prefers(new: &Format, old: &Format) -> bool {
    let constrained = |format: &Format| {
        parameter(&format.parameters, "profile-level-id")
            .is_some_and(|id| id.to_ascii_lowercase().starts_with("42e0"))
    };
    new.codec == Codec::H264 && constrained(new) && !constrained(old)
}

/// A payload type that cannot be taken for RTCP under `a=rtcp-mux`.
fn payload_type(text: &str) -> Option<u8> {
    let value = text.parse::<u8>().ok()?;
    matches!(value, 0..=63 | 96..=127).then_some(value)
}

/// What the attributes of one section say about each payload type.
struct Entries<'a> {
    by_payload_type: Vec<Entry<'a>>,
    feedback_for_all: Feedback,
}

#[derive(Clone, Copy, Default)]
struct Entry<'a> {
    encoding: &'a str,
    parameters: &'a str,
    feedback: Feedback,
}

impl<'a> Entries<'a> {
    fn parse(attributes: Attributes<'a>) -> Self {
        let mut entries = Self {
            by_payload_type: vec![Entry::default(); 128],
            feedback_for_all: Feedback::default(),
        };
        entries.by_payload_type[0].encoding = rtpmap(Codec::Pcmu);
        entries.by_payload_type[8].encoding = rtpmap(Codec::Pcma);
        for (key, value) in attributes.iter() {
            let Some((subject, rest)) = value.trim().split_once(' ') else {
                continue;
            };
            let rest = rest.trim();
            if key == "rtcp-fb" && subject == "*" {
                entries.feedback_for_all.add(rest);
                continue;
            }
            let Some(payload_type) = payload_type(subject) else {
                continue;
            };
            let entry = &mut entries.by_payload_type[usize::from(payload_type)];
            match key {
                "rtpmap" => entry.encoding = rest,
                "fmtp" => entry.parameters = rest,
                "rtcp-fb" => entry.feedback.add(rest),
                _ => {}
            }
        }
        entries
    }

    fn entry(&self, payload_type: u8) -> Entry<'a> {
        self.by_payload_type
            .get(usize::from(payload_type))
            .copied()
            .unwrap_or_default()
    }

    fn codec(&self, payload_type: u8, kind: MediaKind) -> Option<Codec> {
        let Entry {
            encoding,
            parameters,
            ..
        } = self.entry(payload_type);
        let has = |key: &str, value: &str, default: bool| {
            parameter(parameters, key).map_or(default, |given| given == value)
        };
        let codec = ALL.into_iter().find(|codec| {
            let ours = rtpmap(*codec);
            encoding.eq_ignore_ascii_case(ours)
                || encoding
                    .strip_suffix("/1")
                    .is_some_and(|mono| mono.eq_ignore_ascii_case(ours))
        })?;
        let forwarded = match codec {
            Codec::Opus | Codec::Pcmu | Codec::Pcma | Codec::Vp8 => true,
            Codec::Vp9 => has("profile-id", "0", true),
            Codec::Av1 => has("profile", "0", true),
            // RFC 6184 §8.1: without the parameters it is single NAL unit mode and baseline.
            Codec::H264 => {
                has("packetization-mode", "1", false)
                    && parameter(parameters, "profile-level-id")
                        .is_none_or(|id| id.starts_with("42"))
            }
        };
        (forwarded && codec.kind() == kind).then_some(codec)
    }

    fn retransmission(&self, payload_type: u8, listed: &[String]) -> Option<u8> {
        listed
            .iter()
            .filter_map(|text| self::payload_type(text))
            .find(|candidate| {
                let entry = self.entry(*candidate);
                entry.encoding.eq_ignore_ascii_case("rtx/90000")
                    && parameter(entry.parameters, "apt")
                        .is_some_and(|apt| apt.parse() == Ok(payload_type))
            })
    }

    /// RED whose every block is Opus.
    fn red(&self, opus: u8, listed: &[String]) -> Option<Red> {
        listed
            .iter()
            .filter_map(|text| payload_type(text))
            .find_map(|payload_type| {
                let entry = self.entry(payload_type);
                let blocks = entry.parameters.split('/').count();
                (entry.encoding.eq_ignore_ascii_case("red/48000/2")
                    && entry.parameters.split('/').all(|pt| pt.parse() == Ok(opus))
                    && (2..=RED_BLOCKS_MAX).contains(&blocks))
                .then_some(Red {
                    payload_type,
                    blocks: u8::try_from(blocks).ok()?,
                })
            })
    }

    fn feedback(&self, payload_type: u8) -> Feedback {
        let mut feedback = self.entry(payload_type).feedback;
        feedback.nack |= self.feedback_for_all.nack;
        feedback.pli |= self.feedback_for_all.pli;
        feedback.fir |= self.feedback_for_all.fir;
        feedback.transport_cc |= self.feedback_for_all.transport_cc;
        feedback
    }

    fn parameters(&self, payload_type: u8, codec: Codec) -> String {
        let given = self.entry(payload_type).parameters;
        let keys: &[&str] = match codec {
            Codec::Opus => &["minptime", "useinbandfec"],
            Codec::H264 => &[
                "level-asymmetry-allowed",
                "packetization-mode",
                "profile-level-id",
            ],
            Codec::Vp9 => &["profile-id"],
            Codec::Av1 => &["level-idx", "profile", "tier"],
            Codec::Vp8 | Codec::Pcmu | Codec::Pcma => &[],
        };
        let mut kept = Vec::new();
        for key in keys {
            let value = parameter(given, key).filter(|value| is_token(value, PARAMETER_BYTES_MAX));
            if let Some(value) = value {
                kept.push(format!("{key}={value}"));
            }
        }
        kept.join(";")
    }
}

impl Feedback {
    fn add(&mut self, text: &str) {
        match text {
            "nack" => self.nack = true,
            "nack pli" => self.pli = true,
            "ccm fir" => self.fir = true,
            "transport-cc" => self.transport_cc = true,
            _ => {}
        }
    }
}

const ALL: [Codec; 7] = [
    Codec::Opus,
    Codec::Vp8,
    Codec::Vp9,
    Codec::H264,
    Codec::Av1,
    Codec::Pcmu,
    Codec::Pcma,
];

/// Longest value of a parameter that we repeat; `profile-level-id` has six characters.
const PARAMETER_BYTES_MAX: usize = 16;

/// Blocks of one RED packet: LiveKit's and Chromium's clients send one or two redundant ones.
const RED_BLOCKS_MAX: usize = 8;
