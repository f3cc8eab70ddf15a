//! Which layer a subscriber should get.

use bedside_protocol::Layer;

/// Which layers of a track are being received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct ActiveLayers([bool; Layer::ALL.len()]);

impl ActiveLayers {
    pub(super) fn set(&mut self, layer: Layer, active: bool) {
        self.0[layer.index()] = active;
    }

    pub(super) fn contains(self, layer: Layer) -> bool {
        self.0[layer.index()]
    }
}

/// The highest layer that is being received and not above `max`; `None` if there is none, and
/// whatever was forwarded before stays.
pub(super) fn select_layer(active: ActiveLayers, max: Layer) -> Option<Layer> {
    Layer::ALL
        .into_iter()
        .rev()
        .find(|layer| *layer <= max && active.contains(*layer))
}

#[cfg(test)]
mod tests;
