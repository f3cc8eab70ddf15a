//! Data packets: who may send which, what others get, and what is replayed.

use super::*;
use crate::limits;
use prost::Message as _;
use proto::data_packet::{Kind as Channel, Value};

pub(super) fn user(text: &str) -> proto::DataPacket {
    proto::DataPacket {
        value: Some(Value::User(proto::UserPacket {
            payload: text.as_bytes().to_vec(),
            ..proto::UserPacket::default()
        })),
        ..proto::DataPacket::default()
    }
}

pub(super) fn send(
    world: &mut World,
    who: Who,
    channel: DataChannelKind,
    packet: &proto::DataPacket,
) {
    let (room, peer) = (world.room(), world.peer(who));
    let payload = packet.encode_to_vec();
    world.event(
        room,
        Event::Data {
            peer,
            channel,
            payload,
        },
    );
}

/// What was sent to a participant since the last look.
pub(super) fn got(world: &World, who: Who) -> Vec<proto::DataPacket> {
    let peer = world.receiving_peer(who);
    world
        .plane
        .data
        .iter()
        .filter(|message| message.peers.contains(&peer))
        .map(|message| proto::DataPacket::decode(message.payload.as_slice()).unwrap())
        .collect()
}

fn text(packet: &proto::DataPacket) -> &str {
    match &packet.value {
        Some(Value::User(user)) => std::str::from_utf8(&user.payload).unwrap(),
        _ => panic!("a user packet"),
    }
}

#[test]
fn packets_are_stamped_and_go_to_everyone_else() {
    for (first, second) in [(Mode::V1, Mode::V0), (Mode::V0, Mode::V1)] {
        let mut world = World::new();
        let doctor = world.join("doctor", first);
        let patient = world.join("patient", second);
        if second == Mode::V0 {
            // The publisher's connection is negotiated when there is something to send.
            world.offer(patient);
            world.connect_peers();
        }
        let mut packet = user("hello");
        packet.participant_identity = "somebody else".to_owned();
        packet.participant_sid = "PA_forged".to_owned();
        packet.sequence = 1;
        send(&mut world, patient, DataChannelKind::Reliable, &packet);
        let [received] = &got(&world, doctor)[..] else {
            panic!("one packet");
        };
        assert_eq!(text(received), "hello");
        assert_eq!(received.participant_identity, "patient");
        assert_eq!(received.participant_sid, world.clients[patient].sid);
        assert_eq!(received.sequence, 1);
        #[expect(deprecated, reason = "older clients read these")]
        {
            assert_eq!(received.kind, Channel::Reliable as i32);
            let Some(Value::User(user)) = &received.value else {
                unreachable!()
            };
            assert_eq!(user.participant_identity, "patient");
        }
        assert!(got(&world, patient).is_empty(), "never an echo");
    }
}

#[test]
fn destinations_are_respected() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    let nurse = world.join("nurse", Mode::V1);
    let mut packet = user("for the nurse");
    packet.destination_identities = vec!["nurse".to_owned()];
    send(&mut world, patient, DataChannelKind::Lossy, &packet);
    assert!(got(&world, doctor).is_empty());
    assert_eq!(got(&world, nurse).len(), 1);
    packet.destination_identities = vec!["x".to_owned(); limits::DESTINATIONS_MAX + 1];
    send(&mut world, patient, DataChannelKind::Lossy, &packet);
    assert_eq!(world.refused("data_destinations"), 1);
}

#[test]
fn who_may_not_publish_data_is_not_heard() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let mute = world.join_as(
        claims_with(
            "mute",
            VideoGrant {
                can_publish_data: Some(false),
                ..grant()
            },
        ),
        Mode::V1,
    );
    send(&mut world, mute, DataChannelKind::Reliable, &user("hello"));
    assert!(got(&world, doctor).is_empty());
    assert_eq!(world.refused("data_not_allowed"), 1);
}

#[test]
fn hidden_senders_stay_nameless() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let ghost = world.join_as(
        claims_with(
            "ghost",
            VideoGrant {
                hidden: true,
                ..grant()
            },
        ),
        Mode::V1,
    );
    send(&mut world, ghost, DataChannelKind::Reliable, &user("boo"));
    let received = got(&world, doctor).remove(0);
    assert!(received.participant_identity.is_empty() && received.participant_sid.is_empty());
}

#[test]
fn transcriptions_come_from_agents_and_metrics_from_nobody() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    let mut claims = claims("scribe");
    claims.kind = "agent".to_owned();
    let scribe = world.join_as(claims, Mode::V1);
    let transcription = proto::DataPacket {
        value: Some(Value::Transcription(proto::Transcription::default())),
        ..proto::DataPacket::default()
    };
    send(
        &mut world,
        patient,
        DataChannelKind::Reliable,
        &transcription,
    );
    assert!(got(&world, doctor).is_empty());
    send(
        &mut world,
        scribe,
        DataChannelKind::Reliable,
        &transcription,
    );
    assert_eq!(got(&world, doctor).len(), 1);
    let metrics = proto::DataPacket {
        value: Some(Value::Metrics(proto::MetricsBatch::default())),
        ..proto::DataPacket::default()
    };
    send(&mut world, scribe, DataChannelKind::Reliable, &metrics);
    assert_eq!(world.refused("data_kind"), 2);
    let chat = proto::DataPacket {
        participant_identity: "patient".to_owned(),
        value: Some(Value::ChatMessage(proto::ChatMessage::default())),
        ..proto::DataPacket::default()
    };
    send(&mut world, scribe, DataChannelKind::Reliable, &chat);
    let received = got(&world, doctor).remove(1);
    assert_eq!(
        received.participant_identity, "patient",
        "on someone's behalf"
    );
    assert!(matches!(received.value, Some(Value::ChatMessage(chat)) if chat.generated));
}

#[test]
fn a_sequence_number_is_taken_once() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    for sequence in [1, 2, 2, 1, 3] {
        let mut packet = user("n");
        packet.sequence = sequence;
        send(&mut world, patient, DataChannelKind::Reliable, &packet);
    }
    let sequences: Vec<u32> = got(&world, doctor).iter().map(|one| one.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert_eq!(world.refused("data_duplicate"), 2);
}

#[test]
fn garbage_and_oversize_are_counted() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    world.join("doctor", Mode::V1);
    let (room, peer) = (world.room(), world.peer(patient));
    let data = |payload: Vec<u8>| Event::Data {
        peer,
        channel: DataChannelKind::Reliable,
        payload,
    };
    world.event(room, data(vec![0xff; 40]));
    assert_eq!(world.refused("data_malformed"), 1);
    let packet = user(&"x".repeat(limits::DATA_PACKET_BYTES_MAX));
    world.event(room, data(packet.encode_to_vec()));
    assert_eq!(world.refused("data_too_long"), 1);
}

#[test]
fn what_was_said_before_the_channel_opened_is_replayed_when_it_does() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let mut early = user("before anyone else came");
    early.sequence = 1;
    send(&mut world, doctor, DataChannelKind::Reliable, &early);
    world.pass_ms(100);
    let mut parameters = parameters(Mode::V1);
    parameters.publisher_offer = Some(description("offer", Browser::new(2).offer(), 1));
    let patient = world.knock(claims("patient"), parameters);
    world.clients[patient].offer_id = 1;
    world.settle();
    let mut meanwhile = user("while the patient connects");
    meanwhile.sequence = 2;
    send(&mut world, doctor, DataChannelKind::Reliable, &meanwhile);
    assert!(got(&world, patient).is_empty());
    world.pass_ms(100);
    world.connect_peers();
    let received = got(&world, patient);
    assert_eq!(received.len(), 1, "not what was said before it joined");
    assert_eq!(text(&received[0]), "while the patient connects");
}

#[test]
fn what_is_kept_for_replay_is_bounded_and_short_lived() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let big = user(&"x".repeat(60_000));
    for _ in 0..100 {
        send(&mut world, doctor, DataChannelKind::Reliable, &big);
    }
    let room = world.rooms.rooms().next().unwrap();
    assert!(room.volatile.replay.deadline().is_some());
    assert!(room.volatile.replay.bytes() <= limits::REPLAY_BYTES_MAX);
    world.pass_ms(2_100);
    let room = world.rooms.rooms().next().unwrap();
    assert_eq!(room.volatile.replay.bytes(), 0);
}
