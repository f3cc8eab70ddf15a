//! Protobuf or JSON, by the kind of WebSocket frame.

use super::wire;
use axum::extract::ws::Message;
use livekit_protocol::{SignalRequest, SignalResponse};
use prost::Message as _;

/// How a client talks: the kind of its last frame decides the kind of the next answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Format {
    /// Binary frames.
    #[default]
    Protobuf,
    /// Text frames.
    Json,
}

/// A frame holds no message that we could understand in part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

impl Format {
    pub(super) fn encode(self, response: &SignalResponse) -> Message {
        match self {
            Self::Protobuf => Message::Binary(response.encode_to_vec().into()),
            // Enumeration values that we do not know, relayed from another client, have no JSON
            // form.
            Self::Json => serde_json::to_string(response).map_or_else(
                |_| Self::Protobuf.encode(response),
                |text| Message::Text(text.into()),
            ),
        }
    }
}

/// Unknown fields and messages are skipped by both decoders; bytes that are not protobuf, or not
/// JSON, are malformed.
pub(super) fn decode_protobuf(bytes: &[u8]) -> Result<SignalRequest, Malformed> {
    if !wire::is_bounded(bytes) {
        return Err(Malformed);
    }
    SignalRequest::decode(bytes).map_err(|_| Malformed)
}

pub(super) fn decode_json(text: &str) -> Result<SignalRequest, Malformed> {
    if !wire::is_bounded_json(text.as_bytes()) {
        return Err(Malformed);
    }
    serde_json::from_str(text).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests;
