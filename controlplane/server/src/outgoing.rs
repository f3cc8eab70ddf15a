//! Posting to a place that the configuration names: webhook receivers, a collector of traces. One
//! HTTP/1.1 connection to each, kept open between posts.

use crate::Error;
use crate::limits::OUTGOING_ANSWER_BYTES_MAX;
use crate::tls;
use axum::body::Bytes;
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A receiver.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    host: String,
    port: u16,
    /// What the receiver calls itself in requests.
    host_header: HeaderValue,
    path: PathAndQuery,
    /// `None`: in the clear, which the configuration allows to this machine only.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// `setting` is the one that holds the URL; `ca_file` replaces the public authorities.
    ///
    /// # Errors
    /// [`Error::Config`]: no URL; [`Error::File`]: the authorities' file.
    pub(crate) fn new(setting: &str, url: &str, ca_file: Option<&Path>) -> Result<Self, Error> {
        let refuse = || Error::Config(format!("`{setting}`: {url} is not a URL"));
        let uri: Uri = url.parse().map_err(|_| refuse())?;
        let authority = uri.authority().ok_or_else(refuse)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let secure = uri.scheme_str() == Some("https");
        if authority.as_str().contains('@') {
            return Err(Error::Config(format!(
                "`{setting}`: a name and password in a URL are not sent; leave them out"
            )));
        }
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).map_err(|_| refuse())?;
            Some((Arc::new(tls::client(ca_file)?), name))
        } else {
            None
        };
        Ok(Self {
            port: authority
                .port_u16()
                .unwrap_or(if secure { 443 } else { 80 }),
            host_header: HeaderValue::from_str(authority.as_str()).map_err(|_| refuse())?,
            path: uri
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
            host,
            tls,
        })
    }
}

/// Why a post did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
}

#[derive(Debug)]
pub(crate) struct Connection {
    target: Target,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, open: None }
    }

    /// Forgets the connection: the next post gets a new one.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Posts `body` with these headers beside the usual ones, and returns the receiver's status.
    pub(crate) async fn post(
        &mut self,
        body: &Bytes,
        headers: &HeaderMap,
    ) -> Result<StatusCode, PostError> {
        if let Some(mut open) = self.open.take()
            && open.ready().await.is_ok()
            && let Ok(status) = self.exchange(open, body, headers).await
        {
            return Ok(status);
        }
        // There was none, or the receiver has closed it meanwhile.
        let fresh = self.connect().await?;
        self.exchange(fresh, body, headers).await
    }

    async fn exchange(
        &mut self,
        mut open: SendRequest<Full<Bytes>>,
        body: &Bytes,
        headers: &HeaderMap,
    ) -> Result<StatusCode, PostError> {
        let answer = open.send_request(self.request(body, headers)).await?;
        let status = answer.status();
        let rest = Limited::new(answer.into_body(), OUTGOING_ANSWER_BYTES_MAX);
        if rest.collect().await.is_ok() {
            self.open = Some(open);
        }
        Ok(status)
    }

    fn request(&self, body: &Bytes, headers: &HeaderMap) -> Request<Full<Bytes>> {
        let mut request = Request::post(Uri::from(self.target.path.clone()))
            .header(HOST, self.target.host_header.clone())
            .header(CONTENT_LENGTH, body.len())
            .header(USER_AGENT, concat!("bedside/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body.clone()))
            .expect("every part was checked when it was made");
        request.headers_mut().extend(headers.clone());
        request
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, PostError> {
        let target = &self.target;
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
        match &target.tls {
            None => handshake(stream).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                handshake(connector.connect(name.clone(), stream).await?).await
            }
        }
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, PostError> {
    let (open, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its sender; what goes wrong on it is seen there.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(open)
}
