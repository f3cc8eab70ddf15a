use super::*;
use crate::dynacast::Dynacast;

fn track(width: u32, height: u32, layers: &[(VideoQuality, u32, u32)]) -> Published {
    let layers = layers
        .iter()
        .map(|&(quality, width, height)| proto::VideoLayer {
            quality: quality as i32,
            width,
            height,
            ..proto::VideoLayer::default()
        })
        .collect();
    Published {
        publisher: Member(1),
        cid: "camera-id".to_owned(),
        info: proto::TrackInfo {
            r#type: TrackType::Video as i32,
            width,
            height,
            codecs: vec![proto::SimulcastCodecInfo {
                cid: "codec-id".to_owned(),
                layers,
                ..proto::SimulcastCodecInfo::default()
            }],
            ..proto::TrackInfo::default()
        },
        stage: Stage::Pending,
        noticed: false,
        dynacast: Dynacast::default(),
        uplink: Uplink::default(),
    }
}

#[test]
fn a_tile_gets_the_smallest_layer_that_fills_it() {
    let track = track(
        1280,
        720,
        &[
            (VideoQuality::High, 1280, 720),
            (VideoQuality::Low, 320, 180),
            (VideoQuality::Medium, 640, 360),
        ],
    );
    assert_eq!(track.layer_for(160, 90), Layer::Low);
    assert_eq!(track.layer_for(320, 180), Layer::Low);
    assert_eq!(track.layer_for(340, 195), Layer::Low, "a tenth is not seen");
    assert_eq!(track.layer_for(500, 280), Layer::Medium);
    assert_eq!(track.layer_for(1280, 720), Layer::High);
    assert_eq!(track.layer_for(3840, 2160), Layer::High);
    assert_eq!(track.layer_for(90, 160), Layer::Low, "either way up");
}

#[test]
fn with_two_layers_the_upper_one_is_medium() {
    let track = track(
        640,
        480,
        &[
            (VideoQuality::Low, 320, 240),
            (VideoQuality::Medium, 640, 480),
        ],
    );
    assert_eq!(track.layer_for(640, 480), Layer::Medium);
}

#[test]
fn without_layer_sizes_quarters_and_halves_of_the_track_are_assumed() {
    let whole = track(1280, 720, &[]);
    assert_eq!(whole.layer_for(320, 180), Layer::Low);
    assert_eq!(whole.layer_for(640, 360), Layer::Medium);
    assert_eq!(track(0, 0, &[]).layer_for(10, 10), Layer::High);
}

#[test]
fn a_track_answers_to_its_own_and_its_codecs_client_ids() {
    let track = track(1, 1, &[]);
    assert!(track.is_called("camera-id") && track.is_called("codec-id"));
    assert!(!track.is_called("other") && !track.is_called(""));
}
