//! Answers to the offers of real clients.

use super::*;
use bedside_protocol::{ExtensionIds, Layer, MediaKind, PeerId};

#[test]
fn every_offer_of_a_real_client_is_answered() {
    for (name, offer) in offers() {
        for role in [Role::Single, Role::Publisher] {
            let mut connection = with_quirks(role, quirks_of(&name));
            negotiate(&mut connection, &offer);
            assert!(connection.peer(PeerId(1)).is_some(), "{name}");
        }
    }
}

#[test]
fn every_offer_is_answered_with_senders_bound() {
    for (name, offer) in offers() {
        let mut connection = with_quirks(Role::Single, quirks_of(&name));
        for track in 1..=4 {
            connection.add_sender(video(track, Codec::Vp8));
            connection.add_sender(audio(track + 10, track > 2, track == 2));
        }
        negotiate(&mut connection, &offer);
        let bound = connection.mid_to_track().len();
        assert_eq!(bound + connection.waiting_senders().len(), 8, "{name}");
    }
}

#[test]
fn livekit_join_offer() {
    let mut connection = connection(Role::Single);
    let mut screen = video(3, Codec::Av1);
    screen.stream_id = "PA_publisher|screen".to_owned();
    connection.add_sender(screen);
    connection.add_sender(video(4, Codec::H264));
    connection.add_sender(audio(5, true, false));
    let answer = negotiate(&mut connection, &offer("chromium-156-livekit-join"));
    insta::assert_snapshot!(answer);
    assert_eq!(
        connection.mid_to_track(),
        [
            (mid("0"), TrackId(5)),
            (mid("3"), TrackId(3)),
            (mid("4"), TrackId(4)),
        ]
    );
}

#[test]
fn whip_offer_with_simulcast() {
    let mut connection = connection(Role::Single);
    let answer = negotiate(&mut connection, &offer("chromium-156-whip-simulcast"));
    insta::assert_snapshot!(answer);
    let receivers = connection.receivers();
    let [audio, video] = receivers.as_slice() else {
        panic!("two sections");
    };
    assert_eq!((audio.kind, audio.live), (MediaKind::Audio, true));
    assert_eq!(audio.codecs[0].codec, Codec::Opus);
    assert_eq!(audio.codecs[0].red_payload_type, Some(63));
    assert!(!audio.nack);
    assert_eq!(audio.encodings.len(), 1);
    assert!(audio.encodings[0].ssrc.is_some());
    assert_eq!(video.codecs[0].codec, Codec::Vp8);
    assert_eq!(video.codecs[0].payload_types.rtx, Some(97));
    assert!(video.nack);
    let layers: Vec<(Layer, &str)> = video
        .encodings
        .iter()
        .map(|encoding| {
            (
                encoding.layer,
                encoding.rid.as_ref().map_or("", Mid::as_str),
            )
        })
        .collect();
    assert_eq!(
        layers,
        [(Layer::Low, "q"), (Layer::Medium, "h"), (Layer::High, "f")]
    );
    assert_eq!(audio.stream_id, video.stream_id);
    assert_ne!(audio.track_id, video.track_id);
}

#[test]
fn firefox_is_answered_with_one_codec_only() {
    let mut connection = with_quirks(Role::Single, firefox());
    let offer = offer("firefox-153-whip-simulcast");
    connection
        .accept_offer(&offer, credentials("unused"))
        .expect("acceptable");
    let wanted = Publication {
        codec: Some(Codec::Vp9),
        ..Publication::default()
    };
    connection.set_publication(mid("1"), wanted);
    let answer = connection.answer().expect("an offer");
    check_answer(&offer, &answer);
    insta::assert_snapshot!(answer);
    let codecs: Vec<Codec> = connection.receivers()[1]
        .codecs
        .iter()
        .map(|codec| codec.codec)
        .collect();
    assert_eq!(codecs, [Codec::Vp9]);
}

#[test]
fn whep_offer() {
    let mut connection = connection(Role::Single);
    connection.add_sender(video(1, Codec::Vp8));
    connection.add_sender(audio(2, false, true));
    let answer = negotiate(&mut connection, &offer("chromium-156-whep"));
    insta::assert_snapshot!(answer);
    let opus = connection.sender(TrackId(2)).expect("bound");
    assert_eq!(
        (opus.payload_types.media, opus.red_payload_type),
        (111, None)
    );
    let vp8 = connection.sender(TrackId(1)).expect("bound");
    assert_eq!((vp8.ssrc, vp8.rtx_ssrc, vp8.nack), (2, Some(3), true));
}

#[test]
fn the_publisher_connection_never_sends() {
    let mut connection = connection(Role::Publisher);
    connection.add_sender(video(1, Codec::Vp8));
    negotiate(&mut connection, &offer("chromium-156-livekit-join"));
    assert_eq!(connection.mid_to_track(), []);
    assert_eq!(connection.request_sections(), None);
}

#[test]
fn the_wanted_codec_comes_first() {
    let offer = offer("chromium-156-whip-plain");
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        let mut connection = connection(Role::Single);
        connection
            .accept_offer(&offer, credentials("unused"))
            .expect("acceptable");
        let publication = Publication {
            codec: Some(codec),
            ..Publication::default()
        };
        connection.set_publication(mid("1"), publication);
        let answer = connection.answer().expect("an offer");
        check_answer(&offer, &answer);
        let video = &connection.receivers()[1];
        assert_eq!(video.codecs[0].codec, codec);
        assert_eq!(video.codecs.len(), 4);
        let first = video.codecs[0].payload_types.media.to_string();
        assert_eq!(reader::read(&answer).sections[1].formats[0], first);
    }
}

#[test]
fn opus_parameters_follow_the_publication_in_the_whole_bundle() {
    let offer = offer("chromium-156-session-03-publish");
    let parameters = |publication: Publication| {
        let mut connection = connection(Role::Single);
        connection
            .accept_offer(&offer, credentials("unused"))
            .expect("acceptable");
        connection.set_publication(mid("7"), publication);
        let answer = connection.answer().expect("an offer");
        check_answer(&offer, &answer);
        let red = connection.receivers()[0].codecs[0].red_payload_type;
        let line = reader::read(&answer).sections[0].value("a=fmtp:111 ");
        (line.unwrap_or_default().to_owned(), red)
    };
    let base = "minptime=10;useinbandfec=1";
    assert_eq!(
        parameters(Publication::default()),
        (format!("{base};usedtx=1"), Some(63))
    );
    let music = Publication {
        codec: Some(Codec::Opus),
        red: false,
        dtx: false,
        stereo: true,
    };
    assert_eq!(
        parameters(music),
        (format!("{base};stereo=1;maxaveragebitrate=510000"), None)
    );
}

#[test]
fn transport_numbers_for_the_data_plane() {
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &offer("chromium-156-all-extensions"));
    let peer = connection.peer(PeerId(9)).expect("credentials are known");
    assert_eq!(peer.peer, PeerId(9));
    assert_eq!(peer.local, credentials("first"));
    let expected = ExtensionIds {
        mid: Some(9),
        rid: Some(10),
        repaired_rid: Some(11),
        audio_level: None,
        transport_cc: Some(4),
        abs_send_time: None,
        abs_capture_time: Some(13),
        playout_delay: Some(5),
        video_orientation: Some(3),
        dependency_descriptor: Some(16),
    };
    assert_eq!(peer.extensions, expected);
    assert!(peer.transport_cc);
    assert!(!peer.data_channels);
    assert!(!peer.open_data_channels);
}

#[test]
fn absolute_send_time_is_taken_only_without_transport_wide_numbers() {
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &offer("aiortc-1.16-whip"));
    let peer = connection.peer(PeerId(1)).expect("credentials are known");
    assert_eq!(peer.extensions.abs_send_time, Some(3));
    assert_eq!(peer.extensions.transport_cc, None);
    assert!(!peer.transport_cc);
    assert!(peer.data_channels);
}

#[test]
fn what_could_end_a_line_is_replaced_in_stream_names() {
    let mut connection = connection(Role::Single);
    let mut sender = video(1, Codec::Vp8);
    sender.stream_id = "PA_x|my cam\r\na=crypto:1".to_owned();
    connection.add_sender(sender);
    let answer = negotiate(&mut connection, &offer("chromium-156-whep"));
    assert!(answer.contains("a=msid:PA_x|my_cam__a=crypto:1 TR_1\r\n"));
    assert!(!answer.contains("\na=crypto"));
}

#[test]
fn an_answer_needs_an_offer() {
    let error = connection(Role::Single).answer();
    assert_eq!(error, Err(crate::negotiation::SdpError::NoOffer));
}

#[test]
fn ice_options_are_echoed_as_far_as_we_have_them() {
    for (name, options) in [
        ("chromium-156-whep", Some("trickle")),
        ("livekit-python-1.2-join", Some("trickle")),
        ("node-datachannel-0.33-whip", Some("trickle ice2")),
        ("aiortc-1.16-whip", None),
    ] {
        let answer = negotiate(&mut connection(Role::Single), &offer(name));
        let answer = reader::read(&answer);
        assert_eq!(
            answer.sections[0].value("a=ice-options:"),
            options,
            "{name}"
        );
    }
}
