use super::*;
use livekit_protocol::{
    ParticipantTracks, SignalRequest, SimulcastCodecInfo, SyncState, TrackInfo,
    TrackPublishedResponse, UpdateSubscription, VideoLayer, signal_request::Message,
};
use prost::Message as _;

fn request(message: Message) -> Vec<u8> {
    SignalRequest {
        message: Some(message),
    }
    .encode_to_vec()
}

#[test]
fn a_large_resume_is_within_bounds() {
    let published = TrackPublishedResponse {
        cid: "0f8fad5b-d9cb-469f-a165-70867728950e".to_owned(),
        track: Some(TrackInfo {
            sid: "TR_VCabcdefgh1234".to_owned(),
            name: "camera".to_owned(),
            width: 1280,
            height: 720,
            mime_type: "video/VP8".to_owned(),
            codecs: vec![
                SimulcastCodecInfo {
                    layers: vec![VideoLayer::default(); 3],
                    ..SimulcastCodecInfo::default()
                };
                2
            ],
            ..TrackInfo::default()
        }),
    };
    let state = SyncState {
        publish_tracks: vec![published; 500],
        ..SyncState::default()
    };
    assert!(is_bounded(&request(Message::SyncState(state))));
}

#[test]
fn many_small_messages_are_not() {
    let empty = UpdateSubscription {
        participant_tracks: vec![ParticipantTracks::default(); 1_000_000],
        ..UpdateSubscription::default()
    };
    assert!(!is_bounded(&request(Message::Subscription(empty))));
    // The same one level further down.
    let state = SyncState {
        publish_tracks: vec![TrackPublishedResponse::default(); MESSAGE_FIELDS_MAX],
        ..SyncState::default()
    };
    assert!(!is_bounded(&request(Message::SyncState(state))));
}

#[test]
fn texts_do_not_count() {
    let sdp = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(20_000);
    let offer = livekit_protocol::SessionDescription {
        sdp,
        ..Default::default()
    };
    assert!(is_bounded(&request(Message::Offer(offer))));
}

#[test]
fn a_group_hides_nothing() {
    // Each nested message ends in an empty group, which decoding skips.
    let nested = [0x1a, 0].repeat(10_000).into_iter().chain([0x7b, 0x7c]);
    let nested: Vec<u8> = nested.collect();
    let mut bytes = Vec::new();
    for _ in 0..20 {
        prost::encoding::bytes::encode(11, &nested, &mut bytes);
    }
    assert!(!is_bounded(&bytes));
}

#[test]
fn malformed_bytes_end_the_walk() {
    for bytes in [&b"\x0a\x05ab"[..], b"\xff", b"\x00", b"\x0e", &[0xff; 11]] {
        assert!(is_bounded(bytes), "{bytes:?}");
    }
}

#[test]
fn whatever_is_bounded_decodes_small() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        if is_bounded(bytes)
            && let Ok(message) = SignalRequest::decode(bytes.as_slice())
        {
            // Re-encoding walks all that was decoded.
            assert!(message.encoded_len() <= bytes.len() * 2);
        }
    });
}
