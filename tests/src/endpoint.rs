//! A scripted participant: publishes Opus and three VP8 layers, receives, asks for what is
//! missing, and checks everything it is sent.

use crate::wire::{self, Rtp, extension, payload_type};
use bedside_srtp::{MasterKey, Opener, Profile, Sealer};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Something that must never happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(pub String);

/// What an endpoint has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Distinct RTP packets, retransmitted ones included.
    pub packets: u64,
    /// Packets that came as retransmissions.
    pub repaired: u64,
    /// Packets still missing before the last ones of each stream.
    pub missing: u64,
    /// Layer switches seen in the pictures.
    pub switches: u64,
    /// Whole frames that could be decoded.
    pub frames: u64,
    /// Key frames that the server asked this endpoint for.
    pub key_frames_asked: u64,
    /// Packets that the server asked this endpoint for.
    pub nacks_received: u64,
    /// Transport-wide feedback messages received.
    pub transport_feedback: u64,
    /// Receiver report blocks about what this endpoint publishes.
    pub report_blocks: u64,
}

/// One of the three layers, or the audio, that an endpoint publishes.
#[derive(Debug)]
struct Sending {
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    rid: Option<&'static str>,
    sequence: u64,
    rtx_sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
    key_wanted: bool,
    sent: VecDeque<(u16, Rtp)>,
}

/// A stream that an endpoint receives.
#[derive(Debug)]
struct Receiving {
    video: bool,
    rtx_ssrc: Option<u32>,
    /// Newest extended sequence number.
    newest: Option<u64>,
    /// Extended sequence numbers that are missing, with the requests made.
    missing: BTreeMap<u64, u8>,
    /// Received, not yet checked in order.
    waiting: BTreeMap<u64, Received>,
    /// Next to be checked.
    next: Option<u64>,
    last: Option<Received>,
    packets: u64,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    timestamp: u32,
    marker: bool,
    vp8: Option<wire::Vp8>,
    layer: u8,
}

/// The participant.
pub struct Endpoint {
    /// Stamped into every payload, to tell whose it is and from which room.
    stamp: (u16, u16),
    sealer: Sealer,
    profile: Profile,
    receive_key: MasterKey,
    /// One a source: a room of 50 has more of them than one opener has replay windows, and a
    /// browser keeps one for each.
    openers: BTreeMap<u32, Opener>,
    rtcp_opener: Opener,
    audio: Sending,
    layers: Vec<Sending>,
    receiving: BTreeMap<u32, Receiving>,
    rtx: BTreeMap<u32, u32>,
    transport_sequence: u16,
    outgoing: Vec<Vec<u8>>,
    figures: Figures,
    violations: Vec<Violation>,
    started: Instant,
    next_audio: Instant,
    next_video: Instant,
    next_report: Instant,
    next_nack: Instant,
}

const AUDIO_EVERY: Duration = Duration::from_millis(20);
const VIDEO_EVERY: Duration = Duration::from_millis(100);
const REPORT_EVERY: Duration = Duration::from_millis(1_000);
const NACK_EVERY: Duration = Duration::from_millis(40);
const NACK_TRIES_MAX: u8 = 12;
const PACKETS_PER_FRAME: [usize; 3] = [1, 2, 4];
const SENT_KEPT: usize = 256;

/// First SSRC of what participant `number` publishes; audio, then three layers with their RTX.
#[must_use]
pub(crate) fn published_ssrc(number: u16) -> u32 {
    0x1000_0000 + u32::from(number) * 16
}

impl Endpoint {
    /// A participant on keys that the server was given the other way round.
    ///
    /// # Panics
    /// If the keys are not of the profile.
    #[must_use]
    pub fn new(
        number: u16,
        room: u16,
        now: Instant,
        profile: Profile,
        send: &MasterKey,
        receive: MasterKey,
    ) -> Self {
        let first = published_ssrc(number);
        let sending = |ssrc, rtx_ssrc, rid| Sending {
            ssrc,
            rtx_ssrc,
            rid,
            // Close to the wrap, so that every run crosses it.
            sequence: 65_500,
            rtx_sequence: 7,
            timestamp: 1_000_000_u32.wrapping_mul(ssrc),
            picture: 0x7ff0,
            tl0: 250,
            key_wanted: true,
            sent: VecDeque::new(),
        };
        // Spread, so that not everybody speaks in the same instant.
        let offset = Duration::from_micros(u64::from(number) * 379 % 20_000);
        Self {
            stamp: (room, number),
            sealer: Sealer::new(profile, send).expect("a key of the profile"),
            profile,
            openers: BTreeMap::new(),
            rtcp_opener: Opener::new(profile, &receive).expect("a key of the profile"),
            receive_key: receive,
            audio: sending(first, None, None),
            layers: ["q", "h", "f"]
                .into_iter()
                .zip([1, 3, 5])
                .map(|(rid, n)| sending(first + n, Some(first + n + 1), Some(rid)))
                .collect(),
            receiving: BTreeMap::new(),
            rtx: BTreeMap::new(),
            transport_sequence: 0,
            outgoing: Vec::new(),
            figures: Figures::default(),
            violations: Vec::new(),
            started: now,
            next_audio: now + offset,
            next_video: now + offset,
            next_report: now + offset + REPORT_EVERY,
            next_nack: now + offset + NACK_EVERY,
        }
    }

    /// Says that a stream with these SSRCs will come.
    pub fn expect(&mut self, ssrc: u32, rtx_ssrc: Option<u32>) {
        if let Some(rtx) = rtx_ssrc {
            self.rtx.insert(rtx, ssrc);
        }
        self.receiving.insert(
            ssrc,
            Receiving {
                video: rtx_ssrc.is_some(),
                rtx_ssrc,
                newest: None,
                missing: BTreeMap::new(),
                waiting: BTreeMap::new(),
                next: None,
                last: None,
                packets: 0,
            },
        );
    }

    /// What was seen so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let missing = self
            .receiving
            .values()
            .map(|stream| stream.missing_before_tail())
            .sum();
        Figures {
            missing,
            ..self.figures
        }
    }

    /// What must never happen and did.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// SSRCs of expected streams that brought nothing.
    #[must_use]
    pub fn silent(&self) -> Vec<u32> {
        let silent = self
            .receiving
            .iter()
            .filter(|(_, stream)| stream.packets == 0);
        silent.map(|(&ssrc, _)| ssrc).collect()
    }

    /// Sealed datagrams to be sent.
    pub fn take_outgoing(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outgoing)
    }

    /// When [`Self::handle_timeout`] is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_audio
            .min(self.next_video)
            .min(self.next_report)
            .min(self.next_nack)
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next_audio {
            self.next_audio += AUDIO_EVERY;
            self.send_audio();
        }
        if now >= self.next_video {
            self.next_video += VIDEO_EVERY;
            self.send_video();
        }
        if now >= self.next_report {
            self.next_report += REPORT_EVERY;
            self.send_reports(now);
        }
        if now >= self.next_nack {
            self.next_nack += NACK_EVERY;
            self.send_nacks();
        }
    }

    fn send_audio(&mut self) {
        let level = if self.stamp.1.is_multiple_of(7) {
            20
        } else {
            90
        };
        let mut payload = self.stamped(9);
        payload.resize(80, 0x55);
        let audio = &mut self.audio;
        audio.timestamp = audio.timestamp.wrapping_add(960);
        let rtp = Rtp {
            payload_type: payload_type::OPUS,
            timestamp: audio.timestamp,
            extensions: vec![
                (extension::MID, b"0".to_vec()),
                (extension::AUDIO_LEVEL, vec![0x80 | level]),
            ],
            payload,
            ..Rtp::default()
        };
        self.send_media(None, rtp);
    }

    fn send_video(&mut self) {
        for (layer, packets_per_frame) in PACKETS_PER_FRAME.into_iter().enumerate() {
            let key = std::mem::take(&mut self.layers[layer].key_wanted);
            let sending = &mut self.layers[layer];
            sending.timestamp = sending.timestamp.wrapping_add(9_000);
            sending.picture = sending.picture.wrapping_add(1) & 0x7fff;
            sending.tl0 = sending.tl0.wrapping_add(1);
            let (picture, tl0, timestamp) = (sending.picture, sending.tl0, sending.timestamp);
            let rid = sending.rid.unwrap_or_default();
            let packets = packets_per_frame * if key { 3 } else { 1 };
            for packet in 0..packets {
                let mut body = self.stamped(u8::try_from(layer).expect("three layers"));
                body.resize(180 + 7 * packet, 0xaa);
                let rtp = Rtp {
                    payload_type: payload_type::VP8,
                    marker: packet + 1 == packets,
                    timestamp,
                    extensions: vec![
                        (extension::MID, b"1".to_vec()),
                        (extension::RID, rid.as_bytes().to_vec()),
                    ],
                    payload: wire::vp8(picture, tl0, packet == 0, key && packet == 0, &body),
                    ..Rtp::default()
                };
                self.send_media(Some(layer), rtp);
            }
        }
    }

    /// Room, participant, layer.
    fn stamped(&self, layer: u8) -> Vec<u8> {
        let mut body = self.stamp.0.to_be_bytes().to_vec();
        body.extend(self.stamp.1.to_be_bytes());
        body.push(layer);
        body
    }

    fn send_media(&mut self, layer: Option<usize>, mut rtp: Rtp) {
        let sending = match layer {
            Some(layer) => &mut self.layers[layer],
            None => &mut self.audio,
        };
        sending.sequence += 1;
        rtp.sequence = low16(sending.sequence);
        rtp.ssrc = sending.ssrc;
        sending.sent.push_back((rtp.sequence, rtp.clone()));
        if sending.sent.len() > SENT_KEPT {
            sending.sent.pop_front();
        }
        let index = sending.sequence;
        self.seal(rtp, index);
    }

    fn seal(&mut self, mut rtp: Rtp, index: u64) {
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let number = self.transport_sequence.to_be_bytes().to_vec();
        rtp.extensions.push((extension::TRANSPORT_CC, number));
        let header = rtp.header();
        let mut packet = header.clone();
        packet.resize(header.len() + rtp.payload.len() + 32, 0);
        let sealed = self
            .sealer
            .seal_rtp_into(&mut packet, header.len(), &rtp.payload, index, rtp.ssrc, 0)
            .expect("a new index");
        packet.truncate(sealed);
        self.outgoing.push(packet);
    }

    fn send_rtcp(&mut self, mut packet: Vec<u8>) {
        let plain = packet.len();
        packet.resize(plain + 32, 0);
        let sealed = self
            .sealer
            .seal_rtcp(&mut packet, plain)
            .expect("an index is left");
        packet.truncate(sealed);
        self.outgoing.push(packet);
    }

    fn send_reports(&mut self, now: Instant) {
        let elapsed = now.duration_since(self.started);
        let ntp_seconds = 3_900_000_000 + elapsed.as_secs();
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        let mut compound = Vec::new();
        for sending in std::iter::once(&self.audio).chain(&self.layers) {
            let mut body = sending.ssrc.to_be_bytes().to_vec();
            body.extend(((ntp_seconds << 32) | fraction).to_be_bytes());
            body.extend(sending.timestamp.to_be_bytes());
            body.extend([0; 8]);
            compound.extend(wire::rtcp_part(0, 200, &body));
        }
        self.send_rtcp(compound);
    }

    fn send_nacks(&mut self) {
        let mut compound = wire::rtcp_part(0, 201, &self.audio.ssrc.to_be_bytes());
        let bare = compound.len();
        for (ssrc, stream) in &mut self.receiving {
            let mut body = self.audio.ssrc.to_be_bytes().to_vec();
            body.extend(ssrc.to_be_bytes());
            for (&sequence, tries) in stream.missing.iter_mut().take(32) {
                if stream.video && *tries < NACK_TRIES_MAX {
                    *tries += 1;
                    body.extend(low16(sequence).to_be_bytes());
                    body.extend([0, 0]);
                }
            }
            if body.len() > 8 && compound.len() + body.len() < 1_100 {
                compound.extend(wire::rtcp_part(1, 205, &body));
            }
            // The stream came, but the start of its first key frame was lost.
            if stream.next.is_none() && stream.packets > 0 && compound.len() < 1_100 {
                let mut body = self.audio.ssrc.to_be_bytes().to_vec();
                body.extend(ssrc.to_be_bytes());
                compound.extend(wire::rtcp_part(1, 206, &body));
            }
        }
        if compound.len() > bare {
            self.send_rtcp(compound);
        }
    }

    /// A datagram from the server.
    pub fn receive(&mut self, mut datagram: Vec<u8>) {
        if matches!(datagram.get(1), Some(192..=223)) {
            match self.rtcp_opener.open_rtcp(&mut datagram) {
                Ok(plain) => self.receive_rtcp(&datagram[..plain]),
                Err(bedside_srtp::Error::Replayed) => {}
                Err(error) => self.violation(format!("RTCP that does not open: {error}")),
            }
            return;
        }
        let (Some(header), ssrc) = (wire::header_bytes(&datagram), wire::u32_at(&datagram, 8))
        else {
            return self.violation("a cut-off RTP header".to_owned());
        };
        let sequence = wire::u16_at(&datagram, 2);
        let opener = self.openers.entry(ssrc).or_insert_with(|| {
            Opener::new(self.profile, &self.receive_key).expect("a key of the profile")
        });
        match opener.open_rtp(&mut datagram, header, ssrc, sequence) {
            Ok(opened) => self.receive_rtp(&datagram[..opened.plain_bytes]),
            Err(bedside_srtp::Error::Replayed) => {}
            Err(error) => self.violation(format!("RTP that does not open: {error}")),
        }
    }

    fn receive_rtp(&mut self, packet: &[u8]) {
        let (ssrc, sequence) = (wire::u32_at(packet, 8), wire::u16_at(packet, 2));
        let payload = wire::payload(packet);
        let (media_ssrc, sequence, payload, repaired) = match self.rtx.get(&ssrc) {
            // RTX padding without an original packet (RFC 4588 §4).
            Some(_) if payload.len() < 2 => return,
            Some(&media) => (media, wire::u16_at(payload, 0), &payload[2..], true),
            None => (ssrc, sequence, payload, false),
        };
        let Some(stream) = self.receiving.get_mut(&media_ssrc) else {
            return self.violation(format!("a packet of unknown SSRC {ssrc:#x}"));
        };
        let (vp8, body) = if stream.video {
            match wire::parse_vp8(payload) {
                Some((vp8, body)) => (Some(vp8), body),
                None => return self.violation("a VP8 packet without a descriptor".to_owned()),
            }
        } else {
            (None, payload)
        };
        let room = wire::u16_at(body, 0);
        let received = Received {
            timestamp: wire::u32_at(packet, 4),
            marker: packet[1] & 0x80 != 0,
            vp8,
            layer: body.get(4).copied().unwrap_or(u8::MAX),
        };
        let fresh = stream.accept(sequence, received);
        self.figures.packets += u64::from(fresh);
        self.figures.repaired += u64::from(fresh && repaired);
        let checked = stream.check_in_order();
        self.figures.switches += checked.switches;
        self.figures.frames += checked.frames;
        if room != self.stamp.0 {
            self.violation(format!("a packet of room {room}"));
        }
        if let Some(text) = checked.violation {
            self.violation(format!("SSRC {media_ssrc:#x}: {text}"));
        }
    }

    fn receive_rtcp(&mut self, compound: &[u8]) {
        let mut resend = Vec::new();
        for (count, kind, part) in wire::rtcp(compound) {
            let media = wire::u32_at(part, 8);
            match (kind, count) {
                (201, _) => self.figures.report_blocks += u64::from(count),
                (200, _) => self.figures.report_blocks += u64::from(count),
                (205, 15) => self.figures.transport_feedback += 1,
                (205, 1) => resend.extend(wire::nacked(part).map(|sequence| (media, sequence))),
                (206, 1 | 4) => {
                    let target = if count == 4 {
                        wire::u32_at(part, 12)
                    } else {
                        media
                    };
                    for layer in &mut self.layers {
                        if layer.ssrc == target {
                            layer.key_wanted = true;
                            self.figures.key_frames_asked += 1;
                        }
                    }
                }
                _ => {}
            }
        }
        for (ssrc, sequence) in resend {
            self.figures.nacks_received += 1;
            self.resend(ssrc, sequence);
        }
    }

    fn resend(&mut self, ssrc: u32, sequence: u16) {
        let Some(layer) = self.layers.iter_mut().find(|layer| layer.ssrc == ssrc) else {
            return;
        };
        let (Some(rtx_ssrc), Some((_, original))) = (
            layer.rtx_ssrc,
            layer.sent.iter().find(|(sent, _)| *sent == sequence),
        ) else {
            return;
        };
        layer.rtx_sequence += 1;
        let index = layer.rtx_sequence;
        let mut rtp = original.clone();
        rtp.payload_type = payload_type::VP8_RTX;
        rtp.ssrc = rtx_ssrc;
        rtp.sequence = low16(index);
        for (id, _) in &mut rtp.extensions {
            if *id == extension::RID {
                *id = extension::REPAIRED_RID;
            }
        }
        let mut payload = sequence.to_be_bytes().to_vec();
        payload.extend(&rtp.payload);
        rtp.payload = payload;
        self.seal(rtp, index);
    }

    fn violation(&mut self, text: String) {
        // The first ones tell the story.
        if self.violations.len() < 20 {
            self.violations
                .push(Violation(format!("participant {}: {text}", self.stamp.1)));
        }
    }
}

#[derive(Default)]
struct Checked {
    switches: u64,
    frames: u64,
    violation: Option<String>,
}

impl Receiving {
    /// Takes a packet in; whether it was new.
    fn accept(&mut self, sequence: u16, received: Received) -> bool {
        let newest = *self
            .newest
            .get_or_insert_with(|| 65_536 + u64::from(sequence) - 1);
        let extended = extend(sequence, newest);
        if extended > newest {
            for missing in newest + 1..extended {
                self.missing.insert(missing, 0);
            }
            self.newest = Some(extended);
        } else if self.missing.remove(&extended).is_none() {
            return false;
        }
        self.packets += 1;
        let begins = received.vp8.is_none_or(|vp8| vp8.key);
        if self.next.is_none() && begins {
            self.next = Some(extended);
            self.missing = self.missing.split_off(&extended);
            self.waiting = self.waiting.split_off(&extended);
        }
        self.waiting.insert(extended, received);
        true
    }

    /// Checks everything up to the first gap.
    fn check_in_order(&mut self) -> Checked {
        let mut checked = Checked::default();
        while let Some(next) = self.next {
            let Some(received) = self.waiting.remove(&next) else {
                break;
            };
            self.next = Some(next + 1);
            self.check(received, &mut checked);
            self.last = Some(received);
        }
        checked
    }

    fn check(&self, now: Received, checked: &mut Checked) {
        checked.frames += u64::from(now.marker);
        let mut wrong = |text: String| {
            checked.violation.get_or_insert(text);
        };
        let Some(last) = self.last else { return };
        let elapsed = now.timestamp.wrapping_sub(last.timestamp);
        if elapsed > 90_000 * 20 {
            wrong(format!(
                "the timestamp goes from {} to {}",
                last.timestamp, now.timestamp
            ));
        }
        let (Some(before), Some(vp8)) = (last.vp8, now.vp8) else {
            return;
        };
        // A switch may cut the old layer's frame short: the key frame replaces it.
        let cut_short = last.layer != now.layer && vp8.key;
        let new_frame = last.marker || cut_short;
        if new_frame != vp8.start {
            wrong(format!(
                "a frame starts in the middle of another: {last:?} then {now:?}"
            ));
        }
        let step = vp8.picture.wrapping_sub(before.picture) & 0x7fff;
        if step != u16::from(new_frame) {
            wrong(format!(
                "the picture id goes from {} to {}",
                before.picture, vp8.picture
            ));
        }
        if vp8.tl0.wrapping_sub(before.tl0) != u8::from(new_frame) {
            wrong(format!("TL0PICIDX goes from {} to {}", before.tl0, vp8.tl0));
        }
        if new_frame && elapsed == 0 {
            wrong("two frames have one timestamp".to_owned());
        }
        if last.layer != now.layer {
            checked.switches += 1;
            if !vp8.key {
                wrong(format!(
                    "layer {} follows layer {} without a key frame",
                    now.layer, last.layer
                ));
            }
        }
    }

    /// Packets missing before the last ones, which may still be on their way.
    fn missing_before_tail(&self) -> u64 {
        let tail = self.newest.unwrap_or_default().saturating_sub(64);
        let counted = self.video && self.rtx_ssrc.is_some();
        u64::try_from(self.missing.range(..tail).count()).expect("few") * u64::from(counted)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower 16 bits are what is wanted"
)]
fn low16(index: u64) -> u16 {
    index as u16
}

/// The extended number nearest to `newest` whose lower 16 bits are `sequence`.
fn extend(sequence: u16, newest: u64) -> u64 {
    let distance = sequence.wrapping_sub(low16(newest)).cast_signed();
    newest.saturating_add_signed(i64::from(distance))
}
