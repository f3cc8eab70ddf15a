//! Synthetic Opus: 20 ms a packet, with pauses in speech.

use super::frame::{Content, Frame, Numbering};
use super::random::Random;
use super::stamp::Stamp;
use crate::scenario::Audio;
use std::time::Duration;

/// A microphone.
#[derive(Clone, Debug)]
pub(super) struct Microphone {
    spec: Audio,
    random: Random,
    numbering: Numbering,
    first_due: Duration,
    first_timestamp: u32,
    /// The next packet that speech would make, counted from the start, sent or not.
    tick: u64,
    speech: Speech,
}

#[derive(Clone, Copy, Debug)]
enum Speech {
    /// Until this tick.
    Speaking { until: u64, is_first: bool },
    /// Until this tick; the next comfort-noise packet goes out at that one.
    Silent { until: u64, noise_at: u64 },
}

/// Time of sound in a packet.
const PACKET: Duration = Duration::from_millis(20);

/// Clock ticks of [`PACKET`] at 48 kHz (RFC 7587 §4.1).
const PACKET_TICKS: u32 = 960;

/// Packets between two that are sent in silence: 400 ms, libopus's refresh under DTX.
const NOISE_EVERY: u64 = 20;

/// Bytes of a packet that is sent in silence.
const NOISE_BYTES: u16 = 6;

/// Mean length of speech without a pause, and of a pause, seconds: a conversation of two in which
/// each speaks somewhat less than half of the time (ITU-T P.59 has 1.0 and 1.6).
const SPEAKING_MEAN_S: f64 = 1.0;
const SILENT_MEAN_S: f64 = 1.6;

impl Microphone {
    pub(super) fn new(spec: Audio, numbering: Numbering, mut random: Random) -> Self {
        let first_due = PACKET.mul_f64(random.share());
        let first_timestamp = random.word();
        let mut microphone = Self {
            spec,
            random,
            numbering,
            first_due,
            first_timestamp,
            tick: 0,
            speech: Speech::Speaking {
                until: u64::MAX,
                is_first: true,
            },
        };
        if spec.dtx {
            microphone.speech = Speech::Speaking {
                until: microphone.draw(SPEAKING_MEAN_S),
                is_first: true,
            };
        }
        microphone
    }

    pub(super) fn next_due(&self) -> Duration {
        self.first_due + Duration::from_nanos(20_000_000 * self.tick)
    }

    /// The packet at [`next_due`](Self::next_due).
    pub(super) fn next(&mut self) -> Frame {
        let due = self.next_due();
        let (bytes, marker) = match &mut self.speech {
            Speech::Speaking { is_first, .. } => {
                let marker = std::mem::take(is_first);
                (self.speech_bytes(), marker)
            }
            Speech::Silent { .. } => (NOISE_BYTES, false),
        };
        #[expect(clippy::cast_possible_truncation, reason = "time stamps wrap")]
        let ticks = self.tick as u32;
        let (first_sequence, first_number) = self.numbering.take(1);
        let frame = Frame {
            due,
            layer: 0,
            ssrc: self.numbering.ssrc,
            payload_type: self.numbering.payload_type,
            timestamp: self
                .first_timestamp
                .wrapping_add(ticks.wrapping_mul(PACKET_TICKS)),
            is_key_frame: true,
            first_sequence,
            first_number,
            packets: 1,
            packet_bytes: bytes,
            last_bytes: bytes,
            marker,
            content: Content::Plain,
        };
        self.advance();
        frame
    }

    fn advance(&mut self) {
        self.tick += 1;
        match self.speech {
            Speech::Speaking { until, .. } if self.tick >= until => {
                self.speech = Speech::Silent {
                    until: self.draw(SILENT_MEAN_S),
                    noise_at: self.tick,
                };
            }
            Speech::Silent { until, noise_at } => {
                let noise_at = noise_at + NOISE_EVERY;
                if noise_at < until {
                    self.tick = noise_at;
                    self.speech = Speech::Silent { until, noise_at };
                } else {
                    self.tick = until.max(self.tick);
                    self.speech = Speech::Speaking {
                        until: self.draw(SPEAKING_MEAN_S),
                        is_first: true,
                    };
                }
            }
            Speech::Speaking { .. } => {}
        }
    }

    /// The tick at which a span that begins now ends.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and short"
    )]
    fn draw(&mut self, mean_s: f64) -> u64 {
        let ticks = self.random.exponential(mean_s) / PACKET.as_secs_f64();
        self.tick + 1 + ticks as u64
    }

    /// Variable bitrate: packets differ by a fifth.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a packet's length"
    )]
    fn speech_bytes(&mut self) -> u16 {
        let mean = f64::from(self.spec.bitrate_bps) / 8.0 * PACKET.as_secs_f64();
        let bytes = self.random.between(0.8, 1.2) * mean;
        bytes.clamp(Stamp::BYTES as f64, super::PAYLOAD_BYTES_MAX as f64) as u16
    }
}
