//! Participants that join through a data plane.

use super::Due;
use super::{Fleet, Joined, ParticipantId, Publication, Reception, connected};
use crate::dataplane::Dataplane;
use crate::light::Error;
use crate::light::network::Impairment;
use crate::light::participant::State;
use crate::light::transport::{Endpoint, Transport};
use crate::measure::StreamReceiver;
use crate::media::Source;
use crate::pacing::Clock;
use crate::scenario::Network;
use bedside_protocol::{
    Command, Encoding, Event, ExtensionIds, IceCredentials, Layer, MediaKind, Mid, PayloadTypes,
    Peer, PeerId, Relay, RoomId, Secret, Subscription, Track, TrackId, VideoContent,
};
use std::time::Duration;
use str0m::IceCreds;

/// Payload types of every participant that joins through a data plane.
pub(in crate::light) const fn payload_type(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Audio => 111,
        MediaKind::Video => 96,
    }
}

/// A stream that a participant wishes to receive.
#[derive(Clone, Copy, Debug)]
pub(in crate::light) struct Wish {
    pub(in crate::light) track: TrackId,
    pub(in crate::light) reception: Reception,
    /// SSRC of the track's lowest layer at its publisher, if every stamp is to be checked.
    pub(in crate::light) source: Option<u32>,
    pub(in crate::light) layer_max: Layer,
}

/// From the command that makes a transport to the first connectivity check: the time that an answer
/// takes from the server to its client, so that the data plane knows whom the check comes from.
const ANSWER_DELAY_NS: u64 = 3_000_000;

/// Longest wait for a handshake in [`Fleet::join_dataplane`].
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

impl Fleet {
    /// Joins a room of a data plane: names the transport, the tracks and the subscriptions, does
    /// the handshake, and returns when media can flow. It begins to send in
    /// [`run_for`](Self::run_for).
    ///
    /// # Errors
    /// The host gives no socket, the data plane fails or refuses, or the handshake leads to nothing.
    pub fn join_dataplane(
        &mut self,
        dataplane: &mut Dataplane,
        room: RoomId,
        publishes: &[Publication],
        receives: &[(TrackId, Reception)],
    ) -> Result<Joined, Error> {
        let now_ns = Clock::now_ns();
        let joined = self.begin_join(dataplane, room, publishes, now_ns, &Network::default())?;
        for (track, reception) in receives {
            let wish = Wish {
                track: *track,
                reception: *reception,
                source: None,
                layer_max: Layer::High,
            };
            self.subscribe(dataplane, room, &joined, &wish)?;
        }
        let end_ns = Clock::now_ns() + super::nanoseconds(CONNECT_TIME_MAX);
        loop {
            match self.state(joined.participant) {
                Some(State::Joined) => break,
                Some(State::Joining) if Clock::now_ns() < end_ns => self.turn(end_ns)?,
                Some(State::Joining) => return Err(Error::NotConnected("time is up")),
                Some(State::Ended(why)) => return Err(Error::NotConnected(why)),
                None => return Err(Error::NotConnected("it left")),
            }
        }
        while let Some(event) = dataplane.try_event()? {
            if let Event::Refused { .. } = event.event {
                return Err(Error::NotConnected("the data plane refused a command"));
            }
        }
        Ok(joined)
    }

    /// Names a transport and its tracks to the data plane, and begins its handshake. It was wanted
    /// at `wanted_ns` (monotonic clock).
    pub(in crate::light) fn begin_join(
        &mut self,
        dataplane: &mut Dataplane,
        room: RoomId,
        publishes: &[Publication],
        wanted_ns: u64,
        network: &Network,
    ) -> Result<Joined, Error> {
        let server = dataplane.address_of(room).ok_or(Error::NoAddress)?;
        let socket = connected(server)?;
        let mut participant = self.participant(socket, publishes)?;
        let now_ns = Clock::now_ns();
        participant.wanted_ns = wanted_ns;
        if !network.is_perfect() {
            self.next_seed = self.next_seed.wrapping_add(1);
            participant.impairment = Some(Impairment::new(*network, self.next_seed));
        }
        let [ours, theirs] = [credentials()?, credentials()?];
        let peer = dataplane.peer_id();
        let endpoint = Endpoint {
            local: participant.socket.local(),
            local_credentials: ours.clone(),
            server,
            server_credentials: theirs.clone(),
            server_fingerprint_sha256: dataplane.welcome().fingerprint_sha256,
        };
        let transport = Transport::new(self.clock.instant(now_ns), &self.certificate, endpoint)
            .map_err(Error::Handshake)?;
        participant.transport = Some(transport);
        dataplane.command(
            room,
            Command::EnsurePeer(Box::new(Peer {
                peer,
                local: to_protocol(theirs),
                remote: to_protocol(ours),
                remote_fingerprint_sha256: self.certificate.fingerprint_sha256,
                extensions: ExtensionIds::default(),
                transport_cc: false,
                data_channels: false,
                open_data_channels: false,
            })),
        )?;
        let mut tracks = Vec::with_capacity(publishes.len());
        for (place, publication) in publishes.iter().enumerate() {
            let track = dataplane.track_id();
            tracks.push(track);
            let repairs = !network.is_perfect();
            let wanted = track_of(
                track,
                peer,
                place,
                publication,
                &participant.publications[place].source,
                repairs && participant.publications[place].source.kind() == MediaKind::Video,
            );
            dataplane.command(room, Command::EnsureTrack(wanted))?;
        }
        let participant = self.insert(participant)?;
        self.arm_transport(participant.0, now_ns + ANSWER_DELAY_NS);
        Ok(Joined {
            participant,
            peer,
            tracks,
        })
    }

    /// Subscribes a participant to a track, and follows the stream from now on. The same again with
    /// another highest layer changes that.
    pub(in crate::light) fn subscribe(
        &mut self,
        dataplane: &mut Dataplane,
        room: RoomId,
        joined: &Joined,
        wish: &Wish,
    ) -> Result<(), Error> {
        let mut receiver = StreamReceiver::new(
            wish.reception.kind,
            wish.reception.clock_hz,
            Clock::now_ns(),
        );
        if let Some(source) = wish.source {
            receiver = receiver.from_source(source);
        }
        if let Some(participant) = self.participant_mut(joined.participant) {
            participant.receive_stream(wish.reception.ssrc, receiver);
        }
        self.command_subscription(dataplane, room, joined, wish)
    }

    /// Tells the data plane about a subscription.
    pub(in crate::light) fn command_subscription(
        &self,
        dataplane: &mut Dataplane,
        room: RoomId,
        joined: &Joined,
        wish: &Wish,
    ) -> Result<(), Error> {
        let Reception { ssrc, kind, .. } = wish.reception;
        let repairs = self.repairs(joined.participant);
        let subscription = Subscription {
            subscriber: joined.peer,
            track: wish.track,
            // The SSRC tells sections of one transport apart.
            mid: Mid::new(&format!("r{ssrc:x}")).expect("2 to 9 characters"),
            ssrc,
            rtx_ssrc: None,
            payload_types: PayloadTypes {
                media: payload_type(kind),
                rtx: None,
            },
            red_payload_type: None,
            nack: repairs && kind == MediaKind::Video,
            layer_max: wish.layer_max,
            paused: false,
            priority: 0,
            frame_rate_max: None,
        };
        dataplane.command(room, Command::EnsureSubscription(subscription))?;
        Ok(())
    }

    /// Whether a participant asks for what it misses.
    fn repairs(&self, id: ParticipantId) -> bool {
        let participant = self.participants.get(id.0).and_then(Option::as_ref);
        participant.is_some_and(|it| it.impairment.is_some())
    }

    /// A participant leaves: it says goodbye and is forgotten, its streams are closed.
    pub(in crate::light) fn leave(&mut self, id: ParticipantId) {
        let Some(mut participant) = self.participants.get_mut(id.0).and_then(Option::take) else {
            return;
        };
        let now_ns = Clock::now_ns();
        participant.drop_streams(now_ns, &mut self.work.recorder);
        if let Some(mut transport) = participant.transport.take() {
            let socket = &participant.socket;
            transport.close(self.clock.instant(now_ns), |datagram| {
                // Whoever does not hear it notices by itself.
                drop(socket.send(datagram));
            });
        }
        // The poll forgets a closed socket by itself; this frees its place at once.
        drop(self.poll.registry().deregister(participant.socket.source()));
    }

    /// A participant's stream ends: nobody sends it any more.
    pub(in crate::light) fn drop_stream(&mut self, id: ParticipantId, ssrc: u32) {
        if let Some(participant) = self.participants.get_mut(id.0).and_then(Option::as_mut) {
            participant.drop_stream(ssrc, Clock::now_ns(), &mut self.work.recorder);
        }
    }

    pub(in crate::light) fn state(&self, id: ParticipantId) -> Option<State> {
        let participant = self.participants.get(id.0)?.as_ref()?;
        Some(participant.state)
    }

    pub(in crate::light) fn participant_mut(
        &mut self,
        id: ParticipantId,
    ) -> Option<&mut crate::light::participant::Participant> {
        self.participants.get_mut(id.0)?.as_deref_mut()
    }

    /// Lets a transport run at that time.
    pub(super) fn arm_transport(&mut self, id: usize, at_ns: u64) {
        self.timers.push(at_ns, Due::Transport(id));
    }
}

fn track_of(
    track: TrackId,
    publisher: PeerId,
    place: usize,
    publication: &Publication,
    source: &Source,
    repairs: bool,
) -> Track {
    let encodings = Layer::ALL
        .into_iter()
        .zip(0..source.layers())
        .map(|(layer, number)| Encoding {
            layer,
            rid: None,
            ssrc: Some(publication.ssrc.wrapping_add(number.into())),
            rtx_ssrc: None,
        })
        .collect();
    Track {
        track,
        publisher,
        mid: Mid::new(&place.to_string()).expect("a number has 1 to 16 digits"),
        codec: source.codec(),
        payload_types: PayloadTypes {
            media: publication.payload_type,
            rtx: None,
        },
        red_payload_type: None,
        encodings,
        nack: repairs,
        full_intra: false,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::default(),
    }
}

/// ICE credentials of 128 bits and more (RFC 8445 §5.3).
fn credentials() -> Result<IceCreds, Error> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|_| Error::Handshake("the host gave no random number"))?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(IceCreds {
        ufrag: hex(&random[..8]),
        pass: hex(&random[8..]),
    })
}

fn to_protocol(credentials: IceCreds) -> IceCredentials {
    IceCredentials {
        ufrag: credentials.ufrag,
        password: Secret::new(credentials.pass),
    }
}
