//! Which payload types are taken.

use super::*;
use bedside_protocol::PayloadTypes;

/// A section that sends, with these payload types and attributes.
fn section(
    kind: &str,
    payload_types: &str,
    attributes: &str,
) -> Vec<(Codec, PayloadTypes, Option<u8>)> {
    let text = sdp(kind, payload_types, attributes);
    let mut connection = connection(Role::Single);
    if connection
        .accept_offer(&text, credentials("unused"))
        .is_err()
    {
        return Vec::new();
    }
    let answer = connection.answer().expect("an offer");
    check_answer(&text, &answer);
    let receivers = connection.receivers();
    let codecs = receivers.iter().flat_map(|receiver| &receiver.codecs);
    codecs
        .map(|codec| (codec.codec, codec.payload_types, codec.red_payload_type))
        .collect()
}

pub(super) fn sdp(kind: &str, payload_types: &str, attributes: &str) -> String {
    let digest = ["AB"; 32].join(":");
    format!(
        "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\na=group:BUNDLE 0\n\
         m={kind} 9 UDP/TLS/RTP/SAVPF {payload_types}\nc=IN IP4 0.0.0.0\n\
         a=mid:0\na=sendonly\na=rtcp-mux\na=setup:actpass\na=ice-ufrag:abcd\n\
         a=ice-pwd:abcdefghijklmnopqrstuv\na=fingerprint:sha-256 {digest}\n{attributes}\n"
    )
    .replace('\n', "\r\n")
}

fn media(payload_type: u8, rtx: Option<u8>) -> PayloadTypes {
    PayloadTypes {
        media: payload_type,
        rtx,
    }
}

#[test]
fn static_payload_types_need_no_map() {
    assert_eq!(
        section("audio", "0 8 9", ""),
        [
            (Codec::Pcmu, media(0, None), None),
            (Codec::Pcma, media(8, None), None)
        ]
    );
}

#[test]
fn names_are_compared_without_case_and_channels_may_be_written_out() {
    let taken = section(
        "audio",
        "100 101",
        "a=rtpmap:100 OPUS/48000/2\na=rtpmap:101 pcmu/8000/1",
    );
    assert_eq!(
        taken,
        [
            (Codec::Opus, media(100, None), None),
            (Codec::Pcmu, media(101, None), None)
        ]
    );
    assert_eq!(section("audio", "100", "a=rtpmap:100 opus/48000/1"), []);
}

#[test]
fn h264_is_constrained_baseline_in_packetization_mode_1() {
    let fmtp = |pt: u8, mode: &str, profile: &str| {
        format!("a=rtpmap:{pt} H264/90000\na=fmtp:{pt} profile-level-id={profile}{mode}\n")
    };
    let one = ";packetization-mode=1";
    let both = fmtp(100, one, "42001f") + &fmtp(102, one, "42e01f");
    assert_eq!(section("video", "100 102", &both)[0].1.media, 102);
    let baseline = fmtp(100, one, "42001f");
    assert_eq!(section("video", "100", &baseline)[0].1.media, 100);
    for (mode, profile) in [
        ("", "42e01f"),
        (";packetization-mode=0", "42e01f"),
        (one, "640c1f"),
        (one, "4d001f"),
        (one, "f4001f"),
    ] {
        assert_eq!(section("video", "100", &fmtp(100, mode, profile)), []);
    }
}

#[test]
fn vp9_and_av1_in_profile_0() {
    let vp9 = "a=rtpmap:100 VP9/90000\na=fmtp:100 profile-id=2\na=rtpmap:101 VP9/90000";
    assert_eq!(section("video", "100 101", vp9)[0].1.media, 101);
    let av1 = "a=rtpmap:100 AV1/90000\na=fmtp:100 profile=1\na=rtpmap:101 AV1/90000\na=fmtp:101 level-idx=5; profile=0; tier=0";
    assert_eq!(section("video", "100 101", av1)[0].1.media, 101);
}

#[test]
fn retransmission_belongs_to_its_codec() {
    let lines = "a=rtpmap:100 VP8/90000\na=rtpmap:101 rtx/90000\na=fmtp:101 apt=100;rtx-time=3000\na=rtpmap:102 VP9/90000\na=rtpmap:103 rtx/90000\na=fmtp:103 apt=99";
    assert_eq!(
        section("video", "100 101 102 103", lines),
        [
            (Codec::Vp8, media(100, Some(101)), None),
            (Codec::Vp9, media(102, None), None)
        ]
    );
    // Described, but not listed in the m= line.
    assert_eq!(
        section("video", "100", lines),
        [(Codec::Vp8, media(100, None), None)]
    );
}

#[test]
fn red_is_taken_around_opus_only() {
    let lines = |blocks: &str| {
        format!("a=rtpmap:111 opus/48000/2\na=rtpmap:63 red/48000/2\na=fmtp:63 {blocks}")
    };
    for (blocks, red) in [
        ("111/111", Some(63)),
        ("111/111/111", Some(63)),
        ("111/0", None),
        ("111", None),
        ("", None),
    ] {
        assert_eq!(
            section("audio", "111 63", &lines(blocks)),
            [(Codec::Opus, media(111, None), red)]
        );
    }
}

#[test]
fn payload_types_that_look_like_rtcp_are_left_out() {
    let lines = "a=rtpmap:72 VP8/90000\na=rtpmap:95 VP9/90000\na=rtpmap:128 VP8/90000\na=rtpmap:35 AV1/90000";
    assert_eq!(
        section("video", "72 95 128 35", lines),
        [(Codec::Av1, media(35, None), None)]
    );
}

#[test]
fn a_section_of_the_wrong_kind_is_rejected() {
    assert_eq!(section("audio", "100", "a=rtpmap:100 VP8/90000"), []);
}

#[test]
fn feedback_may_be_given_for_all_payload_types() {
    let text = sdp(
        "video",
        "100",
        "a=rtpmap:100 VP8/90000\na=rtcp-fb:* nack\na=rtcp-fb:* nack pli\na=rtcp-fb:* ccm fir\na=rtcp-fb:* goog-remb",
    );
    let mut connection = connection(Role::Single);
    connection
        .accept_offer(&text, credentials("unused"))
        .expect("acceptable");
    let answer = connection.answer().expect("an offer");
    let answer = reader::read(&answer);
    assert_eq!(
        answer.sections[0].values("a=rtcp-fb:"),
        ["100 nack", "100 nack pli", "100 ccm fir"]
    );
    assert!(connection.receivers()[0].nack);
}

#[test]
fn full_intra_requests_are_for_who_knows_nothing_else() {
    let full_intra = |feedback: &str| {
        let text = sdp(
            "video",
            "100",
            &format!("a=rtpmap:100 VP8/90000\n{feedback}"),
        );
        let mut connection = connection(Role::Single);
        connection
            .accept_offer(&text, credentials("unused"))
            .expect("acceptable");
        connection.receivers()[0].full_intra
    };
    assert!(full_intra("a=rtcp-fb:100 ccm fir"));
    assert!(!full_intra("a=rtcp-fb:100 ccm fir\na=rtcp-fb:100 nack pli"));
    assert!(!full_intra("a=rtcp-fb:100 nack"), "as it always was");
}
