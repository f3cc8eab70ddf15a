//! Who is speaking, from the levels that clients put beside their audio (RFC 6464); nothing is
//! decoded. The semantics are those that LiveKit's clients know: a track speaks when its level is
//! above about -35 dBov for 40 % of a 400 ms window.

use crate::limits::{SPEAKER_INTERVAL, SPEAKER_SAMPLES_MAX};
use crate::rtp::Timestamp;

/// One audio track's levels.
#[derive(Default)]
pub(super) struct LevelMeter {
    /// -dBov, of the current window.
    samples: Vec<u8>,
    last: Option<(u64, Timestamp)>,
    /// Milliseconds of audio in a packet, from consecutive timestamps.
    packet_ms: Option<u32>,
    smoothed: f32,
    reported: Loudness,
}

/// How loud a track is, as it is reported.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Loudness {
    /// 0.0 to 1.0 in steps of an eighth.
    pub(super) level: f32,
    pub(super) active: bool,
}

impl LevelMeter {
    /// A packet of the track arrived with this level.
    pub(super) fn record(
        &mut self,
        sequence: u64,
        timestamp: Timestamp,
        clock_hz: u32,
        minus_dbov: u8,
    ) {
        if let Some((last_sequence, last)) = self.last
            && sequence == last_sequence + 1
        {
            let units = u32::try_from(timestamp.ahead_of(last)).unwrap_or(0);
            let packet_ms = units.saturating_mul(1_000) / clock_hz;
            if (MIN_PACKET_MS..=MAX_PACKET_MS).contains(&packet_ms) {
                self.packet_ms = Some(packet_ms);
            }
        }
        self.last = Some((sequence, timestamp));
        if self.samples.len() < SPEAKER_SAMPLES_MAX {
            self.samples.push(minus_dbov);
        }
    }

    /// Ends a window. `Some` if what has to be reported changed. A muted track is silent whatever
    /// it sends.
    pub(super) fn tick(&mut self, muted: bool) -> Option<Loudness> {
        let packets_per_window = interval_ms() / self.packet_ms.unwrap_or(ASSUMED_PACKET_MS).max(1);
        // Counting from the loudest; a window with fewer packets was silent for the rest (DTX).
        let rank = (packets_per_window * SPEAKING_PERCENT / 100).max(1);
        self.samples.sort_unstable();
        let percentile = usize::try_from(rank - 1)
            .ok()
            .and_then(|index| self.samples.get(index));
        let linear = match percentile {
            Some(minus_dbov) if !muted => linear(f32::from(*minus_dbov)),
            _ => 0.0,
        };
        self.samples.clear();
        if muted {
            self.smoothed = 0.0;
        }
        self.smoothed += (linear - self.smoothed) * SMOOTHING;
        let active = self.smoothed >= self::linear(THRESHOLD_MINUS_DBOV);
        let level = if active {
            (self.smoothed * LEVEL_STEPS).ceil() / LEVEL_STEPS
        } else {
            0.0
        };
        let loudness = Loudness {
            level: level.min(1.0),
            active,
        };
        let changed = loudness != self.reported;
        self.reported = loudness;
        changed.then_some(loudness)
    }

    /// Whether nothing will be reported until the next packet.
    pub(super) fn is_quiet(&self) -> bool {
        self.samples.is_empty() && !self.reported.active
    }
}

fn linear(minus_dbov: f32) -> f32 {
    10_f32.powf(-minus_dbov / 20.0)
}

fn interval_ms() -> u32 {
    u32::try_from(SPEAKER_INTERVAL.as_millis()).unwrap_or(u32::MAX)
}

const THRESHOLD_MINUS_DBOV: f32 = 35.0;
const SPEAKING_PERCENT: u32 = 40;
/// 2 / (n + 1) over the last two windows.
const SMOOTHING: f32 = 2.0 / 3.0;
const LEVEL_STEPS: f32 = 8.0;

const ASSUMED_PACKET_MS: u32 = 20;
const MIN_PACKET_MS: u32 = 5;
const MAX_PACKET_MS: u32 = 120;

#[cfg(test)]
mod tests;
