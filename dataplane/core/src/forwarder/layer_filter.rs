//! Which frames of one stream a subscriber gets: those within a spatial and a temporal limit.
//!
//! The limits go down with the next picture, since what lies below never needs what lies above.
//! They go up where the stream says that a decoder can follow: at a key frame or a switching
//! point. All layers up to a limit are forwarded, also those that the one above does not need in
//! this picture (as in `L3T3_KEY`), so that going down needs no key frame.

use super::layer_selection::Target;
use super::publisher::Arrival;
use crate::limits::{LAYER_CHANGES_REMEMBERED, PICTURES_LEFT_OUT_REMEMBERED};
use crate::rtp::{FrameLayers, PictureId, Timestamp, pair};
use bedside_protocol::Layer;

pub(super) struct LayerFilter {
    limits: Target,
    /// From which of the publisher's timestamps on which limits held; the oldest is written over.
    changes: [(Timestamp, Target); LAYER_CHANGES_REMEMBERED],
    change_count: usize,
    /// The newest picture of which a packet was decided on.
    picture: Option<Timestamp>,
    /// Pictures of which a packet was left out, as their ids tell them apart.
    left_out: [Option<PictureId>; PICTURES_LEFT_OUT_REMEMBERED],
    left_out_count: usize,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Forward,
    LeaveOut {
        /// It is the first one of its picture.
        first: bool,
    },
}

impl Default for LayerFilter {
    fn default() -> Self {
        Self {
            limits: EVERYTHING,
            changes: [(Timestamp(0), EVERYTHING); LAYER_CHANGES_REMEMBERED],
            change_count: 0,
            picture: None,
            left_out: [None; PICTURES_LEFT_OUT_REMEMBERED],
            left_out_count: 0,
        }
    }
}

impl LayerFilter {
    /// Another stream begins, with a key frame.
    pub(super) fn restart(&mut self, target: Target, timestamp: Timestamp) {
        *self = Self::default();
        self.limit(target, timestamp);
    }

    /// What is forwarded now.
    pub(super) fn limits(&self) -> Target {
        self.limits
    }

    /// Whether no temporal layer is left out, nor is to be.
    pub(super) fn is_idle(&self, target: Target) -> bool {
        self.limits.temporal == u8::MAX && target.temporal == u8::MAX
    }

    /// Decides on a packet with `target` wanted, which came before any newer one; `forwarded` is the
    /// newest picture that was forwarded in part.
    pub(super) fn judge(
        &mut self,
        target: Target,
        arrival: &Arrival,
        frame: &FrameLayers,
        forwarded: Option<Timestamp>,
    ) -> Verdict {
        let timestamp = arrival.timestamp;
        let mut limits = self.limits;
        let mut begun = [self.picture, forwarded].into_iter().flatten();
        if begun.all(|begun| timestamp.ahead_of(begun) > 0) {
            self.picture = Some(timestamp);
            limits.spatial = limits.spatial.min(target.spatial);
            limits.temporal = limits.temporal.min(target.temporal);
        }
        if arrival.starts {
            limits = target;
        }
        if frame.starts && frame.temporal_from_here && follows(limits.temporal, frame.temporal) {
            limits.temporal = limits.temporal.max(frame.temporal.min(target.temporal));
        }
        if !within(limits, frame) {
            self.limit(limits, timestamp);
            return self.leave_out(arrival);
        }
        if frame.temporal_from_next {
            limits.temporal = limits.temporal.max(target.temporal);
        }
        limits = switched(limits, target, frame);
        self.limit(limits, timestamp);
        Verdict::Forward
    }

    /// The limits of the picture that a packet belongs to.
    pub(super) fn limits_at(&self, timestamp: Timestamp) -> Target {
        let kept = self.change_count.min(LAYER_CHANGES_REMEMBERED);
        (1..=kept)
            .map(|back| self.changes[(self.change_count - back) % LAYER_CHANGES_REMEMBERED])
            .find(|(since, _)| timestamp.ahead_of(*since) >= 0)
            .map_or(self.limits, |(_, limits)| limits)
    }

    /// Decides on a packet after newer ones: it is treated as its picture was. Where pictures are
    /// renumbered, one of which nothing had been seen still has its number; if it can be decoded
    /// with the lowest layer alone it is forwarded, so that the number is not missed.
    pub(super) fn judge_late(&self, arrival: &Arrival, frame: &FrameLayers) -> Verdict {
        let is_missed = arrival.renumbered
            && frame.temporal_from_here
            && !self.was_left_out(arrival.picture_id);
        if within(self.limits_at(arrival.timestamp), frame) || is_missed {
            Verdict::Forward
        } else {
            Verdict::LeaveOut { first: false }
        }
    }

    fn leave_out(&mut self, arrival: &Arrival) -> Verdict {
        let first = arrival.renumbered && !self.was_left_out(arrival.picture_id);
        if first {
            let slot = self.left_out_count % PICTURES_LEFT_OUT_REMEMBERED;
            self.left_out[slot] = arrival.picture_id;
            self.left_out_count += 1;
        }
        Verdict::LeaveOut { first }
    }

    fn was_left_out(&self, picture: Option<PictureId>) -> bool {
        picture.is_none() || self.left_out.contains(&picture)
    }

    fn limit(&mut self, limits: Target, since: Timestamp) {
        if self.change_count > 0 && self.limits == limits {
            return;
        }
        self.limits = limits;
        self.changes[self.change_count % LAYER_CHANGES_REMEMBERED] = (since, limits);
        self.change_count += 1;
    }
}

/// The highest limits up to `target` that a decoder can be switched to with this frame.
fn switched(limits: Target, target: Target, frame: &FrameLayers) -> Target {
    if frame.switches == 0 || limits == target {
        return limits;
    }
    let temporal_layers = limits.temporal.min(TEMPORAL_MAX)..=target.temporal.min(TEMPORAL_MAX);
    let spatial_layers = Layer::ALL.into_iter().rev();
    spatial_layers
        .filter(|spatial| (limits.spatial..=target.spatial).contains(spatial))
        .flat_map(|spatial| temporal_layers.clone().rev().map(move |it| (spatial, it)))
        .find(|(spatial, temporal)| frame.switches & pair(*spatial as u8, *temporal) != 0)
        .map_or(limits, |(spatial, temporal)| Target { spatial, temporal })
}

fn follows(limit: u8, layer: u8) -> bool {
    limit.checked_add(1) == Some(layer)
}

fn within(limits: Target, frame: &FrameLayers) -> bool {
    spatial_layer(frame) <= limits.spatial && frame.temporal <= limits.temporal
}

/// Above the third layer there is nothing to choose.
pub(super) fn spatial_layer(frame: &FrameLayers) -> Layer {
    match frame.spatial {
        0 => Layer::Low,
        1 => Layer::Medium,
        _ => Layer::High,
    }
}

const EVERYTHING: Target = Target {
    spatial: Layer::High,
    temporal: u8::MAX,
};

/// Temporal ids have three bits.
const TEMPORAL_MAX: u8 = 7;
