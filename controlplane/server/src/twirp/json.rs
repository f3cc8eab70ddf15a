//! `RoomService`'s answers as JSON in the form of LiveKit's server: the fields' names as in the
//! protocol's definition, every field present, 64-bit numbers as strings, enumeration values by
//! name. `livekit-protocol` writes the other form that protobuf's JSON mapping allows (camel case,
//! defaults left out), which LiveKit's own clients do not all expect here.

use livekit_protocol as proto;
use proto::{client_info, encryption, participant_info, video_layer};
use serde_json::{Value, json};

/// What can be answered.
pub(super) trait Answer {
    fn json(&self) -> Value;
}

impl Answer for proto::Room {
    fn json(&self) -> Value {
        let codecs = self
            .enabled_codecs
            .iter()
            .map(|codec| json!({ "mime": codec.mime, "fmtp_line": codec.fmtp_line }));
        json!({
            "sid": self.sid,
            "name": self.name,
            "empty_timeout": self.empty_timeout,
            "departure_timeout": self.departure_timeout,
            "max_participants": self.max_participants,
            "creation_time": self.creation_time.to_string(),
            "creation_time_ms": self.creation_time_ms.to_string(),
            "turn_password": self.turn_password,
            "enabled_codecs": codecs.collect::<Vec<_>>(),
            "metadata": self.metadata,
            "num_participants": self.num_participants,
            "num_publishers": self.num_publishers,
            "active_recording": self.active_recording,
            "version": self.version.as_ref().map(timed_version),
        })
    }
}

impl Answer for proto::ParticipantInfo {
    fn json(&self) -> Value {
        json!({
            "sid": self.sid,
            "identity": self.identity,
            "state": name(self.state, participant_info::State::as_str_name),
            "tracks": self.tracks.iter().map(track).collect::<Vec<_>>(),
            "metadata": self.metadata,
            "joined_at": self.joined_at.to_string(),
            "joined_at_ms": self.joined_at_ms.to_string(),
            "name": self.name,
            "version": self.version,
            "permission": self.permission.as_ref().map(permission),
            "region": self.region,
            "is_publisher": self.is_publisher,
            "kind": name(self.kind, participant_info::Kind::as_str_name),
            "attributes": self.attributes,
            "disconnect_reason":
                name(self.disconnect_reason, proto::DisconnectReason::as_str_name),
            "kind_details":
                names(&self.kind_details, participant_info::KindDetail::as_str_name),
            "data_tracks": self.data_tracks.iter().map(data_track).collect::<Vec<_>>(),
            "client_protocol": self.client_protocol,
            "capabilities": names(&self.capabilities, client_info::Capability::as_str_name),
        })
    }
}

impl Answer for proto::ListRoomsResponse {
    fn json(&self) -> Value {
        json!({ "rooms": self.rooms.iter().map(Answer::json).collect::<Vec<_>>() })
    }
}

impl Answer for proto::ListParticipantsResponse {
    fn json(&self) -> Value {
        let participants = self.participants.iter().map(Answer::json);
        json!({ "participants": participants.collect::<Vec<_>>() })
    }
}

impl Answer for proto::MuteRoomTrackResponse {
    fn json(&self) -> Value {
        json!({ "track": self.track.as_ref().map(track) })
    }
}

impl Answer for proto::DeleteRoomResponse {
    fn json(&self) -> Value {
        json!({})
    }
}

impl Answer for proto::RemoveParticipantResponse {
    fn json(&self) -> Value {
        json!({})
    }
}

impl Answer for proto::UpdateSubscriptionsResponse {
    fn json(&self) -> Value {
        json!({})
    }
}

impl Answer for proto::SendDataResponse {
    fn json(&self) -> Value {
        json!({})
    }
}

#[expect(deprecated, reason = "older clients read `recorder` and `agent`")]
fn permission(permission: &proto::ParticipantPermission) -> Value {
    json!({
        "can_subscribe": permission.can_subscribe,
        "can_publish": permission.can_publish,
        "can_publish_data": permission.can_publish_data,
        "can_publish_sources":
            names(&permission.can_publish_sources, proto::TrackSource::as_str_name),
        "hidden": permission.hidden,
        "recorder": permission.recorder,
        "can_update_metadata": permission.can_update_metadata,
        "agent": permission.agent,
        "can_subscribe_metrics": permission.can_subscribe_metrics,
        "can_manage_agent_session": permission.can_manage_agent_session,
    })
}

#[expect(
    deprecated,
    reason = "older clients read `simulcast`, `layers`, `disable_dtx`, `stereo`"
)]
fn track(track: &proto::TrackInfo) -> Value {
    json!({
        "sid": track.sid,
        "type": name(track.r#type, proto::TrackType::as_str_name),
        "name": track.name,
        "muted": track.muted,
        "width": track.width,
        "height": track.height,
        "simulcast": track.simulcast,
        "disable_dtx": track.disable_dtx,
        "source": name(track.source, proto::TrackSource::as_str_name),
        "layers": track.layers.iter().map(layer).collect::<Vec<_>>(),
        "mime_type": track.mime_type,
        "mid": track.mid,
        "codecs": track.codecs.iter().map(codec).collect::<Vec<_>>(),
        "stereo": track.stereo,
        "disable_red": track.disable_red,
        "encryption": name(track.encryption, encryption::Type::as_str_name),
        "stream": track.stream,
        "version": track.version.as_ref().map(timed_version),
        "audio_features": names(&track.audio_features, proto::AudioTrackFeature::as_str_name),
        "backup_codec_policy":
            name(track.backup_codec_policy, proto::BackupCodecPolicy::as_str_name),
        "packet_trailer_features":
            names(&track.packet_trailer_features, proto::PacketTrailerFeature::as_str_name),
    })
}

fn codec(codec: &proto::SimulcastCodecInfo) -> Value {
    json!({
        "mime_type": codec.mime_type,
        "mid": codec.mid,
        "cid": codec.cid,
        "layers": codec.layers.iter().map(layer).collect::<Vec<_>>(),
        "video_layer_mode": name(codec.video_layer_mode, video_layer::Mode::as_str_name),
        "sdp_cid": codec.sdp_cid,
    })
}

fn layer(layer: &proto::VideoLayer) -> Value {
    json!({
        "quality": name(layer.quality, proto::VideoQuality::as_str_name),
        "width": layer.width,
        "height": layer.height,
        "bitrate": layer.bitrate,
        "ssrc": layer.ssrc,
        "spatial_layer": layer.spatial_layer,
        "rid": layer.rid,
        "repair_ssrc": layer.repair_ssrc,
    })
}

/// How its frames are coded is left out: data tracks are not forwarded.
fn data_track(track: &proto::DataTrackInfo) -> Value {
    json!({
        "pub_handle": track.pub_handle,
        "sid": track.sid,
        "name": track.name,
        "encryption": name(track.encryption, encryption::Type::as_str_name),
    })
}

fn timed_version(version: &proto::TimedVersion) -> Value {
    json!({ "unix_micro": version.unix_micro.to_string(), "ticks": version.ticks })
}

/// The value's name; values that this release does not know keep their number, as protobuf's
/// JSON mapping wants it.
fn name<E: TryFrom<i32>>(value: i32, name_of: fn(&E) -> &'static str) -> Value {
    E::try_from(value).map_or_else(|_| json!(value), |known| json!(name_of(&known)))
}

fn names<E: TryFrom<i32>>(values: &[i32], name_of: fn(&E) -> &'static str) -> Value {
    values.iter().map(|&value| name(value, name_of)).collect()
}

#[cfg(test)]
mod tests;
