//! AES-128 in counter mode with HMAC-SHA1 cut to 80 bits (RFC 3711 §4.1.1, §4.2.1).

use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use zeroize::ZeroizeOnDrop;

use super::{INDEX_WORD_BYTES, Position};
use crate::Error;
use crate::header::RTCP_HEADER_BYTES;
use crate::key::SessionKey;

#[derive(ZeroizeOnDrop)]
pub(crate) struct CounterMode {
    #[zeroize(skip)]
    encryption: EncryptingKey,
    #[zeroize(skip)]
    authentication: hmac::Key,
    /// 112 bits.
    salt: u128,
}

impl CounterMode {
    pub(super) fn new(key: &SessionKey) -> Result<Self, Error> {
        let encryption = UnboundCipherKey::new(&AES_128, key.encryption())
            .and_then(EncryptingKey::ctr)
            .map_err(|_| Error::ModuleRefused)?;
        let authentication =
            hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.authentication());
        Ok(Self {
            encryption,
            authentication,
            salt: key.salt(),
        })
    }

    /// Payload and padding encrypted; header, ciphertext and roll-over counter authenticated.
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        payload: &[u8],
        padding: &[u8],
        position: Position,
    ) -> Result<(), Error> {
        let (protected, tag) = packet.split_at_mut(packet.len() - TAG_BYTES);
        let body = &mut protected[header_bytes..];
        let (body_payload, body_padding) = body.split_at_mut(payload.len());
        body_payload.copy_from_slice(payload);
        body_padding.copy_from_slice(padding);
        self.apply_keystream(body, position)?;
        tag.copy_from_slice(&self.rtp_tag(protected, position));
        Ok(())
    }

    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        position: Position,
    ) -> Result<(), Error> {
        let (protected, tag) = packet.split_at_mut(packet.len() - TAG_BYTES);
        verify(&self.rtp_tag(protected, position), tag)?;
        self.apply_keystream(&mut protected[header_bytes..], position)
    }

    /// Everything behind the header encrypted; header, ciphertext and index word authenticated;
    /// the tag comes last.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], position: Position) -> Result<(), Error> {
        let (protected, tag) = packet.split_at_mut(packet.len() - TAG_BYTES);
        let (compound, index_word) = protected.split_at_mut(protected.len() - INDEX_WORD_BYTES);
        self.apply_keystream(&mut compound[RTCP_HEADER_BYTES..], position)?;
        index_word.copy_from_slice(&position.rtcp_index_word());
        tag.copy_from_slice(&self.tag(&[protected]));
        Ok(())
    }

    pub(super) fn open_rtcp(&self, packet: &mut [u8], position: Position) -> Result<(), Error> {
        let (protected, tag) = packet.split_at_mut(packet.len() - TAG_BYTES);
        verify(&self.tag(&[protected]), tag)?;
        let ciphertext_end = protected.len() - INDEX_WORD_BYTES;
        self.apply_keystream(&mut protected[RTCP_HEADER_BYTES..ciphertext_end], position)
    }

    /// Encrypts or decrypts.
    fn apply_keystream(&self, data: &mut [u8], position: Position) -> Result<(), Error> {
        let counter_block = ((self.salt ^ position.bits()) << 16).to_be_bytes();
        let context = EncryptionContext::Iv128(FixedLength::from(counter_block));
        match self.encryption.less_safe_encrypt(data, context) {
            Ok(_context) => Ok(()),
            Err(_) => Err(Error::ModuleRefused),
        }
    }

    /// The roll-over counter is authenticated behind the packet, though it is not sent
    /// (RFC 3711 §4.2).
    fn rtp_tag(&self, protected: &[u8], position: Position) -> [u8; TAG_BYTES] {
        self.tag(&[protected, &position.roll_over_counter()])
    }

    fn tag(&self, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.authentication);
        for part in parts {
            context.update(part);
        }
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG_BYTES]);
        tag
    }
}

fn verify(computed: &[u8; TAG_BYTES], received: &[u8]) -> Result<(), Error> {
    verify_slices_are_equal(computed, received).map_err(|_| Error::NotAuthentic)
}

pub(super) const TAG_BYTES: usize = 10;
