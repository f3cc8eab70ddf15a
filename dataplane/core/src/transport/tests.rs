//! The transports without the forwarder: are the keys that they hand over the client's?

use super::*;
use crate::{Clock, Core, Datagram, PacketSink, Path};
use bedside_protocol::Generation;
use bedside_srtp::{Opener, Sealer};
use std::time::Duration;
use str0m::config::DtlsVersion;
use support::{CLIENT_SSRC, Client, Kind, OPUS, Outgoing, ROOM, SERVER_SSRC, Server, World, start};

#[path = "../../tests/support/mod.rs"]
pub(crate) mod support;

impl Transports {
    /// Whether every table says the same about who is there.
    pub(crate) fn assert_consistent(&self) {
        let mut live_paths = 0;
        let mut live_ufrags = 0;
        let mut occupied = 0;
        for (slot, peer) in self.slots.iter().enumerate() {
            let Some(peer) = peer else {
                assert!(self.free.contains(&slot));
                continue;
            };
            occupied += 1;
            assert_eq!(self.by_peer.get(&peer.id), Some(&slot));
            assert!(self.rooms.peers(peer.room).contains(&peer.id));
            let Some(live) = peer.live() else { continue };
            for path in live.agent.open_paths() {
                let owner = self.paths.find(&path).expect("it is open");
                assert_eq!((owner.slot(), owner.media), (slot, live.media));
                live_paths += 1;
            }
            let nominated = live.agent.nominated();
            assert!(nominated.is_none_or(|path| live.agent.open_paths().any(|open| open == path)));
            for ufrag in live.agent.local_ufrags() {
                assert_eq!(self.by_ufrag.get(ufrag), Some(&slot));
                live_ufrags += 1;
            }
        }
        assert_eq!(self.paths.len(), live_paths);
        assert_eq!(self.by_ufrag.len(), live_ufrags);
        assert_eq!(self.by_peer.len(), occupied);
        assert_eq!(self.slots.len(), occupied + self.free.len());
        let in_rooms: usize = self
            .rooms
            .ids()
            .map(|room| self.rooms.peers(room).len())
            .sum();
        assert_eq!(in_rooms, occupied);
    }
}

/// Transports whose notices and media are kept.
struct Kept {
    transports: Transports,
    notices: Vec<Notice>,
    media: Vec<Vec<u8>>,
}

impl Kept {
    fn keep_notices(&mut self) {
        while let Some(notice) = self.transports.poll_notice() {
            if let Notice::Admitted(admitted) = &notice {
                let peer = admitted.peer;
                self.transports.accept_media(peer, MediaPeer::nobody());
            }
            self.notices.push(notice);
        }
    }

    /// Takes the keys of the only connected peer.
    fn take_keys(&mut self) -> Option<(MediaKeys, Path)> {
        let place = self
            .notices
            .iter()
            .position(|notice| matches!(notice, Notice::Admitted(_)))?;
        match self.notices.remove(place) {
            Notice::Admitted(admitted) => Some((admitted.keys, admitted.path)),
            _ => None,
        }
    }
}

impl Server for Kept {
    fn receive(&mut self, now: Instant, path: Path, datagram: &mut [u8], sink: &mut Outgoing) {
        self.transports.begin();
        match datagram[0] {
            0..=3 => self.transports.stun_received(now, path, datagram, sink),
            20..=63 => self.transports.dtls_received(now, &path, datagram, sink),
            _ => {
                if self.transports.media_sender(now, &path).is_some() {
                    self.media.push(datagram.to_vec());
                }
            }
        }
        self.keep_notices();
    }

    fn timeout(&mut self, now: Instant, sink: &mut Outgoing) {
        self.transports.begin();
        self.transports.handle_timeout(now, sink);
        self.keep_notices();
    }

    fn due(&self) -> Option<Instant> {
        self.transports.poll_timeout()
    }

    fn take_event(&mut self) -> Option<Event> {
        self.transports.poll_event().map(|(_, event)| event)
    }

    fn admit(&mut self, now: Instant, _: Generation, peer: PeerId, sink: &mut Outgoing) {
        self.transports.admit_peer(now, ROOM, peer, sink).unwrap();
        self.keep_notices();
    }
}

/// One client that is expected and has begun to connect.
fn world(kind: Kind) -> World<Kept> {
    let now = start();
    let certificate = Certificate::generate().unwrap();
    let fingerprint = certificate.fingerprint_sha256();
    let address = support::server_address();
    let mut transports = Transports::new(vec![address], Policy::default(), certificate, 1);
    transports.ensure_room(Generation(1), ROOM);
    let mut world = World::new(
        now,
        Kept {
            transports,
            notices: Vec::new(),
            media: Vec::new(),
        },
    );
    let mut client = Client::new(1, kind, now);
    let wanted = client.wanted(kind);
    client.start(kind, fingerprint);
    world.clients.push(client);
    world.with_server(|server, now, sink| {
        server
            .transports
            .ensure_peer(now, Generation(1), ROOM, &wanted, sink)
            .unwrap();
    });
    world
}

/// Length of an RTP header with its extension.
fn header_bytes(packet: &[u8]) -> usize {
    let fixed = 12 + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 == 0 {
        return fixed;
    }
    let words = u16::from_be_bytes([packet[fixed + 2], packet[fixed + 3]]);
    fixed + 4 + 4 * usize::from(words)
}

#[test]
fn the_keys_handed_over_are_the_clients_in_both_directions() {
    for dtls in [DtlsVersion::Dtls12, DtlsVersion::Dtls13, DtlsVersion::Auto] {
        let mut world = world(Kind {
            dtls,
            ..Kind::default()
        });
        let connected = |world: &World<Kept>| world.clients[0].channels.len() == 2;
        assert!(world.run_until(Duration::from_secs(5), connected), "{dtls}");
        let (keys, path) = world.server.take_keys().expect("connected");
        assert!(world.server.take_keys().is_none(), "keys come once");

        // The client's packet opens.
        let now = world.now;
        world.with_client(0, |client| client.write_rtp(100, now, b"from the client"));
        world.run(Duration::from_millis(20));
        let sent: Vec<_> = world
            .server
            .media
            .iter_mut()
            .filter(|packet| packet[1] & 0x7f == OPUS)
            .collect();
        assert_eq!(sent.len(), 1);
        let mut opener = Opener::new(keys.profile, &keys.receive).unwrap();
        for packet in sent {
            let header = header_bytes(packet);
            let opened = opener.open_rtp(packet, header, CLIENT_SSRC, 100).unwrap();
            assert_eq!(&packet[header..opened.plain_bytes], b"from the client");
        }

        // Ours opens there.
        let mut sealer = Sealer::new(keys.profile, &keys.send).unwrap();
        let mut packet = [0; 128];
        packet[0] = 0x80;
        packet[1] = OPUS;
        packet[2..4].copy_from_slice(&200_u16.to_be_bytes());
        packet[8..12].copy_from_slice(&SERVER_SSRC.to_be_bytes());
        let bytes = sealer
            .seal_rtp_into(&mut packet, 12, b"from the server", 200, SERVER_SSRC, 0)
            .unwrap();
        world.with_server(|_, _, sink| {
            sink.reserve(path, bytes).unwrap()[..bytes].copy_from_slice(&packet[..bytes]);
            sink.commit(bytes);
        });
        world.run(Duration::from_millis(20));
        let received = &world.clients[0].rtp;
        assert_eq!(received.len(), 1);
        assert_eq!(&received[0].payload[..], b"from the server");
    }
}

#[test]
fn media_before_the_keys_is_dropped() {
    let mut world = world(Kind::default());
    world.weather = Box::new(|_, _, bytes| {
        let is_stun = bytes[0] < 4;
        if is_stun { vec![bytes] } else { Vec::new() }
    });
    world.run(Duration::from_secs(1));
    let client = world.clients[0].address;
    world.inject(client, &[0x80; 40]);
    assert!(world.server.media.is_empty());
    assert_eq!(world.server.transports.statistics().media_before_keys, 1);
}

#[test]
fn a_slot_is_used_again_without_a_trace_of_its_last_user() {
    let mut world = world(Kind::default());
    let connected = |world: &World<Kept>| world.clients[0].channels.len() == 2;
    assert!(world.run_until(Duration::from_secs(5), connected));
    let peer = world.clients[0].peer;
    world.with_server(|server, now, sink| server.transports.remove_peer(now, ROOM, peer, sink));
    let transports = &world.server.transports;
    assert!(transports.paths.len() == 0);
    assert!(transports.by_ufrag.is_empty());
    assert!(transports.by_peer.is_empty());
    assert_eq!(transports.poll_timeout(), None);
    assert_eq!(transports.free, [0]);

    let kind = Kind::default();
    let mut next = Client::new(2, kind, world.now);
    let wanted = next.wanted(kind);
    world.with_server(|server, now, sink| {
        let ensured = server
            .transports
            .ensure_peer(now, Generation(1), ROOM, &wanted, sink);
        assert_eq!(ensured, Ok(()));
    });
    assert_eq!(world.server.transports.slots.len(), 1);
}

#[test]
fn a_panic_over_one_transport_closes_that_one() {
    let mut world = world(Kind::default());
    let connected = |world: &World<Kept>| world.clients[0].channels.len() == 2;
    assert!(world.run_until(Duration::from_secs(5), connected));
    world.with_server(|server, now, sink| {
        server
            .transports
            .with(now, 0, sink, |_, _, _| panic!("a fault, for this test"));
    });
    let statistics = world.server.transports.statistics();
    assert_eq!((statistics.panicked, statistics.closed), (1, 1));
    let closed = Event::PeerClosed {
        peer: world.clients[0].peer,
        reason: CloseReason::DtlsFailed,
    };
    assert!(world.events.contains(&closed));
    assert!(world.server.transports.paths.len() == 0);
    world.run(Duration::from_secs(1));
}
