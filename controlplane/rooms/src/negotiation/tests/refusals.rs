//! Each way to be refused, made from the offer of a real client.

use super::*;
use crate::negotiation::SdpError;

fn refusal(edit: impl Fn(String) -> String) -> SdpError {
    let text = offer("chromium-156-whip-simulcast");
    let edited = edit(text.clone());
    assert_ne!(text, edited, "the edit does something");
    let mut connection = connection(Role::Single);
    let before = connection.clone();
    let error = connection
        .accept_offer(&edited, credentials("unused"))
        .expect_err("refused");
    assert_eq!(connection, before, "nothing has changed");
    error
}

fn without(prefix: &'static str) -> SdpError {
    refusal(move |text| {
        let lines = text.lines().filter(|line| !line.starts_with(prefix));
        lines.flat_map(|line| [line, "\r\n"]).collect()
    })
}

fn replaced(from: &'static str, to: &'static str) -> SdpError {
    refusal(move |text| text.replace(from, to))
}

#[test]
fn keys_in_the_sdp() {
    let line = "a=mid:0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0";
    assert_eq!(replaced("a=mid:0", line), SdpError::Sdes);
    let session = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\na=group";
    assert_eq!(replaced("a=group", session), SdpError::Sdes);
}

#[test]
fn profiles_without_dtls_or_feedback() {
    for (profile, named) in [
        ("RTP/AVP", "RTP/AVP"),
        ("RTP/AVPF", "RTP/AVPF"),
        ("RTP/SAVP", "RTP/SAVP"),
        ("RTP/SAVPF", "RTP/SAVPF"),
        ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVP"),
        ("UDP/QUIC/RTP", "another one"),
    ] {
        assert_eq!(
            replaced("UDP/TLS/RTP/SAVPF", profile),
            SdpError::Profile(named)
        );
    }
}

#[test]
fn certificate_fingerprints() {
    assert_eq!(without("a=fingerprint"), SdpError::NoFingerprint);
    for hash in ["sha-1", "md5", "sha-224", "sha-384", "sha-512"] {
        let error =
            refusal(|text| text.replace("fingerprint:sha-256", &format!("fingerprint:{hash}")));
        assert_eq!(error, SdpError::FingerprintHash(hash));
    }
    assert_eq!(
        replaced("fingerprint:sha-256", "fingerprint:rot13"),
        SdpError::FingerprintHash("an unknown hash")
    );
    let malformed = SdpError::Malformed("a=fingerprint");
    assert_eq!(
        replaced("fingerprint:sha-256 ", "fingerprint:sha-256 00:"),
        malformed
    );
    assert_eq!(
        replaced("fingerprint:sha-256 ", "fingerprint:sha-256 +"),
        malformed
    );
}

#[test]
fn ice_credentials() {
    assert_eq!(without("a=ice-ufrag"), SdpError::NoIceCredentials);
    assert_eq!(without("a=ice-pwd"), SdpError::NoIceCredentials);
    let with = |key: &'static str, value: String| {
        refusal(move |text| {
            let edited = text.lines().map(|line| {
                if line.starts_with(key) {
                    format!("{key}{value}\r\n")
                } else {
                    format!("{line}\r\n")
                }
            });
            edited.collect()
        })
    };
    assert_eq!(with("a=ice-pwd:", "p".repeat(21)), SdpError::IceCredentials);
    assert_eq!(
        with("a=ice-pwd:", "p".repeat(257)),
        SdpError::IceCredentials
    );
    assert_eq!(
        with("a=ice-ufrag:", "abc".to_owned()),
        SdpError::IceCredentials
    );
}

#[test]
fn dtls_roles() {
    assert_eq!(
        replaced("a=setup:actpass", "a=setup:passive"),
        SdpError::Setup
    );
    assert_eq!(
        replaced("a=setup:actpass", "a=setup:holdconn"),
        SdpError::Setup
    );
    assert_eq!(without("a=setup"), SdpError::Setup);
}

#[test]
fn one_transport() {
    assert_eq!(without("a=group:BUNDLE"), SdpError::NoBundle);
    assert_eq!(without("a=rtcp-mux"), SdpError::NoRtcpMux);
    assert_eq!(
        replaced("a=group:BUNDLE 0 1", "a=group:BUNDLE"),
        SdpError::NothingAcceptable
    );
}

#[test]
fn one_number_one_meaning() {
    // Payload type 111 is Opus in the first section; let it be VP8 in the second.
    let error = refusal(|text| {
        let text = text.replace("SAVPF 96 97 ", "SAVPF 111 97 ");
        text.replace("a=rtpmap:96 VP8", "a=rtpmap:111 VP8")
    });
    assert_eq!(error, SdpError::BundleConflict("payload type"));
    let error = refusal(|text| {
        let (audio, video) = text.split_once("m=video").expect("two sections");
        let video = video.replace("extmap:4 urn", "extmap:1 urn");
        format!("{audio}m=video{video}")
    });
    assert_eq!(error, SdpError::BundleConflict("header extension id"));
}

#[test]
fn what_is_not_sdp() {
    let grammar = SdpError::Malformed("a line does not follow the grammar");
    assert_eq!(refusal(|_| String::new()), grammar);
    assert_eq!(refusal(|_| "hello".to_owned()), grammar);
    assert_eq!(replaced("v=0", "v=1"), grammar);
    assert_eq!(replaced("m=video", "m=smell"), grammar);
    assert_eq!(
        replaced("a=mid:1", "a=mid:0"),
        SdpError::Malformed("a=mid is not unique")
    );
    assert_eq!(
        replaced("a=mid:1", "a=mid:a-name-of-17-bytes"),
        SdpError::Malformed("a=mid")
    );
    let error = refusal(|text| text.replace("a=msid:", &format!("a=msid:{} ", "s".repeat(200))));
    assert_eq!(error, SdpError::Malformed("a=msid"));
}

#[test]
fn nothing_to_accept() {
    let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
                m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:0\r\n";
    assert_eq!(refusal(|_| text.to_owned()), SdpError::NothingAcceptable);
}

#[test]
fn the_wrong_side() {
    let text = offer("chromium-156-whep");
    let mut subscriber = connection(Role::Subscriber);
    assert_eq!(
        subscriber.accept_offer(&text, credentials("unused")),
        Err(SdpError::WrongRole)
    );
    let mut single = connection(Role::Single);
    assert_eq!(single.offer(None), Err(SdpError::WrongRole));
    assert_eq!(single.accept_answer(&text), Err(SdpError::WrongRole));
}

#[test]
fn reasons_quote_nothing() {
    let secret = "Zm9vYmFyYmF6cXV4cXV4cXV4";
    let text = offer("chromium-156-whip-simulcast");
    for place in [
        "a=ice-pwd:",
        "a=msid:",
        "a=mid:",
        "m=video 9 ",
        "a=fingerprint:",
        "a=setup:",
    ] {
        let edited = text.replace(
            place,
            &format!("{place}{secret}{secret}{secret}{secret}{secret}{secret}{secret} "),
        );
        let mut connection = connection(Role::Single);
        if let Err(error) = connection.accept_offer(&edited, credentials("unused")) {
            assert!(!format!("{error} {error:?} {}", error.label()).contains(secret));
        }
    }
}
