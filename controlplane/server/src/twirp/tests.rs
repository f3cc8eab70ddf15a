use super::*;
use bolero::check;

fn with_type(content_type: Option<&str>) -> Parts {
    let mut request = http::Request::post("/twirp/x");
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    request.body(()).expect("well-formed").into_parts().0
}

#[test]
fn the_content_type_decides() {
    let of = |content_type| Encoding::of(&with_type(content_type)).ok();
    assert_eq!(of(Some("application/json")), Some(Encoding::Json));
    assert_eq!(
        of(Some("Application/JSON; charset=utf-8")),
        Some(Encoding::Json)
    );
    assert_eq!(of(Some("application/protobuf")), Some(Encoding::Protobuf));
    for other in [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/x-protobuf"),
    ] {
        assert_eq!(of(other), None, "{other:?}");
    }
}

#[test]
fn requests_in_json_have_either_case_and_unknown_fields() {
    for text in [
        r#"{"name":"a","emptyTimeout":7,"maxParticipants":2}"#,
        r#"{"name":"a","empty_timeout":7,"max_participants":2,"unheard_of":{"x":[1]}}"#,
    ] {
        let request: proto::CreateRoomRequest =
            Encoding::Json.decode(text.as_bytes()).expect("well-formed");
        assert_eq!(
            (
                request.name.as_str(),
                request.empty_timeout,
                request.max_participants
            ),
            ("a", 7, 2)
        );
    }
    let data: proto::SendDataRequest = Encoding::Json
        .decode(br#"{"room":"r","data":"AAH/","kind":"LOSSY"}"#)
        .expect("well-formed");
    assert_eq!(data.data, [0, 1, 255]);
}

#[test]
fn what_is_not_a_request_is_malformed() {
    for (encoding, body) in [
        (Encoding::Json, &b""[..]),
        (Encoding::Json, b"[]"),
        (Encoding::Json, br#"{"name":1}"#),
        (Encoding::Json, br#"{"name":"a""#),
        (Encoding::Protobuf, b"\x0a\x05a"),
        (Encoding::Protobuf, b"\xff\xff\xff\xff"),
    ] {
        let decoded = encoding.decode::<proto::CreateRoomRequest>(body);
        assert_eq!(
            decoded,
            Err(Problem::new("malformed", "the body is not such a request"))
        );
    }
}

#[test]
fn a_small_body_cannot_ask_for_much_memory() {
    // Two bytes an empty entry of `agents`.
    let bomb = b"\x72\x00".repeat(TWIRP_BODY_BYTES_MAX / 2);
    assert!(
        Encoding::Protobuf
            .decode::<proto::CreateRoomRequest>(&bomb)
            .is_err()
    );
    let bomb = format!(
        r#"{{"agents":[{}{{}}]}}"#,
        "{},".repeat(TWIRP_BODY_BYTES_MAX / 4)
    );
    assert!(
        Encoding::Json
            .decode::<proto::CreateRoomRequest>(bomb.as_bytes())
            .is_err()
    );
}

#[test]
fn no_body_breaks_the_decoders() {
    check!().for_each(|body: &[u8]| {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            if let Ok(request) = encoding.decode::<proto::UpdateParticipantRequest>(body) {
                assert!(request.room.len() <= body.len());
            }
            if let Ok(request) = encoding.decode::<proto::SendDataRequest>(body) {
                assert!(request.data.len() <= body.len());
            }
        }
    });
}
