//! One request to a witness: HTTP/1.1, TLS 1.3 unless it is on this machine.

use crate::Error;
use crate::limits::WITNESS_ANSWER_BYTES_MAX;
use crate::tls;
use ::http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use ::http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where a witness is.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    host: String,
    port: u16,
    host_header: HeaderValue,
    path: String,
    /// None: in the clear, to this machine only.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Endpoint {
    /// # Errors
    /// [`Error::Config`], [`Error::File`].
    pub(super) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, Error> {
        let refuse = |cause: &str| Error::Config(format!("`audit.witnesses`: {url} {cause}"));
        let uri: Uri = url.parse().map_err(|_| refuse("is not a URL"))?;
        let authority = uri.authority().ok_or_else(|| refuse("is not a URL"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let tls = match uri.scheme_str() {
            Some("https") => {
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|_| refuse("has no name that a certificate can have"))?;
                Some((Arc::new(tls::client(ca_file)?), name))
            }
            Some("http") if is_here(&host) => None,
            _ => return Err(refuse("is neither https:// nor on this machine")),
        };
        let port = if tls.is_some() { 443 } else { 80 };
        Ok(Self {
            port: authority.port_u16().unwrap_or(port),
            host_header: HeaderValue::from_str(authority.as_str())
                .map_err(|_| refuse("is not a URL"))?,
            path: format!("{}/add-checkpoint", uri.path().trim_end_matches('/')),
            host,
            tls,
        })
    }

    /// Posts a checkpoint; the status and the text of the answer.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub(super) async fn add_checkpoint(
        &self,
        body: String,
    ) -> Result<(StatusCode, String), String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| error.to_string())?;
        match &self.tls {
            None => self.exchange(stream, body).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await;
                self.exchange(stream.map_err(|error| error.to_string())?, body)
                    .await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        body: String,
    ) -> Result<(StatusCode, String), String> {
        let broken = |error: hyper::Error| error.to_string();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // It ends with its sender; what goes wrong on it is seen there.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        let request = Request::post(self.path.as_str())
            .header(HOST, self.host_header.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(USER_AGENT, concat!("bedside/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let text = Limited::new(answer.into_body(), WITNESS_ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
