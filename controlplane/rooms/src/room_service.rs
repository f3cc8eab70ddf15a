//! An administrator's operations (LiveKit's `RoomService`).

use crate::context::Context;
use crate::input::Time;
use crate::limits;
use crate::output::OperationError;
use crate::participant::Participant;
use crate::room::{Member, Room};
use crate::rooms::Rooms;
use bedside_protocol::{DataChannelKind, PeerId, Phi, RoomId, TrackId};
use livekit_protocol as proto;
use proto::data_packet::{Kind, Value};
use proto::signal_response::Message;
use proto::{DisconnectReason, RoomEndReason, leave_request::Action};

/// Whom an account let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Participants of this identity.
    Identity(String),
    /// Participants with a token that this API key signed.
    ApiKey(String),
}

/// Somebody who was sent away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    /// `RM_...`.
    pub room_sid: String,
    /// `PA_...`.
    pub participant_sid: String,
    /// Their transports that were up; the data plane reports the end of each.
    pub peers: Vec<PeerId>,
}

impl Rooms {
    /// Opens a room and returns it; of one that exists, changes the settings that are given.
    ///
    /// # Errors
    /// No name, a bound exceeded, no data plane.
    pub fn create_room(
        &mut self,
        now: Time,
        request: proto::CreateRoomRequest,
    ) -> Result<proto::Room, OperationError> {
        check_name(&request.name)?;
        check_metadata(&request.metadata)?;
        let id = self.open_room(now, &request.name)?;
        self.with_room(now, id, |room, ctx| {
            let settings = &mut room.settings;
            let given = [
                (request.empty_timeout, &mut settings.empty_timeout_s),
                (request.departure_timeout, &mut settings.departure_timeout_s),
                (request.max_participants, &mut settings.max_participants),
            ];
            for (wanted, setting) in given {
                if wanted > 0 {
                    *setting = wanted;
                }
            }
            if !request.metadata.is_empty() {
                settings.metadata = Phi::new(request.metadata);
                room.broadcast_room(ctx);
            }
            room.volatile.changed = true;
            room.info()
        })
        .ok_or(OperationError::NotFound("the room"))
    }

    /// All rooms, or those named.
    #[must_use]
    pub fn list_rooms(&self, request: &proto::ListRoomsRequest) -> proto::ListRoomsResponse {
        let named =
            |room: &&Room| request.names.is_empty() || request.names.contains(room.name.expose());
        proto::ListRoomsResponse {
            rooms: self.rooms().filter(named).map(Room::info).collect(),
        }
    }

    /// Ends a room for everyone in it.
    ///
    /// # Errors
    /// No such room.
    pub fn delete_room(
        &mut self,
        now: Time,
        request: &proto::DeleteRoomRequest,
    ) -> Result<proto::DeleteRoomResponse, OperationError> {
        self.in_room(now, &request.room, |room, ctx| {
            let end = RoomEndReason::RoomEndApiDelete;
            room.finish(ctx, DisconnectReason::RoomDeleted, end);
            Ok(proto::DeleteRoomResponse {})
        })
    }

    /// Who is in a room, hidden participants included.
    ///
    /// # Errors
    /// No such room.
    pub fn list_participants(
        &self,
        request: &proto::ListParticipantsRequest,
    ) -> Result<proto::ListParticipantsResponse, OperationError> {
        let room = self.room_called(&request.room)?;
        let members = room.members.keys();
        Ok(proto::ListParticipantsResponse {
            participants: members
                .filter_map(|&member| room.participant_info(member))
                .collect(),
        })
    }

    /// One participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub fn get_participant(
        &self,
        request: &proto::RoomParticipantIdentity,
    ) -> Result<proto::ParticipantInfo, OperationError> {
        let room = self.room_called(&request.room)?;
        room.member_called(&request.identity)
            .and_then(|member| room.participant_info(member))
            .ok_or(NO_PARTICIPANT)
    }

    /// Sends a participant away.
    ///
    /// # Errors
    /// No such room or participant.
    pub fn remove_participant(
        &mut self,
        now: Time,
        request: &proto::RoomParticipantIdentity,
    ) -> Result<proto::RemoveParticipantResponse, OperationError> {
        self.in_room(now, &request.room, |room, ctx| {
            let member = participant(room, &request.identity)?;
            let reason = DisconnectReason::ParticipantRemoved;
            room.remove(ctx, member, reason, Some(Action::Disconnect));
            Ok(proto::RemoveParticipantResponse {})
        })
    }

    /// Sends everyone away, from every room, whom an account let in.
    pub fn remove_everywhere(&mut self, now: Time, whose: &Whose) -> Vec<Removed> {
        let found: Vec<(RoomId, Member)> = self
            .rooms
            .iter()
            .flat_map(|(&id, room)| {
                let theirs = |participant: &Participant| match whose {
                    Whose::Identity(identity) => participant.identity.expose() == identity,
                    Whose::ApiKey(key) => participant.claims.expose().iss == *key,
                };
                room.members
                    .iter()
                    .filter(move |(_, participant)| theirs(participant))
                    .map(move |(&member, _)| (id, member))
            })
            .collect();
        let mut removed = Vec::with_capacity(found.len());
        for (id, member) in found {
            self.with_room(now, id, |room, ctx| {
                let Some(participant) = room.members.get(&member) else {
                    return;
                };
                removed.push(Removed {
                    room_sid: room.sid.clone(),
                    participant_sid: participant.sid.clone(),
                    peers: participant
                        .links
                        .iter()
                        .filter(|link| link.connected)
                        .map(|link| link.peer)
                        .collect(),
                });
                let reason = DisconnectReason::ParticipantRemoved;
                room.remove(ctx, member, reason, Some(Action::Disconnect));
            });
        }
        removed
    }

    /// Names of the rooms in which a participant of this identity is.
    #[must_use]
    pub fn rooms_of(&self, identity: &str) -> Vec<String> {
        self.rooms()
            .filter(|room| room.member_called(identity).is_some())
            .map(|room| room.name.expose().clone())
            .collect()
    }

    /// Mutes a participant's track. Nobody's microphone or camera is switched on from afar:
    /// unmuting is refused.
    ///
    /// # Errors
    /// No such room, participant or track; unmuting.
    pub fn mute_published_track(
        &mut self,
        now: Time,
        request: &proto::MuteRoomTrackRequest,
    ) -> Result<proto::MuteRoomTrackResponse, OperationError> {
        self.in_room(now, &request.room, |room, ctx| {
            let member = participant(room, &request.identity)?;
            let track = track(room, &request.track_sid)?;
            let info = &room.tracks[&track].info;
            if room.tracks[&track].publisher != member {
                return Err(NO_TRACK);
            }
            if info.muted && !request.muted {
                return Err(OperationError::FailedPrecondition(
                    "remote unmute is not enabled".to_owned(),
                ));
            }
            if info.muted != request.muted {
                room.set_muted(track, request.muted);
                let mute = proto::MuteTrackRequest {
                    sid: request.track_sid.clone(),
                    muted: request.muted,
                };
                room.send(ctx, member, Message::Mute(mute));
            }
            Ok(proto::MuteRoomTrackResponse {
                track: Some(room.tracks[&track].info.clone()),
            })
        })
    }

    /// Changes metadata, name, attributes or permission; empty fields change nothing.
    ///
    /// # Errors
    /// No such room or participant, a bound exceeded.
    pub fn update_participant(
        &mut self,
        now: Time,
        request: proto::UpdateParticipantRequest,
    ) -> Result<proto::ParticipantInfo, OperationError> {
        self.in_room(now, &request.room, |room, ctx| {
            let member = participant(room, &request.identity)?;
            room.describe(
                member,
                &request.name,
                &request.metadata,
                &request.attributes,
            )
            .map_err(|reason| OperationError::LimitExceeded(reason.to_owned()))?;
            if let Some(permission) = &request.permission {
                if permission.can_publish_sources.len() > limits::TRACK_DETAILS_MAX {
                    return Err(OperationError::LimitExceeded("too many sources".to_owned()));
                }
                room.permit(ctx, member, permission);
            }
            room.participant_info(member).ok_or(NO_PARTICIPANT)
        })
    }

    /// Subscribes a participant to tracks, or ends that.
    ///
    /// # Errors
    /// No such room or participant.
    pub fn update_subscriptions(
        &mut self,
        now: Time,
        request: &proto::UpdateSubscriptionsRequest,
    ) -> Result<proto::UpdateSubscriptionsResponse, OperationError> {
        self.in_room(now, &request.room, |room, ctx| {
            let member = participant(room, &request.identity)?;
            room.choose(
                ctx,
                member,
                &request.track_sids,
                &request.participant_tracks,
                request.subscribe,
            );
            Ok(proto::UpdateSubscriptionsResponse {})
        })
    }

    /// Sends a data packet from the server.
    ///
    /// # Errors
    /// No such room, payload or destinations too long, no data plane.
    #[expect(
        deprecated,
        reason = "older servers name destinations by sid, older clients read `kind`"
    )]
    pub fn send_data(
        &mut self,
        now: Time,
        request: proto::SendDataRequest,
    ) -> Result<proto::SendDataResponse, OperationError> {
        let destinations = request.destination_sids.len() + request.destination_identities.len();
        if request.data.len() > limits::DATA_PACKET_BYTES_MAX {
            return Err(OperationError::LimitExceeded(
                "the data is too long".to_owned(),
            ));
        }
        if destinations > limits::DESTINATIONS_MAX {
            return Err(OperationError::LimitExceeded(
                "too many destinations".to_owned(),
            ));
        }
        self.in_room(now, &request.room, |room, ctx| {
            if ctx.dataplane.is_none() {
                return Err(OperationError::Unavailable);
            }
            let channel = if request.kind == Kind::Lossy as i32 {
                DataChannelKind::Lossy
            } else {
                DataChannelKind::Reliable
            };
            let packet = proto::DataPacket {
                kind: request.kind,
                destination_identities: request.destination_identities.clone(),
                value: Some(Value::User(proto::UserPacket {
                    payload: request.data,
                    topic: request.topic,
                    nonce: request.nonce,
                    destination_sids: request.destination_sids,
                    destination_identities: request.destination_identities,
                    ..proto::UserPacket::default()
                })),
                ..proto::DataPacket::default()
            };
            room.distribute(ctx, None, channel, packet);
            Ok(proto::SendDataResponse {})
        })
    }

    /// Replaces a room's metadata.
    ///
    /// # Errors
    /// No such room, a bound exceeded.
    pub fn update_room_metadata(
        &mut self,
        now: Time,
        request: proto::UpdateRoomMetadataRequest,
    ) -> Result<proto::Room, OperationError> {
        check_metadata(&request.metadata)?;
        self.in_room(now, &request.room, |room, ctx| {
            room.settings.metadata = Phi::new(request.metadata);
            room.volatile.changed = true;
            room.broadcast_room(ctx);
            Ok(room.info())
        })
    }

    fn in_room<T>(
        &mut self,
        now: Time,
        name: &str,
        operation: impl FnOnce(&mut Room, &mut Context<'_>) -> Result<T, OperationError>,
    ) -> Result<T, OperationError> {
        let id = self.room_called(name)?.id;
        self.with_room(now, id, operation)
            .ok_or(OperationError::NotFound("the room"))?
    }
}

impl Room {
    /// New rights take effect on what is running: tracks that may no longer be published end,
    /// subscriptions follow, and the next token carries them.
    fn permit(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        wanted: &proto::ParticipantPermission,
    ) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let before = participant.permission.clone();
        participant.permission.update(wanted);
        if participant.permission == before {
            return;
        }
        participant.refresh_at = participant.session.map(|_| ctx.now);
        let permission = participant.permission.clone();
        let revoked: Vec<TrackId> = self
            .tracks_of(member)
            .filter(|(_, track)| !permission.may_publish_source(track.info.source))
            .map(|(id, _)| id)
            .collect();
        for track in revoked {
            self.revoke_track(ctx, track);
        }
        self.tell_permission(ctx, member);
        self.update_subscriptions_of(ctx, member);
        self.participant_changed(member);
        self.refresh_token_if_due(ctx, member);
    }
}

fn participant(room: &Room, identity: &str) -> Result<Member, OperationError> {
    room.member_called(identity).ok_or(NO_PARTICIPANT)
}

fn track(room: &Room, sid: &str) -> Result<TrackId, OperationError> {
    room.track_called(sid).ok_or(NO_TRACK)
}

pub(crate) fn check_name(name: &str) -> Result<(), OperationError> {
    if name.is_empty() {
        return Err(OperationError::InvalidArgument(
            "the room's name is missing".to_owned(),
        ));
    }
    if name.len() > limits::NAME_BYTES_MAX {
        return Err(OperationError::InvalidArgument(
            "the room's name is too long".to_owned(),
        ));
    }
    Ok(())
}

fn check_metadata(metadata: &str) -> Result<(), OperationError> {
    if metadata.len() > limits::METADATA_BYTES_MAX {
        return Err(OperationError::LimitExceeded(
            "the metadata is too long".to_owned(),
        ));
    }
    Ok(())
}

const NO_PARTICIPANT: OperationError = OperationError::NotFound("the participant");
const NO_TRACK: OperationError = OperationError::NotFound("the track");
