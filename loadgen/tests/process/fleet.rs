//! A fleet against a data plane.

use std::sync::Arc;
use std::time::Duration;

use bedside_loadgen::dataplane::Dataplane;
use bedside_loadgen::light::{Fleet, FleetConfig, Joined, Publication, Reception, Sinks};
use bedside_loadgen::measure::{Board, Measurements};
use bedside_loadgen::pacing::Clock;
use bedside_loadgen::scenario::{
    Audio, Fixed, PacketsPerFrame, TrackSpec, Video, VideoCodec, VideoLayer,
};
use bedside_protocol::{MediaKind, RoomId, TrackId};

use crate::dataplane::Process;

const OPUS: u8 = 111;
const VP8: u8 = 96;

fn fleet(sinks: Sinks) -> Fleet {
    let config = FleetConfig {
        processor: None,
        sinks,
        seed: 7,
    };
    Fleet::new(config).unwrap()
}

fn microphone(ssrc: u32) -> Publication {
    let track = TrackSpec::Audio(Audio {
        bitrate_bps: 32_000,
        dtx: false,
    });
    Publication {
        track,
        ssrc,
        payload_type: OPUS,
    }
}

fn camera(ssrc: u32) -> Publication {
    let track = TrackSpec::Video(Video {
        codec: VideoCodec::Vp8,
        fps: 30,
        layers: vec![VideoLayer {
            width: 640,
            height: 360,
            bitrate_bps: 700_000,
        }],
        key_frame_every: None,
    });
    Publication {
        track,
        ssrc,
        payload_type: VP8,
    }
}

fn sound(track: TrackId, ssrc: u32) -> (TrackId, Reception) {
    let reception = Reception {
        ssrc,
        kind: MediaKind::Audio,
        clock_hz: 48_000,
    };
    (track, reception)
}

fn picture(track: TrackId, ssrc: u32) -> (TrackId, Reception) {
    let reception = Reception {
        ssrc,
        kind: MediaKind::Video,
        clock_hz: 90_000,
    };
    (track, reception)
}

fn run(fleet: &mut Fleet, seconds: u64) -> Measurements {
    let board = Arc::new(Board::new(Clock::now_ns()));
    fleet.run_for(Duration::from_secs(seconds), &board).unwrap();
    board.snapshot()
}

/// A publisher of sound and picture, and others who receive both.
fn room(
    fleet: &mut Fleet,
    dataplane: &mut Dataplane,
    receivers: u32,
) -> (RoomId, Joined, Vec<Joined>) {
    let worker = dataplane.worker_for(0);
    let room = dataplane.make_room(worker).unwrap();
    let publishes = [microphone(0x1000), camera(0x1100)];
    let publisher = fleet
        .join_dataplane(dataplane, room, &publishes, &[])
        .unwrap();
    let receivers = (0..receivers)
        .map(|number| {
            let receives = [
                sound(publisher.tracks[0], 0x2000 + number),
                picture(publisher.tracks[1], 0x3000 + number),
            ];
            fleet
                .join_dataplane(dataplane, room, &[], &receives)
                .unwrap()
        })
        .collect();
    (room, publisher, receivers)
}

#[test]
fn everything_sent_arrives_once_at_everybody() {
    let process = Process::start();
    let mut dataplane = process.connect();
    let mut fleet = fleet(Sinks::Read { open_one_in: 1 });
    room(&mut fleet, &mut dataplane, 3);
    let measured = run(&mut fleet, 3);
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!((measured.joined, measured.forged), (4, 0));
    assert_eq!((measured.lost(), measured.duplicated), (0, 0));
    // 50 packets of sound and 30 frames of about 3 packets a second, to three receivers. What was
    // on its way at the end is missing, and what was sent before the first key frame.
    assert!(measured.packets_sent > 400, "{}", measured.packets_sent);
    let expected = measured.packets_sent * 3;
    let range = expected * 9 / 10..=expected;
    assert!(range.contains(&measured.packets_received), "{measured:?}");
    assert_eq!(
        measured.audio_latency.count() + measured.video_latency.count(),
        measured.packets_received
    );
    assert_eq!(measured.first_frame.count(), 6);
    assert!(measured.watched_ns > 3 * 2_000_000_000);
    let delivered = fleet.delivered();
    assert_eq!(delivered.packets, measured.packets_received);
    assert_eq!(delivered.dropped_in_kernel, 0);
}

#[test]
fn a_sample_counts_what_readers_count() {
    let process = Process::start();
    let mut dataplane = process.connect();
    let worker = dataplane.worker_for(0);
    let room = dataplane.make_room(worker).unwrap();
    let fixed = TrackSpec::Fixed(Fixed {
        packet_bytes: 1_200,
        packets_per_frame: PacketsPerFrame { min: 4, max: 8 },
        fps: 100,
    });
    let publishes = [Publication {
        track: fixed,
        ssrc: 0x1000,
        payload_type: VP8,
    }];
    let mut fleet = fleet(Sinks::DropInKernel { pass_one_in: 10 });
    let publisher = fleet
        .join_dataplane(&mut dataplane, room, &publishes, &[])
        .unwrap();
    for number in 0..10 {
        let receives = [picture(publisher.tracks[0], 0x3000 + number)];
        fleet
            .join_dataplane(&mut dataplane, room, &[], &receives)
            .unwrap();
    }
    let measured = run(&mut fleet, 3);
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!(measured.forged, 0);
    // Each of the ten misses about ten messages at either end, of 300.
    let expected = measured.packets_sent * 10;
    let delivered = fleet.delivered();
    assert!(
        (expected * 8 / 10..=expected).contains(&delivered.packets),
        "{delivered:?} of {expected}"
    );
    assert!(delivered.dropped_in_kernel > 1_000, "{delivered:?}");
    let latencies = measured.video_latency.count();
    assert!(latencies > 0 && latencies < expected / 2, "{latencies}");
}
