//! Which stream an SSRC is that nobody announced.

use super::peer::{Peer, StreamOf};
use super::publisher::Track;
use super::{Arena, Handle};
use crate::rtp::{Header, ReceivedExtensions};
use bedside_protocol::Encoding;

/// Finds the stream of an SSRC that was not announced: by MID and RID (RFC 8843 §9.2, RFC 8852),
/// else by its payload type where only one track can have sent it. The SSRC is bound from then on.
pub(super) fn learn(
    peer: &mut Peer,
    tracks: &mut Arena<Track>,
    header: &Header,
    extensions: &ReceivedExtensions<'_>,
) -> Option<StreamOf> {
    let stream = match extensions.mid {
        Some(mid) => peer
            .tracks
            .iter()
            .filter_map(|handle| Some((*handle, tracks.get(*handle)?)))
            .filter(|(_, track)| track.wanted.mid == mid)
            .find_map(|(handle, track)| stream_in(handle, track, header, extensions))?,
        None => {
            let mut candidates = peer
                .tracks
                .iter()
                .filter_map(|handle| Some((*handle, tracks.get(*handle)?)))
                .filter(|(_, track)| carries(track, header.payload_type).is_some());
            let (handle, track) = candidates.next()?;
            if candidates.next().is_some() {
                return None;
            }
            let stream = stream_in(handle, track, header, extensions)?;
            let layer = track.layer(stream.layer)?;
            let bound = if stream.retransmission {
                layer.rtx_ssrc
            } else {
                layer.ssrc
            };
            if bound.is_some() {
                return None;
            }
            stream
        }
    };
    let layer = tracks.get_mut(stream.track)?.layer_mut(stream.layer)?;
    if stream.retransmission {
        layer.rtx_ssrc = Some(header.ssrc);
    } else if layer.ssrc.is_none() {
        layer.ssrc = Some(header.ssrc);
    } else if !layer.rebind(header.ssrc) {
        return None;
    }
    peer.streams.retain(|other| other != stream);
    peer.streams.insert(header.ssrc, stream);
    Some(stream)
}

/// Which stream of a track a packet belongs to, by its RID or by the track's only encoding.
fn stream_in(
    handle: Handle<Track>,
    track: &Track,
    header: &Header,
    extensions: &ReceivedExtensions<'_>,
) -> Option<StreamOf> {
    let retransmission = carries(track, header.payload_type)?;
    let rid = if retransmission {
        extensions.repaired_rid.or(extensions.rid)
    } else {
        extensions.rid
    };
    let encodings = &track.wanted.encodings;
    let by_rid = |encoding: &&Encoding| encoding.rid.is_some() && encoding.rid == rid;
    let encoding = match &encodings[..] {
        [only] if only.rid.is_none() || rid.is_none() => only,
        several => several.iter().find(by_rid)?,
    };
    Some(StreamOf {
        track: handle,
        layer: encoding.layer,
        retransmission,
    })
}

/// Whether a track may send packets of that type: `Some(true)` for its retransmissions.
fn carries(track: &Track, payload_type: u8) -> Option<bool> {
    let types = track.wanted.payload_types;
    if types.media == payload_type || track.wanted.red_payload_type == Some(payload_type) {
        Some(false)
    } else {
        (types.rtx == Some(payload_type)).then_some(true)
    }
}
