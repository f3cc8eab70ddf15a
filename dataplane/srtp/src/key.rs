//! Master keys from DTLS, and the session keys derived from them (RFC 3711 §4.3).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Error, Profile};

/// The master key and master salt of one direction of one transport.
///
/// Zeroized on drop, and without `Debug` or `Clone`, so that it ends neither in a log nor in a
/// second place. It is needed only while a [`Sealer`](crate::Sealer) or an
/// [`Opener`](crate::Opener) is made from it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    #[zeroize(skip)]
    profile: Profile,
    key: [u8; KEY_BYTES_MAX],
    salt: [u8; SALT_BYTES_MAX],
}

impl MasterKey {
    /// Takes a key and a salt of exactly the profile's lengths.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if a length differs.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        if key.len() != profile.key_bytes() || salt.len() != profile.salt_bytes() {
            return Err(Error::KeyMismatch);
        }
        let mut master = Self {
            profile,
            key: [0; KEY_BYTES_MAX],
            salt: [0; SALT_BYTES_MAX],
        };
        master.key[..key.len()].copy_from_slice(key);
        // RFC 7714 §11 leaves a 12-byte salt to be widened to the 14 bytes of RFC 3711 §4.3.1; the
        // zeros go behind it, as every deployed implementation has it.
        master.salt[..salt.len()].copy_from_slice(salt);
        Ok(master)
    }

    /// Splits the keying material that DTLS exports under `EXTRACTOR-dtls_srtp` into the keys that
    /// the DTLS client and the DTLS server write with: client key, server key, client salt, server
    /// salt (RFC 5764 §4.2).
    ///
    /// The caller zeroizes `material`.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if the material is not exactly
    /// [`Profile::keying_material_bytes`] long.
    pub fn from_keying_material(profile: Profile, material: &[u8]) -> Result<(Self, Self), Error> {
        if material.len() != profile.keying_material_bytes() {
            return Err(Error::KeyMismatch);
        }
        let (keys, salts) = material.split_at(2 * profile.key_bytes());
        let (client_key, server_key) = keys.split_at(profile.key_bytes());
        let (client_salt, server_salt) = salts.split_at(profile.salt_bytes());
        Ok((
            Self::new(profile, client_key, client_salt)?,
            Self::new(profile, server_key, server_salt)?,
        ))
    }

    /// Derives what RTP or RTCP of `profile` is protected with.
    pub(crate) fn derive(&self, profile: Profile, packets: Packets) -> Result<SessionKey, Error> {
        if profile != self.profile {
            return Err(Error::KeyMismatch);
        }
        let (encryption, authentication, salt) = match packets {
            Packets::Rtp => (0x00, 0x01, 0x02),
            Packets::Rtcp => (0x03, 0x04, 0x05),
        };
        let mut session = SessionKey {
            profile,
            encryption: [0; KEY_BYTES_MAX],
            authentication: [0; AUTHENTICATION_KEY_BYTES],
            salt: [0; SALT_BYTES_MAX],
        };
        self.pseudo_random(encryption, &mut session.encryption[..profile.key_bytes()])?;
        self.pseudo_random(salt, &mut session.salt[..profile.salt_bytes()])?;
        if !profile.is_aead() {
            self.pseudo_random(authentication, &mut session.authentication)?;
        }
        Ok(session)
    }

    /// The AES-CM pseudo-random function with a key derivation rate of zero (RFC 3711 §4.3.1 and
    /// §4.3.3; RFC 6188 §3 for 256-bit keys): the keystream under the master key from the counter
    /// block `(label * 2^48 xor salt) * 2^16`.
    fn pseudo_random(&self, label: u8, output: &mut [u8]) -> Result<(), Error> {
        let mut counter_block = [0; 16];
        counter_block[..SALT_BYTES_MAX].copy_from_slice(&self.salt);
        counter_block[7] ^= label;
        let algorithm = if self.profile.key_bytes() == 32 {
            &AES_256
        } else {
            &AES_128
        };
        let key = &self.key[..self.profile.key_bytes()];
        let key = UnboundCipherKey::new(algorithm, key)
            .and_then(EncryptingKey::ctr)
            .map_err(|_| Error::ModuleRefused)?;
        output.fill(0);
        let context = EncryptionContext::Iv128(FixedLength::from(counter_block));
        counter_block.zeroize();
        key.less_safe_encrypt(output, context)
            .map_err(|_| Error::ModuleRefused)?;
        Ok(())
    }
}

/// Which of the two protocols a session key is for; they never share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Packets {
    Rtp,
    Rtcp,
}

/// What packets of one direction and one protocol are protected with. Zeroized on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SessionKey {
    #[zeroize(skip)]
    pub(crate) profile: Profile,
    encryption: [u8; KEY_BYTES_MAX],
    authentication: [u8; AUTHENTICATION_KEY_BYTES],
    salt: [u8; SALT_BYTES_MAX],
}

impl SessionKey {
    pub(crate) fn encryption(&self) -> &[u8] {
        &self.encryption[..self.profile.key_bytes()]
    }

    /// The HMAC key; all zero under an AEAD profile, which has none.
    pub(crate) fn authentication(&self) -> &[u8; AUTHENTICATION_KEY_BYTES] {
        &self.authentication
    }

    /// The salt as a number of 96 bits under an AEAD profile, of 112 under counter mode.
    pub(crate) fn salt(&self) -> u128 {
        self.salt[..self.profile.salt_bytes()]
            .iter()
            .fold(0, |number, octet| number << 8 | u128::from(*octet))
    }

    /// The RFCs state their packets under session keys, below the derivation.
    #[cfg(test)]
    pub(crate) fn of_vector(
        profile: Profile,
        encryption: &[u8],
        authentication: &[u8; AUTHENTICATION_KEY_BYTES],
        salt: &[u8],
    ) -> Self {
        let master =
            MasterKey::new(profile, encryption, salt).expect("the vector fits its profile");
        Self {
            profile,
            encryption: master.key,
            authentication: *authentication,
            salt: master.salt,
        }
    }
}

const KEY_BYTES_MAX: usize = 32;
const SALT_BYTES_MAX: usize = 14;

/// HMAC-SHA1 keys are 160 bits, whatever the tag is cut to (RFC 3711 §8.2).
const AUTHENTICATION_KEY_BYTES: usize = 20;

#[cfg(test)]
mod tests;
