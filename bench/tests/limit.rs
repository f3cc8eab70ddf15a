//! The limit program forwards what it was told to forward.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test says where it fails")]

use bedside_bench::limit::{Forwarded, Key, Participant, Plan, Reached, Stream, Subscription};
use bedside_srtp::{MasterKey, Opener, Profile, Sealer};
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, UdpSocket},
    process::{Command, Stdio},
    time::Duration,
};

const PROFILE: Profile = Profile::AeadAes256Gcm;

fn key(seed: u8) -> Key {
    Key {
        key: (0..32).map(|octet| octet ^ seed).collect(),
        salt: vec![seed; 12],
    }
}

fn master(key: &Key) -> MasterKey {
    MasterKey::new(PROFILE, &key.key, &key.salt).unwrap()
}

fn packet(sealer: &mut Sealer, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12 + payload.len() + PROFILE.rtp_overhead_bytes()];
    packet[..2].copy_from_slice(&[0x80, 96]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    sealer
        .seal_rtp_into(&mut packet, 12, payload, sequence.into(), ssrc, 0)
        .unwrap();
    packet
}

#[test]
fn each_subscriber_gets_every_packet_under_its_own_key() {
    let sockets: Vec<_> = (0..4)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for socket in &sockets {
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
    }
    let address = |place: usize| -> SocketAddr { sockets[place].local_addr().unwrap() };
    let participant = |place: u8| Participant {
        address: address(place.into()),
        sends_under: key(place),
        receives_under: key(0x80 | place),
    };
    let to = |participant: usize| Subscription {
        participant,
        ssrc: 1_000 + u32::try_from(participant).unwrap(),
        // The third's numbers roll over at once.
        sequence_offset: if participant == 3 { 65_530 } else { 7 },
    };
    let plan = Plan {
        participants: (0..4).map(participant).collect(),
        streams: vec![Stream {
            from: 0,
            ssrc: 500,
            to: (1..4).map(to).collect(),
        }],
    };

    let mut limit = Command::new(env!("CARGO_BIN_EXE_bedside-bench"))
        .arg("limit")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(limit.stdout.take().unwrap()).lines();
    let mut next = || output.next().unwrap().unwrap();
    let reached: Reached = serde_json::from_str(&next()).unwrap();
    let mut input = limit.stdin.take().unwrap();
    serde_json::to_writer(&mut input, &plan).unwrap();
    input.write_all(b"\n").unwrap();
    assert_eq!(next(), "true");

    let mut sealer = Sealer::new(PROFILE, &master(&key(0))).unwrap();
    let payloads: Vec<Vec<u8>> = (0..40_u8)
        .map(|number| vec![number; if number % 9 == 8 { 300 } else { 1_100 }])
        .collect();
    for (sequence, payload) in (3..).zip(&payloads) {
        let sealed = packet(&mut sealer, 500, sequence, payload);
        sockets[0].send_to(&sealed, reached.address).unwrap();
    }
    // Not authentic, and of nobody.
    let mut forged = packet(&mut sealer, 500, 60, b"forged");
    forged[14] ^= 1;
    sockets[0].send_to(&forged, reached.address).unwrap();
    let stray = packet(&mut sealer, 501, 1, b"stray");
    sockets[0].send_to(&stray, reached.address).unwrap();

    let mut buffer = [0; 2_000];
    for place in 1..4_u8 {
        let mut opener = Opener::new(PROFILE, &master(&key(0x80 | place))).unwrap();
        let wanted = to(place.into());
        for (sequence, payload) in (3_u16..).zip(&payloads) {
            let (bytes, source) = sockets[usize::from(place)].recv_from(&mut buffer).unwrap();
            assert_eq!(source, reached.address);
            let packet = &mut buffer[..bytes];
            let heard = u16::from_be_bytes([packet[2], packet[3]]);
            assert_eq!(heard, sequence.wrapping_add(wanted.sequence_offset));
            assert_eq!(packet[8..12], wanted.ssrc.to_be_bytes());
            opener.open_rtp(packet, 12, wanted.ssrc, heard).unwrap();
            assert_eq!(&packet[12..bytes - 16], payload);
        }
    }

    drop(input);
    let forwarded: Forwarded = serde_json::from_str(&next()).unwrap();
    assert!(limit.wait().unwrap().success());
    assert_eq!(forwarded.packets_received, 40);
    assert_eq!(forwarded.packets_refused, 2);
    assert_eq!(forwarded.packets_sent, 120);
    assert_eq!(forwarded.messages_refused, 0);
    assert!(forwarded.messages_sent <= 120 && forwarded.run_time_ns > 0);
}
