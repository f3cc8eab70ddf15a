use super::pass_one_in;
use socket2::SockRef;
use std::net::UdpSocket;

/// What of `datagrams` a socket with a filter receives.
fn received(one_in: u32, datagrams: &[&[u8]]) -> Vec<Vec<u8>> {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    SockRef::from(&receiver)
        .attach_filter(&pass_one_in(one_in))
        .unwrap();
    receiver.set_nonblocking(true).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 2_000];
    for datagram in datagrams {
        sender
            .send_to(datagram, receiver.local_addr().unwrap())
            .unwrap();
        // On loopback a datagram has arrived when it has been sent.
        if let Ok(bytes) = receiver.recv(&mut buffer) {
            received.push(buffer[..bytes].to_vec());
        }
    }
    received
}

#[test]
fn all_but_rtp_passes() {
    let stun: &[u8] = &[0, 1, 0, 0];
    let dtls: &[u8] = &[22, 254, 253, 0];
    let report: &[u8] = &[0x81, 201, 0, 7];
    let feedback: &[u8] = &[0x80, 206, 0, 2];
    let short: &[u8] = &[0x80];
    let empty: &[u8] = &[];
    let media: [&[u8]; 3] = [&[0x80, 111, 1, 0], &[0x90, 0x80 | 96, 1, 0], &[0xB0, 0xFF]];
    let sent = [
        stun, media[0], dtls, media[1], report, media[2], feedback, short, empty,
    ];
    assert_eq!(
        received(u32::MAX, &sent),
        [stun, dtls, report, feedback, short, empty]
    );
    assert_eq!(received(1, &sent), sent);
    assert_eq!(received(0, &sent), sent);
}

#[test]
fn of_rtp_about_one_in_n_passes() {
    let packet: &[u8] = &[0x80, 111, 1, 0, 2, 3];
    let passed = received(10, &vec![packet; 5_000]).len();
    // 500 expected, with a standard deviation of 21.
    assert!((350..650).contains(&passed), "{passed}");
}

#[test]
fn whatever_chance_says_no_gap_is_as_long_as_half_a_cycle_of_numbers() {
    for packets_per_message in [1, 9, 45, 64] {
        let messages: Vec<[u8; 4]> = (0..=u16::MAX)
            .step_by(packets_per_message)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                [0x80, 96, high, low]
            })
            .collect();
        let messages: Vec<&[u8]> = messages.iter().map(<[u8; 4]>::as_slice).collect();
        let numbers: Vec<u16> = received(u32::MAX, &messages)
            .iter()
            .map(|message| u16::from_be_bytes([message[2], message[3]]))
            .collect();
        let longest = numbers.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(longest.is_some_and(|gap| gap <= 8_192 + 64), "{longest:?}");
        assert!(numbers.len() <= 8 * 64);
    }
}
