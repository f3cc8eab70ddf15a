//! A room with video publishers and subscribers in memory, for measuring.

use bedside_core::forwarder::{Forwarder, MediaDatagram, MediaKeys};
use bedside_core::{Clock, PacketSink, Path};
use bedside_protocol::{
    Codec, Command, Encoding, ExtensionIds, Generation, IceCredentials, Layer, Mid, PayloadTypes,
    Peer, PeerId, Relay, RoomId, Secret, Subscription, Track, TrackId,
};
use bedside_srtp::{MasterKey, Profile, Sealer};
use std::time::{Duration, Instant};

/// Publishers each send one VP8 layer to every subscriber, with retransmission and
/// transport-wide feedback.
pub(crate) struct MeasuredRoom {
    pub(crate) forwarder: Forwarder,
    pub(crate) sink: Discard,
    pub(crate) now: Instant,
    /// One for each publisher.
    sealers: Vec<Sealer>,
    index: u64,
    frame: u32,
    /// Datagrams of the next batch.
    datagrams: Vec<(PeerId, Vec<u8>)>,
}

/// Packet memory that is written to and forgotten.
pub(crate) struct Discard {
    memory: Vec<u8>,
    used: usize,
    pub(crate) packets: u64,
}

impl PacketSink for Discard {
    fn reserve(&mut self, _path: Path, bytes_max: usize) -> Option<&mut [u8]> {
        if self.used + bytes_max > self.memory.len() {
            self.used = 0;
        }
        self.memory.get_mut(self.used..self.used + bytes_max)
    }

    fn commit(&mut self, bytes: usize) {
        self.used += bytes;
        self.packets += 1;
    }
}

impl MeasuredRoom {
    pub(crate) fn new(now: Instant, publishers: u64, subscribers: u64) -> Self {
        let clock = Clock {
            instant: now,
            unix_us: 1_800_000_000_000_000,
        };
        let mut room = Self {
            forwarder: Forwarder::new([1; 32], clock),
            sink: Discard {
                memory: vec![0; 256 << 10],
                used: 0,
                packets: 0,
            },
            now,
            sealers: Vec::new(),
            index: 1_000,
            frame: 0,
            datagrams: Vec::new(),
        };
        room.command(&Command::EnsureRoom);
        for id in 1..=publishers + subscribers {
            room.connect(id);
        }
        for id in 1..=publishers {
            room.sealers
                .push(Sealer::new(PROFILE, &key(id, CLIENT)).expect("a key of the profile"));
            room.command(&Command::EnsureTrack(track(id)));
            for subscriber in publishers + 1..=publishers + subscribers {
                room.command(&Command::EnsureSubscription(subscription(subscriber, id)));
            }
        }
        room
    }

    /// Seals what the next batch brings: `packets` of each publisher's next frame, with what the
    /// first byte of an RTP packet and a compound of feedback say, in the client's name.
    pub(crate) fn prepare(&mut self, packets: u64) {
        self.datagrams.clear();
        for part in 0..packets {
            let mut payload = [0x5a; 1_172];
            let key_frame = self.frame == 0;
            let [_, _, high, low] = (self.frame | 0x8000).to_be_bytes();
            let starts = if part == 0 { 0x90 } else { 0x80 };
            payload[..7].copy_from_slice(&[
                starts,
                0xe0,
                high | 0x80,
                low,
                low,
                0x20,
                u8::from(!key_frame),
            ]);
            for (id, sealer) in (1..).zip(&mut self.sealers) {
                let mut packet = vec![0; 1_300];
                let [.., s0, s1] = self.index.to_be_bytes();
                packet[..4].copy_from_slice(&[0x90, 96, s0, s1]);
                packet[4..8].copy_from_slice(&(self.frame * 3_000).to_be_bytes());
                packet[8..12].copy_from_slice(&ssrc_of(id).to_be_bytes());
                packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x21, s0, s1, 0]);
                let bytes = sealer
                    .seal_rtp_into(&mut packet, 20, &payload, self.index, ssrc_of(id), 0)
                    .expect("sealable");
                packet.truncate(bytes);
                self.datagrams.push((PeerId(id), packet));
            }
            self.index += 1;
        }
        self.frame += 1;
    }

    /// Hands over the batch, and lets a frame's time pass.
    pub(crate) fn forward(&mut self) {
        let (forwarder, sink) = (&mut self.forwarder, &mut self.sink);
        for part in self.datagrams.chunks_mut(PACKETS_MAX) {
            let mut parts = part.iter_mut();
            // On the stack: what measures allocations must not make any.
            let mut batch: [MediaDatagram<'_>; PACKETS_MAX] = std::array::from_fn(|_| {
                let (peer, payload) = match parts.next() {
                    Some((peer, payload)) => (*peer, &mut payload[..]),
                    None => (PeerId(0), &mut [][..]),
                };
                MediaDatagram { peer, payload }
            });
            let count = batch
                .iter()
                .take_while(|datagram| !datagram.payload.is_empty())
                .count();
            forwarder.handle_batch(self.now, &mut batch[..count], sink);
        }
        self.now += FRAME;
        forwarder.handle_timeout(self.now, sink);
    }

    /// Forgets what happened, as a worker does after each batch.
    pub(crate) fn drain_events(&mut self) {
        while self.forwarder.poll_event().is_some() {}
    }

    fn command(&mut self, command: &Command) {
        self.forwarder
            .handle_command(self.now, Generation(1), RoomId(1), command);
    }

    fn connect(&mut self, id: u64) {
        let credentials = || IceCredentials {
            ufrag: "ufrag".to_owned(),
            password: Secret::new("a-password-of-22-bytes".to_owned()),
        };
        self.command(&Command::EnsurePeer(Box::new(Peer {
            peer: PeerId(id),
            local: credentials(),
            remote: credentials(),
            remote_fingerprint_sha256: [0; 32],
            extensions: ExtensionIds {
                mid: Some(1),
                transport_cc: Some(2),
                abs_send_time: Some(3),
                ..ExtensionIds::default()
            },
            transport_cc: true,
            data_channels: false,
            open_data_channels: false,
        })));
        let keys = MediaKeys {
            profile: PROFILE,
            receive: key(id, CLIENT),
            send: key(id, SERVER),
        };
        let path = Path {
            local: ([192, 0, 2, 1], 7_000).into(),
            remote: ([192, 0, 2, 2], u16::try_from(id).expect("few peers")).into(),
        };
        self.forwarder
            .peer_connected(self.now, PeerId(id), keys, path);
    }
}

fn track(id: u64) -> Track {
    Track {
        track: TrackId(id),
        publisher: PeerId(id),
        mid: Mid::new("0").expect("short"),
        codec: Codec::Vp8,
        payload_types: PayloadTypes {
            media: 96,
            rtx: Some(97),
        },
        red_payload_type: None,
        encodings: vec![Encoding {
            layer: Layer::Low,
            rid: None,
            ssrc: Some(ssrc_of(id)),
            rtx_ssrc: None,
        }],
        nack: true,
        muted: false,
        relay: Relay::None,
    }
}

fn subscription(subscriber: u64, track: u64) -> Subscription {
    Subscription {
        subscriber: PeerId(subscriber),
        track: TrackId(track),
        mid: Mid::new("1").expect("short"),
        ssrc: 2 * ssrc_of(track),
        rtx_ssrc: Some(2 * ssrc_of(track) + 1),
        payload_types: PayloadTypes {
            media: 96,
            rtx: Some(97),
        },
        red_payload_type: None,
        nack: true,
        layer_max: Layer::High,
        paused: false,
    }
}

fn ssrc_of(track: u64) -> u32 {
    u32::try_from(100 + track).expect("few tracks")
}

/// The keys of one direction of one peer's transport.
pub(crate) fn key(id: u64, direction: u8) -> MasterKey {
    let [.., high, low] = id.to_be_bytes();
    MasterKey::new(PROFILE, &[low ^ direction; 16], &[high; 12]).expect("right lengths")
}

pub(crate) const PROFILE: Profile = Profile::AeadAes128Gcm;
pub(crate) const CLIENT: u8 = 0x40;
pub(crate) const SERVER: u8 = 0x80;

/// Datagrams in one batch, at most.
const PACKETS_MAX: usize = 64;

const FRAME: Duration = Duration::from_millis(33);
