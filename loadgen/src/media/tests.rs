use super::Stamp;

const STAMP: Stamp = Stamp {
    source: 0x1234_5678,
    layer: 2,
    is_key_frame: true,
    due_ns: 0x0102_0304_0506_0708,
    send_delay_ns: 12_345,
    number: 99,
};

#[test]
fn a_stamp_comes_back_from_the_end_of_a_payload() {
    let mut payload = [0xAB; 100];
    assert!(STAMP.write(&mut payload));
    assert_eq!(Stamp::read(&payload), Some(STAMP));
    assert!(payload[..76].iter().all(|&byte| byte == 0xAB));
}

#[test]
fn a_damaged_stamp_is_none() {
    let mut payload = [0; Stamp::BYTES];
    assert!(STAMP.write(&mut payload));
    for at in 0..payload.len() {
        let mut damaged = payload;
        damaged[at] ^= 0x10;
        assert_eq!(Stamp::read(&damaged), None, "byte {at}");
    }
    assert_eq!(Stamp::read(&[0xAB; 100]), None);
}

#[test]
fn a_short_payload_has_no_room_for_a_stamp() {
    let mut payload = [7; Stamp::BYTES - 1];
    assert!(!STAMP.write(&mut payload));
    assert_eq!(payload, [7; Stamp::BYTES - 1]);
    assert_eq!(Stamp::read(&payload), None);
}
