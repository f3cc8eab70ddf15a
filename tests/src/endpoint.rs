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
    /// The greatest loss that those about its audio told of, in 1/256.
    pub told_loss: u8,
    /// Packets of audio that never came, before the last ones of each stream.
    pub audio_missing: u64,
    /// How far apart sound and pictures of one publisher ever were, by the sender reports that came
    /// with them and compared with when they were captured.
    pub skew_us_max: u64,
}

/// A packet of audio that was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// When it was captured, since the start.
    pub captured: Duration,
    /// How long it was under way.
    pub delay: Duration,
}

/// A frame that was complete, with all before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// When, since the start.
    pub at: Duration,
    /// Of which layer it is, from 0.
    pub layer: u8,
}

/// What an endpoint publishes as video: three layers of VP8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Video {
    /// Between two frames.
    pub every: Duration,
    /// Bytes of the body of a frame of each layer; a key frame has three times as many.
    pub frame_bytes: [usize; 3],
}

impl Video {
    /// Ten small frames a second: for rooms of many.
    pub const SMALL: Self = Self {
        every: Duration::from_millis(100),
        frame_bytes: [180, 360, 720],
    };
    /// 25 frames a second at about 150, 500 and 1,700 kbit/s.
    pub const CAMERA: Self = Self {
        every: Duration::from_millis(40),
        frame_bytes: [750, 2_500, 8_500],
    };
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
    clock_hz: u32,
    /// When what the timestamp names was captured.
    captured: Instant,
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
    first: u64,
    /// The sender's clock, in microseconds, and its timestamp, of the last sender report.
    clock: Option<(u64, u32)>,
    /// What the receiver reports count from.
    reported: (u64, u64),
    repaired: u64,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    timestamp: u32,
    marker: bool,
    vp8: Option<wire::Vp8>,
    layer: u8,
}

/// What an endpoint has of one publisher's streams: how far the sender reports are off the truth, in
/// microseconds.
#[derive(Clone, Copy, Default, Debug)]
struct Offsets {
    audio: Option<i64>,
    video: Option<i64>,
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
    origin: Instant,
    video: Video,
    /// Answers with transport-wide feedback.
    gives_feedback: bool,
    /// Arrivals that were not fed back, by extended transport-wide sequence number.
    arrivals: BTreeMap<u64, u64>,
    next_arrival: Option<u64>,
    feedback_count: u8,
    offsets: BTreeMap<u16, Offsets>,
    heard: Vec<Heard>,
    shown: Vec<Shown>,
    next_feedback: Instant,
    next_audio: Instant,
    next_video: Instant,
    next_report: Instant,
    next_nack: Instant,
}

const AUDIO_EVERY: Duration = Duration::from_millis(20);
const FEEDBACK_EVERY: Duration = Duration::from_millis(50);
const REPORT_EVERY: Duration = Duration::from_millis(1_000);
const NACK_EVERY: Duration = Duration::from_millis(40);
const NACK_TRIES_MAX: u8 = 12;
const PACKET_BYTES_MAX: usize = 1_100;
/// Feedback about more packets would not fit into a datagram.
const FEEDBACK_PACKETS_MAX: usize = 300;
/// On the clock that all endpoints share.
const NTP_SECONDS: u64 = 3_900_000_000;
const SENT_KEPT: usize = 256;

/// First SSRC of what participant `number` publishes; audio, then three layers with their RTX.
#[must_use]
pub(crate) fn published_ssrc(number: u16) -> u32 {
    0x1000_0000 + u32::from(number) * 16
}

impl Endpoint {
    /// A participant on keys that the server was given the other way round. Times are told since
    /// an origin, which is the first of the two instants; the second is now.
    ///
    /// # Panics
    /// If the keys are not of the profile.
    #[must_use]
    pub fn new(
        number: u16,
        room: u16,
        (origin, now): (Instant, Instant),
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
            clock_hz: if rid.is_some() { 90_000 } else { 48_000 },
            captured: now,
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
            origin,
            video: Video::SMALL,
            gives_feedback: false,
            arrivals: BTreeMap::new(),
            next_arrival: None,
            feedback_count: 0,
            offsets: BTreeMap::new(),
            heard: Vec::new(),
            shown: Vec::new(),
            next_feedback: now + offset + FEEDBACK_EVERY,
            next_audio: now + offset,
            next_video: now + offset,
            next_report: now + offset + REPORT_EVERY,
            next_nack: now + offset + NACK_EVERY,
        }
    }

    /// Publishes other video, and answers with transport-wide feedback.
    pub fn behave(&mut self, video: Video, gives_feedback: bool) {
        (self.video, self.gives_feedback) = (video, gives_feedback);
    }

    /// Every packet of audio that came, in the order of arrival.
    #[must_use]
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// Every frame of video, in order.
    #[must_use]
    pub fn shown(&self) -> &[Shown] {
        &self.shown
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
                first: 0,
                clock: None,
                reported: (0, 0),
                repaired: 0,
            },
        );
    }

    /// What was seen so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let missing = self
            .receiving
            .values()
            .filter(|stream| stream.video && stream.rtx_ssrc.is_some())
            .map(Receiving::missing_before_tail)
            .sum();
        let audio_missing = self
            .receiving
            .values()
            .filter(|stream| !stream.video)
            .map(Receiving::missing_before_tail)
            .sum();
        Figures {
            missing,
            audio_missing,
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
            .min(self.next_feedback)
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next_audio {
            let captured = self.next_audio;
            self.next_audio += AUDIO_EVERY;
            self.send_audio(captured);
        }
        if now >= self.next_video {
            let captured = self.next_video;
            self.next_video += self.video.every;
            self.send_video(captured);
        }
        if now >= self.next_report {
            self.next_report += REPORT_EVERY;
            self.send_reports(now);
        }
        if now >= self.next_nack {
            self.next_nack += NACK_EVERY;
            self.send_nacks();
        }
        if now >= self.next_feedback {
            self.next_feedback += FEEDBACK_EVERY;
            self.send_feedback();
        }
    }

    fn send_audio(&mut self, captured: Instant) {
        let level = if self.stamp.1.is_multiple_of(7) {
            20
        } else {
            90
        };
        let mut payload = self.stamped(9, captured);
        payload.resize(80, 0x55);
        let audio = &mut self.audio;
        audio.timestamp = audio.timestamp.wrapping_add(960);
        audio.captured = captured;
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

    fn send_video(&mut self, captured: Instant) {
        let ticks = u32::try_from(self.video.every.as_micros() * 9 / 100).expect("short");
        for (layer, frame_bytes) in self.video.frame_bytes.into_iter().enumerate() {
            let key = std::mem::take(&mut self.layers[layer].key_wanted);
            let sending = &mut self.layers[layer];
            sending.timestamp = sending.timestamp.wrapping_add(ticks);
            sending.captured = captured;
            sending.picture = sending.picture.wrapping_add(1) & 0x7fff;
            sending.tl0 = sending.tl0.wrapping_add(1);
            let (picture, tl0, timestamp) = (sending.picture, sending.tl0, sending.timestamp);
            let rid = sending.rid.unwrap_or_default();
            let frame_bytes = frame_bytes * if key { 3 } else { 1 };
            // At least as many packets as the layer's place, so that small frames have some too.
            let packets = frame_bytes.div_ceil(PACKET_BYTES_MAX).max(layer + 1);
            for packet in 0..packets {
                let mut body = self.stamped(u8::try_from(layer).expect("three layers"), captured);
                body.resize(
                    (frame_bytes / packets).max(body.len()) + 7 * (packet % 4),
                    0xaa,
                );
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

    /// Room, participant, layer, time of capture.
    fn stamped(&self, layer: u8, captured: Instant) -> Vec<u8> {
        let mut body = self.stamp.0.to_be_bytes().to_vec();
        body.extend(self.stamp.1.to_be_bytes());
        body.push(layer);
        body.extend(micros(captured - self.origin).to_be_bytes());
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
        let elapsed = now - self.origin;
        let ntp_seconds = NTP_SECONDS + elapsed.as_secs();
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        let mut compound = Vec::new();
        for sending in std::iter::once(&self.audio).chain(&self.layers) {
            let since = micros(now.saturating_duration_since(sending.captured));
            let ticks = since * u64::from(sending.clock_hz) / 1_000_000;
            let timestamp = sending
                .timestamp
                .wrapping_add(u32::try_from(ticks).expect("short"));
            let mut body = sending.ssrc.to_be_bytes().to_vec();
            body.extend(((ntp_seconds << 32) | fraction).to_be_bytes());
            body.extend(timestamp.to_be_bytes());
            body.extend([0; 8]);
            compound.extend(wire::rtcp_part(0, 200, &body));
        }
        self.send_rtcp(compound);
        let blocks: Vec<_> = self
            .receiving
            .iter_mut()
            .filter_map(|(ssrc, stream)| stream.report(*ssrc))
            .collect();
        for some in blocks.chunks(31) {
            let mut body = self.audio.ssrc.to_be_bytes().to_vec();
            body.extend(some.iter().flatten());
            let count = u8::try_from(some.len()).expect("31 at most");
            self.send_rtcp(wire::rtcp_part(count, 201, &body));
        }
    }

    /// What arrived since the last time, and what did not.
    fn send_feedback(&mut self) {
        let (Some(from), Some((&newest, _))) = (self.next_arrival, self.arrivals.last_key_value())
        else {
            return;
        };
        let statuses: Vec<_> = (from..=newest)
            .map(|number| self.arrivals.get(&number).copied())
            .collect();
        for (part, statuses) in (0..).zip(statuses.chunks(FEEDBACK_PACKETS_MAX)) {
            let base = low16(from + part * FEEDBACK_PACKETS_MAX as u64);
            let ssrc = self.audio.ssrc;
            let count = self.feedback_count;
            self.feedback_count = count.wrapping_add(1);
            let mut compound = wire::rtcp_part(0, 201, &ssrc.to_be_bytes());
            compound.extend(wire::transport_feedback(ssrc, 0, count, base, statuses));
            self.send_rtcp(compound);
        }
        self.arrivals.clear();
        self.next_arrival = Some(newest + 1);
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
    pub fn receive(&mut self, now: Instant, mut datagram: Vec<u8>) {
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
            Ok(opened) => self.receive_rtp(now, &datagram[..opened.plain_bytes]),
            Err(bedside_srtp::Error::Replayed) => {}
            Err(error) => self.violation(format!("RTP that does not open: {error}")),
        }
    }

    /// Notes when a packet arrived, for the feedback.
    fn arrived(&mut self, now: Instant, packet: &[u8]) {
        let number = wire::extension_value(packet, extension::TRANSPORT_CC);
        let Some(number) = number.filter(|_| self.gives_feedback) else {
            return;
        };
        let number = wire::u16_at(number, 0);
        // A number that is left out of feedback because it came after it counts as lost.
        let next = *self
            .next_arrival
            .get_or_insert_with(|| 65_536 + u64::from(number));
        let number = extend(number, next);
        if number >= next {
            let ticks = micros(now - self.origin) / 250;
            self.arrivals.entry(number).or_insert(ticks);
        }
    }

    fn receive_rtp(&mut self, now: Instant, packet: &[u8]) {
        self.arrived(now, packet);
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
        let captured = wire::u64_at(body, 5);
        let clock_hz = if stream.video { 90_000 } else { 48_000 };
        let offset = stream.clock.map(|(us, timestamp)| {
            let ahead = received.timestamp.wrapping_sub(timestamp).cast_signed();
            us.cast_signed() + i64::from(ahead) * 1_000_000 / clock_hz - captured.cast_signed()
        });
        if fresh && !repaired && offset.is_some() {
            let offsets = self.offsets.entry(wire::u16_at(body, 2)).or_default();
            if stream.video {
                offsets.video = offset;
            } else {
                offsets.audio = offset;
            }
            if let (Some(audio), Some(video)) = (offsets.audio, offsets.video) {
                let skew = audio.abs_diff(video);
                self.figures.skew_us_max = self.figures.skew_us_max.max(skew);
            }
        }
        if fresh && !stream.video {
            let captured = Duration::from_micros(captured);
            self.heard.push(Heard {
                captured,
                delay: (now - self.origin).saturating_sub(captured),
            });
        }
        stream.repaired += u64::from(fresh && repaired);
        self.figures.packets += u64::from(fresh);
        self.figures.repaired += u64::from(fresh && repaired);
        let checked = stream.check_in_order();
        self.figures.switches += checked.switches;
        self.figures.frames += checked.frames;
        let at = now - self.origin;
        if stream.video {
            let shown = checked.layers.iter().map(|&layer| Shown { at, layer });
            self.shown.extend(shown);
        }
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
                (201, _) => {
                    self.figures.report_blocks += u64::from(count);
                    let blocks = part.get(8..).unwrap_or_default().chunks_exact(24);
                    for block in blocks.filter(|it| wire::u32_at(it, 0) == self.audio.ssrc) {
                        self.figures.told_loss = self.figures.told_loss.max(block[4]);
                    }
                }
                (200, _) => {
                    self.figures.report_blocks += u64::from(count);
                    if let Some(stream) = self.receiving.get_mut(&wire::u32_at(part, 4)) {
                        let ntp = wire::u64_at(part, 8);
                        let fraction = ((ntp & 0xffff_ffff) * 1_000_000) >> 32;
                        let us = ((ntp >> 32) - NTP_SECONDS) * 1_000_000 + fraction;
                        stream.clock = Some((us, wire::u32_at(part, 16)));
                    }
                }
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
    /// Of the frames.
    layers: Vec<u8>,
    violation: Option<String>,
}

impl Receiving {
    /// Takes a packet in; whether it was new.
    fn accept(&mut self, sequence: u16, received: Received) -> bool {
        let newest = *self
            .newest
            .get_or_insert_with(|| 65_536 + u64::from(sequence) - 1);
        if self.packets == 0 {
            self.first = newest + 1;
        }
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
        checked.layers.extend(now.marker.then_some(now.layer));
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

    /// A block of a receiver report (RFC 3550 §6.4.1): what a retransmission restored was lost.
    fn report(&mut self, ssrc: u32) -> Option<Vec<u8>> {
        let newest = self.newest?;
        let expected = newest + 1 - self.first;
        let received = self.packets.saturating_sub(self.repaired);
        let lost = expected.saturating_sub(received);
        let since = expected - self.reported.0;
        let lost_since = lost.saturating_sub(self.reported.1);
        self.reported = (expected, lost);
        let fraction = (lost_since * 256).checked_div(since).unwrap_or(0).min(255);
        let mut block = ssrc.to_be_bytes().to_vec();
        let word = fraction << 24 | lost.min(0x7f_ffff);
        block.extend(u32::try_from(word).expect("32 bits").to_be_bytes());
        block.extend(&newest.to_be_bytes()[4..]);
        block.extend([0; 12]);
        Some(block)
    }

    /// Packets missing before the last ones, which may still be on their way.
    fn missing_before_tail(&self) -> u64 {
        let tail = self.newest.unwrap_or_default().saturating_sub(64);
        u64::try_from(self.missing.range(..tail).count()).expect("few")
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a run is short")
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
