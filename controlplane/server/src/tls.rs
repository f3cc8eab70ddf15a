//! TLS 1.3 and nothing else (RFC 8446), on aws-lc-rs.
//!
//! No session tickets, no session storage, no early data: nothing that decrypts a consult
//! outlives its connection, and nothing can be replayed.

mod client;
mod development;
mod facts;

pub(crate) use client::client;
pub(crate) use development::ensure as ensure_development_certificate;
pub(crate) use facts::Facts;

use crate::{Config, Error, files};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Where certificate and key are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The certificate in use; shared with every handshake.
#[derive(Debug)]
pub(crate) struct Certificate {
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Certificate`]: what is wrong with which file.
    pub(crate) fn read(files: &Files) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            current: RwLock::new(Arc::new(certified_key(files)?)),
        }))
    }

    /// What is known about the certificate in use.
    pub(crate) fn facts(&self) -> Option<Facts> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Facts::of(&current)
    }

    /// Reads the files again: new handshakes use them, running connections go on. On an error
    /// the certificate that was in use stays.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn reload(&self, files: &Files) -> Result<(), Error> {
        let fresh = Arc::new(certified_key(files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// The server's TLS configuration.
///
/// # Errors
/// [`Error::Certificate`]: the provider lacks TLS 1.3, which aws-lc-rs never does.
pub(crate) fn server_config(certificate: Arc<Certificate>) -> Result<rustls::ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Error::Certificate(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Whole days until the configured certificate's end, negative after it. `bedside doctor` asks.
///
/// # Errors
/// What would keep the server from using the files, or browsers from accepting them: unreadable,
/// not PEM, a key that does not belong to the certificate, a certificate without the name in
/// `public_url`; [`Error::Config`] where a development certificate is made instead.
pub fn certificate_expiry(config: &Config) -> Result<i64, Error> {
    let (Some(certificate), Some(key)) = (&config.tls.certificate_file, &config.tls.key_file)
    else {
        return Err(Error::Config("no certificate is configured".to_owned()));
    };
    let files = Files {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    let key = certified_key(&files)?;
    if let (Some(host), Ok(der)) = (config.public_host(), key.end_entity_cert()) {
        check_name(der, &host)?;
    }
    Facts::of(&key)
        .map(|facts| facts.days_left)
        .ok_or_else(|| Error::file(&files.certificate, "holds no X.509 certificate"))
}

/// What makes a configured certificate weak, if anything does.
///
/// # Errors
/// [`Error::File`]: it cannot be read.
pub(crate) fn weakness(certificate: &Path) -> Result<Option<String>, Error> {
    let chain = read_chain(certificate)?;
    Ok(chain.first().and_then(|leaf| facts::weakness(leaf)))
}

fn check_name(der: &CertificateDer<'_>, host: &str) -> Result<(), Error> {
    let refuse = |_| Error::Certificate(format!("it does not name {host}, as `public_url` does"));
    let parsed = ParsedCertificate::try_from(der).map_err(refuse)?;
    let name = ServerName::try_from(host)
        .map_err(|_| Error::Certificate(format!("`public_url`: {host} is not a name")))?;
    verify_server_name(&parsed, &name).map_err(refuse)
}

fn certified_key(files: &Files) -> Result<CertifiedKey, Error> {
    let chain = read_chain(&files.certificate)?;
    let text = files::read_secret(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).map_err(|_| {
        Error::file(
            &files.key,
            "holds no PEM private key (PKCS #8, SEC 1 or PKCS #1)",
        )
    })?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
        Error::Certificate(format!(
            "{} and {} do not go together: {error}",
            files.certificate.display(),
            files.key.display()
        ))
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(Error::file(path, "holds no PEM certificate")),
    }
}

#[cfg(test)]
mod tests;
