use super::*;

fn check(codec: Codec, cases: &[(&[u8], KeyFrame)]) {
    for (payload, expected) in cases {
        assert_eq!(
            find_key_frame(codec, payload),
            *expected,
            "{codec:?} {payload:02x?}"
        );
    }
}

#[test]
fn vp8() {
    check(
        Codec::Vp8,
        &[
            (&[0x10, 0x00], KeyFrame::Start),
            (&[0x10, 0x01], KeyFrame::No),
            (&[0x00, 0x00], KeyFrame::No),
            (&[], KeyFrame::No),
        ],
    );
}

#[test]
fn vp9() {
    check(
        Codec::Vp9,
        &[
            // B, no P, no layers.
            (&[0x08, 0], KeyFrame::Start),
            // P.
            (&[0x48, 0], KeyFrame::No),
            // Not the first packet of its frame.
            (&[0x00, 0], KeyFrame::No),
            // Long picture id, layers: spatial 0, then spatial 1.
            (&[0xa8, 0x81, 0x02, 0x00, 0, 1], KeyFrame::Start),
            (&[0xa8, 0x81, 0x02, 0x02, 0, 1], KeyFrame::No),
            // Short picture id; cut off.
            (&[0xa8, 0x01, 0x10, 0, 1], KeyFrame::Start),
            (&[0xa8, 0x81], KeyFrame::No),
        ],
    );
}

#[test]
fn av1() {
    check(
        Codec::Av1,
        &[
            (&[0x18, 0], KeyFrame::Start),
            (&[0x10, 0], KeyFrame::No),
            (&[0x98, 0], KeyFrame::No),
        ],
    );
}

#[test]
fn h264() {
    check(
        Codec::H264,
        &[
            (&[0x67, 0x42], KeyFrame::Start),
            (&[0x65, 0], KeyFrame::Picture),
            (&[0x41, 0], KeyFrame::No),
            // STAP-A of SPS and PPS; of SEI and IDR; with a length that runs over the end.
            (&[0x78, 0, 2, 0x67, 1, 0, 1, 0x68], KeyFrame::Start),
            (&[0x78, 0, 1, 0x06, 0, 2, 0x65, 1], KeyFrame::Picture),
            (&[0x78, 0, 9, 0x67], KeyFrame::No),
            // FU-A of an IDR picture: first and later fragment.
            (&[0x7c, 0x85, 0], KeyFrame::Picture),
            (&[0x7c, 0x05, 0], KeyFrame::No),
        ],
    );
}

#[test]
fn audio_starts_anywhere() {
    check(Codec::Opus, &[(&[1], KeyFrame::Start)]);
}

#[test]
fn any_bytes_are_looked_at() {
    bolero::check!().for_each(|payload: &[u8]| {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
            let found = find_key_frame(codec, payload);
            assert!(!payload.is_empty() || found == KeyFrame::No);
        }
    });
}
