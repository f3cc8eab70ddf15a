//! A TLS client that writes HTTP by hand, so that it can also write it wrongly.

use super::within;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol::{SignalRequest, SignalResponse, signal_request, signal_response};
use prost::Message as _;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::client::IntoClientRequest as _;

pub(crate) struct Client {
    address: SocketAddr,
    config: ClientConfig,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The same, where it is not text.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr, ca_file: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(ca_file).expect("PEM");
        roots.add(authority).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("a known version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address, config }
    }

    /// Keeps what the server gives for resumption, to see whether it gives anything.
    pub(crate) fn remembering(&mut self) -> Arc<dyn ClientSessionStore> {
        let store: Arc<dyn ClientSessionStore> = Arc::new(ClientSessionMemoryCache::new(8));
        self.config.resumption = Resumption::store(Arc::clone(&store));
        store
    }

    pub(crate) fn config(&mut self) -> &mut ClientConfig {
        &mut self.config
    }

    pub(crate) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(self.config.clone()))
            .connect(server_name(), stream)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[]).await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(method, path, headers, b"").await
    }

    /// A request with a body, where `body` is not empty.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("Connection: close\r\n\r\n");
        let exchange = async {
            let mut stream = self.connect().await.expect("a server that listens");
            stream
                .write_all(&[text.as_bytes(), body].concat())
                .await
                .expect("the server reads");
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            // Whoever refuses a request unread may reset the connection after the answer.
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                bytes.extend_from_slice(&buffer[..read]);
            }
            bytes
        };
        parse(&within(exchange, "the server answers").await)
    }

    /// Opens a signalling connection; the error is the HTTP status that refused it.
    pub(crate) async fn signal(&self, path: &str, token: &str) -> Result<Signal, u16> {
        let mut request = format!("wss://localhost{path}")
            .into_client_request()
            .expect("a URL");
        let bearer = format!("Bearer {token}").parse().expect("a header value");
        request.headers_mut().insert("authorization", bearer);
        let stream = self.connect().await.expect("a server that listens");
        let opening = tokio_tungstenite::client_async(request, stream);
        match within(opening, "the upgrade is answered").await {
            Ok((socket, _)) => Ok(Signal { socket }),
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("the upgrade failed: {error}"),
        }
    }
}

/// A signalling connection's client end.
pub(crate) struct Signal {
    pub(crate) socket: WebSocketStream<TlsStream<TcpStream>>,
}

/// How the server ended a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// With a WebSocket close frame.
    Closed(u16),
    /// By dropping TCP.
    Dropped,
}

impl Signal {
    pub(crate) async fn send(&mut self, message: signal_request::Message) {
        let request = SignalRequest {
            message: Some(message),
        };
        self.send_frame(tungstenite::Message::Binary(request.encode_to_vec().into()))
            .await;
    }

    pub(crate) async fn send_frame(&mut self, frame: tungstenite::Message) {
        self.socket.send(frame).await.expect("the server reads");
    }

    /// The next message in a binary frame.
    pub(crate) async fn next(&mut self) -> signal_response::Message {
        let next = async {
            loop {
                let frame = self.socket.next().await.expect("open").expect("open");
                if let tungstenite::Message::Binary(bytes) = frame {
                    let response = SignalResponse::decode(bytes).expect("protobuf");
                    if let Some(message) = response.message {
                        return message;
                    }
                }
            }
        };
        within(next, "the server says something").await
    }

    /// The first message that `wanted` picks; those before it are dropped.
    pub(crate) async fn until<T>(
        &mut self,
        wanted: impl Fn(signal_response::Message) -> Option<T>,
    ) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    /// Reads until the end.
    pub(crate) async fn end(&mut self) -> Ended {
        let end = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(tungstenite::Message::Close(frame))) => {
                        return Ended::Closed(frame.map_or(1005, |frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Ended::Dropped,
                }
            }
        };
        within(end, "the server ends the connection").await
    }
}

pub(crate) fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 4..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status_line = lines.next().unwrap_or_default();
    Answer {
        status: status_line.split(' ').nth(1).unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: String::from_utf8_lossy(body).into_owned(),
        bytes: body.to_vec(),
    }
}
