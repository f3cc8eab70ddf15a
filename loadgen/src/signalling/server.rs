//! Where a server is, and how to know that it is the right one.

use super::{Error, limits};
use http::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A connection to a server, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The authorities that a server's certificate may come from.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// The public authorities, and those of a PEM file.
    ///
    /// # Errors
    /// [`Error::Authority`] if the file cannot be read or holds no certificate.
    pub fn new(file: Option<&Path>) -> Result<Self, Error> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = file {
            add(&mut roots, path).map_err(|reason| Error::Authority {
                path: path.to_owned(),
                reason,
            })?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::Tls(io::Error::other(error)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Every participant is a person with a browser of their own, which has no ticket yet.
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

/// Adds the certificates of a PEM file, of which there must be one.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before {
        return Err("no certificate in it".to_owned());
    }
    Ok(())
}

/// A server's address, resolved once for all participants.
#[derive(Clone)]
pub struct Server {
    uri: Uri,
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    trust: Trust,
}

impl Server {
    /// Resolves the host of `url` (`https`, `wss`, `http` or `ws`).
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Resolve`].
    pub async fn resolve(url: &str, trust: &Trust) -> Result<Self, Error> {
        let wrong = || Error::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(wrong());
        };
        let (encrypted, default_port) = match scheme {
            "https" | "wss" => (true, 443),
            "http" | "ws" => (false, 80),
            _ => return Err(wrong()),
        };
        // IPv6 addresses stand in brackets in a URL and nowhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = if encrypted {
            let config = Arc::clone(&trust.config);
            let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        let failed = |source| Error::Resolve {
            host: host.to_owned(),
            source,
        };
        let port = uri.port_u16().unwrap_or(default_port);
        let address = tokio::net::lookup_host((host, port))
            .await
            .map_err(failed)?
            .next()
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        Ok(Self {
            uri,
            address,
            tls,
            trust: trust.clone(),
        })
    }

    /// The server that a `Location` of this one names: a path of its own, or another server.
    pub(super) async fn follow(&self, location: &str) -> Result<Self, Error> {
        if location.contains("://") {
            return Self::resolve(location, &self.trust).await;
        }
        // A path without a leading slash is relative to the folder (RFC 3986 §5.2.3).
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let base = self.uri.path();
            let folder = base.rfind('/').and_then(|end| base.get(..=end));
            format!("{}{location}", folder.unwrap_or("/"))
        };
        let wrong = || Error::Url(location.to_owned());
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|_| wrong())?);
        Ok(Self {
            uri: Uri::from_parts(parts).map_err(|_| wrong())?,
            ..self.clone()
        })
    }

    /// Opens TCP, and TLS where the URL says so.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Error> {
        let opening = async {
            let stream = TcpStream::connect(self.address)
                .await
                .map_err(Error::Connect)?;
            stream.set_nodelay(true).map_err(Error::Connect)?;
            let Some((connector, name)) = &self.tls else {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            };
            let stream = connector
                .connect(name.clone(), stream)
                .await
                .map_err(Error::Tls)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        timeout(limits::CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| Error::Timeout("connecting"))?
    }

    /// Where TCP goes.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Host and port, as `Host` names them.
    pub(super) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// The URL's path and query, to ask for over HTTP.
    pub(super) fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// A WebSocket's URL at `path` under this one.
    pub(super) fn websocket(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let base = self.uri.path().trim_end_matches('/');
        format!("{scheme}://{}{base}{path}", self.authority())
    }
}
