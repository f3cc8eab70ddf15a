//! One received stream: what its sequence numbers, time stamps and markers say.

use super::Recorder;
use crate::media::Stamp;
use bedside_protocol::MediaKind;
use std::ops::Range;
use std::time::Duration;

/// Follows one received SSRC.
///
/// Whether a frame is whole is told from the RTP headers: every number from after one marker to
/// the next has arrived. A frame that follows a hole counts as incomplete until the hole is
/// filled: nobody who looks at headers alone can tell which frame the missing packets belonged to.
#[derive(Clone, Debug)]
pub struct StreamReceiver {
    kind: MediaKind,
    clock_hz: u32,
    /// When the stream was wanted; taken by the first frame.
    wanted_ns: Option<u64>,
    /// The track that the packets must come from, if known.
    source: Option<u32>,
    /// Lowest and highest number so far.
    numbers: Option<(u64, u64)>,
    /// Added to the first sequence number: the cycle that the stream is first seen in, and one.
    first_cycle: u64,
    /// Packets that arrived, or are taken as delivered.
    received: u64,
    arrived: Window,
    markers: Window,
    jitter: Jitter,
    layer: Option<u8>,
    /// When the last frame was whole, and its time stamp.
    last_frame: Option<(u64, u32)>,
    /// Nominal time between two frames, smoothed.
    frame_interval_ns: Option<u64>,
}

/// A packet as it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP time stamp.
    pub timestamp: u32,
    /// RTP marker.
    pub marker: bool,
    /// From the RTP header to the authentication tag.
    pub bytes: usize,
    /// When, nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// What the payload says, if it was opened and carries a stamp.
    pub stamp: Option<Stamp>,
}

/// What a packet was to its stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// It had not arrived before.
    pub is_new: bool,
    /// It made a frame whole.
    pub completes_frame: bool,
    /// Numbers that it shows to be missing, in the terms of [`StreamReceiver::index_of`].
    pub missing: Range<u64>,
}

impl StreamReceiver {
    /// A stream that was wanted at `wanted_ns` (monotonic clock).
    ///
    /// # Panics
    /// `clock_hz` is 0.
    #[must_use]
    pub fn new(kind: MediaKind, clock_hz: u32, wanted_ns: u64) -> Self {
        assert!(clock_hz > 0, "a media clock ticks");
        Self {
            kind,
            clock_hz,
            wanted_ns: Some(wanted_ns),
            source: None,
            numbers: None,
            first_cycle: CYCLE,
            received: 0,
            arrived: Window::default(),
            markers: Window::default(),
            jitter: Jitter::default(),
            layer: None,
            last_frame: None,
            frame_interval_ns: None,
        }
    }

    /// Every stamp must name this track ([`Stamp::source`]); another one counts as forged.
    #[must_use]
    pub fn from_source(mut self, source: u32) -> Self {
        self.source = Some(source);
        self
    }

    /// Audio or video.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The packet index of a sequence number (RFC 3711 §3.3.1): the one closest to the highest so
    /// far. A stream begins in the first cycle.
    #[must_use]
    pub fn index_of(&self, sequence: u16) -> u64 {
        self.number_of(sequence).saturating_sub(CYCLE)
    }

    /// The highest packet index so far; `None` before the first packet.
    #[must_use]
    pub fn highest_index(&self) -> Option<u64> {
        self.numbers
            .map(|(_, highest)| highest.saturating_sub(CYCLE))
    }

    /// Packets that the numbers say were sent to us, and packets that arrived, so far.
    #[must_use]
    pub fn expected_and_received(&self) -> (u64, u64) {
        let expected = self
            .numbers
            .map_or(0, |(lowest, highest)| highest + 1 - lowest);
        (expected, self.received)
    }

    /// Interarrival jitter in clock ticks, as receiver reports give it.
    #[must_use]
    pub fn jitter_ticks(&self) -> u32 {
        let ticks = self.jitter.jitter_ns * u64::from(self.clock_hz) / 1_000_000_000;
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// Whether nothing usable has arrived yet.
    #[must_use]
    pub fn awaits_first_frame(&self) -> bool {
        self.wanted_ns.is_some()
    }

    /// The stream began in the cycle before the one that was thought to be its first. To be called
    /// before its first packet is taken, when that opens under the next index only.
    pub fn skip_cycle(&mut self) {
        self.first_cycle += CYCLE;
    }

    /// Numbers here are indices moved up by one cycle, so that one just before the first packet
    /// of a stream has a place too.
    fn number_of(&self, sequence: u16) -> u64 {
        match self.numbers {
            None => self.first_cycle + u64::from(sequence),
            Some((_, highest)) => {
                let [.., high, low] = highest.to_be_bytes();
                let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low]));
                highest
                    .saturating_add_signed(i64::from(ahead.cast_signed()))
                    .max(u64::from(sequence))
            }
        }
    }

    /// Takes a packet of a stream of which every packet is seen.
    pub fn receive(&mut self, arrival: &Arrival, recorder: &mut Recorder) -> Outcome {
        let pending = &mut recorder.pending;
        pending.bytes_received += arrival.bytes as u64;
        let number = self.number_of(arrival.sequence);
        let (lowest, highest) = *self.numbers.get_or_insert((number, number - 1));
        let mut outcome = Outcome::default();
        if number > highest {
            if number > highest + 1 {
                outcome.missing = (highest + 1).saturating_sub(CYCLE)..number.saturating_sub(CYCLE);
            }
            pending.packets_expected += number - highest;
            self.arrived.advance(highest, number);
            self.markers.advance(highest, number);
            self.numbers = Some((lowest, number));
        } else {
            if highest - number >= Window::SIZE {
                // Long given up by any receiver: it stays lost.
                pending.reordered += 1;
                return outcome;
            }
            if self.arrived.contains(number) {
                pending.duplicated += 1;
                return outcome;
            }
            pending.reordered += 1;
            if number < lowest {
                pending.packets_expected += lowest - number;
                self.numbers = Some((number, highest));
            }
        }
        outcome.is_new = true;
        pending.packets_received += 1;
        self.received += 1;
        self.arrived.insert(number);
        if arrival.marker {
            self.markers.insert(number);
        }
        pending
            .jitter
            .record_ns(self.jitter.update(arrival, self.clock_hz));
        self.read_stamp(arrival, recorder);
        outcome.completes_frame = self.completes_frame(number);
        if outcome.completes_frame {
            self.frame_arrived(arrival, recorder);
        }
        outcome
    }

    /// Takes one packet of a stream of which only a sample is seen, because the kernel drops the
    /// rest on purpose: what lies between two of them is taken as delivered, with the size of the
    /// later one.
    pub fn sample(&mut self, arrival: &Arrival, recorder: &mut Recorder) {
        let number = self.number_of(arrival.sequence);
        let (lowest, highest) = *self.numbers.get_or_insert((number, number - 1));
        if number > highest {
            let packets = number - highest;
            recorder.counted(packets, packets * arrival.bytes as u64);
            self.received += packets;
            self.numbers = Some((lowest, number));
        }
        self.read_stamp(arrival, recorder);
        if let Some(wanted_ns) = self.wanted_ns.take() {
            recorder.first_frame(span(wanted_ns, arrival.at_ns));
        }
    }

    /// The stream stops on purpose: what follows is not a freeze.
    pub fn pause(&mut self, now_ns: u64, recorder: &mut Recorder) {
        self.account(now_ns, recorder);
        self.last_frame = None;
    }

    /// The stream ends: a picture that stands still now has done so until now.
    pub fn close(self, now_ns: u64, recorder: &mut Recorder) {
        self.account(now_ns, recorder);
    }

    fn read_stamp(&mut self, arrival: &Arrival, recorder: &mut Recorder) {
        let Some(stamp) = arrival.stamp else {
            return;
        };
        if self.source.is_some_and(|source| source != stamp.source) {
            recorder.forged();
            return;
        }
        let since_due_ns = arrival.at_ns.saturating_sub(stamp.due_ns);
        let since_sent_ns = since_due_ns.saturating_sub(stamp.send_delay_ns.into());
        recorder.latency(self.kind, since_due_ns, since_sent_ns);
        if self
            .layer
            .replace(stamp.layer)
            .is_some_and(|layer| layer != stamp.layer)
        {
            recorder.layer_switch();
        }
    }

    /// Whether the frame around `number` is whole now.
    fn completes_frame(&self, number: u64) -> bool {
        if self.kind == MediaKind::Audio {
            return true;
        }
        let Some((lowest, highest)) = self.numbers else {
            return false;
        };
        let oldest = lowest.max((highest + 1).saturating_sub(Window::SIZE));
        let is_whole_after = {
            let mut at = number;
            loop {
                if at > highest || !self.arrived.contains(at) {
                    break false;
                }
                if self.markers.contains(at) {
                    break true;
                }
                at += 1;
            }
        };
        is_whole_after && {
            let mut at = number;
            loop {
                at -= 1;
                if at < oldest {
                    // The stream's very first frame.
                    break at < lowest;
                }
                if !self.arrived.contains(at) {
                    break false;
                }
                if self.markers.contains(at) {
                    break true;
                }
            }
        }
    }

    fn frame_arrived(&mut self, arrival: &Arrival, recorder: &mut Recorder) {
        if let Some(wanted_ns) = self.wanted_ns.take() {
            recorder.first_frame(span(wanted_ns, arrival.at_ns));
        }
        if self.kind == MediaKind::Audio {
            return;
        }
        if let Some((_, timestamp)) = self.last_frame {
            let ticks = arrival.timestamp.wrapping_sub(timestamp);
            // A jump is another layer's clock or a pause, not a frame rate.
            if ticks > 0 && ticks < self.clock_hz {
                let nominal_ns = u64::from(ticks) * 1_000_000_000 / u64::from(self.clock_hz);
                let smoothed_ns = self.frame_interval_ns.unwrap_or(nominal_ns);
                self.frame_interval_ns = Some((smoothed_ns * 7 + nominal_ns) / 8);
            }
        }
        self.account(arrival.at_ns, recorder);
        self.last_frame = Some((arrival.at_ns, arrival.timestamp));
    }

    /// Counts the time since the last whole frame as watched and, if it was too long, as frozen.
    fn account(&self, now_ns: u64, recorder: &mut Recorder) {
        let Some((last_ns, _)) = self.last_frame else {
            return;
        };
        let gap = span(last_ns, now_ns);
        recorder.watched(gap);
        let usual = Duration::from_nanos(self.frame_interval_ns.unwrap_or_default());
        if gap > FREEZE_MIN.max(usual * FREEZE_INTERVALS) {
            recorder.frozen(gap);
        }
    }
}

/// A picture that stands for less than this is not seen to stand still.
const FREEZE_MIN: Duration = Duration::from_millis(150);

/// Frame intervals that a picture may stand: at low frame rates that is longer.
const FREEZE_INTERVALS: u32 = 3;

/// Sequence numbers in a cycle.
const CYCLE: u64 = 1 << 16;

fn span(from_ns: u64, to_ns: u64) -> Duration {
    Duration::from_nanos(to_ns.saturating_sub(from_ns))
}

/// Interarrival jitter (RFC 3550 §6.4.1), in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Jitter {
    last: Option<(u64, u32)>,
    jitter_ns: u64,
}

impl Jitter {
    fn update(&mut self, arrival: &Arrival, clock_hz: u32) -> u64 {
        if let Some((at_ns, timestamp)) = self.last {
            let ticks = i64::from(arrival.timestamp.wrapping_sub(timestamp).cast_signed());
            let apart_ns = ticks * 1_000_000_000 / i64::from(clock_hz);
            let arrived_apart_ns = arrival.at_ns.wrapping_sub(at_ns).cast_signed();
            let difference_ns = arrived_apart_ns.wrapping_sub(apart_ns).unsigned_abs();
            // A jump in time stamps is a switch of layers.
            if difference_ns < 10_000_000_000 {
                self.jitter_ns = (self.jitter_ns * 15 + difference_ns) / 16;
            }
        }
        self.last = Some((arrival.at_ns, arrival.timestamp));
        self.jitter_ns
    }
}

/// The last [`Window::SIZE`] numbers as a set.
#[derive(Clone, Debug, Default)]
struct Window([u64; Self::WORDS]);

impl Window {
    const WORDS: usize = 32;
    const SIZE: u64 = 64 * Self::WORDS as u64;

    fn place(number: u64) -> (usize, u64) {
        let bit = number % Self::SIZE;
        let word = (bit / 64) as usize;
        (word, 1 << (bit % 64))
    }

    fn contains(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.0[word] & bit != 0
    }

    fn insert(&mut self, number: u64) {
        let (word, bit) = Self::place(number);
        self.0[word] |= bit;
    }

    /// The highest number becomes `to`: forgets what had the places of those in between.
    fn advance(&mut self, from: u64, to: u64) {
        if to - from >= Self::SIZE {
            self.0 = [0; Self::WORDS];
            return;
        }
        for number in from + 1..=to {
            let (word, bit) = Self::place(number);
            self.0[word] &= !bit;
        }
    }
}
