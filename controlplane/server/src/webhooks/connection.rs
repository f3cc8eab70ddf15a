//! One HTTP/1.1 connection to a receiver, kept open between events.

use crate::Error;
use crate::limits::WEBHOOK_ANSWER_BYTES_MAX;
use crate::tls;
use axum::body::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, StatusCode, Uri};
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
pub(super) struct Target {
    host: String,
    port: u16,
    /// What the receiver calls itself in requests.
    host_header: HeaderValue,
    path: PathAndQuery,
    /// `None`: in the clear, which the configuration allows to this machine only.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// `ca_file` replaces the public authorities.
    pub(super) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, Error> {
        let refuse = || Error::Config(format!("`webhooks.urls`: {url} is not a URL"));
        let uri: Uri = url.parse().map_err(|_| refuse())?;
        let authority = uri.authority().ok_or_else(refuse)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let secure = uri.scheme_str() == Some("https");
        if authority.as_str().contains('@') {
            let words =
                "`webhooks.urls`: a name and password in a URL are not sent; leave them out";
            return Err(Error::Config(words.to_owned()));
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

/// Why an event did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
}

#[derive(Debug)]
pub(super) struct Connection {
    target: Target,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(super) fn new(target: Target) -> Self {
        Self { target, open: None }
    }

    /// Forgets the connection: the next event gets a new one.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Posts an event and returns the receiver's status.
    pub(super) async fn post(
        &mut self,
        body: &Bytes,
        token: &str,
    ) -> Result<StatusCode, PostError> {
        if let Some(mut open) = self.open.take()
            && open.ready().await.is_ok()
            && let Ok(status) = self.exchange(open, body, token).await
        {
            return Ok(status);
        }
        // There was none, or the receiver has closed it meanwhile.
        let fresh = self.connect().await?;
        self.exchange(fresh, body, token).await
    }

    async fn exchange(
        &mut self,
        mut open: SendRequest<Full<Bytes>>,
        body: &Bytes,
        token: &str,
    ) -> Result<StatusCode, PostError> {
        let answer = open.send_request(self.request(body, token)).await?;
        let status = answer.status();
        let rest = Limited::new(answer.into_body(), WEBHOOK_ANSWER_BYTES_MAX);
        if rest.collect().await.is_ok() {
            self.open = Some(open);
        }
        Ok(status)
    }

    fn request(&self, body: &Bytes, token: &str) -> Request<Full<Bytes>> {
        let mut authorization =
            HeaderValue::from_str(token).expect("a token is base64url and dots");
        authorization.set_sensitive(true);
        Request::post(Uri::from(self.target.path.clone()))
            .header(HOST, self.target.host_header.clone())
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/webhook+json")
            .header(CONTENT_LENGTH, body.len())
            .header(USER_AGENT, concat!("bedside/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body.clone()))
            .expect("every part was checked when it was made")
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
