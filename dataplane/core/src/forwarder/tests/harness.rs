//! Clients, rooms and time for the scenarios.

use crate::forwarder::{Forwarder, MediaDatagram, MediaKeys, MediaPeer};
use crate::rtcp;
use crate::rtp::{
    ExtensionForm, FixedHeader, Header, PADDING_FLAG, SequenceNumber, Timestamp, begin_header,
    elements, finish_header,
};
use crate::{Clock, PacketSink, Path};
use bedside_protocol::{
    Codec, Command, Encoding, Event, ExtensionIds, Generation, IceCredentials, Layer, Mid,
    PayloadTypes, Peer, PeerId, Relay, RoomId, Secret, Subscription, Track, TrackId, VideoContent,
};
use bedside_srtp::{Error, MasterKey, Opener, Profile, Sealer};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where virtual time begins.
pub(in crate::forwarder) fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other source; all that follows is counted from it"
    )]
    Instant::now()
}

pub(super) const ROOM: RoomId = RoomId(1);
pub(super) const UNIX_US: u64 = 1_800_000_000_000_000;

/// What publishers negotiated, and subscribers: nowhere the same ids.
pub(super) const PUBLISHER_IDS: ExtensionIds = ExtensionIds {
    mid: Some(1),
    rid: Some(2),
    repaired_rid: Some(3),
    audio_level: Some(4),
    transport_cc: Some(5),
    abs_send_time: Some(6),
    abs_capture_time: Some(7),
    playout_delay: Some(8),
    video_orientation: Some(9),
    dependency_descriptor: Some(10),
};
pub(super) const SUBSCRIBER_IDS: ExtensionIds = ExtensionIds {
    mid: Some(11),
    rid: None,
    repaired_rid: None,
    audio_level: Some(12),
    transport_cc: Some(1),
    abs_send_time: Some(2),
    abs_capture_time: Some(3),
    playout_delay: None,
    video_orientation: Some(5),
    dependency_descriptor: Some(13),
};

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) forwarder: Forwarder,
    pub(super) generation: Generation,
    pub(super) clients: BTreeMap<u64, Client>,
    /// What their datagrams come under.
    pub(super) names: BTreeMap<PeerId, MediaPeer>,
    /// Datagrams that the next [`World::flush`] brings.
    pub(super) waiting: Vec<(PeerId, Vec<u8>)>,
    pub(super) outbox: Outbox,
    pub(super) events: Vec<(RoomId, Event)>,
}

/// Everything sent since it was last looked at, in order.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) packets: Vec<(Path, Vec<u8>)>,
    reserved: Option<(Path, Vec<u8>)>,
    pub(super) full: bool,
}

impl PacketSink for Outbox {
    fn reserve(&mut self, path: Path, bytes_max: usize) -> Option<&mut [u8]> {
        if self.full {
            return None;
        }
        Some(&mut self.reserved.insert((path, vec![0xee; bytes_max])).1)
    }

    fn commit(&mut self, bytes: usize) {
        let (path, mut packet) = self.reserved.take().expect("reserved before");
        packet.truncate(bytes);
        self.packets.push((path, packet));
    }
}

/// One client's end of a transport.
pub(super) struct Client {
    pub(super) id: PeerId,
    pub(super) path: Path,
    pub(super) sealer: Sealer,
    opener: Opener,
    ids: ExtensionIds,
    /// Media that it received, in order.
    pub(super) received: Vec<Received>,
    /// Compounds that it received, opened.
    pub(super) compounds: Vec<Vec<u8>>,
    /// Packets that came a second time, as they came.
    pub(super) replayed: Vec<Vec<u8>>,
    pub(super) transport_sequence: u16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Received {
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    /// Extended sequence number, as SRTP counts it.
    pub(super) index: u64,
    pub(super) timestamp: u32,
    pub(super) extensions: Vec<(u8, Vec<u8>)>,
    pub(super) payload: Vec<u8>,
    /// Length of the sealed packet.
    pub(super) datagram_bytes: usize,
    pub(super) datagram: Vec<u8>,
}

impl Received {
    pub(super) fn extension(&self, id: u8) -> Option<&[u8]> {
        self.extensions
            .iter()
            .find(|(found, _)| *found == id)
            .map(|(_, data)| &data[..])
    }
}

/// A stream that a test publishes.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) peer: u64,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) mid: Option<&'static str>,
    pub(super) rid: Option<&'static str>,
    pub(super) repaired_rid: Option<&'static str>,
    /// Extended sequence number of the next packet.
    pub(super) next: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) level: Option<u8>,
    pub(super) extra: Vec<(u8, Vec<u8>)>,
    pub(super) padding: u8,
}

impl Stream {
    pub(super) fn new(peer: u64, ssrc: u32, payload_type: u8) -> Self {
        Self {
            peer,
            ssrc,
            payload_type,
            mid: None,
            rid: None,
            repaired_rid: None,
            next: 100,
            timestamp: 1_000,
            marker: false,
            level: None,
            extra: Vec::new(),
            padding: 0,
        }
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_seed(7)
    }

    pub(super) fn with_seed(seed: u8) -> Self {
        let begin = start();
        let clock = Clock {
            instant: begin,
            unix_us: UNIX_US,
        };
        let mut world = Self {
            now: begin,
            forwarder: Forwarder::new([seed; 32], clock),
            generation: Generation(1),
            clients: BTreeMap::new(),
            names: BTreeMap::new(),
            waiting: Vec::new(),
            outbox: Outbox::default(),
            events: Vec::new(),
        };
        world.room(ROOM);
        world
    }

    pub(super) fn room(&mut self, room: RoomId) {
        self.command_in(room, Command::EnsureRoom);
    }

    pub(super) fn command(&mut self, command: Command) {
        self.command_in(ROOM, command);
    }

    pub(super) fn command_in(&mut self, room: RoomId, command: Command) {
        self.forwarder
            .handle_command(self.now, self.generation, room, &command);
        self.drain();
    }

    pub(super) fn ensure_peer(&mut self, room: RoomId, id: u64, ids: ExtensionIds) {
        self.command_in(
            room,
            Command::EnsurePeer(Box::new(Peer {
                peer: PeerId(id),
                local: credentials(),
                remote: credentials(),
                remote_fingerprint_sha256: [0; 32],
                extensions: ids,
                transport_cc: true,
                data_channels: false,
                open_data_channels: false,
            })),
        );
    }

    /// A peer that is connected.
    pub(super) fn peer(&mut self, room: RoomId, id: u64, ids: ExtensionIds) {
        self.ensure_peer(room, id, ids);
        let path = Path {
            local: ([192, 0, 2, 1], 7_000).into(),
            remote: (
                [192, 0, 2, 100],
                u16::try_from(9_000 + id).expect("few peers"),
            )
                .into(),
        };
        let (up, down) = (key(id, 1), key(id, 2));
        self.clients.insert(
            id,
            Client {
                id: PeerId(id),
                path,
                sealer: Sealer::new(PROFILE, &up).expect("a key of the profile"),
                opener: Opener::new(PROFILE, &down).expect("a key of the profile"),
                ids,
                received: Vec::new(),
                compounds: Vec::new(),
                replayed: Vec::new(),
                transport_sequence: 0,
            },
        );
        let keys = MediaKeys {
            profile: PROFILE,
            receive: key(id, 1),
            send: key(id, 2),
        };
        let connected = self
            .forwarder
            .peer_connected(self.now, PeerId(id), keys, path);
        self.names.extend(connected.map(|name| (PeerId(id), name)));
        self.drain();
    }

    pub(super) fn publisher(&mut self, id: u64) {
        self.peer(ROOM, id, PUBLISHER_IDS);
    }

    pub(super) fn subscriber(&mut self, id: u64) {
        self.peer(ROOM, id, SUBSCRIBER_IDS);
    }

    pub(super) fn client(&mut self, id: u64) -> &mut Client {
        self.clients.get_mut(&id).expect("a known client")
    }

    /// What a client received since the last call.
    pub(super) fn take(&mut self, id: u64) -> Vec<Received> {
        std::mem::take(&mut self.client(id).received)
    }

    /// The compounds that a client received since the last call.
    pub(super) fn take_compounds(&mut self, id: u64) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.client(id).compounds)
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
            .into_iter()
            .map(|(_, event)| event)
            .collect()
    }

    /// Puts a packet of `stream` into the next batch.
    pub(super) fn queue(&mut self, stream: &mut Stream, payload: &[u8]) {
        let index = stream.next;
        stream.next += 1;
        self.queue_at(stream, index, payload);
    }

    /// Like [`World::queue`], with its own number: for what comes late.
    pub(super) fn queue_at(&mut self, stream: &Stream, index: u64, payload: &[u8]) {
        let client = self.clients.get_mut(&stream.peer).expect("a known client");
        let packet = client.seal(stream, index, payload);
        self.waiting.push((client.id, packet));
    }

    /// Numbers a packet and loses it on the way.
    pub(super) fn lose(&mut self, stream: &mut Stream, payload: &[u8]) {
        self.queue(stream, payload);
        self.waiting.pop();
    }

    /// One packet in a batch of its own.
    pub(super) fn send(&mut self, stream: &mut Stream, payload: &[u8]) {
        self.queue(stream, payload);
        self.flush();
    }

    /// Sends an RTCP compound.
    pub(super) fn control(&mut self, id: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let mut compound = Vec::new();
        write(&mut compound);
        let plain_bytes = compound.len();
        compound.resize(plain_bytes + PROFILE.rtcp_overhead_bytes(), 0);
        let client = self.client(id);
        let sealed_bytes = client
            .sealer
            .seal_rtcp(&mut compound, plain_bytes)
            .expect("sealable");
        compound.truncate(sealed_bytes);
        let id = client.id;
        self.waiting.push((id, compound));
        self.flush();
    }

    /// Hands over what waits, as one batch.
    pub(super) fn flush(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut batch: Vec<_> = waiting
            .iter_mut()
            .map(|(peer, payload)| MediaDatagram {
                peer: self.names[peer],
                payload,
            })
            .collect();
        self.forwarder
            .handle_batch(self.now, &mut batch, &mut self.outbox);
        self.drain();
    }

    /// Lets time pass, doing what is due when it is.
    pub(super) fn advance(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(next) = self.forwarder.poll_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.forwarder.handle_timeout(self.now, &mut self.outbox);
            self.drain();
        }
        self.now = until;
    }

    /// Opens what was sent at the clients that it was sent to.
    pub(super) fn drain(&mut self) {
        while let Some(event) = self.forwarder.poll_event() {
            self.events.push(event);
        }
        for (path, packet) in std::mem::take(&mut self.outbox.packets) {
            let client = self
                .clients
                .values_mut()
                .find(|client| client.path == path)
                .expect("sent to a path that somebody has");
            client.receive(packet);
        }
    }
}

impl Client {
    fn seal(&mut self, stream: &Stream, index: u64, payload: &[u8]) -> Vec<u8> {
        let transport_sequence = self.transport_sequence.to_be_bytes();
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let level = stream.level.map(|level| [0x80 | level]);
        let named = [
            (self.ids.mid, stream.mid.map(str::as_bytes)),
            (self.ids.rid, stream.rid.map(str::as_bytes)),
            (
                self.ids.repaired_rid,
                stream.repaired_rid.map(str::as_bytes),
            ),
            (self.ids.audio_level, level.as_ref().map(|level| &level[..])),
            (self.ids.transport_cc, Some(&transport_sequence[..])),
        ];
        let named = named.into_iter().filter_map(|(id, data)| id.zip(data));
        let extra = stream.extra.iter().map(|(id, data)| (*id, &data[..]));
        let elements: Vec<(u8, &[u8])> = named.chain(extra).collect();
        let form = if elements
            .iter()
            .all(|(id, data)| ExtensionForm::OneByte.fits(*id, data))
        {
            ExtensionForm::OneByte
        } else {
            ExtensionForm::TwoByte
        };
        let mut packet = Vec::new();
        begin_header(
            &mut packet,
            &FixedHeader {
                marker: stream.marker,
                payload_type: stream.payload_type,
                sequence: SequenceNumber::of(index),
                timestamp: Timestamp(stream.timestamp),
                ssrc: stream.ssrc,
            },
            form,
        );
        for (id, data) in elements {
            form.write_element(&mut packet, id, data);
        }
        finish_header(&mut packet, 0);
        let header_bytes = packet.len();
        let padding_bytes = usize::from(stream.padding);
        if padding_bytes > 0 {
            packet[0] |= PADDING_FLAG;
        }
        packet.resize(
            header_bytes + payload.len() + padding_bytes + PROFILE.rtp_overhead_bytes(),
            0,
        );
        let sealed_bytes = self
            .sealer
            .seal_rtp_into(
                &mut packet,
                header_bytes,
                payload,
                index,
                stream.ssrc,
                padding_bytes,
            )
            .expect("sealable");
        packet.truncate(sealed_bytes);
        packet
    }

    fn receive(&mut self, mut packet: Vec<u8>) {
        let datagram = packet.clone();
        if (192..=223).contains(&packet[1]) {
            let plain_bytes = self.opener.open_rtcp(&mut packet).expect("authentic");
            packet.truncate(plain_bytes);
            assert!(
                rtcp::packets(&packet).all(|packet| packet.is_ok()),
                "a malformed compound"
            );
            assert!(packet.len() <= crate::limits::COMPOUND_BYTES_MAX);
            self.compounds.push(packet);
            return;
        }
        let header = Header::parse(&packet).expect("an RTP header");
        let opened =
            match self
                .opener
                .open_rtp(&mut packet, header.bytes, header.ssrc, header.sequence.0)
            {
                Ok(opened) => opened,
                Err(Error::Replayed) => {
                    self.replayed.push(datagram);
                    return;
                }
                Err(error) => panic!("{error}"),
            };
        let payload = header
            .payload(&packet, opened.plain_bytes)
            .expect("padding within the payload");
        self.received.push(Received {
            ssrc: header.ssrc,
            payload_type: header.payload_type,
            marker: header.marker,
            index: opened.index,
            timestamp: header.timestamp.0,
            extensions: elements(header.extension_profile, header.extension(&packet))
                .map(|(id, data)| (id, data.to_vec()))
                .collect(),
            payload: payload.to_vec(),
            datagram_bytes: datagram.len(),
            datagram,
        });
    }
}

pub(super) fn mid(value: &str) -> Mid {
    Mid::new(value).expect("short ASCII")
}

pub(super) fn encoding(layer: Layer, rid: Option<&str>) -> Encoding {
    Encoding {
        layer,
        rid: rid.map(mid),
        ssrc: None,
        rtx_ssrc: None,
    }
}

/// An audio track on section "a", payload type 111, RED 63.
pub(super) fn audio_track(track: u64, publisher: u64) -> Track {
    Track {
        track: TrackId(track),
        publisher: PeerId(publisher),
        mid: mid("a"),
        codec: Codec::Opus,
        payload_types: PayloadTypes {
            media: 111,
            rtx: None,
        },
        red_payload_type: Some(63),
        encodings: vec![encoding(Layer::Low, None)],
        nack: true,
        full_intra: false,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::None,
    }
}

/// A VP8 track on section "v", payload types 96 and 97, with the layers q, h and f.
pub(super) fn video_track(track: u64, publisher: u64) -> Track {
    Track {
        track: TrackId(track),
        publisher: PeerId(publisher),
        mid: mid("v"),
        codec: Codec::Vp8,
        payload_types: PayloadTypes {
            media: 96,
            rtx: Some(97),
        },
        red_payload_type: None,
        encodings: vec![
            encoding(Layer::Low, Some("q")),
            encoding(Layer::Medium, Some("h")),
            encoding(Layer::High, Some("f")),
        ],
        nack: true,
        full_intra: false,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::None,
    }
}

/// A subscription with the SSRC 1000 * subscriber + 10 * track, RTX one above, payload types 100,
/// 101.
pub(super) fn subscription(subscriber: u64, track: &Track) -> Subscription {
    let ssrc = u32::try_from(1_000 * subscriber + 10 * track.track.0).expect("small ids");
    let video = track.payload_types.rtx.is_some();
    Subscription {
        subscriber: PeerId(subscriber),
        track: track.track,
        mid: mid("s"),
        ssrc,
        rtx_ssrc: video.then_some(ssrc + 1),
        payload_types: PayloadTypes {
            media: 100,
            rtx: video.then_some(101),
        },
        red_payload_type: None,
        nack: true,
        layer_max: Layer::High,
        paused: false,
        priority: 0,
        frame_rate_max: None,
    }
}

/// A stream of [`audio_track`].
pub(super) fn audio_stream(peer: u64) -> Stream {
    Stream {
        mid: Some("a"),
        ..Stream::new(peer, 0xa0, 111)
    }
}

/// A stream of one layer of [`video_track`]; each begins at numbers of its own.
pub(super) fn video_stream(peer: u64, layer: Layer) -> Stream {
    let index = u32::try_from(layer.index()).expect("three");
    Stream {
        mid: Some("v"),
        rid: Some(["q", "h", "f"][layer.index()]),
        next: 1_000 + 5_000 * u64::from(index),
        timestamp: 70_000 + 1_000_000 * index,
        ..Stream::new(peer, 0xb0 + index, 96)
    }
}

/// A VP8 packet: the only one of its frame unless `starts` is false.
pub(super) fn vp8(key: bool, starts: bool, picture_id: u16, tl0: u8, bytes: usize) -> Vec<u8> {
    let [high, low] = (picture_id | 0x8000).to_be_bytes();
    let first = if starts { 0x90 } else { 0x80 };
    let mut payload = vec![first, 0xe0, high, low, tl0, 0x20];
    payload.push(u8::from(!key));
    payload.resize(7 + bytes, 0x5a);
    payload
}

/// Picture id, TL0PICIDX and whether it is a key frame, of a payload made by [`vp8`].
pub(super) fn vp8_counters(payload: &[u8]) -> (u16, u8, bool) {
    let picture_id = u16::from_be_bytes([payload[2] & 0x7f, payload[3]]);
    (picture_id, payload[4], payload[6] & 1 == 0)
}

/// REMB (`draft-alvestrand-rmcat-remb-03` §2.2) about no stream in particular.
pub(super) fn write_receiver_estimate(out: &mut Vec<u8>, bps: u64) {
    rtcp::write_receiver_report(out, 7, &[]);
    let exponent = (64 - bps.leading_zeros()).saturating_sub(18);
    let mantissa = u32::try_from(bps >> exponent).expect("18 bits");
    let [_, m0, m1, m2] = mantissa.to_be_bytes();
    let exponent = u8::try_from(exponent).expect("6 bits");
    out.extend_from_slice(&[0x8f, 206, 0, 4, 0, 0, 0, 7, 0, 0, 0, 0]);
    out.extend_from_slice(b"REMB");
    out.extend_from_slice(&[0, exponent << 2 | m0, m1, m2]);
}

fn credentials() -> IceCredentials {
    IceCredentials {
        ufrag: "ufrag".to_owned(),
        password: Secret::new("password-of-22-characters".to_owned()),
    }
}

fn key(id: u64, direction: u8) -> MasterKey {
    let fill = id.to_be_bytes()[7];
    MasterKey::new(PROFILE, &[fill ^ (direction << 6); 16], &[fill; 12]).expect("right lengths")
}

const PROFILE: Profile = Profile::AeadAes128Gcm;
