use super::*;

/// X, S; I, L, T, K; long picture id 0x1234; TL0PICIDX 200; temporal layer 1; key frame.
const LONG: [u8; 7] = [0x90, 0xf0, 0x92, 0x34, 200, 0x40, 0x00];
/// X, no S; I only; short picture id 127; delta frame.
const SHORT: [u8; 4] = [0x80, 0x80, 127, 0x01];

#[test]
fn both_widths_are_read() {
    let long = Vp8Descriptor::parse(&LONG).expect("well formed");
    assert_eq!(
        long,
        Vp8Descriptor {
            bytes: 6,
            starts_frame: true,
            starts_key_frame: true,
            picture_id: Some(PictureId::Long(0x1234)),
            tl0_picture_index: Some(200),
            temporal_layer: Some(1),
            layer_sync: false,
        }
    );
    let short = Vp8Descriptor::parse(&SHORT).expect("well formed");
    assert_eq!(short.picture_id, Some(PictureId::Short(127)));
    assert_eq!(short.bytes, 3);
    assert!(!short.starts_frame && !short.starts_key_frame);
}

#[test]
fn counters_move_and_wrap_in_place() {
    let mut payload = LONG;
    let descriptor = Vp8Descriptor::parse(&LONG).expect("well formed");
    descriptor.rewrite(&mut payload, 0x7fff - 0x1234 + 1, 56);
    assert_eq!(payload, [0x90, 0xf0, 0x80, 0x00, 0, 0x40, 0x00]);

    let mut payload = SHORT;
    let descriptor = Vp8Descriptor::parse(&SHORT).expect("well formed");
    descriptor.rewrite(&mut payload, 3, 9);
    assert_eq!(payload, [0x80, 0x80, 2, 0x01]);
}

#[test]
fn rewriting_twice_starts_from_what_was_parsed() {
    let mut payload = LONG;
    let descriptor = Vp8Descriptor::parse(&LONG).expect("well formed");
    descriptor.rewrite(&mut payload, 17, 4);
    descriptor.rewrite(&mut payload, 0, 0);
    assert_eq!(payload, LONG);
}

#[test]
fn distances_cross_the_wrap() {
    assert_eq!(PictureId::Long(1).ahead_of(PictureId::Long(0x7fff)), 2);
    assert_eq!(PictureId::Long(0x7fff).ahead_of(PictureId::Long(1)), -2);
    assert_eq!(PictureId::Short(1).ahead_of(PictureId::Short(127)), 2);
    assert_eq!(PictureId::Short(0).ahead_of(PictureId::Long(0x7fff)), 1);
}

#[test]
fn a_frame_later_in_its_partitions_starts_nothing() {
    let descriptor = Vp8Descriptor::parse(&[0x11, 0x00]).expect("well formed");
    assert!(!descriptor.starts_frame && !descriptor.starts_key_frame);
    let descriptor = Vp8Descriptor::parse(&[0x10, 0x01]).expect("well formed");
    assert!(descriptor.starts_frame && !descriptor.starts_key_frame);
}

#[test]
fn a_cut_descriptor_is_refused() {
    for length in 0..LONG.len() {
        assert_eq!(
            Vp8Descriptor::parse(&LONG[..length]),
            None,
            "{length} bytes"
        );
    }
}

#[test]
fn any_bytes_are_parsed_and_rewritten_within_the_descriptor() {
    bolero::check!()
        .with_type()
        .for_each(|(bytes, picture_id, tl0): &(Vec<u8>, u16, u8)| {
            let Some(descriptor) = Vp8Descriptor::parse(bytes) else {
                return;
            };
            let mut payload = bytes.clone();
            descriptor.rewrite(&mut payload, *picture_id, *tl0);
            assert_eq!(payload[descriptor.bytes..], bytes[descriptor.bytes..]);
            let again = Vp8Descriptor::parse(&payload).expect("the form stays");
            assert_eq!(again.bytes, descriptor.bytes);
            assert_eq!(
                again.picture_id,
                descriptor.picture_id.map(|id| id.offset_by(*picture_id))
            );
            assert_eq!(
                again.tl0_picture_index,
                descriptor
                    .tl0_picture_index
                    .map(|index| index.wrapping_add(*tl0))
            );
        });
}
