use super::*;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;

/// Read back by the protocol's own reader it must be the same message: no field is left out, no
/// name is wrong. The messages name every field, so that a new one has to be added here.
fn check<T: Answer + DeserializeOwned + PartialEq + Debug>(message: &T) {
    let text = message.json().to_string();
    let read: T = serde_json::from_str(&text).expect("protobuf's JSON");
    assert_eq!(&read, message, "{text}");
}

fn version() -> proto::TimedVersion {
    proto::TimedVersion {
        unix_micro: 1 << 60,
        ticks: 3,
    }
}

fn a_room() -> proto::Room {
    proto::Room {
        sid: "RM_1".to_owned(),
        name: "ward".to_owned(),
        empty_timeout: 1,
        departure_timeout: 2,
        max_participants: 3,
        creation_time: i64::MAX,
        creation_time_ms: i64::MIN,
        turn_password: "t".to_owned(),
        enabled_codecs: vec![proto::Codec {
            mime: "video/VP8".to_owned(),
            fmtp_line: "f".to_owned(),
        }],
        metadata: "{\"a\":\"\u{1f600}\"}".to_owned(),
        num_participants: 4,
        num_publishers: 5,
        active_recording: true,
        version: Some(version()),
    }
}

#[expect(deprecated, reason = "every field is named")]
fn a_track() -> proto::TrackInfo {
    let layer = proto::VideoLayer {
        quality: proto::VideoQuality::High as i32,
        width: 1,
        height: 2,
        bitrate: 3,
        ssrc: u32::MAX,
        spatial_layer: 2,
        rid: "f".to_owned(),
        repair_ssrc: 4,
    };
    proto::TrackInfo {
        sid: "TR_1".to_owned(),
        r#type: proto::TrackType::Video as i32,
        name: "n".to_owned(),
        muted: true,
        width: 1,
        height: 2,
        simulcast: true,
        disable_dtx: true,
        source: proto::TrackSource::ScreenShare as i32,
        layers: vec![layer.clone()],
        mime_type: "video/VP8".to_owned(),
        mid: "1".to_owned(),
        codecs: vec![proto::SimulcastCodecInfo {
            mime_type: "video/VP8".to_owned(),
            mid: "1".to_owned(),
            cid: "c".to_owned(),
            layers: vec![layer],
            video_layer_mode: video_layer::Mode::OneSpatialLayerPerStream as i32,
            sdp_cid: "s".to_owned(),
        }],
        stereo: true,
        disable_red: true,
        encryption: encryption::Type::Gcm as i32,
        stream: "screen".to_owned(),
        version: Some(version()),
        audio_features: vec![proto::AudioTrackFeature::TfNoDtx as i32],
        backup_codec_policy: proto::BackupCodecPolicy::Simulcast as i32,
        packet_trailer_features: vec![proto::PacketTrailerFeature::PtfUserTimestamp as i32],
    }
}

#[expect(deprecated, reason = "every field is named")]
fn a_participant() -> proto::ParticipantInfo {
    proto::ParticipantInfo {
        sid: "PA_1".to_owned(),
        identity: "p".to_owned(),
        state: participant_info::State::Active as i32,
        tracks: vec![a_track()],
        metadata: "m".to_owned(),
        joined_at: 1,
        joined_at_ms: 2,
        name: "N".to_owned(),
        version: 3,
        permission: Some(proto::ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_publish_sources: vec![proto::TrackSource::Camera as i32],
            hidden: true,
            recorder: true,
            can_update_metadata: true,
            agent: true,
            can_subscribe_metrics: true,
            can_manage_agent_session: true,
        }),
        region: "r".to_owned(),
        is_publisher: true,
        kind: participant_info::Kind::Agent as i32,
        attributes: HashMap::from([("a".to_owned(), "b".to_owned())]),
        disconnect_reason: proto::DisconnectReason::RoomDeleted as i32,
        kind_details: vec![participant_info::KindDetail::CloudAgent as i32],
        data_tracks: vec![proto::DataTrackInfo {
            pub_handle: 1,
            sid: "DTR_1".to_owned(),
            name: "d".to_owned(),
            encryption: encryption::Type::Custom as i32,
            frame_encoding: None,
            schema: None,
        }],
        client_protocol: 1,
        capabilities: vec![client_info::Capability::CapPacketTrailer as i32],
    }
}

#[test]
fn every_field_is_written_and_reads_back() {
    check(&a_room());
    check(&a_participant());
    check(&proto::ListRoomsResponse {
        rooms: vec![a_room()],
    });
    check(&proto::ListParticipantsResponse {
        participants: vec![a_participant()],
    });
    check(&proto::MuteRoomTrackResponse {
        track: Some(a_track()),
    });
}

#[test]
fn defaults_are_written_and_names_are_the_definitions() {
    let room = proto::Room::default().json();
    assert_eq!(room["num_participants"], 0);
    assert_eq!(room["creation_time"], "0");
    assert_eq!(room["active_recording"], false);
    assert_eq!(room["version"], Value::Null);
    let participant = proto::ParticipantInfo::default().json();
    assert_eq!(participant["state"], "JOINING");
    assert_eq!(participant["kind"], "STANDARD");
    assert_eq!(participant["tracks"], json!([]));
    let unknown = proto::ParticipantInfo {
        kind: 12_345,
        ..Default::default()
    };
    assert_eq!(unknown.json()["kind"], 12_345);
}
