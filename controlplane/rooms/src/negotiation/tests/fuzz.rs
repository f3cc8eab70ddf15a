//! Whatever text comes: no panic, and no more state than the bounds allow.

use super::*;
use crate::negotiation::limits::{MSID_BYTES_MAX, SECTIONS_MAX};
use crate::negotiation::{check_candidate, parse_fragment};
use bedside_protocol::PeerId;
use bolero::TypeGenerator;
use std::sync::LazyLock;

/// One change to a real SDP.
#[derive(Clone, Debug, TypeGenerator)]
enum Edit {
    RemoveLine(u16),
    RepeatLine(u16),
    SwapLines(u16, u16),
    MoveLineFrom(u8, u16, u16),
    ReplaceByte(u16, u8),
    Insert(u16, Vec<u8>),
    CutAt(u16),
}

#[derive(Clone, Debug, TypeGenerator)]
struct Mutation {
    offer: u8,
    edits: Vec<Edit>,
    second_offer: u8,
    second_edits: Vec<Edit>,
    firefox: bool,
}

static OFFERS: LazyLock<Vec<String>> =
    LazyLock::new(|| offers().into_iter().map(|(_, offer)| offer).collect());

fn mutated(index: u8, edits: &[Edit]) -> String {
    let pick = |index: u8| &OFFERS[usize::from(index) % OFFERS.len()];
    let mut bytes = pick(index).clone().into_bytes();
    for edit in edits.iter().take(16) {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.is_empty() {
            break;
        }
        let line = |at: u16| usize::from(at) % lines.len();
        let byte = |at: u16| usize::from(at) % bytes.len();
        match edit {
            Edit::RemoveLine(at) => {
                let at = line(*at);
                lines.remove(at);
            }
            Edit::RepeatLine(at) => {
                let at = line(*at);
                lines.insert(at, lines[at]);
            }
            Edit::SwapLines(a, b) => {
                let (a, b) = (line(*a), line(*b));
                lines.swap(a, b);
            }
            Edit::MoveLineFrom(other, from, to) => {
                let other = pick(*other);
                let others: Vec<&str> = other.split_inclusive('\n').collect();
                let at = line(*to);
                lines.insert(at, others[usize::from(*from) % others.len()].as_bytes());
            }
            Edit::ReplaceByte(at, value) => {
                let at = byte(*at);
                bytes[at] = *value;
                continue;
            }
            Edit::Insert(at, inserted) => {
                let at = byte(*at);
                bytes.splice(at..at, inserted.iter().copied().take(64));
                continue;
            }
            Edit::CutAt(at) => {
                let at = byte(*at);
                bytes.truncate(at);
                continue;
            }
        }
        bytes = lines.concat();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn look_at_everything(connection: &mut Connection) {
    let receivers = connection.receivers();
    assert!(receivers.len() <= SECTIONS_MAX);
    for receiver in &receivers {
        assert!((1..=7).contains(&receiver.codecs.len()));
        assert!((1..=3).contains(&receiver.encodings.len()));
        let ids = [&receiver.stream_id, &receiver.track_id];
        assert!(
            ids.into_iter()
                .flatten()
                .all(|id| id.len() <= MSID_BYTES_MAX)
        );
    }
    for (_, track) in connection.mid_to_track() {
        assert!(connection.sender(track).is_some());
    }
    assert_eq!(
        connection.peer(PeerId(1)).is_some(),
        connection.remote.is_some()
    );
    let (audio, video) = connection.missing_sections();
    assert!(audio + video <= 3);
    if let Some((audio, video)) = connection.request_sections() {
        assert!(audio + video <= 3);
        assert_eq!(connection.request_sections(), None);
    }
}

#[test]
fn mutated_offers_of_real_clients() {
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| {
            let quirks = if mutation.firefox {
                firefox()
            } else {
                Quirks::default()
            };
            let mut connection = with_quirks(Role::Single, quirks);
            connection.add_sender(video(1, Codec::Vp8));
            connection.add_sender(video(2, Codec::H264));
            connection.add_sender(audio(3, true, false));
            for (offer, edits) in [
                (mutation.offer, &mutation.edits),
                (mutation.second_offer, &mutation.second_edits),
                (mutation.offer, &mutation.second_edits),
            ] {
                let text = mutated(offer, edits);
                let before = connection.clone();
                match connection.accept_offer(&text, credentials("restarted")) {
                    Ok(_) => {
                        let answer = connection.answer().expect("an offer was accepted");
                        let sections = reader::read(&answer).sections.len();
                        assert_eq!(
                            sections,
                            text.matches("\nm=").count(),
                            "each section is answered"
                        );
                        look_at_everything(&mut connection);
                    }
                    Err(_) => assert_eq!(connection, before),
                }
            }
        });
}

#[test]
fn mutated_answers() {
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| {
            let mut connection = connection(Role::Subscriber);
            connection.add_sender(video(1, Codec::Vp8));
            connection.add_sender(audio(2, true, false));
            let offer = connection.offer(None).expect("we offer");
            // An answer that would fit, then what is left of it.
            let good = offer
                .replace("a=setup:actpass", "a=setup:active")
                .replace("a=sendonly", "a=recvonly");
            let mut bytes = good.into_bytes();
            for edit in mutation.edits.iter().take(4) {
                if let Edit::ReplaceByte(at, value) = edit {
                    let at = usize::from(*at) % bytes.len();
                    bytes[at] = *value;
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            let before = connection.clone();
            if connection.accept_answer(&text).is_err() {
                assert_eq!(connection, before);
            }
            look_at_everything(&mut connection);
        });
}

#[test]
fn arbitrary_text() {
    bolero::check!().for_each(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut connection = connection(Role::Single);
        if connection
            .accept_offer(&text, credentials("unused"))
            .is_ok()
        {
            look_at_everything(&mut connection);
        }
        let mut subscriber = super::connection(Role::Subscriber);
        subscriber.offer(None).expect("we offer");
        if subscriber.accept_answer(&text).is_ok() {
            look_at_everything(&mut subscriber);
        }
        if let Ok(fragment) = parse_fragment(&text) {
            assert!(fragment.candidates <= bytes.len());
        }
        if check_candidate(&text).is_ok() {
            assert!(text.len() <= 1_024);
        }
    });
}
