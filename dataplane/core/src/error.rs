//! What can fail before a worker runs; afterwards the core refuses commands by event and counts
//! what peers do wrong.

/// The core cannot start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    clippy::error_impl_error,
    reason = "one error a crate, told from others by its path"
)]
pub enum Error {
    /// The cryptographic module made no key pair or certificate. Nothing can be retried: the
    /// module or the system's randomness is broken.
    #[error("no DTLS certificate could be made")]
    Certificate,
}
