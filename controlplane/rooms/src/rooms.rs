//! Every room of this control plane, and the way in for everything that concerns them.

use crate::config::Config;
use crate::input::{Claims, Input, JoinParameters, Time};
use crate::output::{
    OperationError, Output, Refusal, WebrtcAnswer, WebrtcAnswerFragment, WebrtcResource,
};
use crate::snapshot::Snapshot;
use crate::status::Status;
use livekit_protocol as proto;

/// Every room of this control plane.
///
/// After each call drain [`poll_output`](Self::poll_output) and re-arm the timer from
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Rooms;

impl Rooms {
    /// No rooms. `seed` makes identifiers and ICE credentials: it must come from a
    /// cryptographic source and never be used twice.
    #[must_use]
    pub fn new(_config: Config, _seed: [u8; 32]) -> Self {
        unimplemented!()
    }

    /// Takes over what a control plane before this one left behind. Nobody has a signalling
    /// connection yet; each participant has the signal-lost timeout, counted from `now`, to
    /// come back.
    #[must_use]
    pub fn restore(
        _config: Config,
        _seed: [u8; 32],
        _now: Time,
        _snapshots: Vec<Snapshot>,
    ) -> Self {
        unimplemented!()
    }

    /// Whether a join with these claims would be accepted now. Call it before the WebSocket
    /// upgrade and for `*/validate`.
    ///
    /// # Errors
    /// The HTTP status and reason to answer with.
    pub fn check_join(
        &self,
        _claims: &Claims,
        _parameters: &JoinParameters,
    ) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// Something happened.
    pub fn handle(&mut self, _now: Time, _input: Input) {
        unimplemented!()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, _now: Time) {
        unimplemented!()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        unimplemented!()
    }

    /// The next thing for the edges to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        unimplemented!()
    }

    /// A room's whole state, to be stored durably; `None` if it does not exist.
    #[must_use]
    pub fn snapshot(&self, _room_sid: &str) -> Option<Snapshot> {
        unimplemented!()
    }

    /// Counts for `bedside status`.
    #[must_use]
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// Opens a room, or updates nothing and returns it if it exists.
    ///
    /// # Errors
    /// No name, a bound exceeded, no data plane.
    pub fn create_room(
        &mut self,
        _now: Time,
        _request: proto::CreateRoomRequest,
    ) -> Result<proto::Room, OperationError> {
        unimplemented!()
    }

    /// All rooms, or those named.
    #[must_use]
    pub fn list_rooms(&self, _request: &proto::ListRoomsRequest) -> proto::ListRoomsResponse {
        unimplemented!()
    }

    /// Ends a room for everyone in it.
    ///
    /// # Errors
    /// No such room.
    pub fn delete_room(
        &mut self,
        _now: Time,
        _request: &proto::DeleteRoomRequest,
    ) -> Result<proto::DeleteRoomResponse, OperationError> {
        unimplemented!()
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// No such room.
    pub fn list_participants(
        &self,
        _request: &proto::ListParticipantsRequest,
    ) -> Result<proto::ListParticipantsResponse, OperationError> {
        unimplemented!()
    }

    /// One participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub fn get_participant(
        &self,
        _request: &proto::RoomParticipantIdentity,
    ) -> Result<proto::ParticipantInfo, OperationError> {
        unimplemented!()
    }

    /// Sends a participant away.
    ///
    /// # Errors
    /// No such room or participant.
    pub fn remove_participant(
        &mut self,
        _now: Time,
        _request: &proto::RoomParticipantIdentity,
    ) -> Result<proto::RemoveParticipantResponse, OperationError> {
        unimplemented!()
    }

    /// Mutes a participant's track, or asks for it to be unmuted.
    ///
    /// # Errors
    /// No such room, participant or track.
    pub fn mute_published_track(
        &mut self,
        _now: Time,
        _request: &proto::MuteRoomTrackRequest,
    ) -> Result<proto::MuteRoomTrackResponse, OperationError> {
        unimplemented!()
    }

    /// Changes metadata, name, attributes or permission; empty fields change nothing.
    ///
    /// # Errors
    /// No such room or participant, a bound exceeded.
    pub fn update_participant(
        &mut self,
        _now: Time,
        _request: proto::UpdateParticipantRequest,
    ) -> Result<proto::ParticipantInfo, OperationError> {
        unimplemented!()
    }

    /// Subscribes a participant to tracks, or ends that.
    ///
    /// # Errors
    /// No such room, participant or track.
    pub fn update_subscriptions(
        &mut self,
        _now: Time,
        _request: &proto::UpdateSubscriptionsRequest,
    ) -> Result<proto::UpdateSubscriptionsResponse, OperationError> {
        unimplemented!()
    }

    /// Sends a data packet from the server.
    ///
    /// # Errors
    /// No such room, payload too long.
    pub fn send_data(
        &mut self,
        _now: Time,
        _request: proto::SendDataRequest,
    ) -> Result<proto::SendDataResponse, OperationError> {
        unimplemented!()
    }

    /// Replaces a room's metadata.
    ///
    /// # Errors
    /// No such room, a bound exceeded.
    pub fn update_room_metadata(
        &mut self,
        _now: Time,
        _request: proto::UpdateRoomMetadataRequest,
    ) -> Result<proto::Room, OperationError> {
        unimplemented!()
    }

    /// Joins a WHIP publisher (RFC 9725 §4.2).
    ///
    /// # Errors
    /// The HTTP status and reason to answer with.
    pub fn whip_publish(
        &mut self,
        _now: Time,
        _claims: &Claims,
        _offer: &str,
    ) -> Result<WebrtcAnswer, Refusal> {
        unimplemented!()
    }

    /// Joins a WHEP viewer (draft-ietf-wish-whep).
    ///
    /// # Errors
    /// The HTTP status and reason to answer with.
    pub fn whep_play(
        &mut self,
        _now: Time,
        _claims: &Claims,
        _offer: &str,
    ) -> Result<WebrtcAnswer, Refusal> {
        unimplemented!()
    }

    /// Trickles candidates (`None`: 204) or restarts ICE (`Some`: 200), RFC 9725 §4.3.
    ///
    /// # Errors
    /// The HTTP status and reason to answer with.
    pub fn webrtc_patch(
        &mut self,
        _now: Time,
        _resource: &WebrtcResource,
        _if_match: Option<&str>,
        _fragment: &str,
    ) -> Result<Option<WebrtcAnswerFragment>, Refusal> {
        unimplemented!()
    }

    /// Ends a WHIP or WHEP session (HTTP DELETE).
    ///
    /// # Errors
    /// 404.
    pub fn webrtc_end(&mut self, _now: Time, _resource: &WebrtcResource) -> Result<(), Refusal> {
        unimplemented!()
    }
}
