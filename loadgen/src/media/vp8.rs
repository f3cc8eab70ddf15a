//! What a VP8 packet begins with (RFC 7741).

/// A frame as its payload descriptors name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Picture {
    /// Picture id, 15 bits.
    pub(super) id: u16,
    /// TL0PICIDX: every frame is of the lowest temporal layer.
    pub(super) tl0_index: u8,
    pub(super) is_key_frame: bool,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// Descriptor with picture id, TL0PICIDX and temporal layer (RFC 7741 §4.2).
const DESCRIPTOR_BYTES: usize = 6;

impl Picture {
    /// Writes the descriptor and, in the first packet, the frame's own beginning over the start of
    /// a payload. What does not fit is left out.
    pub(super) fn write(&self, starts_frame: bool, payload: &mut [u8]) {
        let [id_high, id_low] = (self.id | 0x8000).to_be_bytes();
        // X and, in the first packet, S; then I, L and T.
        let descriptor: [u8; DESCRIPTOR_BYTES] = [
            if starts_frame { 0x90 } else { 0x80 },
            0xE0,
            id_high,
            id_low,
            self.tl0_index,
            0,
        ];
        let (head, rest) = payload.split_at_mut(payload.len().min(DESCRIPTOR_BYTES));
        head.copy_from_slice(&descriptor[..head.len()]);
        if !starts_frame {
            return;
        }
        // RFC 6386 §9.1: show_frame, and the inverse key-frame flag in the lowest bit; then the
        // start code and the dimensions.
        let [width_low, width_high] = self.width.to_le_bytes();
        let [height_low, height_high] = self.height.to_le_bytes();
        let key: [u8; 10] = [
            0x10,
            0x02,
            0,
            0x9D,
            0x01,
            0x2A,
            width_low,
            width_high,
            height_low,
            height_high,
        ];
        let delta: [u8; 3] = [0x11, 0x02, 0];
        let frame: &[u8] = if self.is_key_frame { &key } else { &delta };
        let written = frame.len().min(rest.len());
        rest[..written].copy_from_slice(&frame[..written]);
    }
}
