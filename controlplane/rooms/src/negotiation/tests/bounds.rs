//! What is too much.

use super::*;
use crate::negotiation::SdpError;
use crate::negotiation::limits::*;

fn outcome(text: &str) -> Result<IceChange, SdpError> {
    connection(Role::Single).accept_offer(text, credentials("unused"))
}

/// An offer of so many receiving audio sections.
fn sections(count: usize) -> String {
    let digest = ["AB"; 32].join(":");
    let mids: Vec<String> = (0..count).map(|index| index.to_string()).collect();
    let mut text = format!(
        "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\na=group:BUNDLE {}\na=setup:actpass\n\
         a=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuv\na=fingerprint:sha-256 {digest}\n",
        mids.join(" ")
    );
    for mid in mids {
        text.push_str(&format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:{mid}\na=recvonly\na=rtcp-mux\n"
        ));
    }
    text.replace('\n', "\r\n")
}

#[test]
fn sections_are_bounded() {
    assert_eq!(outcome(&sections(SECTIONS_MAX)), Ok(IceChange::First));
    assert_eq!(
        outcome(&sections(SECTIONS_MAX + 1)),
        Err(SdpError::TooLarge("media sections"))
    );
}

#[test]
fn text_is_bounded() {
    let offer = offer("chromium-156-whep");
    let padded = |line: &str, times: usize| offer.clone() + &line.repeat(times);
    assert_eq!(outcome(&padded("a=x\r\n", 1_000)), Ok(IceChange::First));
    assert_eq!(
        outcome(&padded("a=x\r\n", LINES_MAX)),
        Err(SdpError::TooLarge("lines"))
    );
    assert_eq!(
        outcome(&padded(
            "a=xxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
            SDP_BYTES_MAX / 30
        )),
        Err(SdpError::TooLarge("bytes"))
    );
    assert_eq!(
        outcome(&padded("a", LINE_BYTES_MAX + 1)),
        Err(SdpError::TooLarge("characters in a line"))
    );
    let formats = offer.replacen(
        "SAVPF ",
        &format!("SAVPF {}", "0 ".repeat(MEDIA_LINE_BYTES_MAX / 2)),
        1,
    );
    assert_eq!(
        outcome(&formats),
        Err(SdpError::TooLarge("characters in a line"))
    );
}

#[test]
fn a_full_connection_still_answers() {
    let mut full = connection(Role::Single);
    let offer = sections(SECTIONS_MAX);
    for track in 1..=SECTIONS_MAX as u64 + 5 {
        full.add_sender(Sender {
            codec: Codec::Pcmu,
            ..audio(track, false, false)
        });
    }
    negotiate(&mut full, &offer);
    assert_eq!(full.mid_to_track().len(), SECTIONS_MAX);
    assert_eq!(
        full.missing_sections(),
        (0, 0),
        "senders are bounded as well"
    );

    let mut subscriber = connection(Role::Subscriber);
    for track in 1..=SECTIONS_MAX as u64 + 5 {
        subscriber.add_sender(audio(track, false, false));
    }
    let offer = subscriber.offer(None).expect("we offer");
    assert_eq!(reader::read(&offer).sections.len(), SECTIONS_MAX);
}
