use super::{Arrival, Board, Histogram, Measurements, Outcome, Recorder, StreamReceiver};
use crate::media::Stamp;
use bedside_protocol::MediaKind;
use std::time::Duration;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// A stream under test, with what it recorded.
struct Stream {
    receiver: StreamReceiver,
    recorder: Recorder,
}

impl Stream {
    fn video() -> Self {
        Self {
            receiver: StreamReceiver::new(MediaKind::Video, 90_000, 0),
            recorder: Recorder::new(),
        }
    }

    fn audio() -> Self {
        Self {
            receiver: StreamReceiver::new(MediaKind::Audio, 48_000, 0),
            recorder: Recorder::new(),
        }
    }

    fn take(&mut self, arrival: Arrival) -> Outcome {
        self.receiver.receive(&arrival, &mut self.recorder)
    }

    /// Takes audio packets by number, 20 ms apart.
    fn take_numbers(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.take(sound(number));
        }
    }

    fn measured(&self) -> &Measurements {
        &self.recorder.pending
    }

    /// (expected, received, reordered, duplicated)
    fn counts(&self) -> (u64, u64, u64, u64) {
        let it = self.measured();
        (
            it.packets_expected,
            it.packets_received,
            it.reordered,
            it.duplicated,
        )
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers wrap on the wire")]
fn sound(number: u64) -> Arrival {
    Arrival {
        sequence: number as u16,
        timestamp: (number * 960) as u32,
        marker: false,
        bytes: 100,
        at_ns: number * 20 * MILLISECOND,
        stamp: None,
    }
}

/// Packet `index` of 3 of a frame; 30 frames a second.
#[expect(clippy::cast_possible_truncation, reason = "numbers wrap on the wire")]
fn picture(frame: u64, index: u64) -> Arrival {
    Arrival {
        sequence: (65_530 + frame * 3 + index) as u16,
        timestamp: (frame * 3_000) as u32,
        marker: index == 2,
        bytes: 1_200,
        at_ns: SECOND + frame * SECOND / 30,
        stamp: None,
    }
}

#[test]
fn an_undisturbed_stream_loses_nothing_across_a_wrap() {
    let mut stream = Stream::audio();
    stream.take_numbers(65_000..200_000);
    assert_eq!(stream.counts(), (135_000, 135_000, 0, 0));
    assert_eq!(stream.receiver.highest_index(), Some(199_999));
    assert_eq!(stream.measured().bytes_received, 13_500_000);
    assert_eq!(stream.measured().lost(), 0);
}

#[test]
fn a_gap_is_lost_until_it_is_filled() {
    let mut stream = Stream::audio();
    stream.take_numbers(65_500..65_530);
    let outcome = stream.take(sound(65_540));
    assert_eq!(outcome.missing, 65_530..65_540);
    assert_eq!(stream.measured().lost(), 10);
    stream.take_numbers(65_530..65_535);
    assert_eq!(stream.measured().lost(), 5);
    assert_eq!(stream.counts(), (41, 36, 5, 0));
}

#[test]
fn overtaking_is_not_loss_and_repetition_is_not_receiving() {
    let mut stream = Stream::audio();
    stream.take_numbers([65_534, 65_536, 65_535, 65_537, 65_537, 65_535, 65_538]);
    assert_eq!(stream.counts(), (5, 5, 1, 2));
    assert_eq!(stream.measured().lost(), 0);
}

/// Streams that lose, repeat and shuffle packets, against sets of numbers.
#[test]
fn counts_are_those_of_a_set_whatever_the_network_does() {
    use rand_core::{RngCore as _, SeedableRng as _};
    for seed in 0..200 {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut below = |bound: u32| random.next_u32() % bound;
        let (loss, repeats, reach) = (below(30), below(10), below(300) + 1);
        let first = u64::from(below(65_536));
        let mut arrivals: Vec<(u64, u64)> = Vec::new();
        for number in first..first + 5_000 {
            for _ in 0..u32::from(below(100) >= loss) + u32::from(below(100) < repeats) {
                arrivals.push((number + u64::from(below(reach)), number));
            }
        }
        arrivals.sort_unstable();
        let mut stream = Stream::audio();
        let mut seen = std::collections::BTreeSet::new();
        let (mut repeated, mut overtaken) = (0, 0);
        for (_, number) in arrivals {
            overtaken += u64::from(seen.last().is_some_and(|highest| number < *highest));
            if !seen.insert(number) {
                repeated += 1;
                overtaken -= u64::from(seen.last().is_some_and(|highest| number < *highest));
            }
            stream.take(sound(number));
        }
        let span = seen.last().unwrap() - seen.first().unwrap() + 1;
        let expected = (span, seen.len() as u64, overtaken, repeated);
        assert_eq!(stream.counts(), expected, "seed {seed}");
    }
}

#[test]
fn a_packet_from_before_the_first_one_belongs_to_the_stream() {
    let mut stream = Stream::audio();
    stream.take_numbers([1, 65_535 + 65_536]);
    // 65,535 is one before 0: two before 1.
    assert_eq!(stream.counts(), (3, 2, 1, 0));
    assert_eq!(stream.receiver.highest_index(), Some(1));
}

#[test]
fn what_comes_after_everybody_gave_up_stays_lost() {
    let mut stream = Stream::audio();
    stream.take_numbers([100, 102]);
    stream.take_numbers(103..3_000);
    stream.take_numbers([101]);
    assert_eq!(stream.counts(), (2_900, 2_899, 1, 0));
}

#[test]
fn indices_are_the_closest_to_the_highest() {
    let mut stream = Stream::audio();
    assert_eq!(stream.receiver.index_of(40_000), 40_000);
    stream.take_numbers([65_000]);
    assert_eq!(stream.receiver.index_of(64_000), 64_000);
    assert_eq!(stream.receiver.index_of(10), 65_546);
    stream.take_numbers([65_546]);
    assert_eq!(stream.receiver.index_of(65_000), 65_000);
}

#[test]
fn a_stream_may_be_seen_first_in_its_second_cycle() {
    let mut stream = Stream::video();
    stream.receiver.skip_cycle();
    assert_eq!(stream.receiver.index_of(10), 65_546);
    stream.receiver.sample(&sound(65_546), &mut stream.recorder);
    stream.receiver.sample(&sound(65_550), &mut stream.recorder);
    assert_eq!(stream.receiver.highest_index(), Some(65_550));
    assert_eq!(stream.counts(), (5, 5, 0, 0));
}

#[test]
fn frames_are_whole_when_their_last_gap_is_filled() {
    let mut stream = Stream::video();
    let completes = |outcome: Outcome| outcome.completes_frame;
    assert!(!completes(stream.take(picture(0, 0))));
    assert!(!completes(stream.take(picture(0, 1))));
    assert!(completes(stream.take(picture(0, 2))));
    // The middle one comes last.
    assert!(!completes(stream.take(picture(1, 0))));
    assert!(!completes(stream.take(picture(1, 2))));
    assert!(completes(stream.take(picture(1, 1))));
    // The marker comes after the next frame began.
    stream.take(picture(2, 0));
    stream.take(picture(2, 1));
    assert!(!completes(stream.take(picture(3, 0))));
    assert!(completes(stream.take(picture(2, 2))));
    stream.take(picture(3, 1));
    assert!(completes(stream.take(picture(3, 2))));
    // A lost packet spoils its frame alone.
    stream.take(picture(4, 0));
    assert!(!completes(stream.take(picture(4, 2))));
    for index in 0..2 {
        stream.take(picture(5, index));
    }
    assert!(completes(stream.take(picture(5, 2))));
}

#[test]
fn a_picture_that_stands_too_long_is_frozen() {
    let mut stream = Stream::video();
    for frame in (0..30).chain(36..60) {
        for index in 0..3 {
            stream.take(picture(frame, index));
        }
    }
    // From frame 29 to frame 37: frame 36 may lack packets at its beginning.
    let stood = 37 * SECOND / 30 - 29 * SECOND / 30;
    assert_eq!(stream.measured().frozen_ns, stood);
    assert_eq!(stream.measured().watched_ns, 59 * SECOND / 30);
    assert_eq!(stream.measured().first_frame.count(), 1);

    // And one that never moves again.
    let last_ns = picture(59, 0).at_ns;
    stream
        .receiver
        .close(last_ns + 2 * SECOND, &mut stream.recorder);
    assert_eq!(stream.recorder.pending.frozen_ns, stood + 2 * SECOND);
}

#[test]
fn a_low_frame_rate_or_a_pause_is_no_freeze() {
    let mut stream = Stream::video();
    for frame in 0..10 {
        for index in 0..3 {
            let mut arrival = picture(frame, index);
            arrival.timestamp *= 6;
            arrival.at_ns = SECOND + frame * SECOND / 5;
            stream.take(arrival);
        }
    }
    assert_eq!(stream.measured().frozen_ns, 0);
    let last_ns = SECOND + 9 * SECOND / 5;
    stream
        .receiver
        .pause(last_ns + 100 * MILLISECOND, &mut stream.recorder);
    for index in 0..3 {
        let mut arrival = picture(10, index);
        arrival.at_ns = 60 * SECOND;
        stream.take(arrival);
    }
    assert_eq!(stream.measured().frozen_ns, 0);
}

fn stamped(number: u64, due_ns: u64, sent_ns: u64, at_ns: u64, layer: u8) -> Arrival {
    Arrival {
        at_ns,
        stamp: Some(Stamp {
            source: 7,
            layer,
            is_key_frame: false,
            due_ns,
            send_delay_ns: u32::try_from(sent_ns - due_ns).unwrap(),
            number: 0,
        }),
        ..sound(number)
    }
}

fn is_close(actual_ns: u64, expected_ns: u64) -> bool {
    actual_ns.abs_diff(expected_ns) <= expected_ns / 500
}

#[test]
fn a_stalled_generator_shows_in_every_packet_that_was_due_meanwhile() {
    let mut stream = Stream::audio();
    // Due every 20 ms, but the generator stands still for a second from the 50th on and then sends
    // all at once; the server takes 1 ms throughout.
    for number in 0..100 {
        let due_ns = SECOND + number * 20 * MILLISECOND;
        let stall_ends_ns = SECOND + 2_000 * MILLISECOND;
        let sent_ns = if number < 50 {
            due_ns
        } else {
            stall_ends_ns.max(due_ns)
        };
        stream.take(stamped(number, due_ns, sent_ns, sent_ns + MILLISECOND, 0));
    }
    let measured = stream.measured();
    assert_eq!(measured.audio_latency.count(), 100);
    // Half of them waited, by 20 ms each less: 1,001 ms, 981 ms, ...
    assert!(is_close(
        measured.audio_latency.max_ns(),
        1_001 * MILLISECOND
    ));
    assert!(is_close(
        measured.audio_latency.quantile_ns(0.75),
        501 * MILLISECOND
    ));
    assert!(is_close(
        measured.audio_latency.quantile_ns(0.50),
        MILLISECOND
    ));
    // The server is not to blame, and that shows too.
    assert!(is_close(measured.forwarding.max_ns(), MILLISECOND));
}

#[test]
fn jitter_is_that_of_rfc_3550() {
    let mut stream = Stream::audio();
    let mut expected = 0.0_f64;
    let mut late_before = 0;
    for number in 0..200 {
        let late_ns = number * 7_919 % 5 * MILLISECOND;
        let mut arrival = sound(number);
        arrival.at_ns += late_ns;
        stream.take(arrival);
        #[expect(clippy::cast_precision_loss, reason = "a check to 1 %")]
        let difference = late_ns.abs_diff(late_before) as f64;
        if number > 0 {
            expected += (difference - expected) / 16.0;
        }
        late_before = late_ns;
    }
    let (last, _) = stream.measured().jitter.buckets().last().unwrap();
    assert!(last > 0);
    let mut again = Stream::audio();
    again.receiver = stream.receiver;
    let mut next = sound(200);
    next.at_ns += late_before;
    again.take(next);
    expected -= expected / 16.0;
    #[expect(clippy::cast_precision_loss, reason = "a check to 1 %")]
    let actual = again.measured().jitter.max_ns() as f64;
    assert!(
        (actual - expected).abs() < expected / 100.0,
        "{actual} {expected}"
    );
}

#[test]
fn layers_and_strangers_are_noticed() {
    let mut stream = Stream::video();
    stream.receiver = stream.receiver.from_source(7);
    for (number, layer) in [0, 0, 1, 1, 2, 0].into_iter().enumerate() {
        stream.take(stamped(number as u64, SECOND, SECOND, SECOND + 1, layer));
    }
    assert_eq!(stream.measured().layer_switches, 3);
    let mut stranger = stamped(6, SECOND, SECOND, SECOND + 1, 0);
    stranger.stamp.as_mut().unwrap().source = 8;
    stream.take(stranger);
    assert_eq!(stream.measured().forged, 1);
    assert_eq!(stream.measured().video_latency.count(), 6);
}

#[test]
fn a_sample_counts_what_lies_between() {
    let mut stream = Stream::video();
    let numbers = [65_000, 65_010, 65_009, 66_000, 140_000 - 50_000];
    for number in numbers {
        let arrival = sound(number);
        stream.receiver.sample(&arrival, &mut stream.recorder);
    }
    assert_eq!(stream.counts(), (25_001, 25_001, 0, 0));
    assert_eq!(stream.measured().bytes_received, 2_500_100);
    assert_eq!(stream.measured().first_frame.count(), 1);
}

#[test]
fn a_board_adds_up_recorders_second_by_second() {
    let board = Board::new(10 * SECOND);
    let mut recorders = [Recorder::new(), Recorder::new()];
    for second in 0..3 {
        for (recorder, packets) in recorders.iter_mut().zip([10, 20]) {
            recorder.sent(packets, packets * 100);
            recorder.latency(MediaKind::Audio, (second + 1) * MILLISECOND, 1);
            recorder.join(Duration::from_millis(5));
            recorder.failed("dtls");
            recorder.report_to(&board, (10 + second) * SECOND + SECOND / 2 + packets);
            // Too soon: it waits.
            recorder.report_to(&board, (10 + second) * SECOND + SECOND / 2 + packets + 1);
        }
    }
    recorders[0].sent(1, 1);
    recorders[0].report_now(&board, 13 * SECOND);
    let all = board.snapshot();
    assert_eq!((all.packets_sent, all.bytes_sent), (91, 9_001));
    assert_eq!((all.joined, all.join.count()), (6, 6));
    assert_eq!(all.failures["dtls"], 6);
    let sent: Vec<_> = all.seconds.iter().map(|it| (it.at_s, it.sent)).collect();
    assert_eq!(sent, [(0, 30), (1, 30), (2, 30), (3, 1)]);
    for (second, latency_ns) in all.seconds.iter().zip([1, 2, 3, 0]) {
        assert!(is_close(second.latency_p99_ns, latency_ns * MILLISECOND));
    }

    board.reset(20 * SECOND);
    let none = board.snapshot();
    assert_eq!((none.packets_sent, none.join.count()), (0, 0));
    assert_eq!(none.seconds.len(), 1);
}

#[test]
fn a_histogram_is_exact_to_three_digits_and_has_an_end() {
    let mut histogram = Histogram::new();
    assert_eq!((histogram.quantile_ns(0.5), histogram.max_ns()), (0, 0));
    histogram.record_ns(0);
    histogram.record_ns(123_456_789);
    histogram.record(Duration::from_secs(3_600));
    assert_eq!(histogram.count(), 3);
    assert!(is_close(histogram.quantile_ns(0.5), 123_456_789));
    assert!(histogram.quantile(1.0) >= Duration::from_secs(59));
}
