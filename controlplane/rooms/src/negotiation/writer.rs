//! Writes SDP (RFC 8866, RFC 8829 §5) from what was decided. Nothing is decided here.

use super::Host;
use super::attributes::is_token;
use super::codec::{Format, Red, rtpmap};
use super::description::Rejected;
use super::direction::Direction;
use super::extension::Extension;
use super::limits::MSID_BYTES_MAX;
use super::transport::Digest;
use bedside_protocol::limits::DATA_MESSAGE_BYTES_MAX;
use bedside_protocol::{IceCredentials, Mid};
use std::fmt::{self, Write as _};

/// An SDP being written.
pub(super) struct Writer<'a> {
    text: String,
    transport: Transport<'a>,
    /// Candidates stand in the first accepted section only (RFC 8843 §7.1.3).
    candidates_written: bool,
}

/// What every accepted section says of our end.
#[derive(Clone, Copy)]
pub(super) struct Transport<'a> {
    pub(super) local: &'a IceCredentials,
    pub(super) host: &'a Host,
    /// Values of `a=ice-options`.
    pub(super) options: &'a [&'static str],
    /// `passive` in an answer, `actpass` in an offer (RFC 8842 §5).
    pub(super) setup: &'static str,
}

/// The lines before the first section.
pub(super) struct Header {
    pub(super) session: u64,
    pub(super) version: u64,
    pub(super) bundle: Vec<Mid>,
    pub(super) extmap_allow_mixed: bool,
}

/// An audio or video section.
pub(super) struct MediaSection<'a> {
    pub(super) name: &'static str,
    pub(super) protocol: &'a str,
    pub(super) mid: Mid,
    pub(super) direction: Direction,
    /// Codecs in order of preference, with the parameters to write.
    pub(super) formats: Vec<(&'a Format, String)>,
    /// RED, and whether it stands before the codecs.
    pub(super) red: Option<(Red, bool)>,
    pub(super) extensions: Vec<(Extension, u8, Option<Direction>)>,
    pub(super) extmap_allow_mixed: bool,
    pub(super) reduced_size: bool,
    /// Whether generic NACKs and transport-wide feedback are taken, where a codec offers them.
    pub(super) nack: bool,
    pub(super) transport_cc: bool,
    /// RIDs that we receive.
    pub(super) rids: &'a [Mid],
    /// What we send.
    pub(super) source: Option<Source<'a>>,
}

/// A stream that we send.
pub(super) struct Source<'a> {
    pub(super) stream_id: &'a str,
    pub(super) track_id: &'a str,
    pub(super) ssrc: u32,
    pub(super) rtx_ssrc: Option<u32>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(header: &Header, transport: Transport<'a>) -> Self {
        let mut writer = Self {
            text: String::new(),
            transport,
            candidates_written: false,
        };
        let Header {
            session, version, ..
        } = header;
        writer.line(format_args!("v=0"));
        writer.line(format_args!("o=- {session} {version} IN IP4 0.0.0.0"));
        writer.line(format_args!("s=-"));
        writer.line(format_args!("t=0 0"));
        let mut group = String::from("a=group:BUNDLE");
        for mid in &header.bundle {
            group.push(' ');
            group.push_str(mid.as_str());
        }
        writer.line(format_args!("{group}"));
        writer.line(format_args!("a=ice-lite"));
        if header.extmap_allow_mixed {
            writer.line(format_args!("a=extmap-allow-mixed"));
        }
        writer
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// A section that is not accepted.
    pub(super) fn rejected(&mut self, name: &str, protocol: &str, rejected: &Rejected) {
        let Rejected {
            mid,
            format,
            encoding,
        } = rejected;
        self.line(format_args!("m={name} 0 {protocol} {format}"));
        self.line(format_args!("c=IN IP4 0.0.0.0"));
        if let Some(mid) = mid {
            self.line(format_args!("a=mid:{}", mid.as_str()));
        }
        if !encoding.is_empty() {
            self.line(format_args!("a=rtpmap:{format} {encoding}"));
        }
        self.line(format_args!("a=inactive"));
    }

    /// Data channels.
    pub(super) fn data(&mut self, protocol: &str, mid: Mid) {
        self.line(format_args!(
            "m=application 9 {protocol} webrtc-datachannel"
        ));
        self.transport(mid);
        self.line(format_args!("a=sctp-port:5000"));
        self.line(format_args!("a=max-message-size:{DATA_MESSAGE_BYTES_MAX}"));
    }

    /// Audio or video.
    pub(super) fn media(&mut self, section: &MediaSection<'_>) {
        let mut payload_types = Vec::new();
        for (format, _) in &section.formats {
            payload_types.push(format.payload_types.media);
            payload_types.extend(format.payload_types.rtx);
        }
        if let Some((red, first)) = section.red {
            let index = usize::from(!first).min(payload_types.len());
            payload_types.insert(index, red.payload_type);
        }
        let mut line = format!("m={} 9 {}", section.name, section.protocol);
        for payload_type in payload_types {
            line.push_str(&format!(" {payload_type}"));
        }
        self.line(format_args!("{line}"));
        self.transport(section.mid);
        for (extension, id, direction) in &section.extensions {
            let slash = if direction.is_some() { "/" } else { "" };
            let direction = direction.map_or("", Direction::as_str);
            let uri = extension.uri();
            self.line(format_args!("a=extmap:{id}{slash}{direction} {uri}"));
        }
        if section.extmap_allow_mixed {
            self.line(format_args!("a=extmap-allow-mixed"));
        }
        self.line(format_args!("a={}", section.direction.as_str()));
        self.line(format_args!("a=rtcp-mux"));
        if section.reduced_size {
            self.line(format_args!("a=rtcp-rsize"));
        }
        for (format, parameters) in &section.formats {
            self.format(section, format, parameters);
        }
        if let Some((red, _)) = section.red {
            self.red(red, section);
        }
        for rid in section.rids {
            self.line(format_args!("a=rid:{} recv", rid.as_str()));
        }
        if !section.rids.is_empty() {
            let rids: Vec<&str> = section.rids.iter().map(Mid::as_str).collect();
            self.line(format_args!("a=simulcast:recv {}", rids.join(";")));
        }
        if let Some(source) = &section.source {
            self.source(source);
        }
    }

    fn format(&mut self, section: &MediaSection<'_>, format: &Format, parameters: &str) {
        let pt = format.payload_types.media;
        let feedback = format.feedback;
        self.line(format_args!("a=rtpmap:{pt} {}", rtpmap(format.codec)));
        for (wanted, name) in [
            (section.nack && feedback.nack, "nack"),
            (feedback.pli, "nack pli"),
            (feedback.fir, "ccm fir"),
            (
                section.transport_cc && feedback.transport_cc,
                "transport-cc",
            ),
        ] {
            if wanted {
                self.line(format_args!("a=rtcp-fb:{pt} {name}"));
            }
        }
        if !parameters.is_empty() {
            self.line(format_args!("a=fmtp:{pt} {parameters}"));
        }
        if let Some(rtx) = format.payload_types.rtx {
            self.line(format_args!("a=rtpmap:{rtx} rtx/90000"));
            self.line(format_args!("a=fmtp:{rtx} apt={pt}"));
        }
    }

    fn red(&mut self, red: Red, section: &MediaSection<'_>) {
        let pt = red.payload_type;
        let opus = section.formats.iter().find_map(|(format, _)| {
            (format.codec == bedside_protocol::Codec::Opus).then_some(format.payload_types.media)
        });
        let Some(opus) = opus else { return };
        let blocks = vec![opus.to_string(); usize::from(red.blocks)].join("/");
        self.line(format_args!("a=rtpmap:{pt} red/48000/2"));
        self.line(format_args!("a=fmtp:{pt} {blocks}"));
    }

    fn source(&mut self, source: &Source<'_>) {
        let stream = word(source.stream_id);
        let track = word(source.track_id);
        self.line(format_args!("a=msid:{stream} {track}"));
        if let Some(rtx) = source.rtx_ssrc {
            self.line(format_args!("a=ssrc-group:FID {} {rtx}", source.ssrc));
        }
        for ssrc in [Some(source.ssrc), source.rtx_ssrc].into_iter().flatten() {
            self.line(format_args!("a=ssrc:{ssrc} cname:{stream}"));
        }
    }

    /// Everything about the transport. Repeated in each section: the specification lets it stand
    /// in the first alone, but not every client looks there.
    fn transport(&mut self, mid: Mid) {
        self.line(format_args!("c=IN IP4 0.0.0.0"));
        self.line(format_args!("a=mid:{}", mid.as_str()));
        let Transport {
            local,
            host,
            options,
            setup,
        } = self.transport;
        self.line(format_args!("a=ice-ufrag:{}", local.ufrag));
        self.line(format_args!("a=ice-pwd:{}", local.password.expose()));
        if !options.is_empty() {
            self.line(format_args!("a=ice-options:{}", options.join(" ")));
        }
        let digest = Digest(&host.fingerprint_sha256);
        self.line(format_args!("a=fingerprint:sha-256 {digest}"));
        self.line(format_args!("a=setup:{setup}"));
        if !std::mem::replace(&mut self.candidates_written, true) {
            for line in candidates(host) {
                self.line(format_args!("a={line}"));
            }
            self.line(format_args!("a=end-of-candidates"));
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.text
            .write_fmt(line)
            .expect("writing to a String does not fail");
        self.text.push_str("\r\n");
    }
}

/// Our host candidates over UDP (RFC 8839 §5.1), the first address preferred.
pub(super) fn candidates(host: &Host) -> impl Iterator<Item = String> {
    host.addresses.iter().zip(0_u32..).map(|(address, index)| {
        let ip = address.ip();
        let port = address.port();
        // RFC 8445 §5.1.2.1: type preference 126 for host, then local preference, component 1.
        let priority = (126 << 24) | ((65_535 - index.min(65_535)) << 8) | 255;
        let foundation = index + 1;
        format!("candidate:{foundation} 1 udp {priority} {ip} {port} typ host generation 0")
    })
}

/// A stream or track id as one word of an SDP line: what could end the word is replaced.
fn word(text: &str) -> String {
    if is_token(text, MSID_BYTES_MAX) {
        return text.to_owned();
    }
    let visible = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let word: String = text.chars().take(MSID_BYTES_MAX).map(visible).collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}
