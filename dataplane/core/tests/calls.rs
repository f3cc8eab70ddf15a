//! A call through the public interface between two clients that are not ours: str0m publishes,
//! retransmits, estimates its bandwidth, receives, asks again, and asks for key frames.

use bedside_core::{Certificate, Clock, Core, CoreConfig, Datagram, PacketSink, Path};
use bedside_protocol::{
    Codec, Command, Encoding, Event, ExtensionIds, Layer, Mid, PayloadTypes, PeerId, Policy, Relay,
    Subscription, Track, TrackId, VideoContent,
};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use str0m::bwe::{Bitrate, BweKind};
use str0m::config::DtlsVersion;
use str0m::media::{KeyframeRequestKind, MediaKind};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, IceCreds, RtcConfig};

#[expect(dead_code, reason = "the tests of connections use more of it")]
mod support;
use support::{Client, Kind, WORKER, World, clock, ensure_room, frame, server_address, start};

const PUBLISHER: usize = 0;
const SUBSCRIBER: usize = 1;
const TRACK: TrackId = TrackId(5);
const PUBLISHED_SSRC: u32 = 0x1001;
const SENT_SSRC: u32 = 0x2001;

/// The ids that str0m uses by default.
const IDS: ExtensionIds = ExtensionIds {
    mid: Some(4),
    rid: Some(10),
    repaired_rid: Some(11),
    audio_level: Some(1),
    transport_cc: Some(3),
    abs_send_time: Some(2),
    abs_capture_time: None,
    playout_delay: None,
    video_orientation: Some(13),
    dependency_descriptor: None,
};

struct Call {
    world: World<Core>,
    frame: u32,
    sequence: u64,
    /// What was published, by sequence number.
    published: BTreeMap<u64, Vec<u8>>,
}

impl Call {
    fn new(dtls: DtlsVersion) -> Self {
        Self::with_admission(dtls, true)
    }

    /// One whose clients connect; whether they are admitted then is as said.
    fn with_admission(dtls: DtlsVersion, admits: bool) -> Self {
        let now = start();
        let certificate = Certificate::generate().expect("the module works");
        let fingerprint = certificate.fingerprint_sha256();
        let core = Core::new(CoreConfig {
            worker: WORKER,
            addresses: vec![server_address()],
            policy: Policy::default(),
            certificate,
            seed: [5; 32],
            clock: clock(now),
        });
        let mut world = World::new(now, core);
        world.admits = admits;
        world.command(ensure_room());
        let kind = Kind {
            dtls,
            ..Kind::default()
        };
        for number in 1..=2_u16 {
            let mut client = client(number, kind, &world);
            let mut wanted = client.wanted(kind);
            (wanted.extensions, wanted.transport_cc) = (IDS, true);
            client.start(kind, fingerprint);
            world.clients.push(client);
            world.command(frame(Command::EnsurePeer(Box::new(wanted))));
        }
        world.command(frame(Command::EnsureTrack(track())));
        world.command(frame(Command::EnsureSubscription(subscription())));
        let connected = world.run_until(Duration::from_secs(5), |world| {
            world.clients.iter().all(|client| client.is_connected)
        });
        assert!(connected);
        Self {
            world,
            frame: 0,
            sequence: 1_000,
            published: BTreeMap::new(),
        }
    }

    /// Publishes a frame of several packets and lets its time pass.
    fn publish(&mut self, packets: usize, bytes: usize) {
        let key_frame = self.frame.is_multiple_of(100);
        for part in 0..packets {
            let [_, _, high, low] = (self.frame | 0x8000).to_be_bytes();
            let starts = if part == 0 { 0x90 } else { 0x80 };
            let mut payload = vec![starts, 0x80, high, low, u8::from(!key_frame)];
            payload.extend_from_slice(&self.sequence.to_be_bytes());
            payload.resize(bytes, 0x5a);
            let packet = RtpWrite::new(
                96.into(),
                self.sequence.into(),
                self.frame * 3_000,
                self.world.now,
                payload.clone(),
            )
            .marker(part + 1 == packets)
            .ext_vals(ExtensionValues::default())
            .nackable(true);
            self.world.with_client(PUBLISHER, |client| {
                let mut api = client.rtc.direct_api();
                let stream = api.stream_tx(&PUBLISHED_SSRC.into()).expect("declared");
                stream.write_rtp(packet);
            });
            self.published.insert(self.sequence, payload);
            self.sequence += 1;
        }
        self.frame += 1;
        self.world.run(Duration::from_millis(33));
    }
}

/// A client with video, retransmission and, as publisher, bandwidth estimation.
fn client(number: u16, kind: Kind, world: &World<Core>) -> Client {
    let mut client = Client::new(number, kind, world.now);
    let credentials = client.remote_credentials();
    client.rtc = RtcConfig::new()
        .set_local_ice_credentials(IceCreds {
            ufrag: credentials.ufrag.clone(),
            pass: credentials.password.expose().clone(),
        })
        .set_dtls_version(kind.dtls)
        .set_rtp_mode(true)
        .enable_bwe((number == 1).then_some(Bitrate::kbps(300)))
        .build(world.now);
    let candidate = Candidate::host(client.address, str0m::net::Protocol::Udp);
    client
        .rtc
        .add_local_candidate(candidate.expect("a host candidate"));
    let mut api = client.rtc.direct_api();
    api.set_ice_controlling(true);
    api.declare_media("v".into(), MediaKind::Video);
    if number == 1 {
        let rtx = Some((PUBLISHED_SSRC + 1).into());
        api.declare_stream_tx(PUBLISHED_SSRC.into(), rtx, "v".into(), None);
        api.enable_twcc_feedback();
    } else {
        let rtx = Some((SENT_SSRC + 1).into());
        api.expect_stream_rx(SENT_SSRC.into(), rtx, "v".into(), None);
    }
    client
}

/// Its SSRCs are learnt from the packets.
fn track() -> Track {
    Track {
        track: TRACK,
        publisher: PeerId(1),
        mid: Mid::new("v").expect("short"),
        codec: Codec::Vp8,
        payload_types: PayloadTypes {
            media: 96,
            rtx: Some(97),
        },
        red_payload_type: None,
        encodings: vec![Encoding {
            layer: Layer::Low,
            rid: None,
            ssrc: None,
            rtx_ssrc: None,
        }],
        nack: true,
        full_intra: false,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::None,
    }
}

fn subscription() -> Subscription {
    Subscription {
        subscriber: PeerId(2),
        track: TRACK,
        mid: Mid::new("v").expect("short"),
        ssrc: SENT_SSRC,
        rtx_ssrc: Some(SENT_SSRC + 1),
        payload_types: PayloadTypes {
            media: 96,
            rtx: Some(97),
        },
        red_payload_type: None,
        nack: true,
        layer_max: Layer::High,
        paused: false,
        priority: 0,
        frame_rate_max: None,
    }
}

/// Loses `percent` of media datagrams in both directions, the same ones each time.
fn lossy(percent: u64) -> impl FnMut(&[u8]) -> bool {
    let mut random = 99_u64;
    move |bytes| {
        let is_media = (128..192).contains(&bytes[0]) && !(192..224).contains(&bytes[1]);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        is_media && (random >> 33) % 100 < percent
    }
}

/// Admits a client, as the control plane does once the record of its connection is durable.
fn admit(call: &mut Call, client: usize) {
    let peer = call.world.clients[client].peer;
    call.world.command(frame(Command::AdmitPeer { peer }));
}

#[test]
fn nothing_is_forwarded_before_both_are_admitted_and_then_a_key_frame_is_asked_for() {
    for first in [PUBLISHER, SUBSCRIBER] {
        let mut call = Call::with_admission(DtlsVersion::Dtls12, false);
        let media = |call: &Call| {
            let forwarder = call.world.server.statistics().forwarder;
            forwarder.forwarded + forwarder.sent_rtcp
        };
        for _ in 0..20 {
            call.publish(2, 300);
        }
        // No packet was opened, none sealed, no report sent.
        assert_eq!(media(&call), 0);
        let statistics = call.world.server.statistics();
        assert_eq!(statistics.forwarder.received_rtp, 0);
        assert!(statistics.transport.media_before_admission >= 40);
        assert_eq!(statistics.transport.media_before_keys, 0);

        admit(&mut call, first);
        for _ in 0..20 {
            call.publish(2, 300);
        }
        assert_eq!(call.world.server.statistics().forwarder.forwarded, 0);
        assert!(call.world.clients[SUBSCRIBER].rtp.is_empty());

        let requests = |call: &Call| {
            let said = call.world.clients[PUBLISHER].said.iter();
            said.filter(|event| matches!(event, str0m::Event::KeyframeRequest(_)))
                .count()
        };
        let before = requests(&call);
        admit(&mut call, [SUBSCRIBER, PUBLISHER][first]);
        call.publish(2, 300);
        call.publish(2, 300);
        assert!(requests(&call) > before, "asked within two frames");
        while !call.frame.is_multiple_of(100) {
            call.publish(2, 300);
        }
        call.publish(2, 300);
        assert!(!call.world.clients[SUBSCRIBER].rtp.is_empty());
        // Twice is once.
        admit(&mut call, PUBLISHER);
        call.publish(2, 300);
        assert!(call.world.clients[SUBSCRIBER].rtp.len() >= 4);
    }
}

#[test]
fn every_packet_arrives_in_spite_of_loss_on_both_legs() {
    for dtls in [DtlsVersion::Dtls12, DtlsVersion::Dtls13] {
        let mut call = Call::new(dtls);
        let mut loses = lossy(5);
        call.world.weather = Box::new(move |_, _, bytes| {
            if loses(&bytes) {
                Vec::new()
            } else {
                vec![bytes]
            }
        });
        for _ in 0..200 {
            call.publish(3, 700);
        }
        call.world.weather = Box::new(|_, _, bytes| vec![bytes]);
        for _ in 0..30 {
            call.publish(3, 700);
        }
        call.world.run(Duration::from_secs(1));
        // Told apart by the publisher's number inside the payload.
        let mut arrived = BTreeMap::new();
        for packet in &call.world.clients[SUBSCRIBER].rtp {
            assert_eq!(*packet.header.ssrc, SENT_SSRC);
            let number = packet.payload[5..13].try_into().expect("eight bytes");
            let number = u64::from_be_bytes(number);
            arrived.insert(number, (*packet.seq_no, packet.payload.to_vec()));
        }
        let (&first, &(first_number, _)) = arrived.first_key_value().expect("it started");
        let missing: Vec<_> = call
            .published
            .range(first..)
            .filter(|(number, _)| !arrived.contains_key(number))
            .collect();
        assert!(
            missing.is_empty(),
            "{dtls:?}: {} are missing",
            missing.len()
        );
        assert!(first <= 1_003, "from the first key frame on");
        for (number, (sequence, payload)) in &arrived {
            assert_eq!(*sequence, first_number + (number - first));
            assert_eq!(payload, &call.published[number]);
        }
    }
}

#[test]
fn a_subscriber_is_told_the_publishers_time() {
    let mut call = Call::new(DtlsVersion::Dtls12);
    for _ in 0..150 {
        call.publish(1, 300);
    }
    let last = call.world.clients[SUBSCRIBER].rtp.last();
    let last = last.expect("media arrived");
    let info = last.last_sender_info.expect("a sender report came");
    // str0m's reports relate the wall clock, as it sees it, to the media time that we published.
    let reported_ms = info.rtp_time.numer() / 90;
    let media_ms = last.time.numer() / 90;
    assert!(info.ntp_time > UNIX_EPOCH);
    assert!(
        media_ms.abs_diff(reported_ms) < 2_500,
        "{media_ms} {reported_ms}"
    );
    assert!(info.sender_packet_count > 50);
}

#[test]
fn a_picture_loss_reaches_the_publisher() {
    let mut call = Call::new(DtlsVersion::Dtls12);
    for _ in 0..5 {
        call.publish(1, 300);
    }
    let requests = |call: &Call| {
        let said = call.world.clients[PUBLISHER].said.iter();
        said.filter(|event| matches!(event, str0m::Event::KeyframeRequest(_)))
            .count()
    };
    assert_eq!(requests(&call), 0, "the first frame was a key frame");
    call.world.with_client(SUBSCRIBER, |client| {
        let mut api = client.rtc.direct_api();
        let stream = api.stream_rx(&SENT_SSRC.into()).expect("expected");
        stream.request_keyframe(KeyframeRequestKind::Pli);
    });
    call.world.run(Duration::from_millis(100));
    assert_eq!(requests(&call), 1);
}

#[test]
fn a_publishers_bandwidth_estimate_grows_on_our_feedback() {
    let mut call = Call::new(DtlsVersion::Dtls12);
    call.world.with_client(PUBLISHER, |client| {
        let mut bwe = client.rtc.bwe();
        bwe.set_bitrate(Bitrate::kbps(300), Bitrate::mbps(3));
    });
    for _ in 0..300 {
        call.publish(6, 1_000);
    }
    let estimates: Vec<_> = call.world.clients[PUBLISHER]
        .said
        .iter()
        .filter_map(|event| match event {
            str0m::Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                Some(estimate.as_f64())
            }
            _ => None,
        })
        .collect();
    let last = estimates.last().copied().unwrap_or_default();
    assert!(last > 1_000_000.0, "from 300 kbit/s to {last}");
}

#[test]
fn the_control_plane_hears_of_the_layer_and_who_gets_it() {
    let mut call = Call::new(DtlsVersion::Dtls12);
    for _ in 0..5 {
        call.publish(1, 300);
    }
    let events = &call.world.events;
    assert!(events.iter().any(|event| matches!(
        event,
        Event::TrackLayers { track: TRACK, active } if active.len() == 1
    )));
    assert!(events.iter().any(|event| matches!(
        event,
        Event::SubscriptionLayer {
            subscriber: PeerId(2),
            track: TRACK,
            layer: Some(Layer::Low)
        }
    )));
}
