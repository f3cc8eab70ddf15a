use super::*;
use livekit_protocol::{signal_request, signal_response};

#[test]
fn text_is_answered_with_text() {
    let response = SignalResponse {
        message: Some(signal_response::Message::Pong(7)),
    };
    let Message::Text(text) = Format::Json.encode(&response) else {
        panic!("JSON goes in text frames");
    };
    assert_eq!(text.as_str(), r#"{"pong":"7"}"#);
    let Message::Binary(bytes) = Format::default().encode(&response) else {
        panic!("protobuf goes in binary frames");
    };
    assert_eq!(SignalResponse::decode(bytes), Ok(response));
}

#[test]
fn what_has_no_json_form_goes_as_protobuf() {
    let track = livekit_protocol::TrackInfo {
        source: 99,
        ..Default::default()
    };
    let published = livekit_protocol::TrackPublishedResponse {
        track: Some(track),
        ..Default::default()
    };
    let response = SignalResponse {
        message: Some(signal_response::Message::TrackPublished(published)),
    };
    assert!(matches!(Format::Json.encode(&response), Message::Binary(_)));
}

#[test]
fn unknown_fields_are_skipped_and_garbage_is_malformed() {
    let request = decode_json(r#"{"pingReq":{"timestamp":"5","brandNew":[1]},"later":{}}"#);
    assert!(matches!(
        request.expect("well-formed").message,
        Some(signal_request::Message::PingReq(ping)) if ping.timestamp == 5
    ));
    // Field 1000, length-delimited, three bytes.
    let unknown = decode_protobuf(&[0xc2, 0x3e, 3, 1, 2, 3]).expect("skipped");
    assert_eq!(unknown.message, None);
    for text in ["", "[]", "{\"mute\":3}", "{"] {
        assert_eq!(decode_json(text), Err(Malformed), "{text}");
    }
    assert_eq!(decode_protobuf(b"\x0a\xff"), Err(Malformed));
    let many = format!(
        "{{\"subscription\":{{\"participantTracks\":[{}]}}}}",
        "{},".repeat(40_000)
    );
    assert_eq!(decode_json(&many), Err(Malformed));
}

#[test]
fn no_frame_is_too_strange_to_decode() {
    bolero::check!().with_type::<String>().for_each(|text| {
        let _either = (decode_json(text), decode_protobuf(text.as_bytes()));
    });
}
