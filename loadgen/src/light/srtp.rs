//! SRTP and SRTCP with AES-GCM (RFC 7714), keys derived as RFC 3711 §4.3 says. AES-CM with its HMAC
//! is refused: no browser ends on it with a server that prefers AEAD.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use std::fmt;
use zeroize::Zeroizing;

/// Length of the authentication tag, bytes (RFC 7714 §12).
pub const TAG_BYTES: usize = 16;

/// What SRTCP adds to a compound: the tag and the index (RFC 7714 §9).
pub const SRTCP_OVERHEAD_BYTES: usize = TAG_BYTES + 4;

/// Length of a master salt, bytes (RFC 7714 §12).
const SALT_BYTES: usize = 12;

/// An SRTP protection profile that light participants speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Profile {
    /// AEAD_AES_128_GCM.
    AeadAes128Gcm,
    /// AEAD_AES_256_GCM.
    AeadAes256Gcm,
}

impl Profile {
    /// Length of a master key, bytes.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }
}

/// SRTP could not be set up, or a packet is not what it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as srtp::Error")]
pub enum Error {
    /// The key or the salt has the wrong length for the profile.
    #[error("an SRTP key of {actual} bytes where the profile has {expected}")]
    KeyLength {
        /// The profile's.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// The cryptographic module refused.
    #[error("the cryptographic module refused a key")]
    Refused,
    /// Too short for what it claims to be.
    #[error("a packet is too short")]
    TooShort,
    /// It was not sealed under this key.
    #[error("a packet is not authentic")]
    NotAuthentic,
}

/// A master key and salt of one direction.
#[derive(Clone)]
pub struct MasterKey {
    key: Zeroizing<Vec<u8>>,
    salt: [u8; SALT_BYTES],
}

impl MasterKey {
    /// # Errors
    /// [`Error::KeyLength`] unless `key` has the profile's length and `salt` 12 bytes.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let length_error = |expected, actual| Error::KeyLength { expected, actual };
        if key.len() != profile.key_bytes() {
            return Err(length_error(profile.key_bytes(), key.len()));
        }
        let salt = salt
            .try_into()
            .map_err(|_| length_error(SALT_BYTES, salt.len()))?;
        Ok(Self {
            key: Zeroizing::new(key.to_vec()),
            salt,
        })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The client's and the server's keys in what DTLS exports (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`Error::KeyLength`] unless `material` is as long as the profile says.
    pub fn from_keying_material(profile: Profile, material: &[u8]) -> Result<(Self, Self), Error> {
        let key_bytes = profile.key_bytes();
        let expected = 2 * (key_bytes + SALT_BYTES);
        if material.len() != expected {
            return Err(Error::KeyLength {
                expected,
                actual: material.len(),
            });
        }
        let (keys, salts) = material.split_at(2 * key_bytes);
        let client = Self::new(profile, &keys[..key_bytes], &salts[..SALT_BYTES])?;
        let server = Self::new(profile, &keys[key_bytes..], &salts[SALT_BYTES..])?;
        Ok((client, server))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// The keys of a participant, both ways.
#[derive(Clone, Debug)]
pub struct Keys {
    /// For both ways.
    pub profile: Profile,
    /// What it seals with.
    pub send: MasterKey,
    /// What it opens with.
    pub receive: MasterKey,
}

/// Session keys of one direction.
pub struct Session {
    rtp: Stream,
    rtcp: Stream,
    /// Of the last SRTCP packet sealed.
    rtcp_index: u32,
}

struct Stream {
    key: LessSafeKey,
    salt: [u8; SALT_BYTES],
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

impl Session {
    /// Derives the session keys of one direction.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn new(profile: Profile, master: &MasterKey) -> Result<Self, Error> {
        // RFC 7714 §12: the salt of 96 bits is followed by 16 zero bits.
        let mut salt = [0; 14];
        salt[..SALT_BYTES].copy_from_slice(&master.salt);
        let stream = |key_label, salt_label| {
            let mut key = Zeroizing::new(vec![0; profile.key_bytes()]);
            derive(&master.key, &salt, key_label, &mut key)?;
            let mut session_salt = [0; SALT_BYTES];
            derive(&master.key, &salt, salt_label, &mut session_salt)?;
            Stream::new(profile, &key, session_salt)
        };
        Ok(Self {
            rtp: stream(LABEL_RTP_KEY, LABEL_RTP_SALT)?,
            rtcp: stream(LABEL_RTCP_KEY, LABEL_RTCP_SALT)?,
            rtcp_index: 0,
        })
    }

    /// Seals an RTP packet in place. `packet` ends with [`TAG_BYTES`] bytes of room for the tag;
    /// `index` is the packet index (RFC 3711 §3.3.1).
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::Refused`].
    pub fn seal_rtp(
        &self,
        header_bytes: usize,
        ssrc: u32,
        index: u64,
        packet: &mut [u8],
    ) -> Result<(), Error> {
        let end = packet
            .len()
            .checked_sub(TAG_BYTES)
            .filter(|end| *end >= header_bytes)
            .ok_or(Error::TooShort)?;
        let (header, rest) = packet.split_at_mut(header_bytes);
        let (payload, tag) = rest.split_at_mut(end - header_bytes);
        let sealed = self
            .rtp
            .key
            .seal_in_place_separate_tag(
                self.rtp.rtp_nonce(ssrc, index),
                Aad::from(&*header),
                payload,
            )
            .map_err(|_| Error::Refused)?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(())
    }

    /// Opens an RTP packet in place; returns the payload, with any padding.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::NotAuthentic`].
    pub fn open_rtp<'p>(
        &self,
        header_bytes: usize,
        ssrc: u32,
        index: u64,
        packet: &'p mut [u8],
    ) -> Result<&'p mut [u8], Error> {
        if packet.len() < header_bytes + TAG_BYTES {
            return Err(Error::TooShort);
        }
        let (header, sealed) = packet.split_at_mut(header_bytes);
        self.rtp
            .key
            .open_in_place(self.rtp.rtp_nonce(ssrc, index), Aad::from(&*header), sealed)
            .map_err(|_| Error::NotAuthentic)
    }

    /// Seals an RTCP compound in place: the first bytes of `packet`, before
    /// [`SRTCP_OVERHEAD_BYTES`] bytes of room.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::Refused`].
    pub fn seal_rtcp(&mut self, packet: &mut [u8]) -> Result<(), Error> {
        let compound_bytes = packet
            .len()
            .checked_sub(SRTCP_OVERHEAD_BYTES)
            .filter(|bytes| *bytes >= RTCP_HEADER_BYTES)
            .ok_or(Error::TooShort)?;
        // RFC 3711 §3.4: 31 bits, first 1.
        self.rtcp_index = (self.rtcp_index + 1) & !ENCRYPTED;
        let index_word = (self.rtcp_index | ENCRYPTED).to_be_bytes();
        let (compound, trailer) = packet.split_at_mut(compound_bytes);
        let (header, payload) = compound.split_at_mut(RTCP_HEADER_BYTES);
        let nonce = self.rtcp.rtcp_nonce(header, self.rtcp_index);
        let aad = rtcp_aad(header, index_word);
        let sealed = self
            .rtcp
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), payload)
            .map_err(|_| Error::Refused)?;
        trailer[..TAG_BYTES].copy_from_slice(sealed.as_ref());
        trailer[TAG_BYTES..].copy_from_slice(&index_word);
        Ok(())
    }

    /// Opens an RTCP compound in place and returns it.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::NotAuthentic`].
    pub fn open_rtcp<'p>(&self, packet: &'p mut [u8]) -> Result<&'p [u8], Error> {
        let sealed_bytes = packet
            .len()
            .checked_sub(4)
            .filter(|bytes| *bytes >= RTCP_HEADER_BYTES + TAG_BYTES)
            .ok_or(Error::TooShort)?;
        let (sealed, index_word) = packet.split_at_mut(sealed_bytes);
        let index_word: [u8; 4] = (&*index_word).try_into().map_err(|_| Error::TooShort)?;
        let index = u32::from_be_bytes(index_word);
        if index & ENCRYPTED == 0 {
            return Err(Error::NotAuthentic);
        }
        let (header, payload) = sealed.split_at_mut(RTCP_HEADER_BYTES);
        let nonce = self.rtcp.rtcp_nonce(header, index & !ENCRYPTED);
        let aad = rtcp_aad(header, index_word);
        self.rtcp
            .key
            .open_in_place(nonce, Aad::from(aad), payload)
            .map_err(|_| Error::NotAuthentic)?;
        Ok(&packet[..sealed_bytes - TAG_BYTES])
    }
}

impl Stream {
    fn new(profile: Profile, key: &[u8], salt: [u8; SALT_BYTES]) -> Result<Self, Error> {
        let algorithm = match profile {
            Profile::AeadAes128Gcm => &AES_128_GCM,
            Profile::AeadAes256Gcm => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| Error::Refused)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt,
        })
    }

    /// RFC 7714 §8.1: two zero bytes, SSRC, rollover counter, sequence number.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = self.salt;
        let [.., i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let counter = [s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
        for (byte, value) in nonce[2..].iter_mut().zip(counter) {
            *byte ^= value;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// RFC 7714 §9.1: two zero bytes, SSRC, two zero bytes, index.
    fn rtcp_nonce(&self, header: &[u8], index: u32) -> Nonce {
        let mut nonce = self.salt;
        for (byte, value) in nonce[2..6].iter_mut().zip(&header[4..RTCP_HEADER_BYTES]) {
            *byte ^= value;
        }
        for (byte, value) in nonce[8..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= value;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 7714 §9.2: the first header and the index word.
fn rtcp_aad(header: &[u8], index_word: [u8; 4]) -> [u8; RTCP_HEADER_BYTES + 4] {
    let mut aad = [0; RTCP_HEADER_BYTES + 4];
    aad[..RTCP_HEADER_BYTES].copy_from_slice(header);
    aad[RTCP_HEADER_BYTES..].copy_from_slice(&index_word);
    aad
}

/// The key derivation function of RFC 3711 §4.3.1 and §4.3.3, with a derivation rate of zero.
fn derive(master_key: &[u8], salt: &[u8; 14], label: u8, out: &mut [u8]) -> Result<(), Error> {
    let mut counter = [0; 16];
    counter[..14].copy_from_slice(salt);
    counter[7] ^= label;
    let algorithm = if master_key.len() == 32 {
        &AES_256
    } else {
        &AES_128
    };
    let key = UnboundCipherKey::new(algorithm, master_key).map_err(|_| Error::Refused)?;
    let key = EncryptingKey::ctr(key).map_err(|_| Error::Refused)?;
    out.fill(0);
    key.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(&counter)))
        .map_err(|_| Error::Refused)?;
    Ok(())
}

const LABEL_RTP_KEY: u8 = 0;
const LABEL_RTP_SALT: u8 = 2;
const LABEL_RTCP_KEY: u8 = 3;
const LABEL_RTCP_SALT: u8 = 5;

/// The E bit of the SRTCP index word (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;

/// First word and SSRC: what stays in the clear.
const RTCP_HEADER_BYTES: usize = 8;

#[cfg(test)]
mod tests;
