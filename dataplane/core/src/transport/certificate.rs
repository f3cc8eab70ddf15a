//! The DTLS certificate of a data-plane process.

use super::dtls;
use crate::Error;
use std::fmt;
use std::sync::Arc;
use str0m::config::DtlsCert;

/// A self-signed certificate with its private key (ECDSA P-256). Made once per process: making
/// one costs as much as a handshake, and one fingerprint serves every transport. Clones share
/// the key.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    dtls: DtlsCert,
    fingerprint_sha256: [u8; 32],
}

impl Certificate {
    /// Makes a new one. Draws on the cryptographic module's randomness, so it is called by the
    /// process before it starts its workers, never by the core.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the module refuses.
    pub fn generate() -> Result<Self, Error> {
        let dtls = dtls::stock_provider()
            .dtls_provider
            .generate_certificate()
            .ok_or(Error::Certificate)?;
        let fingerprint_sha256 = dtls::sha256(&dtls.certificate);
        Ok(Self {
            inner: Arc::new(Inner {
                dtls,
                fingerprint_sha256,
            }),
        })
    }

    /// SHA-256 of the DER form, for `a=fingerprint` (RFC 8122 §5).
    #[must_use]
    pub fn fingerprint_sha256(&self) -> [u8; 32] {
        self.inner.fingerprint_sha256
    }

    pub(super) fn dtls(&self) -> &DtlsCert {
        &self.inner.dtls
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}
