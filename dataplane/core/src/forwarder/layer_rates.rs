//! What each layer of a track costs: measured bit and frame rates.

use crate::limits::{LAYER_RATE_WINDOW, PACKET_OVERHEAD_BYTES, TEMPORAL_LAYERS_MAX};
use crate::rtp::Timestamp;
use bedside_protocol::Layer;
use std::time::Instant;

/// A track's rates. A packet costs some additions; the rest happens once a window.
#[derive(Default)]
pub(super) struct LayerRates {
    since: Option<Instant>,
    /// By [`Layer::index`].
    newest: [Option<Timestamp>; Layer::ALL.len()],
    counted: [[Counted; TEMPORAL_LAYERS_MAX]; Layer::ALL.len()],
    rates: [LayerRate; Layer::ALL.len()],
}

#[derive(Clone, Copy, Default)]
struct Counted {
    bytes: u64,
    frames: u64,
}

/// Rates of a layer by temporal layer, each without those below it. Zero where nothing was
/// received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct LayerRate {
    /// Bits per second of whole packets as they are sent on.
    pub(super) bps: [u64; TEMPORAL_LAYERS_MAX],
    /// Frames per second.
    pub(super) frames: [u64; TEMPORAL_LAYERS_MAX],
}

impl LayerRate {
    /// Bits per second of all temporal layers.
    pub(super) fn whole_bps(&self) -> u64 {
        self.bps.iter().sum()
    }
}

impl LayerRates {
    /// A packet with `payload_bytes` of media arrived.
    pub(super) fn received(
        &mut self,
        now: Instant,
        layer: Layer,
        temporal: u8,
        timestamp: Timestamp,
        payload_bytes: u64,
    ) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= LAYER_RATE_WINDOW {
            // After a silence the counts tell nothing of what is sent now.
            if elapsed < 3 * LAYER_RATE_WINDOW {
                self.close(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            }
            self.counted = Default::default();
            self.since = Some(now);
        }
        let temporal = usize::from(temporal).min(TEMPORAL_LAYERS_MAX - 1);
        let counted = &mut self.counted[layer.index()][temporal];
        counted.bytes += payload_bytes + PACKET_OVERHEAD_BYTES;
        let newest = &mut self.newest[layer.index()];
        if newest.is_none_or(|newest| timestamp.ahead_of(newest) > 0) {
            *newest = Some(timestamp);
            counted.frames += 1;
        }
    }

    /// Rates of a layer, smoothed so that a key frame does not double them; `None` before it was
    /// received for a window.
    pub(super) fn of(&self, layer: Layer) -> Option<&LayerRate> {
        Some(&self.rates[layer.index()]).filter(|rate| rate.whole_bps() > 0)
    }

    fn close(&mut self, elapsed_ms: u64) {
        for (rate, counted) in self.rates.iter_mut().zip(&self.counted) {
            let silent = counted.iter().all(|counted| counted.frames == 0);
            // It begins, or it stopped and its last rate is the best guess at the next one.
            let begins = rate.whole_bps() == 0;
            if silent {
                continue;
            }
            for (index, counted) in counted.iter().enumerate() {
                let smooth = |old: &mut u64, amount: u64| {
                    let new = amount.saturating_mul(1_000) / elapsed_ms.max(1);
                    *old = if begins { new } else { (*old * 3 + new) / 4 };
                };
                smooth(&mut rate.bps[index], counted.bytes * 8);
                smooth(&mut rate.frames[index], counted.frames);
            }
        }
    }
}

#[cfg(test)]
mod tests;
