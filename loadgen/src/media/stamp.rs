//! What a synthetic payload says about itself.

/// The last [`Stamp::BYTES`] bytes of a synthetic payload, before any RTP padding. A forwarder that
/// rewrites a payload descriptor does not touch them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Which track: the SSRC that its publisher sends its lowest layer with.
    pub source: u32,
    /// Which simulcast layer, 0 for the lowest.
    pub layer: u8,
    /// Part of a key frame.
    pub is_key_frame: bool,
    /// When the packet was due, nanoseconds of the host's monotonic clock.
    pub due_ns: u64,
    /// How long after that it was in fact sent.
    pub send_delay_ns: u32,
    /// Counts the packets of its layer, from 0.
    pub number: u32,
}

impl Stamp {
    /// Length on the wire.
    pub const BYTES: usize = 24;

    /// Writes the stamp over the end of a payload; `false` if that is too short for one.
    pub fn write(&self, payload: &mut [u8]) -> bool {
        let Some(bytes) = payload.last_chunk_mut::<{ Self::BYTES }>() else {
            return false;
        };
        let flags = self.layer << 1 | u8::from(self.is_key_frame);
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = flags;
        bytes[3] = 0;
        bytes[4..8].copy_from_slice(&self.source.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.due_ns.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.send_delay_ns.to_be_bytes());
        bytes[20..].copy_from_slice(&self.number.to_be_bytes());
        bytes[3] = sum(bytes);
        true
    }

    /// The stamp at the end of a payload; `None` if there is none or it was damaged.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let bytes = payload.last_chunk::<{ Self::BYTES }>()?;
        let mut unsummed = *bytes;
        unsummed[3] = 0;
        let [m0, m1, flags, check, source @ ..] = *bytes;
        if [m0, m1] != MAGIC || sum(&unsummed) != check {
            return None;
        }
        let (source, rest) = source.split_first_chunk::<4>()?;
        let (due, rest) = rest.split_first_chunk::<8>()?;
        let (send_delay, number) = rest.split_first_chunk::<4>()?;
        Some(Self {
            source: u32::from_be_bytes(*source),
            layer: flags >> 1,
            is_key_frame: flags & 1 != 0,
            due_ns: u64::from_be_bytes(*due),
            send_delay_ns: u32::from_be_bytes(*send_delay),
            number: u32::from_be_bytes(number.try_into().ok()?),
        })
    }
}

const MAGIC: [u8; 2] = [0xB5, 0x1D];

/// Tells a stamp from payload that begins alike: one in 2^24 is taken for one by chance.
fn sum(bytes: &[u8; Stamp::BYTES]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.rotate_left(1) ^ byte)
}
