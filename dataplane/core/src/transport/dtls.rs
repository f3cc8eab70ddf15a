//! DTLS as str0m uses it, with the SRTP keys taken out.

use str0m::crypto::CryptoProvider;

/// What everything here rests on: aws-lc-rs, through str0m's adapter.
pub(super) fn stock_provider() -> CryptoProvider {
    str0m_aws_lc_rs::default_provider()
}

/// SHA-256 by the same module that DTLS uses.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    stock_provider().sha256_provider.sha256(bytes)
}
