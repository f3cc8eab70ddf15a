use super::*;
use crate::rtcp::{Packet, packets, write_transport_feedback};
use crate::transport::tests::support::start;

const SSRC: u32 = 7;

/// An estimator with a receiver behind a path that takes 20 ms and never ends.
struct Path {
    estimator: Estimator,
    now: Instant,
    sequence: u64,
    ticks: u64,
}

impl Path {
    fn new() -> Self {
        let now = start();
        Self {
            estimator: Estimator::new(now, 500_000),
            now,
            sequence: 65_530,
            ticks: 1_000,
        }
    }

    /// Sends a packet every 5 ms, ten of them; then feedback comes, in which each packet arrived so
    /// many ticks later than the one before it.
    fn round(&mut self, ticks_apart: u64) {
        let base = self.sequence;
        let statuses: Vec<_> = (0..10)
            .map(|_| {
                self.send(None);
                self.now += Duration::from_millis(5);
                self.ticks += ticks_apart;
                Some(self.ticks)
            })
            .collect();
        self.report(base, &statuses);
    }

    fn send(&mut self, probe: Option<ProbeId>) {
        self.estimator.packet_sent(SentPacket {
            sequence: SequenceNumber::of(self.sequence).0,
            ssrc: SSRC,
            rtp_sequence: SequenceNumber::of(self.sequence + 1_000),
            bytes: 312,
            at: self.now,
            probe,
        });
        self.sequence += 1;
    }

    fn report(&mut self, base: u64, statuses: &[Option<u64>]) {
        let mut out = Vec::new();
        write_transport_feedback(&mut out, 1, 2, 0, SequenceNumber::of(base), statuses);
        self.now += Duration::from_millis(20);
        self.read(&out);
        self.now -= Duration::from_millis(20);
    }

    fn read(&mut self, compound: &[u8]) {
        for packet in packets(compound) {
            match packet {
                Ok(Packet::TransportFeedback(feedback)) => {
                    self.estimator.transport_feedback(self.now, &feedback);
                }
                Ok(Packet::CongestionFeedback(feedback)) => {
                    self.estimator.congestion_feedback(self.now, &feedback);
                }
                _ => {}
            }
        }
    }

    /// RFC 8888 feedback on the last ten packets, 5 ms apart, each with this report.
    fn report_marked(&mut self, ecn: u16) {
        let begin = SequenceNumber::of(self.sequence - 10 + 1_000)
            .0
            .to_be_bytes();
        let mut out = vec![
            0x8b, 205, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7, begin[0], begin[1], 0, 10,
        ];
        for index in 0..10_u16 {
            let before = (10 - index) * 5;
            out.extend((0x8000 | ecn << 13 | before).to_be_bytes());
        }
        let seconds = u32::try_from(self.ticks).expect("few") / 4_000;
        let fraction = (u32::try_from(self.ticks).expect("few") % 4_000) * 65_536 / 4_000;
        out.extend((seconds << 16 | fraction).to_be_bytes());
        self.read(&out);
    }
}

#[test]
fn a_queue_that_grows_lowers_the_target_to_what_arrives() {
    let mut path = Path::new();
    for _ in 0..10 {
        path.round(20);
    }
    assert!(path.estimator.target_bps() >= 500_000);
    // Half of the rate arrives from here on: 250 kbit/s.
    for _ in 0..6 {
        path.round(40);
    }
    let target = path.estimator.target_bps();
    assert!((200_000..260_000).contains(&target), "{target}");
    assert!(path.estimator.pacing_bps() < target, "and the queue drains");
}

#[test]
fn silence_halves_the_rate_and_only_while_packets_are_under_way() {
    let mut path = Path::new();
    for _ in 0..4 {
        path.round(20);
    }
    let before = path.estimator.target_bps();
    path.now += Duration::from_secs(5);
    path.estimator.handle_timeout(path.now);
    assert_eq!(path.estimator.target_bps(), before, "nothing was sent");
    path.send(None);
    let due = path.estimator.poll_timeout().expect("feedback is awaited");
    assert!(due <= path.now + Duration::from_millis(SILENCE_US / 1_000 + 1));
    path.estimator.handle_timeout(due);
    assert!(path.estimator.target_bps() <= before / 2 + 1);
    for _ in 0..100 {
        if let Some(due) = path.estimator.poll_timeout() {
            path.estimator.handle_timeout(due);
        }
    }
    assert!(
        path.estimator.target_bps() >= before / 8,
        "one lost packet is no outage"
    );
}

#[test]
fn a_receivers_own_estimate_is_taken_or_bounds() {
    let mut path = Path::new();
    path.estimator.receiver_estimate(path.now, 2_000_000);
    assert_eq!(path.estimator.target_bps(), 2_000_000);
    assert_eq!(path.estimator.pacing_bps(), 2_000_000);
    path.round(20);
    assert!(path.estimator.target_bps() < 600_000);
    path.estimator.receiver_estimate(path.now, 100_000);
    assert_eq!(path.estimator.target_bps(), 100_000);
}

#[test]
fn reports_count_where_nothing_else_does() {
    let mut path = Path::new();
    let round_trip = Some(Duration::from_millis(80));
    path.estimator.receiver_report(path.now, 0.25, round_trip);
    assert_eq!(path.estimator.round_trip(), round_trip);
    assert!((path.estimator.loss() - 0.25).abs() < 1e-6);
    path.round(20);
    assert!(path.estimator.loss() < 0.01);
}

#[test]
fn feedback_twice_or_about_nothing_changes_nothing() {
    let mut path = Path::new();
    for _ in 0..4 {
        path.round(20);
    }
    let before = (path.estimator.target_bps(), path.estimator.round_trip());
    let statuses: Vec<_> = (0..40).map(|index| Some(900_000 + index * 400)).collect();
    path.report(65_530, &statuses);
    path.report(path.sequence + 500, &statuses);
    let after = (path.estimator.target_bps(), path.estimator.round_trip());
    assert_eq!(after, before);
}

#[test]
fn probing_stops_at_what_is_wanted() {
    let mut path = Path::new();
    path.round(20);
    path.estimator.set_wanted(500_000);
    path.now += Duration::from_secs(10);
    assert!(path.estimator.target_bps() >= 500_000);
    let probe = path.estimator.poll_probe(path.now);
    assert!(probe.is_none_or(|probe| probe.bps <= 550_000), "{probe:?}");
    let mut path = Path::new();
    path.round(20);
    path.estimator.set_wanted(5_000_000);
    let probe = path
        .estimator
        .poll_probe(path.now)
        .expect("there is more to know");
    assert!(probe.bps > 1_000_000);
    assert_eq!(path.estimator.poll_probe(path.now), None, "one at a time");
}

#[test]
fn congestion_marks_lower_the_rate_in_proportion() {
    let marked = |ecn| {
        let mut path = Path::new();
        for _ in 0..40 {
            for _ in 0..10 {
                path.send(None);
                path.now += Duration::from_millis(5);
                path.ticks += 20;
            }
            path.report_marked(ecn);
        }
        path.estimator.target_bps()
    };
    let (never, always) = (marked(0b01), marked(0b11));
    assert!(never >= 500_000, "{never}");
    assert!(always < 300_000, "{always}");
}

#[test]
fn a_late_arrival_takes_back_its_loss() {
    let mut history = History::new();
    let packet = |sequence| SentPacket {
        sequence,
        ssrc: SSRC,
        rtp_sequence: SequenceNumber(sequence.wrapping_add(9)),
        bytes: 100,
        at: start(),
        probe: None,
    };
    for sequence in [65_534, 65_535, 0, 1] {
        history.push(&packet(sequence), 1_000);
    }
    let lost = history.resolve(SequenceNumber(65_535), false);
    assert_eq!(lost.map(|sent| sent.sent_bytes), Some(200));
    assert!(history.resolve(SequenceNumber(65_535), false).is_none());
    let late = history.resolve(SequenceNumber(65_535), true).expect("news");
    assert!(late.was_lost());
    assert!(history.resolve(SequenceNumber(65_535), true).is_none());
    let by_stream = history.resolve_stream(SSRC, SequenceNumber(9), true);
    assert_eq!(by_stream.map(|sent| sent.sent_bytes), Some(300));
    assert!(history.resolve(SequenceNumber(0), true).is_none());
    assert!(
        history
            .resolve_stream(8, SequenceNumber(10), true)
            .is_none()
    );
}

/// Whatever a receiver says, however often: no panic, and a rate within the bounds.
#[test]
fn any_feedback_is_survived() {
    bolero::check!()
        .with_type::<Vec<(u16, Vec<u8>)>>()
        .for_each(|rounds| {
            let mut path = Path::new();
            path.estimator.set_wanted(u64::MAX);
            for (ms, bytes) in rounds {
                for _ in 0..4 {
                    let probe = path.estimator.poll_probe(path.now);
                    path.send(probe.map(|probe| probe.id));
                }
                path.now += Duration::from_millis(u64::from(ms % 2_000));
                let words = u8::try_from(bytes.len() / 4).unwrap_or(u8::MAX);
                for kind in [0x8b, 0x8f] {
                    let mut compound = vec![kind, 205, 0, words.saturating_add(1), 0, 0, 0, 1];
                    if kind == 0x8f {
                        compound = vec![
                            kind,
                            205,
                            0,
                            words.saturating_add(2),
                            0,
                            0,
                            0,
                            1,
                            0,
                            0,
                            0,
                            2,
                        ];
                    }
                    compound.extend(bytes.iter().take(4 * usize::from(words)));
                    path.read(&compound);
                }
                if path
                    .estimator
                    .poll_timeout()
                    .is_some_and(|due| due <= path.now)
                {
                    path.estimator.handle_timeout(path.now);
                }
                let target = path.estimator.target_bps() as f64;
                assert!((rate::BPS_MIN..=rate::BPS_MAX).contains(&target));
                assert!(path.estimator.pacing_bps() as f64 <= target);
                assert!((0.0..=1.0).contains(&path.estimator.loss()));
            }
        });
}
