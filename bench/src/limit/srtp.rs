//! AES-GCM for RTP, straight on aws-lc-rs (RFC 7714).

use super::{Error, Key};
use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};

/// What GCM adds to each packet.
pub(super) const TAG_BYTES: usize = 16;

/// One direction of one participant.
pub(super) struct Cipher {
    key: LessSafeKey,
    /// 96 bits.
    salt: u128,
}

impl Cipher {
    /// Derives the session key and salt for RTP (RFC 3711 §4.3.1, labels 0 and 2).
    pub(super) fn new(master: &Key) -> Result<Self, Error> {
        let (schedule, algorithm) = match master.key.len() {
            16 => (&AES_128, &AES_128_GCM),
            32 => (&AES_256, &AES_256_GCM),
            other => return Err(Error::Plan(format!("a key of {other} bytes"))),
        };
        if master.salt.len() != SALT_BYTES {
            return Err(Error::Plan(format!(
                "a salt of {} bytes",
                master.salt.len()
            )));
        }
        let derive = |label: u8, bytes: usize| {
            // A salt of 12 bytes is widened to 14 by zeros behind it; the last two bytes count
            // blocks (RFC 3711 §4.1.1).
            let mut counter = [0; 16];
            counter[..SALT_BYTES].copy_from_slice(&master.salt);
            counter[7] ^= label;
            let mut derived = vec![0; bytes];
            UnboundCipherKey::new(schedule, &master.key)
                .and_then(EncryptingKey::ctr)
                .and_then(|key| {
                    let context = EncryptionContext::Iv128(FixedLength::from(counter));
                    key.less_safe_encrypt(&mut derived, context)
                })
                .map_err(|_| Error::Plan("a key that AES does not take".to_owned()))?;
            Ok(derived)
        };
        let key = UnboundKey::new(algorithm, &derive(0, master.key.len())?)
            .map_err(|_| Error::Plan("a key that AES does not take".to_owned()))?;
        let salt = derive(2, SALT_BYTES)?
            .iter()
            .fold(0, |number, octet| number << 8 | u128::from(*octet));
        Ok(Self {
            key: LessSafeKey::new(key),
            salt,
        })
    }

    /// Opens a packet in place; whether it is authentic. The tag stays at its end.
    pub(super) fn open(
        &self,
        header_bytes: usize,
        packet: &mut [u8],
        ssrc: u32,
        index: u64,
    ) -> bool {
        let (header, sealed) = packet.split_at_mut(header_bytes);
        self.key
            .open_in_place(self.nonce(ssrc, index), Aad::from(&*header), sealed)
            .is_ok()
    }

    /// Seals `payload` behind the header that stands in `packet`, which has room for both and for
    /// the tag, exactly.
    pub(super) fn seal(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        payload: &[u8],
        ssrc: u32,
        index: u64,
    ) {
        let (header, body) = packet.split_at_mut(header_bytes);
        let (ciphertext, tag) = body.split_at_mut(payload.len());
        self.key
            .seal_out_of_place_scatter(
                self.nonce(ssrc, index),
                Aad::from(&*header),
                payload,
                ciphertext,
                &[],
                tag,
            )
            .expect("the buffers fit and a datagram is far below GCM's bound");
    }

    /// RFC 7714 §8.1.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let [_, _, _, _, nonce @ ..] =
            (self.salt ^ (u128::from(ssrc) << 48 | u128::from(index))).to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }
}

const SALT_BYTES: usize = 12;

/// The length of an RTP packet's header with its contributing sources and extensions, if it is an
/// RTP packet with room for a tag (RFC 3550 §5.1, RFC 5761 §4).
pub(super) fn header_bytes(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 || (192..224).contains(packet.get(1)?) {
        return None;
    }
    let mut bytes = 12 + 4 * usize::from(first & 15);
    if first & 16 != 0 {
        let words = packet.get(bytes + 2..bytes + 4)?;
        bytes += 4 + 4 * (usize::from(words[0]) << 8 | usize::from(words[1]));
    }
    (packet.len() >= bytes + TAG_BYTES).then_some(bytes)
}

/// The 48-bit index of a packet, from its sequence number and the highest index before it (RFC
/// 3711 §3.3.1).
pub(super) fn index(sequence: u16, highest: Option<u64>) -> u64 {
    let Some(highest) = highest else {
        return u64::from(sequence);
    };
    let guess = highest & !0xFFFF | u64::from(sequence);
    if guess + 0x8000 < highest {
        guess + 0x1_0000
    } else if guess > highest + 0x8000 && guess >= 0x1_0000 {
        guess - 0x1_0000
    } else {
        guess
    }
}

#[cfg(test)]
mod tests;
