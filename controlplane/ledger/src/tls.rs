//! TLS towards the servers that this one calls: witnesses, and those of the control plane.

use crate::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// The same rules as for those who connect to us: TLS 1.3 and nothing else. `ca_file` replaces
/// the public authorities.
///
/// # Errors
/// [`Error::File`]: the authorities' file; [`Error::Config`]: no TLS 1.3 in this build.
pub fn client(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
            let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
            let authorities =
                authorities.map_err(|_| Error::file(path, "holds no PEM certificate"))?;
            if roots.add_parsable_certificates(authorities).0 == 0 {
                return Err(Error::file(path, "holds no certificate of an authority"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Error::Config(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
