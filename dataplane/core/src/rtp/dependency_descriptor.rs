//! The dependency descriptor: which layers a frame belongs to and what can be decoded from it on,
//! whatever the codec and its encryption (AOMedia RTP specification v1.0, appendix A).
//!
//! Most descriptors are three bytes that name a template. The templates come with the first packet
//! of a coded video sequence and are kept for its stream by a [`DescriptorReader`].

mod bits;

use super::FrameLayers;
use super::frame_layers::{SPATIAL_LAYERS, TEMPORAL_LAYERS, pair};
use bits::Bits;

/// What one packet's descriptor says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// Running number of the frame in its stream.
    pub frame_number: u16,
    /// Its layers.
    pub layers: FrameLayers,
    /// How many spatial layers the stream has, where its templates came with this packet.
    pub spatial_layers: Option<u8>,
}

/// Reads the descriptors of one stream.
#[derive(Default)]
pub struct DescriptorReader {
    /// Kept apart: most streams have none. Made once, then written over.
    structure: Option<Box<Structure>>,
}

/// Templates, and what follows from them.
#[derive(Clone, PartialEq, Eq)]
struct Structure {
    template_id_offset: u8,
    template_count: usize,
    templates: [Template; TEMPLATES_MAX],
    decode_target_count: u8,
    /// The [`pair`] of layers that each decode target reaches up to, as a spatial and a temporal id.
    decode_targets: [(u8, u8); DECODE_TARGETS_MAX],
    chain_count: u32,
    spatial_layers: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Template {
    spatial: u8,
    temporal: u8,
    /// The indication for each decode target, two bits each, the first lowest.
    indications: u64,
}

impl Structure {
    const EMPTY: Self = Self {
        template_id_offset: 0,
        template_count: 0,
        templates: [Template {
            spatial: 0,
            temporal: 0,
            indications: 0,
        }; TEMPLATES_MAX],
        decode_target_count: 0,
        decode_targets: [(0, 0); DECODE_TARGETS_MAX],
        chain_count: 0,
        spatial_layers: 0,
    };

    /// A.8.2, `template_dependency_structure`.
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let mut structure = Self::EMPTY;
        structure.template_id_offset = bits.take_byte(6)?;
        structure.decode_target_count = bits.take_byte(5)? + 1;
        structure.parse_layers(bits)?;
        let count = structure.template_count;
        for template in structure.templates.get_mut(..count)? {
            template.indications = indications(bits, structure.decode_target_count)?;
        }
        for _ in 0..count {
            while bits.flag()? {
                bits.take(4)?;
            }
        }
        structure.chain_count = bits.non_symmetric(u32::from(structure.decode_target_count) + 1)?;
        if structure.chain_count > 0 {
            for _ in 0..structure.decode_target_count {
                bits.non_symmetric(structure.chain_count)?;
            }
            for _ in 0..count {
                for _ in 0..structure.chain_count {
                    bits.take(4)?;
                }
            }
        }
        structure.find_decode_targets();
        if bits.flag()? {
            for _ in 0..structure.spatial_layers {
                bits.take(32)?;
            }
        }
        Some(structure)
    }

    /// A.8.2, `template_layers`.
    fn parse_layers(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            let template = self.templates.get_mut(self.template_count)?;
            (template.spatial, template.temporal) = (spatial, temporal);
            self.template_count += 1;
            match bits.take(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
        }
        self.spatial_layers = spatial + 1;
        Some(())
    }

    /// A.8.2, `decode_target_layers`.
    fn find_decode_targets(&mut self) {
        let templates = self.templates.iter().take(self.template_count);
        let targets = self.decode_targets.iter_mut();
        for (index, target) in (0..self.decode_target_count).zip(targets) {
            for template in templates.clone() {
                if indication(template.indications, index) != NOT_PRESENT {
                    target.0 = target.0.max(template.spatial);
                    target.1 = target.1.max(template.temporal);
                }
            }
        }
    }

    fn template(&self, id: u8) -> Option<&Template> {
        let index = (id + 64 - self.template_id_offset) % 64;
        let templates = self.templates.get(..self.template_count)?;
        templates.get(usize::from(index))
    }

    /// The pairs of layers that a decoder can be switched to with a frame of these indications.
    fn switches(&self, indications: u64) -> u32 {
        let targets = (0..self.decode_target_count).zip(&self.decode_targets);
        targets
            .filter(|(index, _)| indication(indications, *index) == SWITCH)
            .fold(0, |pairs, (_, (spatial, temporal))| {
                pairs | pair(*spatial, *temporal)
            })
    }

    /// The decode targets that need nothing above these layers, the first lowest.
    fn within(&self, spatial: u8, temporal: u8) -> u32 {
        let targets = (0..self.decode_target_count).zip(&self.decode_targets);
        targets
            .filter(|(_, target)| {
                target.0.min(SPATIAL_LAYERS - 1) <= spatial
                    && target.1.min(TEMPORAL_LAYERS - 1) <= temporal
            })
            .fold(0, |mask, (index, _)| mask | 1 << index)
    }
}

/// The fields that every descriptor has (A.8.2, `mandatory_descriptor_fields`).
struct Mandatory {
    starts: bool,
    ends: bool,
    template_id: u8,
    frame_number: u16,
}

impl Mandatory {
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self {
            starts: bits.flag()?,
            ends: bits.flag()?,
            template_id: bits.take_byte(6)?,
            frame_number: u16::try_from(bits.take(16)?).ok()?,
        })
    }
}

/// The flags of A.8.2, `extended_descriptor_fields`.
#[derive(Default)]
struct Extended {
    has_structure: bool,
    has_active_targets: bool,
    has_indications: bool,
    has_differences: bool,
    has_chains: bool,
}

impl Extended {
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self {
            has_structure: bits.flag()?,
            has_active_targets: bits.flag()?,
            has_indications: bits.flag()?,
            has_differences: bits.flag()?,
            has_chains: bits.flag()?,
        })
    }
}

impl DescriptorReader {
    /// Takes in the descriptor of the next packet. `None` if it is malformed or its templates have
    /// not come; a malformed one changes nothing.
    pub fn read(&mut self, data: &[u8]) -> Option<Descriptor> {
        let mut bits = Bits::new(data);
        let mandatory = Mandatory::parse(&mut bits)?;
        let extended = if data.len() > MANDATORY_BYTES {
            Extended::parse(&mut bits)?
        } else {
            Extended::default()
        };
        let new = if extended.has_structure {
            Some(Structure::parse(&mut bits)?)
        } else {
            None
        };
        let structure = new.as_ref().or(self.structure.as_deref())?;
        if extended.has_active_targets {
            bits.take(structure.decode_target_count.into())?;
        }
        let template = structure.template(mandatory.template_id)?;
        let indications = if extended.has_indications {
            indications(&mut bits, structure.decode_target_count)?
        } else {
            template.indications
        };
        if extended.has_differences {
            loop {
                match bits.take(2)? {
                    0 => break,
                    size => bits.take(4 * size)?,
                };
            }
        }
        if extended.has_chains {
            for _ in 0..structure.chain_count {
                bits.take(8)?;
            }
        }
        let descriptor = Descriptor {
            frame_number: mandatory.frame_number,
            layers: FrameLayers {
                spatial: template.spatial,
                temporal: template.temporal,
                starts: mandatory.starts,
                ends: mandatory.ends,
                switches: structure.switches(indications),
                ..FrameLayers::default()
            },
            spatial_layers: new.as_ref().map(|structure| structure.spatial_layers),
        };
        if let Some(new) = new {
            match &mut self.structure {
                Some(known) => **known = new,
                None => self.structure = Some(Box::new(new)),
            }
        }
        Some(descriptor)
    }

    /// Writes the descriptor `data` of this stream for a subscriber: its frame number moved by
    /// `frame_number_offset` and, where `limits` are given (the highest spatial and temporal layer
    /// that is forwarded) and a frame begins, with the decode targets that are left. Says how many
    /// bytes of `out` it takes; `None` if it is malformed or does not fit.
    #[must_use]
    pub fn rewrite(
        &self,
        data: &[u8],
        frame_number_offset: u16,
        limits: Option<(u8, u8)>,
        out: &mut [u8],
    ) -> Option<usize> {
        let bytes = limits
            .and_then(|limits| self.write_active(data, limits, out))
            .or_else(|| {
                out.get_mut(..data.len())?.copy_from_slice(data);
                Some(data.len())
            })?;
        if let Some([_, number @ ..]) = out.first_chunk_mut::<MANDATORY_BYTES>() {
            let moved = u16::from_be_bytes(*number).wrapping_add(frame_number_offset);
            *number = moved.to_be_bytes();
        }
        Some(bytes)
    }

    /// Copies a descriptor with the decode targets within `limits` as the active ones.
    fn write_active(&self, data: &[u8], limits: (u8, u8), out: &mut [u8]) -> Option<usize> {
        let structure = self.structure.as_deref()?;
        let count = u32::from(structure.decode_target_count);
        let mut bits = Bits::new(data);
        if !Mandatory::parse(&mut bits)?.starts {
            return None;
        }
        let mut writer = bits::Writer::new(out);
        writer.copy(data, 0, bits.at())?;
        let mut active = structure.within(limits.0, limits.1);
        if data.len() > MANDATORY_BYTES {
            let flags_at = bits.at();
            let extended = Extended::parse(&mut bits)?;
            let structure_at = bits.at();
            if extended.has_structure {
                Structure::parse(&mut bits)?;
            }
            writer.copy(data, flags_at, flags_at + 1)?;
            writer.put(1, 1)?;
            writer.copy(data, flags_at + 2, structure_at)?;
            writer.copy(data, structure_at, bits.at())?;
            if extended.has_active_targets {
                active &= bits.take(count)?;
            }
        } else {
            // No structure, the active targets, no custom fields.
            writer.put(0b01000, 5)?;
        }
        writer.put(active, count)?;
        writer.copy(data, bits.at(), data.len() * 8)?;
        Some(writer.finish())
    }
}

fn indications(bits: &mut Bits<'_>, count: u8) -> Option<u64> {
    let mut indications = 0;
    for index in 0..count {
        indications |= u64::from(bits.take(2)?) << (2 * index);
    }
    Some(indications)
}

fn indication(indications: u64, decode_target: u8) -> u64 {
    (indications >> (2 * decode_target)) & 0b11
}

/// Longest descriptor: what a two-byte header extension can carry.
pub const DESCRIPTOR_BYTES_MAX: usize = 255;

/// Table A.1.
const NOT_PRESENT: u64 = 0;
const SWITCH: u64 = 2;

const MANDATORY_BYTES: usize = 3;

/// A template's id has six bits, a decode target's index five.
const TEMPLATES_MAX: usize = 64;
const DECODE_TARGETS_MAX: usize = 32;

#[cfg(test)]
mod tests;
