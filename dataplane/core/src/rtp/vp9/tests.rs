use super::*;

/// I, L, B, E, V; long picture id 0x1234; TID 2, U, SID 1, D; TL0PICIDX 200; structure of three
/// layers with sizes and a group of one picture with one reference.
const FULL: [u8; 21] = [
    0xae, 0x92, 0x34, 0x53, 200, 0x58, 1, 64, 0, 180, 2, 128, 1, 104, 5, 0, 2, 208, 1, 0x04, 1,
];

fn full() -> Vec<u8> {
    let mut payload = FULL.to_vec();
    payload.push(0x82);
    payload
}

#[test]
fn every_field_is_read() {
    let parsed = Vp9Descriptor::parse(&full()).expect("well formed");
    assert_eq!(
        parsed,
        Vp9Descriptor {
            bytes: 21,
            picture_id: Some(PictureId::Long(0x1234)),
            tl0_picture_index: Some(200),
            starts_frame: true,
            ends_frame: true,
            inter_picture: false,
            inter_layer: true,
            switches_up: true,
            temporal_layer: 2,
            spatial_layer: 1,
            spatial_layers: Some(3),
        }
    );
    assert!(!parsed.starts_key_frame(), "not of the lowest layer");
}

#[test]
fn flexible_mode_names_references_and_no_tl0() {
    // I, P, L, F, B; short picture id; TID 1, SID 0; two references.
    let parsed = Vp9Descriptor::parse(&[0xf8, 0x11, 0x20, 0x03, 0x04, 9]).expect("well formed");
    assert_eq!(parsed.bytes, 5);
    assert_eq!(parsed.picture_id, Some(PictureId::Short(0x11)));
    assert_eq!(parsed.tl0_picture_index, None);
    assert_eq!(parsed.temporal_layer, 1);
    assert!(parsed.inter_picture && parsed.starts_frame && !parsed.ends_frame);
    // A fourth reference is none.
    assert_eq!(
        Vp9Descriptor::parse(&[0xf8, 0x11, 0x20, 3, 3, 3, 2, 9]),
        None
    );
}

#[test]
fn a_cut_descriptor_is_refused() {
    for length in 0..FULL.len() + 1 {
        assert_eq!(Vp9Descriptor::parse(&full()[..length]), None, "{length}");
    }
}

#[test]
fn counters_move_and_wrap_in_place() {
    let mut payload = full();
    let parsed = Vp9Descriptor::parse(&payload).expect("well formed");
    parsed.rewrite(&mut payload, 0x7fff - 0x1234 + 1, 56);
    assert_eq!(payload[..5], [0xae, 0x80, 0x00, 0x53, 0]);
    assert_eq!(payload[5..], full()[5..]);
}

#[test]
fn any_bytes_are_parsed_and_rewritten_within_the_descriptor() {
    bolero::check!()
        .with_type()
        .for_each(|(bytes, picture_id, tl0): &(Vec<u8>, u16, u8)| {
            let Some(parsed) = Vp9Descriptor::parse(bytes) else {
                return;
            };
            let mut payload = bytes.clone();
            parsed.rewrite(&mut payload, *picture_id, *tl0);
            let again = Vp9Descriptor::parse(&payload).expect("the form stays");
            let moved = Vp9Descriptor {
                picture_id: parsed.picture_id.map(|id| id.offset_by(*picture_id)),
                tl0_picture_index: parsed.tl0_picture_index.map(|it| it.wrapping_add(*tl0)),
                ..parsed
            };
            assert_eq!(again, moved);
            assert_eq!(payload[parsed.bytes..], bytes[parsed.bytes..]);
        });
}
