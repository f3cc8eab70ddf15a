use super::*;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

#[test]
fn the_web_sdks_query_is_read() {
    let parameters = parse(
        "access_token=x&auto_subscribe=0&sdk=js&version=2.21.0&protocol=17&client_protocol=2\
         &adaptive_stream=1&os=mac%20OS&network=wifi&capabilities=CAP_PACKET_TRAILER,CAP_NEW",
    )
    .expect("well-formed");
    assert!(!parameters.single_connection && !parameters.auto_subscribe);
    assert!(parameters.adaptive_stream);
    assert_eq!(parameters.client.sdk(), Sdk::Js);
    assert_eq!(
        (
            parameters.client.protocol,
            parameters.client.client_protocol
        ),
        (17, 2)
    );
    assert_eq!(parameters.client.os, "mac OS");
    assert_eq!(
        parameters.client.capabilities,
        [i32::from(Capability::CapPacketTrailer)]
    );
    assert_eq!(parameters.resume, None);
}

#[test]
fn defaults_are_livekits() {
    let parameters = parse("").expect("nothing is required");
    assert!(parameters.auto_subscribe && !parameters.adaptive_stream);
    let parameters = parse("sdk=abacus&protocol=x&reconnect_reason=9").expect("lenient");
    assert_eq!(parameters.client.sdk(), Sdk::Unknown);
    assert_eq!(
        (parameters.client.protocol, parameters.reconnect_reason),
        (0, 0)
    );
}

#[test]
fn a_reconnect_names_its_participant() {
    let parameters = parse("reconnect=1&sid=PA_abc&reconnect_reason=2").expect("well-formed");
    assert_eq!(parameters.resume.as_deref(), Some("PA_abc"));
    assert_eq!(parameters.reconnect_reason, 2);
}

#[test]
fn attributes_are_base64_of_strings() {
    let check = |json: &str| {
        let padded = URL_SAFE.encode(json).replace('=', "%3D");
        parse(&format!("attributes={padded}")).map(|parameters| parameters.attributes)
    };
    let attributes = check(r#"{"a":"1","b":"~~~?"}"#).expect("well-formed");
    assert_eq!(attributes.get("b").map(String::as_str), Some("~~~?"));
    assert_eq!(check(r#"{"a":1}"#).expect_err("a number").status, 400);
    assert_eq!(parse("attributes=%").expect_err("no base64").status, 400);
}

#[test]
fn both_alphabets_with_and_without_padding() {
    let bytes = [0xfb, 0xef, 0xff, 0x01];
    let standard = STANDARD.encode(bytes);
    assert!(
        standard.contains('+') && standard.contains('/'),
        "{standard}"
    );
    let url_safe = URL_SAFE.encode(bytes);
    for text in [
        standard.replace('+', " "),
        standard.trim_end_matches('=').to_owned(),
        url_safe.trim_end_matches('=').to_owned(),
        standard,
        url_safe,
    ] {
        assert_eq!(decode_base64(&text).as_deref(), Some(&bytes[..]), "{text}");
    }
    assert_eq!(decode_base64("a"), None);
    assert_eq!(decode_base64("é"), None);
}

#[test]
fn no_query_is_too_strange_to_read() {
    bolero::check!().with_type::<String>().for_each(|query| {
        if let Err(refusal) = parse(query) {
            assert_eq!(refusal.status, 400);
        }
    });
}
