//! HTTP towards the identity provider: one connection a request, bounded in time and size.
//! Redirections are not followed: the provider is where the operator said.

use crate::Error;
use crate::limits::{PROVIDER_ANSWER_BYTES_MAX, PROVIDER_TIMEOUT};
use crate::tls;
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openidconnect::AsyncHttpClient;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Asks the provider.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    tls: Arc<ClientConfig>,
}

/// Why there is no answer. Holds nothing that was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("its address is neither https:// nor http:// to this machine")]
    Address,
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("no answer in time")]
    TimedOut,
    #[error("the answer is too long or was cut off")]
    Answer,
}

impl Fetch {
    /// `ca_file` replaces the public authorities.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        Ok(Self {
            tls: Arc::new(tls::client(ca_file)?),
        })
    }

    async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        timeout(PROVIDER_TIMEOUT, self.exchange(request))
            .await
            .unwrap_or(Err(FetchError::TimedOut))
    }

    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        let (parts, body) = request.into_parts();
        let authority = parts.uri.authority().ok_or(FetchError::Address)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let secure = parts.uri.scheme() == Some(&Scheme::HTTPS);
        if !secure && !is_this_machine(&host) {
            return Err(FetchError::Address);
        }
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let host_header =
            HeaderValue::from_str(authority.as_str()).map_err(|_| FetchError::Address)?;
        let path = parts.uri.path_and_query().cloned();
        let mut request = Request::new(Full::new(Bytes::from(body.clone())));
        *request.method_mut() = parts.method;
        *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        *request.headers_mut() = parts.headers;
        let headers = request.headers_mut();
        headers.insert(HOST, host_header);
        headers.insert(CONTENT_LENGTH, body.len().into());
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("bedside/", env!("CARGO_PKG_VERSION"))),
        );
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if !secure {
            return send(stream, request).await;
        }
        let name = ServerName::try_from(host).map_err(|_| FetchError::Address)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        send(connector.connect(name, stream).await?, request).await
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Vec<u8>>, FetchError> {
    let (mut open, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its sender; what goes wrong on it is seen there.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    let (parts, body) = open.send_request(request).await?.into_parts();
    let body = Limited::new(body, PROVIDER_ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| FetchError::Answer)?;
    Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
