//! Clients through the real process: ICE, DTLS, data channels, media, goodbye.

use bedside_protocol::{
    Codec, Command, DataChannelKind, DataMessage, DtlsVersion as Dtls, Encoding, Event, Layer, Mid,
    PayloadTypes, PeerId, Relay, RoomId, SrtpProfile, Subscription, Track, TrackId, VideoContent,
    Welcome, WorkerId,
};
use str0m::config::DtlsVersion;

use crate::client::{AUDIO, Client, Noticed, OPUS, Packet, Streams, VIDEO, VP8, VP8_RTX};
use crate::dataplane::{Control, Dataplane};

const ROOM: RoomId = RoomId(7);
const WORKER: WorkerId = WorkerId(1);
const OTHER: WorkerId = WorkerId(0);

/// A client named to the data plane.
fn join(control: &mut Control, worker: WorkerId, client: &Client) {
    control.command(worker, ROOM, Command::EnsureRoom);
    let wanted = Box::new(client.wanted.clone());
    control.command(worker, ROOM, Command::EnsurePeer(wanted));
}

fn start(
    welcome: &Welcome,
    worker: WorkerId,
    number: u16,
    dtls: DtlsVersion,
    streams: &Streams,
) -> Client {
    assert_eq!(welcome.workers.len(), 2);
    // Odd ones come over IPv4, even ones over IPv6.
    let addresses = &welcome.workers[usize::from(worker.0)].addresses;
    let server = addresses[usize::from(number.is_multiple_of(2))];
    Client::start(number, dtls, server, welcome.fingerprint_sha256, streams)
}

/// Waits for an event of which `pick` makes something.
fn wait_for<T>(
    control: &mut Control,
    worker: WorkerId,
    mut pick: impl FnMut(&Event) -> Option<T>,
) -> T {
    loop {
        let frame = control.event();
        assert!(!matches!(frame.event, Event::Refused { .. }), "{frame:?}");
        if let Some(picked) = pick(&frame.event) {
            assert_eq!((frame.worker, frame.room), (worker, ROOM));
            return picked;
        }
    }
}

fn wait_until_connected(
    control: &mut Control,
    worker: WorkerId,
    wanted: PeerId,
) -> (Dtls, SrtpProfile) {
    let agreed = wait_for(control, worker, |event| match event {
        Event::PeerConnected {
            peer, dtls, srtp, ..
        } => (*peer == wanted).then_some((*dtls, *srtp)),
        _ => None,
    });
    control.command(worker, ROOM, Command::AdmitPeer { peer: wanted });
    agreed
}

#[test]
fn a_client_connects_talks_and_is_told_when_the_data_plane_stops() {
    for (version, expected) in [
        (DtlsVersion::Dtls12, Dtls::Dtls12),
        (DtlsVersion::Dtls13, Dtls::Dtls13),
    ] {
        let dataplane = Dataplane::start();
        let (mut control, welcome) = dataplane.control(1);
        let client = start(&welcome, WORKER, 3, version, &Streams::default());
        join(&mut control, WORKER, &client);
        let connected = wait_until_connected(&mut control, WORKER, PeerId(3));
        assert_eq!(connected.0, expected);
        client.wait_until(&Noticed::ChannelOpen("_reliable".to_owned()));

        client.write_data(b"up");
        let payload = wait_for(&mut control, WORKER, |event| match event {
            Event::Data { payload, .. } => Some(payload.clone()),
            _ => None,
        });
        assert_eq!(payload, b"up");
        control.command(
            WORKER,
            ROOM,
            Command::SendData(DataMessage {
                peers: vec![PeerId(3)],
                channel: DataChannelKind::Reliable,
                payload: b"down".to_vec(),
            }),
        );
        client.wait_until(&Noticed::Data(b"down".to_vec()));

        let (status, log) = dataplane.terminate();
        assert!(status.success(), "{log}");
        client.wait_until(&Noticed::Closed);
    }
}

/// Waits until a worker has carried out everything sent so far: what concerns an unknown track is
/// refused, in its turn.
fn settle(control: &mut Control, worker: WorkerId) {
    control.command(
        worker,
        ROOM,
        Command::RequestKeyFrame { track: TrackId(99) },
    );
    loop {
        let frame = control.event();
        if matches!(frame.event, Event::Refused { .. }) {
            assert_eq!(frame.worker, worker);
            return;
        }
    }
}

/// The client on `publisher` is heard by the one on `subscriber`.
fn connect(control: &mut Control, publisher: WorkerId, subscriber: WorkerId) {
    for (track, subscription) in tracks() {
        let on = |relay| {
            let track = track.clone();
            Command::EnsureTrack(Track { relay, ..track })
        };
        if publisher == subscriber {
            control.command(publisher, ROOM, on(Relay::None));
        } else {
            control.command(publisher, ROOM, on(Relay::To(vec![subscriber])));
            control.command(subscriber, ROOM, on(Relay::From(publisher)));
        }
        control.command(subscriber, ROOM, Command::EnsureSubscription(subscription));
    }
}

const AUDIO_TRACK: TrackId = TrackId(1);
const VIDEO_TRACK: TrackId = TrackId(2);
const SENT_AUDIO: u32 = 0x1001;
const SENT_VIDEO: u32 = 0x1002;
const SENT_VIDEO_RTX: u32 = 0x1003;
const HEARD_AUDIO: u32 = 0x2001;
const HEARD_VIDEO: u32 = 0x2002;
const HEARD_VIDEO_RTX: u32 = 0x2003;

/// (track, media section, codec, payload types, sent SSRC and its RTX, heard SSRC and its RTX)
fn tracks() -> [(Track, Subscription); 2] {
    let audio = PayloadTypes {
        media: OPUS,
        rtx: None,
    };
    let video = PayloadTypes {
        media: VP8,
        rtx: Some(VP8_RTX),
    };
    let track = |track, mid, codec, payload_types, ssrc, rtx_ssrc| Track {
        track,
        publisher: PeerId(1),
        mid: Mid::new(mid).unwrap(),
        codec,
        payload_types,
        red_payload_type: None,
        encodings: vec![Encoding {
            layer: Layer::Low,
            rid: None,
            ssrc: Some(ssrc),
            rtx_ssrc,
        }],
        nack: true,
        full_intra: false,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::None,
    };
    let subscription = |track, mid, payload_types, ssrc, rtx_ssrc| Subscription {
        subscriber: PeerId(2),
        track,
        mid: Mid::new(mid).unwrap(),
        ssrc,
        rtx_ssrc,
        payload_types,
        red_payload_type: None,
        nack: true,
        layer_max: Layer::High,
        paused: false,
        priority: 0,
        frame_rate_max: None,
    };
    [
        (
            track(AUDIO_TRACK, AUDIO, Codec::Opus, audio, SENT_AUDIO, None),
            subscription(AUDIO_TRACK, AUDIO, audio, HEARD_AUDIO, None),
        ),
        (
            track(
                VIDEO_TRACK,
                VIDEO,
                Codec::Vp8,
                video,
                SENT_VIDEO,
                Some(SENT_VIDEO_RTX),
            ),
            subscription(
                VIDEO_TRACK,
                VIDEO,
                video,
                HEARD_VIDEO,
                Some(HEARD_VIDEO_RTX),
            ),
        ),
    ]
}

fn audio(number: u32) -> Packet {
    Packet {
        ssrc: SENT_AUDIO,
        payload_type: OPUS,
        sequence: u64::from(number) + 100,
        timestamp: number * 960,
        marker: number == 0,
        payload: vec![u8::try_from(number).unwrap(); 80],
    }
}

/// The packets of a VP8 frame of about 6 kB, the first of which is a key frame (RFC 7741, RFC 6386
/// §9.1).
fn video(frame: u32) -> Vec<Packet> {
    let packet = |index: u8| {
        let mut payload = match index {
            0 if frame == 0 => vec![0x10, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 64, 1, 240, 0],
            0 => vec![0x10, 0x11, 0, 0],
            _ => vec![0],
        };
        payload.extend([u8::try_from(frame).unwrap(), index]);
        payload.resize(if index == 5 { 700 } else { 1_100 }, index);
        Packet {
            ssrc: SENT_VIDEO,
            payload_type: VP8,
            sequence: u64::from(frame) * 6 + u64::from(index) + 5_000,
            timestamp: frame * 3_000,
            marker: index == 5,
            payload,
        }
    };
    (0..6).map(packet).collect()
}

/// What the subscriber hears of one stream must be what was sent, in order, renumbered alike.
#[derive(Default)]
struct Follower {
    last: Option<(Packet, Packet)>,
}

impl Follower {
    fn hear(&mut self, client: &Client, ssrc: u32, sent: &Packet) {
        let heard = client.wait_for(|noticed| match noticed {
            Noticed::Rtp(packet) => (packet.ssrc == ssrc).then_some(packet),
            _ => None,
        });
        assert_eq!(heard.payload, sent.payload);
        assert_eq!(
            (heard.payload_type, heard.marker),
            (sent.payload_type, sent.marker)
        );
        if let Some((sent_before, heard_before)) = &self.last {
            let step = sent.timestamp.wrapping_sub(sent_before.timestamp);
            assert_eq!(heard.timestamp.wrapping_sub(heard_before.timestamp), step);
            assert_eq!(heard.sequence, heard_before.sequence + 1);
        }
        self.last = Some((sent.clone(), heard));
    }
}

#[test]
fn media_passes_from_one_client_to_another() {
    passes(Dataplane::start(), WORKER, WORKER);
}

#[test]
fn media_passes_between_clients_on_two_workers() {
    passes(Dataplane::start(), OTHER, WORKER);
}

#[test]
fn media_passes_on_a_host_that_denies_io_uring() {
    let log = passes(Dataplane::start_without_io_uring(), OTHER, WORKER);
    let warning = "packets go through epoll (io_uring: denied by a seccomp filter)";
    assert!(log.contains(warning), "{log}");
}

/// Carries media through the data plane, from a client on one worker to one on the same or another,
/// stops it and returns its log.
fn passes(dataplane: Dataplane, from: WorkerId, to: WorkerId) -> String {
    let (mut control, welcome) = dataplane.control(1);
    let sends = vec![
        (AUDIO, SENT_AUDIO, None),
        (VIDEO, SENT_VIDEO, Some(SENT_VIDEO_RTX)),
    ];
    let receives = vec![
        (AUDIO, HEARD_AUDIO, None),
        (VIDEO, HEARD_VIDEO, Some(HEARD_VIDEO_RTX)),
    ];
    let publisher = start(
        &welcome,
        from,
        1,
        DtlsVersion::Dtls13,
        &Streams {
            sends,
            ..Streams::default()
        },
    );
    let subscriber = start(
        &welcome,
        to,
        2,
        DtlsVersion::Dtls12,
        &Streams {
            receives,
            ..Streams::default()
        },
    );
    for (client, worker) in [(&publisher, from), (&subscriber, to)] {
        join(&mut control, worker, client);
        wait_until_connected(&mut control, worker, client.wanted.peer);
        client.wait_until(&Noticed::Connected);
    }
    connect(&mut control, from, to);
    for worker in [from, to] {
        settle(&mut control, worker);
    }

    let (mut heard_audio, mut heard_video) = (Follower::default(), Follower::default());
    let pass =
        |heard_audio: &mut Follower, heard_video: &mut Follower, rounds: std::ops::Range<u32>| {
            for round in rounds {
                let sound = audio(round);
                publisher.write(vec![sound.clone()]);
                heard_audio.hear(&subscriber, HEARD_AUDIO, &sound);
                let frame = video(round);
                publisher.write(frame.clone());
                for packet in &frame {
                    heard_video.hear(&subscriber, HEARD_VIDEO, packet);
                }
            }
        };
    pass(&mut heard_audio, &mut heard_video, 0..20);

    // The control plane dies; nobody notices in the call.
    drop(control);
    pass(&mut heard_audio, &mut heard_video, 20..40);

    // Another one takes over and names the same.
    let (mut control, welcome) = dataplane.control(2);
    for worker in [from, to] {
        assert_eq!(welcome.workers[usize::from(worker.0)].rooms, [ROOM]);
    }
    for (client, worker) in [(&publisher, from), (&subscriber, to)] {
        join(&mut control, worker, client);
        wait_until_connected(&mut control, worker, client.wanted.peer);
    }
    connect(&mut control, from, to);
    for worker in [from, to] {
        control.command(worker, ROOM, Command::Reconcile);
        settle(&mut control, worker);
    }
    pass(&mut heard_audio, &mut heard_video, 40..60);

    let (status, log) = dataplane.terminate();
    assert!(status.success(), "{log}");
    for client in [&publisher, &subscriber] {
        client.wait_until(&Noticed::Closed);
    }
    log
}
