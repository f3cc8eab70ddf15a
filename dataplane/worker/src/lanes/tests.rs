use super::*;
use bedside_core::{Certificate, Clock, CoreConfig, PacketSink, Path};
use bedside_protocol::{
    Codec, Command, CommandFrame, Encoding, Generation, Layer, Mid, PayloadTypes, PeerId, Policy,
    Relay, RoomId, Track, TrackId, VideoContent,
};
use std::time::Instant;

/// Nobody is connected here.
struct Nowhere;

impl PacketSink for Nowhere {
    fn reserve(&mut self, _path: Path, _bytes_max: usize) -> Option<&mut [u8]> {
        None
    }

    fn commit(&mut self, _bytes: usize) {}
}

#[expect(clippy::disallowed_methods, reason = "where the test's time begins")]
fn start() -> Instant {
    Instant::now()
}

fn core(worker: u16, now: Instant) -> Core {
    Core::new(CoreConfig {
        worker: WorkerId(worker),
        addresses: Vec::new(),
        policy: Policy::default(),
        certificate: Certificate::generate().unwrap(),
        seed: [1; 32],
        clock: Clock {
            instant: now,
            unix_us: 1,
        },
    })
}

/// Makes `core`, which is `worker`, say something to worker 0: that it knows a track.
fn speak(core: &mut Core, now: Instant, worker: u16, track: u64) {
    let commands = [
        Command::EnsureRoom,
        Command::EnsureTrack(Track {
            track: TrackId(track),
            publisher: PeerId(1),
            mid: Mid::new("0").unwrap(),
            codec: Codec::Opus,
            payload_types: PayloadTypes {
                media: 111,
                rtx: None,
            },
            red_payload_type: None,
            encodings: vec![Encoding {
                layer: Layer::Low,
                rid: None,
                ssrc: None,
                rtx_ssrc: None,
            }],
            nack: false,
            full_intra: false,
            muted: false,
            content: VideoContent::Camera,
            relay: Relay::From(WorkerId(0)),
        }),
    ];
    for command in commands {
        let frame = CommandFrame {
            generation: Generation(1),
            room: RoomId(1),
            worker: WorkerId(worker),
            command,
        };
        core.handle_command(now, frame, &mut Nowhere);
    }
}

#[test]
fn batches_go_to_the_worker_that_they_are_for_and_come_back() {
    let now = start();
    let wakers = Arc::new(OnceLock::new());
    let mut lanes = Lanes::mesh(3, &wakers);
    let mut cores = [core(0, now), core(1, now), core(2, now)];
    for track in 1..=2_000 {
        for from in [1, 2] {
            let worker = usize::from(from);
            speak(&mut cores[worker], now, from, track);
            lanes[worker].pass(&mut cores[worker]);
            assert_eq!(lanes[worker].lent, 1);
        }
        let mut heard = Vec::new();
        let more = lanes[0].receive(4, |from, batch| {
            heard.push(from);
            cores[0].handle_relayed(now, from, batch, &mut Nowhere);
        });
        assert_eq!(heard, [WorkerId(1), WorkerId(2)]);
        assert!(!more);
        assert!(!lanes[1].receive(4, |_, _| unreachable!("it is not for worker 1")));
        for worker in [1, 2] {
            lanes[worker].pass(&mut cores[worker]);
            assert_eq!(lanes[worker].lent, 0);
        }
    }
}

#[test]
fn a_worker_that_reads_nothing_holds_no_more_than_a_ring_does() {
    let now = start();
    let wakers = Arc::new(OnceLock::new());
    let mut lanes = Lanes::mesh(2, &wakers);
    let mut one = core(1, now);
    for track in 1..=1_000 {
        speak(&mut one, now, 1, track);
        lanes[1].pass(&mut one);
    }
    assert_eq!(lanes[1].lent, RelayBatch::IN_FLIGHT_MAX);
    let mut read = 0;
    while lanes[0].receive(4, |_, _| read += 1) {}
    assert_eq!(read, RelayBatch::IN_FLIGHT_MAX);
    lanes[1].pass(&mut one);
    assert_eq!(lanes[1].lent, 0);
}

#[test]
fn what_is_for_no_worker_is_kept_and_used_again() {
    let now = start();
    let wakers = Arc::new(OnceLock::new());
    let mut lanes = Lanes::mesh(1, &wakers);
    let mut stranger = core(5, now);
    for track in 1..=1_000 {
        speak(&mut stranger, now, 5, track);
        lanes[0].pass(&mut stranger);
    }
    assert_eq!(lanes[0].lent, 0);
    assert!(stranger.poll_relay().is_none());
}
