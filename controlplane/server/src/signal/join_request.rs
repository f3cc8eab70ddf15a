//! `/rtc/v1`: parameters in the query parameter `join_request`, a base64 `WrappedJoinRequest`
//! around a `JoinRequest` that may be compressed.

use super::query::decode_base64;
use super::{bad_request, wire};
use crate::limits::JOIN_REQUEST_BYTES_MAX;
use bedside_rooms::{JoinParameters, Refusal};
use flate2::read::GzDecoder;
use livekit_protocol::wrapped_join_request::Compression;
use livekit_protocol::{JoinRequest, WrappedJoinRequest};
use prost::Message as _;
use std::io::Read as _;

/// Reads the query of `/rtc/v1`.
///
/// # Errors
/// 400: no `join_request`, not base64, not the expected messages, a compression that we do not
/// know, or more than [`JOIN_REQUEST_BYTES_MAX`] after decompression (which stops there).
pub(super) fn parse(query: &str) -> Result<JoinParameters, Refusal> {
    let text = form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "join_request").then_some(value))
        .ok_or_else(|| bad_request("join_request is missing"))?;
    let bytes = decode_base64(&text).ok_or_else(|| bad_request("join_request is not base64"))?;
    decode(&bytes).map(parameters)
}

fn decode(wrapped: &[u8]) -> Result<JoinRequest, Refusal> {
    let wrapped = WrappedJoinRequest::decode(wrapped)
        .map_err(|_| bad_request("join_request is not a WrappedJoinRequest"))?;
    let plain = match Compression::try_from(wrapped.compression) {
        Ok(Compression::None) => wrapped.join_request,
        Ok(Compression::Gzip) => inflate(&wrapped.join_request)?,
        Err(_) => return Err(bad_request("join_request has an unknown compression")),
    };
    if plain.len() > JOIN_REQUEST_BYTES_MAX || !wire::is_bounded(&plain) {
        return Err(bad_request("join_request is too large"));
    }
    JoinRequest::decode(plain.as_slice())
        .map_err(|_| bad_request("join_request does not hold a JoinRequest"))
}

/// Stops one byte past the bound, whatever the compressed data claim.
fn inflate(compressed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    let bound = u64::try_from(JOIN_REQUEST_BYTES_MAX).unwrap_or(u64::MAX);
    GzDecoder::new(compressed)
        .take(bound + 1)
        .read_to_end(&mut plain)
        .map_err(|_| bad_request("join_request is not gzip"))?;
    Ok(plain)
}

fn parameters(request: JoinRequest) -> JoinParameters {
    let settings = request.connection_settings.unwrap_or_default();
    JoinParameters {
        single_connection: true,
        client: request.client_info.unwrap_or_default(),
        auto_subscribe: settings.auto_subscribe,
        adaptive_stream: settings.adaptive_stream,
        resume: request.reconnect.then_some(request.participant_sid),
        reconnect_reason: request.reconnect_reason,
        publisher_offer: request.publisher_offer,
        add_tracks: request.add_track_requests,
        sync_state: request.sync_state,
        metadata: Some(request.metadata).filter(|text| !text.is_empty()),
        attributes: request.participant_attributes.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
