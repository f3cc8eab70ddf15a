use super::{Gaps, MISSING_MAX, RETRY_NS, SENT_PACKETS_MAX, SentPackets, TOLERANCE_NS, TRIES_MAX};

#[test]
fn what_is_missing_is_asked_for_until_it_comes_or_hope_ends() {
    let mut gaps = Gaps::default();
    gaps.note(10..13, 0);
    assert!(gaps.ask(TOLERANCE_NS - 1).is_empty());
    gaps.arrived(11);
    gaps.arrived(99);
    assert_eq!(gaps.ask(TOLERANCE_NS), [10, 12]);
    assert!(gaps.ask(TOLERANCE_NS + RETRY_NS - 1).is_empty());
    gaps.arrived(10);
    let mut tries = 1;
    let mut now_ns = TOLERANCE_NS;
    while !gaps.is_empty() {
        now_ns += RETRY_NS;
        tries += gaps.ask(now_ns).len();
    }
    assert_eq!(tries, usize::from(TRIES_MAX));
}

#[test]
fn an_outage_is_not_asked_for_packet_by_packet() {
    let mut gaps = Gaps::default();
    gaps.note(0..10_000, 0);
    assert_eq!(gaps.ask(TOLERANCE_NS).len(), MISSING_MAX);
}

#[test]
fn the_last_packets_can_be_sent_again() {
    let packet = |number: usize| {
        let number = u16::try_from(number).unwrap();
        let mut packet = vec![0x80, 96];
        packet.extend(number.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(7_u32.to_be_bytes());
        packet.extend(number.to_be_bytes());
        packet
    };
    let mut sent = SentPackets::default();
    for number in 0..SENT_PACKETS_MAX + 10 {
        sent.keep(&packet(number));
    }
    assert_eq!(sent.find(7, 9), None);
    assert_eq!(sent.find(7, 10), Some(&packet(10)[..]));
    assert_eq!(sent.find(7, 500), Some(&packet(500)[..]));
    assert_eq!(sent.find(8, 500), None);
}
