//! ICE credentials, certificate fingerprints and DTLS roles.

use super::attributes::{Attributes, is_token};
use super::error::SdpError;
use super::limits::{ICE_CREDENTIAL_BYTES_MAX, ICE_PASSWORD_BYTES_MIN, ICE_UFRAG_BYTES_MIN};
use bedside_protocol::{IceCredentials, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the client says of its end of the transport.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Remote {
    pub(super) ice: IceCredentials,
    pub(super) fingerprint_sha256: [u8; 32],
    /// It may send candidates later (RFC 8840).
    pub(super) trickle: bool,
    /// It follows RFC 8445 (`a=ice-options:ice2`).
    pub(super) ice2: bool,
    /// One-byte and two-byte header extensions may be mixed, said at session level.
    pub(super) extmap_allow_mixed: bool,
}

impl Remote {
    /// Reads the transport's attributes from the section that carries them, or from the session
    /// level where the section has none (RFC 8859).
    ///
    /// # Errors
    /// What is missing or unsuitable.
    pub(super) fn parse(
        session: Attributes<'_>,
        section: Attributes<'_>,
    ) -> Result<Self, SdpError> {
        let first = |key: &str| section.first(key).or_else(|| session.first(key));
        let (Some(ufrag), Some(password)) = (first("ice-ufrag"), first("ice-pwd")) else {
            return Err(SdpError::NoIceCredentials);
        };
        // RFC 8839 §5.6 separates them by spaces; libdatachannel writes a comma.
        let options = first("ice-options").unwrap_or_default();
        let has = |option: &str| options.split([' ', ',']).any(|word| word == option);
        Ok(Self {
            ice: credentials(ufrag, password)?,
            fingerprint_sha256: fingerprint(session, section)?,
            trickle: has("trickle"),
            ice2: has("ice2"),
            extmap_allow_mixed: session.has("extmap-allow-mixed"),
        })
    }
}

/// # Errors
/// [`SdpError::IceCredentials`] if one is too short, too long or not visible ASCII.
pub(super) fn credentials(ufrag: &str, password: &str) -> Result<IceCredentials, SdpError> {
    let fits = |text: &str, bytes_min: usize| {
        text.len() >= bytes_min && is_token(text, ICE_CREDENTIAL_BYTES_MAX)
    };
    if !fits(ufrag, ICE_UFRAG_BYTES_MIN) || !fits(password, ICE_PASSWORD_BYTES_MIN) {
        return Err(SdpError::IceCredentials);
    }
    Ok(IceCredentials {
        ufrag: ufrag.to_owned(),
        password: Secret::new(password.to_owned()),
    })
}

/// The SHA-256 fingerprint of the section or, if the section has none at all, of the session.
fn fingerprint(session: Attributes<'_>, section: Attributes<'_>) -> Result<[u8; 32], SdpError> {
    let attributes = if section.has("fingerprint") {
        section
    } else {
        session
    };
    let mut offered = Err(SdpError::NoFingerprint);
    for value in attributes.all("fingerprint") {
        let (hash, digest) = value
            .split_once(' ')
            .ok_or(SdpError::Malformed("a=fingerprint"))?;
        if hash.eq_ignore_ascii_case("sha-256") {
            return parse_digest(digest.trim()).ok_or(SdpError::Malformed("a=fingerprint"));
        }
        offered = Err(SdpError::FingerprintHash(hash_name(hash)));
    }
    offered
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let mut bytes = text.split(':');
    for byte in &mut digest {
        let hex = bytes.next().filter(|hex| hex.len() == 2)?;
        if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(hex, 16).ok()?;
    }
    bytes.next().is_none().then_some(digest)
}

/// The hash functions of RFC 8122 §5, so that a refusal can name one without quoting.
fn hash_name(hash: &str) -> &'static str {
    ["sha-1", "sha-224", "sha-384", "sha-512", "md5", "md2"]
        .into_iter()
        .find(|known| hash.eq_ignore_ascii_case(known))
        .unwrap_or("an unknown hash")
}

/// `a=setup` (RFC 4145, RFC 8842), the section's or the session's.
pub(super) fn setup<'a>(session: Attributes<'a>, section: Attributes<'a>) -> &'a str {
    let value = section.first("setup").or_else(|| session.first("setup"));
    value.unwrap_or_default()
}

/// A fingerprint as SDP writes it.
pub(super) struct Digest<'a>(pub(super) &'a [u8; 32]);

impl fmt::Display for Digest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}
