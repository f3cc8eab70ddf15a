//! Our offers, with the answers that real browsers gave to them.

use super::*;
use crate::negotiation::SdpError;
use bedside_protocol::PeerId;

fn answer(browser: &str, step: &str) -> String {
    vector("answers", &format!("{browser}-subscriber-{step}"))
}

fn step(connection: &mut Connection, browser: &str, step: &str) -> IceChange {
    assert!(connection.needs_offer());
    let offer = connection.offer(None).expect("we offer");
    check_offer(&offer);
    assert!(connection.is_answer_outstanding());
    assert!(!connection.needs_offer());
    let change = connection
        .accept_answer(&answer(browser, step))
        .expect("the browser's answer fits");
    let text = serde_json::to_string(connection).expect("the state can be serialised");
    let restored: Connection = serde_json::from_str(&text).expect("and deserialised");
    assert_eq!(&restored, connection);
    change
}

/// With a stream id that names the track, not its stream.
fn by_track(sender: Sender) -> Sender {
    Sender {
        stream_id: format!("PA_publisher|{}", sender.track_sid),
        ..sender
    }
}

fn check_offer(offer: &str) {
    str0m::change::SdpOffer::from_sdp_string(offer).expect("str0m reads the offer");
    let offer = reader::read(offer);
    assert_eq!(offer.sections[0].media, "application");
    let mut meanings = std::collections::BTreeMap::new();
    for section in offer.sections.iter().filter(|section| section.port != "0") {
        assert!(section.has("a=setup:actpass"));
        // Whatever we send counts for the estimate of the path, audio too.
        if section.media != "application" {
            let feedback = section.values("a=rtcp-fb:");
            assert!(feedback.iter().any(|line| line.ends_with(" transport-cc")));
            let extensions = section.values("a=extmap:");
            assert!(
                extensions
                    .iter()
                    .any(|line| line.contains("transport-wide-cc"))
            );
        }
        for line in section
            .values("a=rtpmap:")
            .iter()
            .chain(&section.values("a=fmtp:"))
        {
            let (payload_type, meaning) = line.split_once(' ').expect("two words");
            let key = (payload_type, meaning.contains("000"));
            assert_eq!(*meanings.entry(key).or_insert(meaning), meaning);
        }
    }
}

fn tracks(connection: &Connection) -> Vec<(String, u64)> {
    let bound = connection.mid_to_track().into_iter();
    bound
        .map(|(mid, track)| (mid.as_str().to_owned(), track.0))
        .collect()
}

fn expected(bound: &[(&str, u64)]) -> Vec<(String, u64)> {
    let bound = bound.iter();
    bound
        .map(|(mid, track)| ((*mid).to_owned(), *track))
        .collect()
}

#[test]
fn chromium() {
    let browser = "chromium-156";
    let mut connection = connection(Role::Subscriber);
    assert_eq!(step(&mut connection, browser, "1-data"), IceChange::First);
    let peer = connection.peer(PeerId(1)).expect("answered");
    assert!(peer.data_channels && peer.open_data_channels);

    connection.add_sender(video(31, Codec::Vp8));
    connection.add_sender(audio(32, true, false));
    connection.add_sender(audio(33, false, true));
    connection.add_sender(video(34, Codec::H264));
    assert_eq!(tracks(&connection), []);
    assert_eq!(step(&mut connection, browser, "2-tracks"), IceChange::Same);
    assert_eq!(
        tracks(&connection),
        expected(&[("1", 31), ("2", 32), ("3", 33), ("4", 34)])
    );
    let opus = connection.sender(TrackId(32)).expect("agreed");
    assert_eq!(
        (opus.payload_types.media, opus.red_payload_type),
        (111, Some(63))
    );
    let stereo = connection.sender(TrackId(33)).expect("agreed");
    assert_eq!(
        (stereo.payload_types.media, stereo.red_payload_type),
        (109, None)
    );
    let h264 = connection.sender(TrackId(34)).expect("agreed");
    assert_eq!(
        (h264.payload_types.media, h264.rtx_ssrc, h264.nack),
        (102, Some(69), true)
    );
    let peer = connection.peer(PeerId(1)).expect("answered");
    assert!(peer.transport_cc);
    assert_eq!(peer.extensions.mid, Some(1));
    assert_eq!(peer.extensions.dependency_descriptor, Some(7));

    connection.remove_sender(TrackId(31));
    connection.remove_sender(TrackId(33));
    step(&mut connection, browser, "3-removed");
    assert_eq!(tracks(&connection), expected(&[("2", 32), ("4", 34)]));

    // The free sections serve the next tracks of their kind, whatever their codec.
    connection.add_sender(by_track(video(35, Codec::Av1)));
    connection.add_sender(by_track(audio(36, false, false)));
    connection.add_sender(by_track(video(37, Codec::Vp9)));
    step(&mut connection, browser, "4-reused");
    assert_eq!(
        tracks(&connection),
        expected(&[("1", 35), ("2", 32), ("3", 36), ("4", 34), ("5", 37)])
    );
    assert_eq!(connection.unsupported_senders(), []);

    let offer = connection
        .offer(Some(credentials("again")))
        .expect("we offer");
    insta::assert_snapshot!(offer);
    assert_eq!(
        connection.local(),
        &credentials("first"),
        "until it is answered"
    );
    let change = connection.accept_answer(&answer(browser, "5-restart"));
    assert_eq!(change, Ok(IceChange::Restarted));
    assert_eq!(connection.local(), &credentials("again"));
}

#[test]
fn firefox_has_no_h264_and_no_red() {
    let browser = "firefox-153";
    let mut connection = with_quirks(Role::Subscriber, firefox());
    step(&mut connection, browser, "1-data");
    connection.add_sender(video(31, Codec::Vp8));
    connection.add_sender(audio(32, true, false));
    connection.add_sender(audio(33, false, true));
    connection.add_sender(video(34, Codec::H264));
    step(&mut connection, browser, "2-tracks");
    assert_eq!(
        tracks(&connection),
        expected(&[("1", 31), ("2", 32), ("3", 33)])
    );
    let opus = connection.sender(TrackId(32)).expect("agreed");
    assert_eq!(
        (opus.payload_types.media, opus.red_payload_type),
        (110, None)
    );
    assert_eq!(connection.unsupported_senders(), [TrackId(34)]);
    assert!(
        !connection.needs_offer(),
        "what was refused is not offered again"
    );
    connection.add_sender(video(40, Codec::H264));
    assert_eq!(connection.waiting_senders(), []);
    connection.remove_sender(TrackId(40));

    connection.remove_sender(TrackId(31));
    connection.remove_sender(TrackId(33));
    step(&mut connection, browser, "3-removed");
    connection.add_sender(by_track(video(35, Codec::Av1)));
    connection.add_sender(by_track(audio(36, false, false)));
    connection.add_sender(by_track(video(37, Codec::Vp9)));
    step(&mut connection, browser, "4-reused");
    // The rejected section is not used again.
    assert_eq!(
        tracks(&connection),
        expected(&[("1", 35), ("2", 32), ("3", 36), ("5", 37)])
    );
}

#[test]
fn safari_gets_a_new_section_for_each_track() {
    let quirks = Quirks {
        no_section_reuse: true,
        ..Quirks::default()
    };
    let mut connection = with_quirks(Role::Subscriber, quirks);
    connection.add_sender(video(1, Codec::Vp8));
    connection.offer(None).expect("we offer");
    connection.remove_sender(TrackId(1));
    connection.add_sender(video(2, Codec::Vp8));
    let offer = connection.offer(None).expect("we offer");
    check_offer(&offer);
    let offer = reader::read(&offer);
    assert_eq!(offer.sections.len(), 3);
    assert!(offer.sections[1].has("a=inactive"));
    assert_eq!(
        offer.sections[2].value("a=msid:"),
        Some("PA_publisher|camera TR_2")
    );
}

#[test]
fn an_answer_fits_its_offer() {
    let browser = "chromium-156";
    let mut connection = connection(Role::Subscriber);
    let early = connection.accept_answer(&answer(browser, "1-data"));
    assert_eq!(early, Err(SdpError::AnswerMismatch("no offer is open")));
    step(&mut connection, browser, "1-data");
    connection.add_sender(video(31, Codec::Vp8));
    connection.add_sender(audio(32, true, false));
    connection.add_sender(audio(33, false, true));
    connection.add_sender(video(34, Codec::H264));
    connection.offer(None).expect("we offer");
    let good = answer(browser, "2-tracks");
    let before = connection.clone();
    for (edited, error) in [
        (answer(browser, "1-data"), "number of media sections"),
        (good.replace("96", "100"), "a payload type was not offered"),
        (good.replace(" 63 ", " 64 ").replace(":63 ", ":64 "), ""),
        (
            good.replace("extmap:1 ", "extmap:9 "),
            "a header extension was not offered",
        ),
        (
            good.replace("a=mid:1", "a=mid:9")
                .replace("BUNDLE 0 1", "BUNDLE 0 9"),
            "order of media sections",
        ),
    ] {
        assert_ne!(edited, good);
        let outcome = connection.clone().accept_answer(&edited);
        if error.is_empty() {
            assert_eq!(outcome, Ok(IceChange::Same), "RED may be declined");
        } else {
            assert_eq!(outcome, Err(SdpError::AnswerMismatch(error)));
        }
    }
    for setup in ["actpass", "passive"] {
        let edited = good.replace("a=setup:active", &format!("a=setup:{setup}"));
        assert_eq!(connection.accept_answer(&edited), Err(SdpError::Setup));
    }
    assert_eq!(connection, before, "nothing has changed");
    assert_eq!(connection.accept_answer(&good), Ok(IceChange::Same));
}

#[test]
fn what_changes_while_an_offer_is_open_is_offered_next() {
    let browser = "chromium-156";
    let mut connection = connection(Role::Subscriber);
    connection.offer(None).expect("we offer");
    connection.add_sender(video(31, Codec::Vp8));
    assert!(!connection.needs_offer());
    connection
        .accept_answer(&answer(browser, "1-data"))
        .expect("fits");
    assert!(connection.needs_offer());
    assert_eq!(connection.sender(TrackId(31)), None);
}

#[test]
fn a_track_that_ends_while_it_is_offered_is_taken_back() {
    let browser = "chromium-156";
    let mut connection = connection(Role::Subscriber);
    step(&mut connection, browser, "1-data");
    for sender in [
        video(31, Codec::Vp8),
        audio(32, true, false),
        audio(33, false, true),
        video(34, Codec::H264),
    ] {
        connection.add_sender(sender);
    }
    connection.offer(None).expect("we offer");
    connection.remove_sender(TrackId(33));
    connection
        .accept_answer(&answer(browser, "2-tracks"))
        .expect("fits");
    assert_eq!(
        tracks(&connection),
        expected(&[("1", 31), ("2", 32), ("4", 34)])
    );
    assert!(connection.needs_offer());
    let offer = connection.offer(None).expect("we offer");
    assert!(reader::read(&offer).sections[3].has("a=inactive"));
}

#[test]
fn a_full_connection_offers_once() {
    let mut connection = connection(Role::Subscriber);
    for track in 1..=crate::negotiation::limits::SENDERS_MAX as u64 {
        connection.add_sender(audio(track, false, false));
    }
    connection.offer(None).expect("we offer");
    assert_eq!(
        connection.waiting_senders().len(),
        1,
        "the data channels have a section"
    );
    connection.forget_requests();
    assert!(connection.needs_offer());
    let offer = connection.offer(None).expect("we offer");
    let answer = offer
        .replace("a=setup:actpass", "a=setup:active")
        .replace("a=sendonly", "a=recvonly");
    connection.accept_answer(&answer).expect("fits");
    assert!(
        !connection.needs_offer(),
        "there is no place for the last one"
    );
}

#[test]
fn a_section_serves_another_track_only_if_the_stream_id_names_it() {
    let mut connection = connection(Role::Subscriber);
    let section_of = |connection: &mut Connection, sender: Sender| {
        let id = format!("a=msid:{} {}", sender.stream_id, sender.track_sid);
        let track = sender.track;
        connection.add_sender(sender);
        let offer = connection.offer(None).expect("we offer");
        check_offer(&offer);
        connection.remove_sender(track);
        let offer = reader::read(&offer);
        offer.sections.iter().position(|section| section.has(&id))
    };
    assert_eq!(section_of(&mut connection, video(1, Codec::Vp8)), Some(1));
    // The browser's track keeps the id TR_1, and the stream says only "camera".
    assert_eq!(section_of(&mut connection, video(2, Codec::Vp8)), Some(2));
    assert_eq!(section_of(&mut connection, video(1, Codec::Vp8)), Some(1));
    // In the last offer the first section had a track, the second was silent.
    assert_eq!(
        section_of(&mut connection, by_track(video(3, Codec::Vp8))),
        Some(2)
    );
}
