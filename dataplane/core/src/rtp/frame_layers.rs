//! Which layers the frame of a packet belongs to, however its codec says so.

/// A frame's place among the layers of its stream, and from where on a decoder that had fewer layers
/// can go on with more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameLayers {
    /// Spatial layer, 0 for the smallest picture.
    pub spatial: u8,
    /// Temporal layer, 0 for the lowest frame rate.
    pub temporal: u8,
    /// The packet is the first of its frame.
    pub starts: bool,
    /// The packet is the last of its frame; others of the same picture may follow.
    pub ends: bool,
    /// The frame needs nothing above temporal layer 0 of what was before (RFC 7741 §4.2, Y).
    pub temporal_from_here: bool,
    /// Frames of higher temporal layers that follow need nothing of these layers from before (RFC
    /// 9628 §4.2, U).
    pub temporal_from_next: bool,
    /// Pairs of layers that can be decoded from this frame on, if it can: see [`pair`].
    pub switches: u32,
}

/// Temporal layers that are told apart; those above count as the highest.
pub(super) const TEMPORAL_LAYERS: u8 = 8;

/// Spatial layers that are told apart; those above count as the highest.
pub(super) const SPATIAL_LAYERS: u8 = 3;

/// The bit of a spatial and a temporal layer in [`FrameLayers::switches`].
#[must_use]
pub fn pair(spatial: u8, temporal: u8) -> u32 {
    let spatial = spatial.min(SPATIAL_LAYERS - 1);
    let temporal = temporal.min(TEMPORAL_LAYERS - 1);
    1 << (spatial * TEMPORAL_LAYERS + temporal)
}
