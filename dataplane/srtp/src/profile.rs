//! The protection profiles that DTLS may negotiate, and what they cost on the wire.

/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2), strongest first.
///
/// Under every profile RTP and RTCP are both encrypted and authenticated; there is no MKI, and
/// the key derivation rate is zero: keys are derived once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// `SRTP_AEAD_AES_256_GCM`, DTLS id 0x0008.
    AeadAes256Gcm,
    /// `SRTP_AEAD_AES_128_GCM`, DTLS id 0x0007.
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, DTLS id 0x0001: for peers that have nothing better. A seal
    /// costs three (160 bytes) to five times (1,200 bytes) a seal of an AEAD profile, nearly all of
    /// it SHA-1.
    AesCm128HmacSha1_80,
}

impl Profile {
    /// Length of the master key, and of the derived encryption keys, in bytes.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
        }
    }

    /// Length of the master salt, and of the derived salts, in bytes.
    #[must_use]
    pub fn salt_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Length of the keying material to ask DTLS for, in bytes: two keys and two salts
    /// (RFC 5764 §4.2).
    #[must_use]
    pub fn keying_material_bytes(self) -> usize {
        2 * (self.key_bytes() + self.salt_bytes())
    }

    /// How much longer an RTP packet is once sealed, in bytes: the tag.
    #[must_use]
    pub fn rtp_overhead_bytes(self) -> usize {
        self.tag_bytes()
    }

    /// How much longer an RTCP packet is once sealed, in bytes: the tag, and the word with the
    /// E flag and the SRTCP index.
    #[must_use]
    pub fn rtcp_overhead_bytes(self) -> usize {
        self.tag_bytes() + 4
    }

    /// Whether one primitive both encrypts and authenticates.
    #[must_use]
    pub fn is_aead(self) -> bool {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => true,
            Self::AesCm128HmacSha1_80 => false,
        }
    }

    fn tag_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }
}
