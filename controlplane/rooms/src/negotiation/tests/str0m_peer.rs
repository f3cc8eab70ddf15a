//! str0m as a client: an implementation of offer and answer that is not ours and not a browser's.

use super::*;
use std::time::Instant;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::media::{Direction, MediaKind, Simulcast};
use str0m::{Candidate, Rtc};

fn client() -> Rtc {
    #[expect(
        clippy::disallowed_methods,
        reason = "str0m wants an Instant, which cannot be made in any other way; nothing here depends on it"
    )]
    let now = Instant::now();
    let mut rtc = Rtc::new(now);
    let candidate = Candidate::host("192.0.2.1:4000".parse().expect("an address"), "udp");
    rtc.add_local_candidate(candidate.expect("a host candidate"));
    rtc
}

#[test]
fn our_answers_fit_its_offers() {
    let mut rtc = client();
    let mut connection = connection(Role::Single);
    let mut change = rtc.sdp_api();
    change.add_channel("_reliable".to_owned());
    let receiving = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = change.apply().expect("something to offer");
    let answer = negotiate(&mut connection, &offer.to_sdp_string());
    let answer = SdpAnswer::from_sdp_string(&answer).expect("readable");
    rtc.sdp_api()
        .accept_answer(pending, answer)
        .expect("str0m accepts the answer");

    connection.add_sender(video(1, Codec::Vp8));
    let mut change = rtc.sdp_api();
    // It takes our "nothing yet" as its own wish.
    change.set_direction(receiving, Direction::RecvOnly);
    let stream = Some("stream".to_owned());
    let microphone = change.add_media(
        MediaKind::Audio,
        Direction::SendOnly,
        stream.clone(),
        Some("microphone".to_owned()),
        None::<Simulcast>,
    );
    let (offer, pending) = change.apply().expect("something to offer");
    let answer = negotiate(&mut connection, &offer.to_sdp_string());
    let answer = SdpAnswer::from_sdp_string(&answer).expect("readable");
    rtc.sdp_api()
        .accept_answer(pending, answer)
        .expect("str0m accepts the answer");

    let direction = |mid| rtc.media(mid).map(|media| media.direction());
    assert_eq!(direction(receiving), Some(Direction::RecvOnly));
    assert_eq!(direction(microphone), Some(Direction::SendOnly));
    let receivers = connection.receivers();
    assert_eq!(receivers.len(), 1);
    assert_eq!(receivers[0].track_id.as_deref(), Some("microphone"));
    assert!(connection.sender(TrackId(1)).is_some());
}

#[test]
fn its_answers_fit_our_offers() {
    let mut rtc = client();
    let mut connection = connection(Role::Subscriber);
    let mut exchange = |connection: &mut Connection| {
        let offer = connection.offer(None).expect("we offer");
        // Left the choice, it would be the DTLS server, as we are.
        let offer = offer.replace("a=setup:actpass", "a=setup:passive");
        let offer = SdpOffer::from_sdp_string(&offer).expect("readable");
        let answer = rtc.sdp_api().accept_offer(offer);
        let answer = answer.expect("str0m accepts the offer").to_sdp_string();
        connection
            .accept_answer(&answer)
            .expect("and we its answer")
    };
    assert_eq!(exchange(&mut connection), IceChange::First);
    connection.add_sender(video(1, Codec::Vp8));
    connection.add_sender(audio(2, false, false));
    connection.add_sender(video(3, Codec::H264));
    assert_eq!(exchange(&mut connection), IceChange::Same);
    assert_eq!(connection.mid_to_track().len(), 3);
    connection.remove_sender(TrackId(1));
    exchange(&mut connection);
    connection.add_sender(Sender {
        stream_id: "PA_publisher|TR_4".to_owned(),
        ..video(4, Codec::Vp8)
    });
    exchange(&mut connection);
    assert_eq!(
        connection.sender(TrackId(4)).map(|sender| sender.mid),
        Some(mid("1"))
    );
}
