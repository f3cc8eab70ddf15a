use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use flate2::{Compression as Level, write::GzEncoder};
use livekit_protocol::{AddTrackRequest, ClientInfo, ConnectionSettings, SessionDescription};
use std::io::Write as _;

fn request() -> JoinRequest {
    JoinRequest {
        client_info: Some(ClientInfo {
            protocol: 18,
            ..ClientInfo::default()
        }),
        connection_settings: Some(ConnectionSettings {
            auto_subscribe: true,
            ..ConnectionSettings::default()
        }),
        publisher_offer: Some(SessionDescription {
            r#type: "offer".to_owned(),
            sdp: "v=0\r\n".repeat(3_000),
            ..SessionDescription::default()
        }),
        ..JoinRequest::default()
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::best());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn wrap(compression: i32, join_request: Vec<u8>) -> Vec<u8> {
    WrappedJoinRequest {
        compression,
        join_request,
    }
    .encode_to_vec()
}

fn refused(bytes: &[u8], reason: &str) {
    let query = format!("join_request={}", URL_SAFE.encode(bytes));
    let refusal = parse(&query).expect_err(reason);
    assert_eq!((refusal.status, refusal.reason.as_str()), (400, reason));
}

#[test]
fn plain_and_compressed_requests_are_read_in_any_alphabet() {
    let plain = wrap(0, request().encode_to_vec());
    let compressed = wrap(1, gzip(&request().encode_to_vec()));
    for bytes in [plain, compressed] {
        let standard = STANDARD.encode(&bytes);
        for text in [
            URL_SAFE.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
            standard.clone(),
            standard
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D"),
        ] {
            let parameters = parse(&format!("x=y&join_request={text}")).expect("well-formed");
            assert!(parameters.single_connection && parameters.auto_subscribe);
            assert_eq!(parameters.client.protocol, 18);
            let offer = parameters.publisher_offer.expect("present");
            assert_eq!(offer.sdp.len(), 15_000);
        }
    }
}

#[test]
fn absent_settings_mean_no_auto_subscribe() {
    let bytes = wrap(0, JoinRequest::default().encode_to_vec());
    let parameters = parse(&format!("join_request={}", URL_SAFE.encode(bytes))).expect("empty");
    assert!(!parameters.auto_subscribe);
    assert_eq!((parameters.resume, parameters.metadata), (None, None));
}

#[test]
fn malformed_requests_are_refused() {
    assert_eq!(
        parse("").expect_err("absent").reason,
        "join_request is missing"
    );
    assert_eq!(
        parse("join_request=%00").expect_err("no base64").reason,
        "join_request is not base64"
    );
    refused(b"\x0a", "join_request is not a WrappedJoinRequest");
    refused(
        &wrap(9, Vec::new()),
        "join_request has an unknown compression",
    );
    refused(&wrap(1, b"not gzip".to_vec()), "join_request is not gzip");
    let mut truncated = gzip(&request().encode_to_vec());
    truncated.truncate(truncated.len() / 2);
    refused(&wrap(1, truncated), "join_request is not gzip");
    refused(
        &wrap(0, vec![0x0a]),
        "join_request does not hold a JoinRequest",
    );
}

#[test]
fn bombs_are_refused() {
    // 64 MiB of zeros in 64 KiB: inflation stops at the bound.
    refused(
        &wrap(1, gzip(&vec![0; 64 << 20])),
        "join_request is too large",
    );
    refused(
        &wrap(0, vec![0; JOIN_REQUEST_BYTES_MAX + 1]),
        "join_request is too large",
    );
    // Half a megabyte of empty add-track requests: each would take hundreds of bytes.
    let empty = JoinRequest {
        add_track_requests: vec![AddTrackRequest::default(); 250_000],
        ..JoinRequest::default()
    };
    refused(
        &wrap(1, gzip(&empty.encode_to_vec())),
        "join_request is too large",
    );
}

#[test]
fn just_below_the_bound_is_read() {
    let mut request = request();
    let sdp = &mut request.publisher_offer.as_mut().expect("set above").sdp;
    *sdp = "a=ssrc:1 cname:x\r\n".repeat(JOIN_REQUEST_BYTES_MAX / 20);
    request.metadata = "m".repeat(JOIN_REQUEST_BYTES_MAX - request.encoded_len() - 8);
    let plain = request.encode_to_vec();
    assert!(plain.len() > JOIN_REQUEST_BYTES_MAX - 10, "{}", plain.len());
    let bytes = wrap(1, gzip(&plain));
    parse(&format!("join_request={}", URL_SAFE.encode(bytes))).expect("within the bound");
}

#[test]
fn no_bytes_are_too_strange_to_read() {
    bolero::check!()
        .with_type::<(bool, Vec<u8>)>()
        .for_each(|(wrapped, bytes)| {
            let bytes = if *wrapped {
                wrap(0, bytes.clone())
            } else {
                bytes.clone()
            };
            if let Err(refusal) = decode(&bytes) {
                assert_eq!(refusal.status, 400);
            }
        });
}
