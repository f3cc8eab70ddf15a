//! What a browser says in SDP, as far as rooms care: enough lines to be accepted, written from
//! scratch, the same for the same input.

use std::fmt::Write as _;

/// A client's side of one peer connection.
#[derive(Clone)]
pub(super) struct Browser {
    pub(super) sections: Vec<Section>,
    /// Grows with each ICE restart.
    pub(super) ice: u32,
    /// Differs between participants.
    pub(super) seed: u8,
    version: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Section {
    pub(super) kind: Kind,
    pub(super) direction: &'static str,
    /// `msid` track id of what is sent.
    pub(super) cid: Option<String>,
    /// RIDs that are sent, lowest first.
    pub(super) rids: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Data,
    Audio,
    Video,
}

impl Section {
    pub(super) fn receiving(kind: Kind) -> Self {
        Self {
            kind,
            direction: "recvonly",
            cid: None,
            rids: &[],
        }
    }

    pub(super) fn sending(kind: Kind, cid: &str) -> Self {
        Self {
            kind,
            direction: "sendonly",
            cid: Some(cid.to_owned()),
            rids: if kind == Kind::Video {
                &["q", "h", "f"]
            } else {
                &[]
            },
        }
    }
}

impl Browser {
    /// LiveKit's first offer: data channels and places for three audio and three video tracks.
    pub(super) fn new(seed: u8) -> Self {
        let mut sections = vec![Section {
            kind: Kind::Data,
            direction: "sendrecv",
            cid: None,
            rids: &[],
        }];
        sections.extend(vec![Section::receiving(Kind::Audio); 3]);
        sections.extend(vec![Section::receiving(Kind::Video); 3]);
        Self {
            sections,
            ice: 1,
            seed,
            version: 0,
        }
    }

    /// Data channels only: the publisher's connection of the older mode.
    pub(super) fn publisher(seed: u8) -> Self {
        let mut browser = Self::new(seed);
        browser.sections.truncate(1);
        browser
    }

    pub(super) fn offer(&mut self) -> String {
        self.version += 1;
        let mut sdp = self.header((0..self.sections.len()).map(|index| index.to_string()));
        for (index, section) in self.sections.iter().enumerate() {
            self.section(&mut sdp, section, &index.to_string(), "actpass");
        }
        sdp
    }

    /// Agrees to everything that an offer sends.
    pub(super) fn answer(&mut self, offer: &str) -> String {
        self.version += 1;
        let sections = read(offer);
        let mut sdp = self.header(sections.iter().map(|section| section.mid.clone()));
        for offered in &sections {
            if offered.kind == Kind::Data {
                let data = Section {
                    kind: Kind::Data,
                    direction: "sendrecv",
                    cid: None,
                    rids: &[],
                };
                self.section(&mut sdp, &data, &offered.mid, "active");
                continue;
            }
            let name = if offered.kind == Kind::Audio {
                "audio"
            } else {
                "video"
            };
            write!(sdp, "m={name} 9 UDP/TLS/RTP/SAVPF {}\r\n", offered.formats).unwrap();
            self.transport(&mut sdp, &offered.mid, "active");
            let direction = match offered.direction.as_str() {
                "sendonly" => "recvonly",
                _ => "inactive",
            };
            write!(sdp, "a={direction}\r\na=rtcp-mux\r\n").unwrap();
            for line in &offered.mirrored {
                write!(sdp, "{line}\r\n").unwrap();
            }
        }
        sdp
    }

    fn header(&self, mids: impl Iterator<Item = String>) -> String {
        let mids: Vec<String> = mids.collect();
        format!(
            "v=0\r\no=- 4611731400430051336 {} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
             a=group:BUNDLE {}\r\na=msid-semantic: WMS\r\n",
            self.version,
            mids.join(" ")
        )
    }

    fn transport(&self, sdp: &mut String, mid: &str, setup: &str) {
        let byte = format!("{:02X}", self.seed);
        let fingerprint = vec![byte; 32].join(":");
        write!(
            sdp,
            "c=IN IP4 0.0.0.0\r\na=ice-ufrag:u{:03}{:03}\r\na=ice-pwd:{:032}\r\n\
             a=ice-options:trickle\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:{setup}\r\n\
             a=mid:{mid}\r\n",
            self.seed, self.ice, self.ice
        )
        .unwrap();
    }

    fn section(&self, sdp: &mut String, section: &Section, mid: &str, setup: &str) {
        match section.kind {
            Kind::Data => {
                sdp.push_str("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
                self.transport(sdp, mid, setup);
                sdp.push_str("a=sctp-port:5000\r\na=max-message-size:262144\r\n");
            }
            Kind::Audio => {
                sdp.push_str("m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n");
                self.transport(sdp, mid, setup);
                sdp.push_str(
                    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
                     a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n",
                );
                Self::directed(sdp, section);
                sdp.push_str(
                    "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
                     a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n\
                     a=fmtp:63 111/111\r\n",
                );
            }
            Kind::Video => {
                sdp.push_str("m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103\r\n");
                self.transport(sdp, mid, setup);
                sdp.push_str(
                    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
                     a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
                     a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n\
                     a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n",
                );
                Self::directed(sdp, section);
                for (media, rtx, name, fmtp) in [
                    (96, 97, "VP8", ""),
                    (
                        102,
                        103,
                        "H264",
                        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
                    ),
                ] {
                    write!(
                        sdp,
                        "a=rtpmap:{media} {name}/90000\r\na=rtcp-fb:{media} transport-cc\r\n\
                         a=rtcp-fb:{media} ccm fir\r\na=rtcp-fb:{media} nack\r\n\
                         a=rtcp-fb:{media} nack pli\r\n"
                    )
                    .unwrap();
                    if !fmtp.is_empty() {
                        write!(sdp, "a=fmtp:{media} {fmtp}\r\n").unwrap();
                    }
                    write!(
                        sdp,
                        "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={media}\r\n"
                    )
                    .unwrap();
                }
                if !section.rids.is_empty() {
                    for rid in section.rids {
                        write!(sdp, "a=rid:{rid} send\r\n").unwrap();
                    }
                    write!(sdp, "a=simulcast:send {}\r\n", section.rids.join(";")).unwrap();
                }
            }
        }
    }

    fn directed(sdp: &mut String, section: &Section) {
        write!(sdp, "a={}\r\n", section.direction).unwrap();
        if let Some(cid) = &section.cid {
            write!(sdp, "a=msid:stream {cid}\r\n").unwrap();
        }
        sdp.push_str("a=rtcp-mux\r\na=rtcp-rsize\r\n");
    }
}

/// A section of a description that came from us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Described {
    pub(super) kind: Kind,
    pub(super) mid: String,
    pub(super) direction: String,
    pub(super) msid: Option<(String, String)>,
    pub(super) ufrag: String,
    formats: String,
    mirrored: Vec<String>,
}

/// Reads what the scenarios look at.
pub(super) fn read(sdp: &str) -> Vec<Described> {
    let mut sections: Vec<Described> = Vec::new();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Kind::Audio,
                Some("video") => Kind::Video,
                _ => Kind::Data,
            };
            sections.push(Described {
                kind,
                mid: String::new(),
                direction: String::new(),
                msid: None,
                ufrag: String::new(),
                formats: words.skip(2).collect::<Vec<_>>().join(" "),
                mirrored: Vec::new(),
            });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        let Some(attribute) = line.strip_prefix("a=") else {
            continue;
        };
        match attribute.split_once(':').unwrap_or((attribute, "")) {
            ("mid", mid) => section.mid = mid.to_owned(),
            ("ice-ufrag", ufrag) => section.ufrag = ufrag.to_owned(),
            ("msid", ids) => {
                section.msid = ids
                    .split_once(' ')
                    .map(|(stream, track)| (stream.to_owned(), track.to_owned()));
            }
            (direction @ ("sendonly" | "recvonly" | "sendrecv" | "inactive"), "") => {
                section.direction = direction.to_owned();
            }
            ("rtpmap" | "fmtp" | "rtcp-fb" | "extmap", _) => {
                section.mirrored.push(line.to_owned());
            }
            _ => {}
        }
    }
    sections
}

/// Streams that a description sends: MID, stream id and track id.
pub(super) fn sent(sdp: &str) -> Vec<(String, String, String)> {
    read(sdp)
        .into_iter()
        .filter(|section| matches!(section.direction.as_str(), "sendonly" | "sendrecv"))
        .filter_map(|section| {
            let (stream, track) = section.msid?;
            Some((section.mid, stream, track))
        })
        .collect()
}
