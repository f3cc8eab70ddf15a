//! Whole calls in LiveKit's single-connection mode, replayed from a real browser: join, receive,
//! publish, stop receiving, receive more, unpublish, publish again, stop a transceiver, reuse its
//! section, restart ICE.

use super::*;
use crate::negotiation::SdpError;
use bedside_protocol::PeerId;

struct Call {
    browser: &'static str,
    connection: Connection,
}

impl Call {
    fn new(browser: &'static str) -> Self {
        Self {
            browser,
            connection: with_quirks(Role::Single, quirks_of(browser)),
        }
    }

    fn offer(&mut self, step: &str) -> IceChange {
        let offer = offer(&format!("{}-session-{step}", self.browser));
        self.connection
            .accept_offer(&offer, credentials("restarted"))
            .expect("acceptable")
    }

    fn step(&mut self, step: &str) -> String {
        let text = offer(&format!("{}-session-{step}", self.browser));
        negotiate(&mut self.connection, &text)
    }

    fn live(&self) -> Vec<(&str, bool)> {
        let sections = ["7", "8", "11", "12", "13"];
        let receivers = self.connection.receivers();
        let state = |name: &&'static str| {
            let receiver = receivers
                .iter()
                .find(|receiver| receiver.mid == mid(name))?;
            Some((*name, receiver.live))
        };
        sections.iter().filter_map(state).collect()
    }
}

#[test]
fn chromium() {
    call("chromium-156", "12", 0);
}

#[test]
fn firefox_153() {
    // It leaves the stopped section as it is and adds one.
    call("firefox-153", "11", 1);
}

fn call(browser: &'static str, republished: &str, dead: usize) {
    let mut call = Call::new(browser);
    assert_eq!(call.offer("01-join"), IceChange::First);
    call.step("01-join");
    assert_eq!(call.connection.request_sections(), None);

    // Two tracks to receive: there are sections, so an offer is all that is needed.
    call.connection.add_sender(video(11, Codec::Vp8));
    call.connection.add_sender(audio(12, true, false));
    assert!(call.connection.needs_offer());
    assert_eq!(call.connection.request_sections(), Some((0, 0)));
    assert_eq!(call.connection.request_sections(), None, "asked for once");
    assert_eq!(
        call.connection.sender(TrackId(11)),
        None,
        "not agreed to yet"
    );
    assert_eq!(call.offer("02-subscribe"), IceChange::Same);
    call.step("02-subscribe");
    assert_eq!(
        call.connection.mid_to_track(),
        [(mid("0"), TrackId(12)), (mid("3"), TrackId(11))]
    );
    assert!(!call.connection.needs_offer());

    // The client publishes; which codec it wants was announced.
    call.offer("03-publish");
    assert_eq!(call.live(), [("7", true), ("8", true)]);
    let publication = Publication {
        codec: Some(Codec::Vp9),
        ..Publication::default()
    };
    call.connection.set_publication(mid("8"), publication);
    call.step("03-publish");
    assert_eq!(call.connection.receivers()[1].codecs[0].codec, Codec::Vp9);
    let published = call.connection.receivers();

    // A track is no longer received: its section becomes free with the next offer.
    call.connection.remove_sender(TrackId(11));
    assert_eq!(call.connection.sender(TrackId(11)), None);
    assert_eq!(call.connection.request_sections(), Some((0, 0)));
    let answer = call.step("04-unsubscribe");
    assert!(reader::read(&answer).sections[3].has("a=inactive"));
    assert_eq!(
        call.connection.receivers(),
        published,
        "publishing is not touched"
    );

    // Six more: three sections are free, three are missing.
    for track in 20..26 {
        call.connection.add_sender(video(track, Codec::Vp8));
    }
    assert_eq!(call.connection.missing_sections(), (0, 3));
    assert_eq!(call.connection.request_sections(), Some((0, 3)));
    assert_eq!(call.connection.request_sections(), None);
    call.connection.add_sender(video(26, Codec::Vp8));
    assert_eq!(
        call.connection.request_sections(),
        Some((0, 1)),
        "only what is new"
    );
    call.step("05-more");
    assert_eq!(
        call.connection.sender(TrackId(20)).map(|sender| sender.mid),
        Some(mid("3"))
    );

    // The camera ends.
    call.step("06-unpublish");
    assert_eq!(call.live(), [("7", true), ("8", false)]);
    // Another begins, in a new section; what was known of the first is not applied to it.
    call.step("07-republish");
    assert_eq!(
        call.live(),
        [("7", true), ("8", false), (republished, true)]
    );
    let receivers = call.connection.receivers();
    assert_eq!(receivers[2].codecs[0].codec, Codec::Vp8);
    assert_ne!(receivers[2].track_id, published[1].track_id);

    // The old section is stopped for good and its place taken by an audio section.
    let answer = call.step("08-stop");
    let rejected = |section: &&reader::Section<'_>| section.port == "0";
    assert_eq!(
        reader::read(&answer)
            .sections
            .iter()
            .filter(rejected)
            .count(),
        1
    );
    assert_eq!(call.live(), [("7", true), (republished, true)]);
    let answer = call.step("09-recycle");
    assert_eq!(
        reader::read(&answer)
            .sections
            .iter()
            .filter(rejected)
            .count(),
        dead
    );
    assert_eq!(call.connection.missing_sections().0, 0);

    let before = call.connection.peer(PeerId(1)).expect("known");
    assert_eq!(call.offer("10-ice-restart"), IceChange::Restarted);
    let answer = call.step("10-ice-restart");
    assert!(answer.contains("a=ice-ufrag:restarted\r\n"));
    let after = call.connection.peer(PeerId(1)).expect("known");
    assert_ne!(before.remote, after.remote);
    assert_ne!(before.local, after.local);
    assert_eq!(
        before.remote_fingerprint_sha256,
        after.remote_fingerprint_sha256
    );
}

#[test]
fn a_client_that_adds_no_sections_is_not_asked_again() {
    let mut call = Call::new("chromium-156");
    call.step("01-join");
    for track in 1..=5 {
        call.connection.add_sender(video(track, Codec::Vp8));
    }
    assert_eq!(call.connection.request_sections(), Some((0, 2)));
    call.step("02-subscribe");
    assert_eq!(call.connection.waiting_senders(), [TrackId(4), TrackId(5)]);
    assert_eq!(call.connection.request_sections(), None);
}

#[test]
fn a_codec_that_the_client_lacks_is_not_waited_for() {
    let mut call = Call::new("firefox-153");
    call.connection.add_sender(video(1, Codec::H264));
    assert_eq!(
        call.connection.waiting_senders(),
        [TrackId(1)],
        "nothing is known yet"
    );
    call.step("01-join");
    assert_eq!(call.connection.unsupported_senders(), [TrackId(1)]);
    assert_eq!(call.connection.waiting_senders(), []);
    assert_eq!(call.connection.missing_sections(), (0, 0));
    assert!(!call.connection.needs_offer());
}

#[test]
fn a_sender_leaves_a_section_that_the_client_closes() {
    let text = offer("chromium-156-whep");
    let mut connection = connection(Role::Single);
    connection.add_sender(video(1, Codec::Vp8));
    negotiate(&mut connection, &text);
    assert!(connection.sender(TrackId(1)).is_some());
    let closed = text.replace("a=recvonly", "a=inactive");
    negotiate(&mut connection, &closed);
    assert_eq!(connection.sender(TrackId(1)), None);
    assert_eq!(connection.waiting_senders(), [TrackId(1)]);
    negotiate(&mut connection, &text);
    assert!(connection.sender(TrackId(1)).is_some());
}

#[test]
fn another_track_in_the_section_is_seen_by_its_msid() {
    let text = offer("chromium-156-whip-plain");
    let mut connection = connection(Role::Single);
    connection
        .accept_offer(&text, credentials("unused"))
        .expect("acceptable");
    let publication = Publication {
        codec: Some(Codec::Av1),
        ..Publication::default()
    };
    connection.set_publication(mid("1"), publication);
    connection.answer().expect("an offer");
    let before = connection.receivers();
    let (rest, video) = text.rsplit_once("a=msid:").expect("a track");
    let (_, after) = video.split_once("\r\n").expect("a line");
    let other = format!("{rest}a=msid:stream another-track\r\n{after}");
    negotiate(&mut connection, &other);
    let after = connection.receivers();
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].track_id.as_deref(), Some("another-track"));
    assert_eq!(before[1].codecs[0].codec, Codec::Av1);
    assert_eq!(after[1].codecs[0].codec, Codec::Vp8);
}

#[test]
fn sections_keep_their_place() {
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &offer("chromium-156-livekit-join"));
    for other in ["chromium-156-whep", "chromium-156-v0-publisher"] {
        // Another client's offer differs in more than its sections: take its certificate along.
        let error = connection.accept_offer(&offer(other), credentials("unused"));
        assert_eq!(error, Err(SdpError::SectionsChanged));
    }
    let renamed = offer("chromium-156-livekit-join")
        .replace("a=mid:2", "a=mid:two")
        .replace("BUNDLE 0 1 2", "BUNDLE 0 1 two");
    let error = connection.accept_offer(&renamed, credentials("unused"));
    assert_eq!(error, Err(SdpError::SectionsChanged));
}

#[test]
fn the_certificate_stays() {
    let text = offer("chromium-156-whep");
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &text);
    let (before, rest) = text
        .split_once("fingerprint:sha-256 ")
        .expect("a fingerprint");
    let other = format!("{before}fingerprint:sha-256 {}{}", "00", &rest[2..]);
    assert_ne!(other, text);
    assert_eq!(
        connection.accept_offer(&other, credentials("unused")),
        Err(SdpError::FingerprintChanged)
    );
}

#[test]
fn a_section_in_the_place_of_a_dead_one_is_one_that_was_asked_for() {
    let mut call = Call::new("chromium-156");
    call.step("08-stop");
    for track in 1..=4 {
        call.connection.add_sender(audio(track, false, false));
    }
    assert_eq!(call.connection.request_sections(), Some((1, 0)));
    call.step("09-recycle");
    assert_eq!(call.connection.mid_to_track().len(), 4);
    call.connection.add_sender(audio(5, false, false));
    assert_eq!(call.connection.request_sections(), Some((1, 0)));
}

#[test]
fn a_client_is_not_asked_for_more_than_an_offer_can_hold() {
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &offer("chromium-156-livekit-join"));
    for track in 1..=400 {
        connection.add_sender(video(track, Codec::Vp8));
    }
    connection.add_sender(audio(500, true, false));
    for track in 501..=504 {
        connection.add_sender(audio(track, true, false));
    }
    let (audio, video) = connection.request_sections().expect("more are needed");
    assert_eq!(audio, 2);
    assert!(
        (150..200).contains(&video),
        "{video} of Chromium's video sections"
    );
    assert_eq!(connection.request_sections(), None);
}

#[test]
fn firefox_is_known_by_its_offers() {
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &offer("firefox-153-whip-plain"));
    assert_eq!(connection.receivers()[1].codecs.len(), 1);
}
