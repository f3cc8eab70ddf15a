//! Offers and answers in `tests/offers` and `tests/answers` were made by real clients (Chromium
//! 156, Firefox 153, LiveKit's browser and Python SDKs, aiortc, werift, and the native libraries
//! behind node-wrtc and node-datachannel), those of sessions against this code; lines end with LF.

mod answers;
mod bounds;
mod codecs;
mod fragments;
mod fuzz;
mod reader;
mod refusals;
mod sessions;
mod simulcast;
mod str0m_peer;
mod subscriber;

use super::{Connection, Host, IceChange, Publication, Quirks, Role, Sender};
use bedside_protocol::{Codec, IceCredentials, Mid, Secret, TrackId};
use std::path::Path;

/// One check for every answer that any test makes: it is read with two other parsers, and held
/// against the offer.
fn check_answer(offer: &str, answer: &str) {
    str0m::change::SdpAnswer::from_sdp_string(answer).expect("str0m reads the answer");
    let (offer, answer) = (reader::read(offer), reader::read(answer));
    reader::check_pair(&offer, &answer);
}

/// Accepts and answers an offer, checks the answer and that the state survives serialisation.
fn negotiate(connection: &mut Connection, offer: &str) -> String {
    connection
        .accept_offer(offer, credentials("restarted"))
        .expect("the offer is acceptable");
    let answer = connection.answer().expect("an offer was accepted");
    check_answer(offer, &answer);
    let text = serde_json::to_string(connection).expect("the state can be serialised");
    let restored: Connection = serde_json::from_str(&text).expect("and deserialised");
    assert_eq!(&restored, connection);
    answer
}

fn vector(directory: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/negotiation/tests")
        .join(directory)
        .join(format!("{name}.sdp"));
    let text = std::fs::read_to_string(&path).expect("the vector is there");
    text.replace('\n', "\r\n")
}

fn offer(name: &str) -> String {
    vector("offers", name)
}

/// Every offer, with its name.
fn offers() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/negotiation/tests/offers");
    let entries = std::fs::read_dir(directory).expect("the vectors are there");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".sdp")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() > 30);
    names
        .into_iter()
        .map(|name| (name.clone(), offer(&name)))
        .collect()
}

fn connection(role: Role) -> Connection {
    with_quirks(role, Quirks::default())
}

fn with_quirks(role: Role, quirks: Quirks) -> Connection {
    let host = Host {
        fingerprint_sha256: [0xab; 32],
        addresses: vec![
            "198.51.100.7:7881".parse().expect("an address"),
            "[2001:db8::7]:7881".parse().expect("an address"),
        ],
    };
    Connection::new(role, credentials("first"), host, quirks, 0x1234_5678)
}

fn firefox() -> Quirks {
    Quirks {
        firefox: true,
        strip_red: true,
        ..Quirks::default()
    }
}

fn quirks_of(name: &str) -> Quirks {
    if name.starts_with("firefox") {
        firefox()
    } else {
        Quirks::default()
    }
}

fn credentials(ufrag: &str) -> IceCredentials {
    IceCredentials {
        ufrag: ufrag.to_owned(),
        password: Secret::new(format!("{ufrag}-password-of-22-bytes")),
    }
}

fn video(track: u64, codec: Codec) -> Sender {
    Sender {
        track: TrackId(track),
        codec,
        stream_id: "PA_publisher|camera".to_owned(),
        track_sid: format!("TR_{track}"),
        ssrc: u32::try_from(track).expect("small") * 2,
        rtx_ssrc: u32::try_from(track).expect("small") * 2 + 1,
        red: false,
        stereo: false,
    }
}

fn audio(track: u64, red: bool, stereo: bool) -> Sender {
    Sender {
        red,
        stereo,
        ..video(track, Codec::Opus)
    }
}

fn mid(value: &str) -> Mid {
    Mid::new(value).expect("a short MID")
}
