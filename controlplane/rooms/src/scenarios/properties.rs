//! Whatever clients and data planes do, rooms neither panic nor grow without bound, and the same
//! inputs give the same outputs.

use super::*;
use crate::limits;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use prost::Message as _;

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Step {
    Join { who: u8, v0: bool },
    Ask { who: u8, what: u8, detail: u8 },
    Event { what: u8, which: u8 },
    Drop { who: u8 },
    Resume { who: u8 },
    Pass { seconds: u8 },
    Dataplane { boot: u8 },
    Operate { what: u8, who: u8 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..5u8, any::<bool>()).prop_map(|(who, v0)| Step::Join { who, v0 }),
        12 => (any::<u8>(), 0..18u8, any::<u8>())
            .prop_map(|(who, what, detail)| Step::Ask { who, what, detail }),
        6 => (0..10u8, any::<u8>()).prop_map(|(what, which)| Step::Event { what, which }),
        1 => any::<u8>().prop_map(|who| Step::Drop { who }),
        2 => any::<u8>().prop_map(|who| Step::Resume { who }),
        2 => (0..40u8).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..3u8).prop_map(|boot| Step::Dataplane { boot }),
        2 => (0..7u8, any::<u8>()).prop_map(|(what, who)| Step::Operate { what, who }),
        1 => Just(Step::Restart),
    ]
}

fn identity(who: u8) -> String {
    format!("participant-{}", who % 5)
}

/// Rooms of three already span both workers.
fn config() -> Config {
    Config {
        participants_per_worker: 2,
        ..Config::default()
    }
}

impl World {
    fn pick(&self, number: u8) -> Option<Who> {
        (!self.clients.is_empty()).then(|| usize::from(number) % self.clients.len())
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Join { who, v0 } if self.clients.len() < 90 => {
                let mode = if v0 { Mode::V0 } else { Mode::V1 };
                self.join(&identity(who), mode);
            }
            Step::Join { .. } => {}
            Step::Ask { who, what, detail } => {
                if let Some(who) = self.pick(who) {
                    self.ask_something(who, what, detail);
                }
            }
            Step::Event { what, which } => self.happen(what, which),
            Step::Drop { who } => {
                if let Some(who) = self.pick(who) {
                    self.drop_signal(who);
                }
            }
            Step::Resume { who } => {
                if let Some(index) = self.pick(who) {
                    self.resume(index, claims(&identity(who)), None);
                }
            }
            Step::Pass { seconds } => self.pass_ms(u64::from(seconds) * 1_000),
            Step::Dataplane { boot: 0 } => {
                self.input(Input::Dataplane(DataplaneInput::Disconnected));
            }
            Step::Dataplane { boot } => {
                self.plane.rooms.clear();
                self.connect_dataplane(boot.into());
                self.settle();
            }
            Step::Operate { what, who } => self.operate(what, &identity(who)),
            Step::Restart => {
                let stored = self.stored.values().cloned().collect();
                self.restarts += 1;
                let seed = [self.restarts + 1; 32];
                self.rooms = Rooms::restore(config(), seed, self.now, stored);
                self.drain();
                self.plane.rooms.clear();
                self.connect_dataplane(1);
            }
        }
    }

    /// A sid that may be anyone's, or nobody's.
    fn some_track(&self, detail: u8) -> String {
        let sids: Vec<String> = self
            .rooms
            .rooms()
            .flat_map(|room| room.tracks.values().map(|track| track.info.sid.clone()))
            .collect();
        sids.get(usize::from(detail) % (sids.len() + 1))
            .cloned()
            .unwrap_or_else(|| "TR_nobody".to_owned())
    }

    fn ask_something(&mut self, who: Who, what: u8, detail: u8) {
        let sid = self.some_track(detail);
        let kind = if detail.is_multiple_of(2) {
            Kind::Audio
        } else {
            Kind::Video
        };
        let cid = format!("cid-{}", detail % 6);
        let ask = match what {
            0..=2 => Ask::AddTrack(add_track(kind, &cid)),
            3..=5 => {
                let sections = &mut self.clients[who].browser.sections;
                if sections.len() < 20 {
                    sections.push(Section::sending(kind, &cid));
                }
                self.clients[who].offer()
            }
            6 => {
                let client = &mut self.clients[who];
                let count = client.browser.sections.len();
                let section = &mut client.browser.sections[usize::from(detail) % count];
                if section.kind != Kind::Data {
                    section.direction = ["inactive", "recvonly"][usize::from(detail / 128)];
                }
                client.offer()
            }
            7 => {
                self.clients[who].browser.ice += 1;
                self.clients[who].offer()
            }
            8 => Ask::Mute(proto::MuteTrackRequest {
                sid,
                muted: detail > 100,
            }),
            9 => Ask::Subscription(proto::UpdateSubscription {
                track_sids: vec![sid],
                subscribe: detail > 100,
                ..proto::UpdateSubscription::default()
            }),
            10 => Ask::TrackSetting(proto::UpdateTrackSettings {
                track_sids: vec![sid],
                disabled: detail > 200,
                quality: i32::from(detail % 5),
                width: u32::from(detail) * 8,
                height: u32::from(detail) * 4,
                ..proto::UpdateTrackSettings::default()
            }),
            11 => Ask::SubscriptionPermission(proto::SubscriptionPermission {
                all_participants: detail > 150,
                track_permissions: vec![proto::TrackPermission {
                    participant_identity: identity(detail),
                    all_tracks: detail > 80,
                    track_sids: vec![sid],
                    ..proto::TrackPermission::default()
                }],
            }),
            12 => Ask::SyncState(proto::SyncState {
                track_sids_disabled: vec![sid],
                ..proto::SyncState::default()
            }),
            13 => Ask::Answer(description("answer", "v=0\r\n".to_owned(), detail.into())),
            14 => Ask::Offer(description("offer", "nonsense".to_owned(), detail.into())),
            15 => Ask::Leave(proto::LeaveRequest::default()),
            16 => Ask::UpdateMetadata(proto::UpdateParticipantMetadata {
                metadata: "x".repeat(usize::from(detail)),
                ..proto::UpdateParticipantMetadata::default()
            }),
            _ => Ask::Trickle(proto::TrickleRequest {
                candidate_init: format!("{{{detail}"),
                ..proto::TrickleRequest::default()
            }),
        };
        self.ask(who, ask);
        self.settle();
    }

    fn happen(&mut self, what: u8, which: u8) {
        let peers: Vec<(RoomId, PeerId)> = self
            .rooms
            .rooms()
            .flat_map(|room| room.peers.keys().map(|&peer| (room.id, peer)))
            .collect();
        let Some(&(room, peer)) = peers.get(usize::from(which) % (peers.len() + 1)) else {
            let unknown = closed(PeerId(1), CloseReason::IceTimeout);
            return self.event(RoomId(1), unknown);
        };
        let track = self
            .rooms
            .rooms()
            .flat_map(|room| room.tracks.keys().copied())
            .nth(usize::from(which) % 3);
        let event = match (what, track) {
            (0, _) => connected(peer),
            (1, _) => Event::PeerDisconnected { peer },
            (2, _) => closed(peer, CloseReason::IceTimeout),
            (3, _) => closed(peer, CloseReason::ClosedByPeer),
            (4, _) => closed(peer, CloseReason::Policy),
            (5, _) => Event::Data {
                peer,
                channel: DataChannelKind::Reliable,
                payload: vec![which; usize::from(which)],
            },
            (6, Some(track)) => Event::SubscriptionLayer {
                subscriber: peer,
                track,
                layer: None,
            },
            (7, Some(track)) => Event::TrackLayers {
                track,
                active: Vec::new(),
            },
            _ => Event::Statistics {
                peers: vec![bedside_protocol::PeerStatistics {
                    peer: Some(peer),
                    downlink_loss: f32::from(which) / 255.0,
                    ..bedside_protocol::PeerStatistics::default()
                }],
                tracks: Vec::new(),
            },
        };
        self.event(room, event);
    }

    fn operate(&mut self, what: u8, identity: &str) {
        let (room, now) = ("consult".to_owned(), self.now);
        let whom = proto::RoomParticipantIdentity {
            room: room.clone(),
            identity: identity.to_owned(),
            ..proto::RoomParticipantIdentity::default()
        };
        // Whether it succeeds does not matter, only that nothing breaks.
        match what {
            0 => drop(self.rooms.remove_participant(now, &whom)),
            1 => drop(
                self.rooms
                    .delete_room(now, &proto::DeleteRoomRequest { room }),
            ),
            2 | 3 => drop(self.rooms.update_participant(
                now,
                proto::UpdateParticipantRequest {
                    room,
                    identity: identity.to_owned(),
                    permission: Some(proto::ParticipantPermission {
                        can_publish: what == 2,
                        can_subscribe: what == 3,
                        ..proto::ParticipantPermission::default()
                    }),
                    ..proto::UpdateParticipantRequest::default()
                },
            )),
            4 => {
                let mut viewer = Browser::new(230);
                let offer = viewer.offer();
                drop(self.rooms.whep_play(now, &claims("viewer"), &offer));
            }
            5 => {
                let mut encoder = Browser::publisher(231);
                encoder.sections = vec![Section::sending(Kind::Video, "picture")];
                let offer = encoder.offer();
                drop(self.rooms.whip_publish(now, &claims("encoder"), &offer));
            }
            _ => drop(self.rooms.list_rooms(&proto::ListRoomsRequest::default())),
        }
        self.drain();
        self.settle();
    }

    /// What must hold at rest.
    fn check(&self) {
        let connected = self.rooms.status().dataplane.is_some();
        for room in self.rooms.rooms() {
            assert!(room.members.len() <= 8);
            for participant in room.members.values() {
                assert!(participant.choices.len() <= limits::CHOICES_PER_PARTICIPANT_MAX);
                for track in participant.subscriptions.keys() {
                    assert!(
                        room.tracks.contains_key(track),
                        "no subscription to nothing"
                    );
                }
                for link in &participant.links {
                    assert!(room.peers.contains_key(&link.peer));
                }
            }
            let links: usize = room.members.values().map(|one| one.links.len()).sum();
            assert_eq!(room.peers.len(), links);
            for (member, participant) in &room.members {
                let count = room.tracks_of(*member).count();
                assert!(count <= limits::TRACKS_PER_PARTICIPANT_MAX);
                assert!(participant.session.is_none() || participant.signal_lost_by.is_none());
            }
            for track in room.tracks.values() {
                assert!(room.members.contains_key(&track.publisher));
            }
            if connected {
                let held = &self.plane.rooms[&room.id];
                assert_eq!(held.worker, Some(room.home));
                assert!(held.parts.contains(&room.home));
                assert!(held.peers.keys().all(|peer| room.peers.contains_key(peer)));
                assert!(
                    held.tracks
                        .keys()
                        .all(|track| room.tracks.contains_key(track))
                );
            }
        }
        if connected {
            let known = |id: &RoomId| self.rooms.rooms().any(|room| room.id == *id);
            assert!(self.plane.rooms.keys().all(known));
        }
    }
}

/// Requests as clients send them, to be spoilt.
fn requests() -> Vec<Vec<u8>> {
    let mut browser = Browser::new(1);
    browser
        .sections
        .push(Section::sending(Kind::Video, "camera"));
    let sdp = browser.offer();
    [
        Ask::Offer(description("offer", sdp.clone(), 1)),
        Ask::Answer(description("answer", sdp, 1)),
        Ask::AddTrack(add_track(Kind::Video, "camera")),
        Ask::TrackSetting(proto::UpdateTrackSettings {
            track_sids: vec!["TR_1".to_owned(), "TR_2".to_owned()],
            width: 640,
            height: 360,
            ..proto::UpdateTrackSettings::default()
        }),
        Ask::SubscriptionPermission(proto::SubscriptionPermission {
            track_permissions: vec![proto::TrackPermission::default(); 3],
            ..proto::SubscriptionPermission::default()
        }),
        Ask::SyncState(proto::SyncState {
            publish_tracks: vec![proto::TrackPublishedResponse::default()],
            datachannel_receive_states: vec![proto::DataChannelReceiveState::default()],
            ..proto::SyncState::default()
        }),
        Ask::UpdateMetadata(proto::UpdateParticipantMetadata {
            attributes: [("key".to_owned(), "value".to_owned())].into(),
            ..proto::UpdateParticipantMetadata::default()
        }),
        Ask::Simulate(proto::SimulateScenario {
            scenario: Some(proto::simulate_scenario::Scenario::SpeakerUpdate(1)),
        }),
    ]
    .into_iter()
    .map(|ask| proto::SignalRequest { message: Some(ask) }.encode_to_vec())
    .chain([data::user("text").encode_to_vec()])
    .collect()
}

fn run(steps: &[Step]) -> World {
    let mut world = World::with(config());
    for step in steps {
        world.take(step);
        world.check();
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_that_anyone_does_breaks_a_room(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        run(&steps);
    }

    #[test]
    fn spoilt_messages_break_nothing(
        spoilt in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)),
            1..40,
        ),
    ) {
        let mut world = World::with(config());
        world.join("doctor", Mode::V1);
        let patient = world.join("patient", Mode::V1);
        let requests = requests();
        for (which, changes) in spoilt {
            let mut bytes = requests[which.index(requests.len())].clone();
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            if let Ok(request) = proto::SignalRequest::decode(bytes.as_slice()) {
                let session = world.clients[patient].session;
                let request = Box::new(request);
                world.input(Input::Signal { session, request });
                world.clients[patient].obeys = false;
                world.settle();
            }
            let (room, peers) = (world.room(), world.held().peers.keys().copied());
            for peer in peers.collect::<Vec<_>>() {
                let channel = DataChannelKind::Reliable;
                let payload = bytes.clone();
                world.event(room, Event::Data { peer, channel, payload });
            }
            world.check();
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (first, second) = (run(&steps), run(&steps));
        let received = |world: &World| -> Vec<Vec<Message>> {
            world.clients.iter().map(|client| client.received.clone()).collect()
        };
        prop_assert!(received(&first) == received(&second));
        prop_assert!(first.webhooks == second.webhooks);
        prop_assert_eq!(first.plane.rooms, second.plane.rooms);
        prop_assert_eq!(
            serde_json::to_value(first.stored).unwrap(),
            serde_json::to_value(second.stored).unwrap()
        );
    }
}
