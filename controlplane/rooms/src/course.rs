//! How media goes: what arrives of a track, and what a subscriber has been sent of it.

use crate::input::Time;
use crate::limits;
use crate::output::Measure;
use bedside_protocol::Layer;

/// What the data plane receives of a track.
#[derive(Clone, Copy, Default)]
pub(crate) struct Uplink {
    /// The highest layer that arrives.
    top: Option<Layer>,
    /// Until then the publisher may still be on its way to what it was asked for.
    settled_at: Option<Time>,
}

impl Uplink {
    /// Other layers arrive now.
    pub(crate) fn receive(&mut self, now: Time, top: Option<Layer>) {
        if self.top.is_none() && top.is_some() {
            self.settle(now);
        }
        self.top = top;
    }

    /// The publisher was asked for something else.
    pub(crate) fn settle(&mut self, now: Time) {
        self.settled_at = Some(now.after_us(limits::UPLINK_SETTLE_US));
    }

    pub(crate) fn top(&self) -> Option<Layer> {
        self.top
    }

    /// How many layers are missing below `wanted` that should be there by now; `None` while that
    /// cannot be said.
    pub(crate) fn missing(&self, now: Time, wanted: Layer) -> Option<usize> {
        let settled = self.settled_at.is_some_and(|at| at <= now);
        let top = self.top.filter(|_| settled)?;
        Some(wanted.index().saturating_sub(top.index()))
    }
}

/// What a subscriber has been sent of a track.
#[derive(Clone, Copy, Default)]
pub(crate) struct Course {
    /// The layer, and since when.
    layer: Option<(Layer, Time)>,
    paused_at: Option<Time>,
}

impl Course {
    /// Another layer is sent, or none. Says how long the one before was, if there was one.
    pub(crate) fn send(&mut self, now: Time, layer: Option<Layer>) -> Option<Measure> {
        let before = self.layer;
        if before.map(|(before, _)| before) == layer {
            return None;
        }
        self.layer = layer.map(|layer| (layer, now));
        let (_, since) = before?;
        Some(Measure::LayerSeconds(now.seconds_since(since)))
    }

    /// The network stops the picture, or lets it pass. Says for how long it did not.
    pub(crate) fn pause(&mut self, now: Time, paused: bool) -> Option<Measure> {
        if paused {
            self.paused_at.get_or_insert(now);
            return None;
        }
        let since = self.paused_at.take()?;
        Some(Measure::PausedSeconds(now.seconds_since(since)))
    }

    /// The layer that is sent now.
    pub(crate) fn layer(&self) -> Option<Layer> {
        self.layer.map(|(layer, _)| layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_000_000);

    #[test]
    fn a_switch_says_how_long_the_layer_before_was_sent() {
        let mut course = Course::default();
        assert_eq!(course.send(START, Some(Layer::Low)), None);
        assert_eq!(course.send(START.after_s(1), Some(Layer::Low)), None);
        let held = course.send(START.after_s(3), Some(Layer::High));
        assert_eq!(held, Some(Measure::LayerSeconds(3.0)));
        assert_eq!(course.layer(), Some(Layer::High));
        let held = course.send(START.after_s(4), None);
        assert_eq!(held, Some(Measure::LayerSeconds(1.0)));
        assert_eq!(course.send(START.after_s(9), Some(Layer::Low)), None);
    }

    #[test]
    fn a_pause_is_measured_from_its_beginning_to_its_end() {
        let mut course = Course::default();
        assert_eq!(course.pause(START, true), None);
        assert_eq!(course.pause(START.after_s(1), true), None);
        let paused = course.pause(START.after_s(7), false);
        assert_eq!(paused, Some(Measure::PausedSeconds(7.0)));
        assert_eq!(course.pause(START.after_s(8), false), None);
    }

    #[test]
    fn missing_layers_count_once_the_publisher_had_time_to_send_them() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.missing(START, Layer::High), None);
        uplink.receive(START, Some(Layer::Low));
        assert_eq!(uplink.missing(START.after_s(9), Layer::High), None);
        assert_eq!(uplink.missing(START.after_s(10), Layer::High), Some(2));
        assert_eq!(uplink.missing(START.after_s(10), Layer::Low), Some(0));
        uplink.settle(START.after_s(20));
        assert_eq!(uplink.missing(START.after_s(29), Layer::High), None);
        uplink.receive(START.after_s(30), None);
        assert_eq!(uplink.missing(START.after_s(40), Layer::High), None);
    }
}
