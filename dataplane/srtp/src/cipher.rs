//! The transforms: what is encrypted, what is authenticated, and where the tag goes.

mod counter_mode;
mod gcm;

use counter_mode::CounterMode;
use gcm::Gcm;

use crate::Error;
use crate::key::SessionKey;

/// The transform of one direction and one protocol, its key schedule prepared.
///
/// Lengths are the caller's to check: a slice handed in here is as long as it has to be. The
/// callers own the numbering, too; what they must never do is seal two packets with the same
/// SSRC and index.
pub(crate) enum Cipher {
    Gcm(Gcm),
    CounterMode(Box<CounterMode>),
}

impl Cipher {
    pub(crate) fn new(key: &SessionKey) -> Result<Self, Error> {
        if key.profile.is_aead() {
            Ok(Self::Gcm(Gcm::new(key)?))
        } else {
            Ok(Self::CounterMode(Box::new(CounterMode::new(key)?)))
        }
    }

    /// Seals `payload` and `padding` (whole, its count included) behind the header that stands in
    /// `packet`. The packet is exactly as long as header, payload, padding and tag.
    pub(crate) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        payload: &[u8],
        padding: &[u8],
        position: Position,
    ) -> Result<(), Error> {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtp(packet, header_bytes, payload, padding, position),
            Self::CounterMode(counter_mode) => {
                counter_mode.seal_rtp(packet, header_bytes, payload, padding, position)
            }
        }
    }

    /// Opens a packet that holds at least its header and a tag.
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        position: Position,
    ) -> Result<(), Error> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtp(packet, header_bytes, position),
            Self::CounterMode(counter_mode) => {
                counter_mode.open_rtp(packet, header_bytes, position)
            }
        }
    }

    /// Seals a compound whose plaintext fills `packet` up to the overhead at its end.
    pub(crate) fn seal_rtcp(&self, packet: &mut [u8], position: Position) -> Result<(), Error> {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtcp(packet, position),
            Self::CounterMode(counter_mode) => counter_mode.seal_rtcp(packet, position),
        }
    }

    /// The word with the E flag and the index of a packet that holds at least its header and the
    /// overhead. Nothing about it is authentic yet.
    pub(crate) fn rtcp_index_word(&self, packet: &[u8]) -> [u8; INDEX_WORD_BYTES] {
        let end = match self {
            Self::Gcm(_) => packet.len(),
            Self::CounterMode(_) => packet.len() - counter_mode::TAG_BYTES,
        };
        let mut word = [0; INDEX_WORD_BYTES];
        word.copy_from_slice(&packet[end - INDEX_WORD_BYTES..end]);
        word
    }

    /// Opens a packet that holds at least its header and the overhead, and has its E flag set.
    pub(crate) fn open_rtcp(&self, packet: &mut [u8], position: Position) -> Result<(), Error> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtcp(packet, position),
            Self::CounterMode(counter_mode) => counter_mode.open_rtcp(packet, position),
        }
    }
}

/// Where a packet stands among all that one key protects. Its SSRC and its index are what makes a
/// nonce unique, and nothing else is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    pub(crate) ssrc: u32,
    /// For RTP the roll-over counter and the sequence number, 48 bits; for RTCP the SRTCP index,
    /// 31 bits.
    pub(crate) index: u64,
}

impl Position {
    /// SSRC and index as one number of 80 bits, the way every transform places them.
    ///
    /// `salt xor bits` is the nonce of GCM, for RTP (RFC 7714 §8.1) and, because an SRTCP index is
    /// a 48-bit number whose upper bits are zero, for RTCP (§9.1); `(salt xor bits) * 2^16` is the
    /// first counter block of counter mode (RFC 3711 §4.1.1).
    fn bits(self) -> u128 {
        u128::from(self.ssrc) << 48 | u128::from(self.index)
    }

    /// The upper 32 bits of an RTP index, which counter mode authenticates and no packet carries.
    fn roll_over_counter(self) -> [u8; 4] {
        let mut counter = [0; 4];
        counter.copy_from_slice(&self.index.to_be_bytes()[2..6]);
        counter
    }

    /// The SRTCP index with the E flag set (RFC 3711 §3.4).
    fn rtcp_index_word(self) -> [u8; INDEX_WORD_BYTES] {
        let mut word = [0; INDEX_WORD_BYTES];
        word.copy_from_slice(&self.index.to_be_bytes()[4..]);
        word[0] |= ENCRYPTED_FLAG;
        word
    }
}

/// The word with the E flag and the SRTCP index.
const INDEX_WORD_BYTES: usize = 4;

/// The E flag in the first byte of the SRTCP index word.
pub(crate) const ENCRYPTED_FLAG: u8 = 0x80;

#[cfg(test)]
mod tests;
