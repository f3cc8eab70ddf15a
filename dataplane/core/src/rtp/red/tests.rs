use super::*;

/// Two redundant blocks of two and three bytes, then the primary of four.
const PAYLOAD: [u8; 18] = [
    0x80 | 111,
    0x1e,
    0x00,
    2,
    0x80 | 111,
    0x0f,
    0x00,
    3,
    111,
    1,
    1,
    2,
    2,
    2,
    9,
    9,
    9,
    9,
];

#[test]
fn the_primary_stands_behind_the_copies() {
    let red = Red::parse(&PAYLOAD).expect("well formed");
    assert_eq!(red.payload_type, 111);
    assert_eq!(PAYLOAD[red.primary], [9, 9, 9, 9]);
}

#[test]
fn a_payload_without_copies_is_one_byte_longer() {
    let red = Red::parse(&[111, 5, 6]).expect("well formed");
    assert_eq!(red.primary, 1..3);
}

#[test]
fn payload_types_are_replaced_and_put_back() {
    let mut payload = PAYLOAD;
    rewrite_red_payload_types(&mut payload, 96);
    assert_eq!(
        (payload[0], payload[4], payload[8]),
        (0x80 | 96, 0x80 | 96, 96)
    );
    assert_eq!(payload[9..], PAYLOAD[9..]);
    rewrite_red_payload_types(&mut payload, 111);
    assert_eq!(payload, PAYLOAD);
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    assert_eq!(Red::parse(&[]), None);
    assert_eq!(Red::parse(&[0x80 | 111, 0, 0]), None);
    assert_eq!(Red::parse(&[0x80 | 111, 0, 0, 9]), None);
    assert_eq!(Red::parse(&[0x80 | 111, 0, 0, 9, 111, 0]), None);
}

#[test]
fn blocks_of_two_payload_types_are_refused() {
    assert_eq!(Red::parse(&[0x80 | 96, 0, 0, 1, 111, 0, 0]), None);
}

#[test]
fn any_bytes_are_parsed_or_refused() {
    bolero::check!().for_each(|payload: &[u8]| {
        let parsed = Red::parse(payload);
        if let Some(red) = &parsed {
            assert!(payload.get(red.primary.clone()).is_some());
        }
        let mut rewritten = payload.to_vec();
        rewrite_red_payload_types(&mut rewritten, 2);
        if let Some(red) = parsed {
            assert_eq!(
                Red::parse(&rewritten).map(|red| red.primary),
                Some(red.primary)
            );
        }
    });
}
