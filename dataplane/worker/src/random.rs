//! Random bytes from the cryptographic module, drawn only while starting.

use crate::error::WorkerError;

/// `N` random bytes.
///
/// # Errors
/// [`WorkerError::Cryptography`] if the module gives none.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], WorkerError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| WorkerError::Cryptography {
        what: "no random bytes",
    })?;
    Ok(bytes)
}
