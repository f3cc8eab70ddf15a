use super::{Fleet, FleetConfig, Publication, Reception, Sinks, drops};
use crate::light::srtp::{Keys, MasterKey, Profile};
use crate::measure::{Board, Measurements};
use crate::pacing::Clock;
use crate::scenario::{Audio, Fixed, PacketsPerFrame, TrackSpec};
use bedside_protocol::MediaKind;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn drops_are_those_of_our_ports() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    assert_eq!(drops::in_kernel(&[address]), 0);
    socket2::SockRef::from(&socket)
        .set_recv_buffer_size(1)
        .unwrap();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..200 {
        sender.send_to(&[0; 1_000], address).unwrap();
    }
    let dropped = drops::in_kernel(&[address]);
    assert!((100..200).contains(&dropped), "{dropped}");
    assert_eq!(drops::in_kernel(&[]), 0);
}

fn keys(send: u8, receive: u8) -> Keys {
    let profile = Profile::AeadAes128Gcm;
    let master = |byte| MasterKey::new(profile, &[byte; 16], &[byte; 12]).unwrap();
    Keys {
        profile,
        send: master(send),
        receive: master(receive),
    }
}

/// One participant sends to another without a server, twice for half a second with a pause between.
fn alone(sinks: Sinks) -> (Fleet, Measurements) {
    let config = FleetConfig {
        processor: None,
        sinks,
        seed: 5,
    };
    let mut fleet = Fleet::new(config).unwrap();
    let sound = TrackSpec::Audio(Audio {
        bitrate_bps: 64_000,
        dtx: false,
    });
    let picture = TrackSpec::Fixed(Fixed {
        packet_bytes: 1_200,
        packets_per_frame: PacketsPerFrame { min: 1, max: 70 },
        fps: 50,
    });
    let publication = |track, ssrc, payload_type| Publication {
        track,
        ssrc,
        payload_type,
    };
    let reception = |ssrc, kind, clock_hz| Reception {
        ssrc,
        kind,
        clock_hz,
    };
    let sender = fleet
        .add_waiting_pair(
            "127.0.0.1".parse().unwrap(),
            keys(1, 2),
            vec![publication(sound, 10, 111), publication(picture, 20, 96)],
            vec![],
        )
        .unwrap();
    let receives = vec![
        reception(10, MediaKind::Audio, 48_000),
        reception(20, MediaKind::Video, 90_000),
    ];
    let receiver = fleet
        .add_pair(
            fleet.local_address(sender).unwrap(),
            keys(2, 1),
            vec![],
            receives,
        )
        .unwrap();
    let remote = fleet.local_address(receiver).unwrap();
    fleet.set_remote(sender, remote).unwrap();
    let board = Arc::new(Board::new(Clock::now_ns()));
    for _ in 0..2 {
        fleet.run_for(Duration::from_millis(500), &board).unwrap();
        fleet.settle(Duration::from_millis(100)).unwrap();
    }
    fleet.report(&board);
    (fleet, board.snapshot())
}

#[test]
fn what_one_sends_the_other_receives() {
    let (fleet, measured) = alone(Sinks::Read { open_one_in: 1 });
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!((measured.forged, measured.lost()), (0, 0));
    assert_eq!((measured.reordered, measured.duplicated), (0, 0));
    assert_eq!(measured.packets_received, measured.packets_sent);
    assert_eq!(measured.bytes_received, measured.bytes_sent);
    // One second of 50 packets of sound and 50 frames of 35 packets on average.
    assert!(measured.audio_latency.count() >= 40);
    assert!((800..3_000).contains(&measured.packets_sent));
    assert!(measured.lateness.count() >= 80);
    let delivered = fleet.delivered();
    assert_eq!(delivered.packets, measured.packets_sent);
    assert_eq!(delivered.dropped_in_kernel, 0);
}

#[test]
fn a_filter_that_passes_everything_counts_everything() {
    let (fleet, measured) = alone(Sinks::DropInKernel { pass_one_in: 1 });
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!(measured.forged, 0);
    assert_eq!(fleet.delivered().packets, measured.packets_sent);
    assert_eq!(fleet.delivered().dropped_in_kernel, 0);
}

#[test]
fn other_keys_open_nothing() {
    let config = FleetConfig {
        processor: None,
        sinks: Sinks::Read { open_one_in: 1 },
        seed: 5,
    };
    let mut fleet = Fleet::new(config).unwrap();
    let track = TrackSpec::Audio(Audio {
        bitrate_bps: 64_000,
        dtx: false,
    });
    let publishes = vec![Publication {
        track,
        ssrc: 10,
        payload_type: 111,
    }];
    let receives = vec![Reception {
        ssrc: 10,
        kind: MediaKind::Audio,
        clock_hz: 48_000,
    }];
    let local = "127.0.0.1".parse().unwrap();
    let sender = fleet
        .add_waiting_pair(local, keys(1, 2), publishes, vec![])
        .unwrap();
    let remote = fleet.local_address(sender).unwrap();
    let receiver = fleet
        .add_pair(remote, keys(2, 3), vec![], receives)
        .unwrap();
    let remote = fleet.local_address(receiver).unwrap();
    fleet.set_remote(sender, remote).unwrap();
    let board = Arc::new(Board::new(Clock::now_ns()));
    fleet.run_for(Duration::from_millis(300), &board).unwrap();
    let measured = board.snapshot();
    assert!(measured.forged > 5);
    assert_eq!(measured.packets_received, 0);
}
