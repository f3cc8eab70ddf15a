//! Signalling clients: LiveKit's protocol, WHIP and WHEP, over TLS 1.3 or in the clear.

pub mod limits;
pub mod livekit;
mod server;
mod token;
pub mod whip;

#[cfg(test)]
mod tests;

pub use server::{Server, Trust};
pub use token::{Access, Credentials};

use std::io;
use std::path::PathBuf;

/// Why signalling did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as signalling::Error")]
pub enum Error {
    /// The address is not one of a server: correct it.
    #[error("{0:?} is not the URL of a server, such as https://host:7880")]
    Url(String),
    /// The CA file cannot be used.
    #[error("{path}: {reason}")]
    Authority {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The host's name has no address.
    #[error("{host} has no address")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nothing listens, or the network is down.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    /// The server answered, and refused.
    #[error("refused with {status}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The first words of the body.
        reason: String,
    },
    /// HTTP that does not work out.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// A WebSocket that does not work out.
    #[error("WebSocket: {0}")]
    WebSocket(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    /// The server said what the protocol does not allow there.
    #[error("the server {0}")]
    Protocol(&'static str),
    /// The server ended the session.
    #[error("the server ended the session: {0}")]
    Ended(String),
    /// No answer in time.
    #[error("no answer in time: {0}")]
    Timeout(&'static str),
    /// The token could not be signed.
    #[error("the token cannot be signed: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
}

impl Error {
    /// The kind, for counting.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Authority { .. } | Self::Token(_) => "configuration",
            Self::Resolve { .. } => "resolve",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Refused { .. } => "refused",
            Self::Http(_) => "http",
            Self::WebSocket(_) => "websocket",
            Self::Protocol(_) => "protocol",
            Self::Ended(_) => "ended by the server",
            Self::Timeout(_) => "timeout",
        }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for Error {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// The start of a refusal's body, as text on one line.
fn excerpt(body: &[u8]) -> String {
    let start = body.get(..limits::REASON_BYTES_MAX).unwrap_or(body);
    let text = String::from_utf8_lossy(start);
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}
