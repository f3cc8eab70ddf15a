//! TLS towards the servers that this one calls.

use crate::Error;
use rustls::ClientConfig;
use std::path::Path;

/// As the audit log calls its witnesses: TLS 1.3 and nothing else. `ca_file` replaces the public
/// authorities.
///
/// # Errors
/// [`Error::File`]: the authorities' file; [`Error::Audit`]: no TLS 1.3 in this build.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    bedside_ledger::tls_client(ca_file).map_err(|error| match error {
        bedside_ledger::Error::File { path, cause } => Error::File { path, cause },
        other => Error::Audit(other),
    })
}
