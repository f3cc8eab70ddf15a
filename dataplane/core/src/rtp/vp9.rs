//! The VP9 payload descriptor (RFC 9628 §4.2) and what a forwarder rewrites in it.

use super::{FrameLayers, PictureId};

/// A parsed descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vp9Descriptor {
    /// Length of the descriptor, bytes.
    pub bytes: usize,
    /// Picture id.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX; in non-flexible mode only.
    pub tl0_picture_index: Option<u8>,
    /// The packet starts a frame (B).
    pub starts_frame: bool,
    /// The packet ends a frame (E).
    pub ends_frame: bool,
    /// The frame is predicted from an earlier picture (P).
    pub inter_picture: bool,
    /// The frame is predicted from the spatial layer below (D).
    pub inter_layer: bool,
    /// Higher temporal layers can be taken up after this frame (U).
    pub switches_up: bool,
    /// Temporal layer (TID).
    pub temporal_layer: u8,
    /// Spatial layer (SID).
    pub spatial_layer: u8,
    /// How many spatial layers the stream has, where a scalability structure says so (N_S + 1).
    pub spatial_layers: Option<u8>,
}

impl Vp9Descriptor {
    /// The descriptor at the start of an RTP payload; `None` if it is cut off or nothing follows.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&first, mut rest) = payload.split_first()?;
        let has = |flag: u8| first & flag != 0;
        let mut take = |bytes: usize| {
            let (taken, after) = rest.split_at_checked(bytes)?;
            rest = after;
            Some(taken)
        };
        let mut descriptor = Self {
            bytes: 0,
            picture_id: None,
            tl0_picture_index: None,
            starts_frame: has(STARTS_FRAME),
            ends_frame: has(ENDS_FRAME),
            inter_picture: has(INTER_PICTURE),
            inter_layer: false,
            switches_up: false,
            temporal_layer: 0,
            spatial_layer: 0,
            spatial_layers: None,
        };
        if has(HAS_PICTURE_ID) {
            let high = *take(1)?.first()?;
            descriptor.picture_id = Some(if high & LONG_PICTURE_ID != 0 {
                let low = *take(1)?.first()?;
                PictureId::Long(u16::from_be_bytes([high & 0x7f, low]))
            } else {
                PictureId::Short(high)
            });
        }
        if has(HAS_LAYERS) {
            let layers = *take(1)?.first()?;
            descriptor.temporal_layer = layers >> 5;
            descriptor.switches_up = layers & SWITCHES_UP != 0;
            descriptor.spatial_layer = (layers >> 1) & 0x07;
            descriptor.inter_layer = layers & INTER_LAYER != 0;
            if !has(FLEXIBLE) {
                descriptor.tl0_picture_index = take(1)?.first().copied();
            }
        }
        if has(FLEXIBLE) && has(INTER_PICTURE) {
            let mut follows = true;
            for _ in 0..REFERENCES_MAX {
                if !follows {
                    break;
                }
                follows = take(1)?.first()? & REFERENCE_FOLLOWS != 0;
            }
            if follows {
                return None;
            }
        }
        if has(HAS_STRUCTURE) {
            let head = *take(1)?.first()?;
            let layers = (head >> 5) + 1;
            descriptor.spatial_layers = Some(layers);
            if head & STRUCTURE_HAS_SIZES != 0 {
                take(4 * usize::from(layers))?;
            }
            if head & STRUCTURE_HAS_GROUP != 0 {
                let pictures = *take(1)?.first()?;
                for _ in 0..pictures {
                    let picture = *take(1)?.first()?;
                    take(usize::from((picture >> 2) & 0x03))?;
                }
            }
        }
        let descriptor_bytes = payload.len() - rest.len();
        (!rest.is_empty()).then_some(Self {
            bytes: descriptor_bytes,
            ..descriptor
        })
    }

    /// A decoder can start with the packet: a frame begins that is predicted from no other
    /// picture, in the lowest spatial layer.
    #[must_use]
    pub fn starts_key_frame(&self) -> bool {
        self.starts_frame && !self.inter_picture && self.spatial_layer == 0
    }

    /// The layers of its frame.
    #[must_use]
    pub fn layers(&self) -> FrameLayers {
        FrameLayers {
            spatial: self.spatial_layer,
            temporal: self.temporal_layer,
            starts: self.starts_frame,
            ends: self.ends_frame,
            temporal_from_next: self.switches_up,
            ..FrameLayers::default()
        }
    }

    /// Writes the counters, moved by the offsets, into the payload that this was parsed from. The
    /// distances to reference pictures stay: ids of one stream all move alike.
    pub fn rewrite(&self, payload: &mut [u8], picture_id_offset: u16, tl0_offset: u8) {
        let mut at = 1;
        if let Some(id) = self.picture_id.map(|id| id.offset_by(picture_id_offset)) {
            at += id.write(payload, at);
        }
        // The layer indices stand between them.
        if let (Some(index), Some(byte)) = (self.tl0_picture_index, payload.get_mut(at + 1)) {
            *byte = index.wrapping_add(tl0_offset);
        }
    }
}

const HAS_PICTURE_ID: u8 = 0x80;
const INTER_PICTURE: u8 = 0x40;
const HAS_LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const STARTS_FRAME: u8 = 0x08;
const ENDS_FRAME: u8 = 0x04;
const HAS_STRUCTURE: u8 = 0x02;

const LONG_PICTURE_ID: u8 = 0x80;
const SWITCHES_UP: u8 = 0x10;
const INTER_LAYER: u8 = 0x01;
const REFERENCE_FOLLOWS: u8 = 0x01;
const STRUCTURE_HAS_SIZES: u8 = 0x10;
const STRUCTURE_HAS_GROUP: u8 = 0x08;

/// RFC 9628 §4.2: a frame names up to three pictures.
const REFERENCES_MAX: usize = 3;

#[cfg(test)]
mod tests;
