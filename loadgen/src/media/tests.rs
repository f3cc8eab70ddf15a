use super::{Error, Frame, PAYLOAD_BYTES_MAX, Packet, Source, Stamp};
use crate::scenario::{
    Audio, Fixed, PacketsPerFrame, Recorded, RecordedKind, TrackSpec, Video, VideoCodec, VideoLayer,
};
use std::time::Duration;

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

/// Frames that are due within the first seconds.
fn frames_of(spec: &TrackSpec, seconds: u64) -> Vec<Frame> {
    let mut source = Source::new(spec, 1_000, 96, 42).unwrap();
    let mut frames = Vec::new();
    while source.next_due() < Duration::from_secs(seconds) {
        let due = source.next_due();
        let frame = source.take();
        assert_eq!(frame.due, due);
        assert!(source.next_due() >= due);
        frames.push(frame);
    }
    frames
}

fn camera(bitrates: &[u32], key_frame_every: Option<Duration>) -> TrackSpec {
    TrackSpec::Video(Video {
        codec: VideoCodec::Vp8,
        fps: 30,
        layers: bitrates
            .iter()
            .map(|&bitrate_bps| VideoLayer {
                width: 640,
                height: 360,
                bitrate_bps,
            })
            .collect(),
        key_frame_every,
    })
}

fn bits_per_second(frames: &[Frame], seconds: u64) -> f64 {
    let bytes: usize = frames.iter().map(Frame::payload_bytes).sum();
    bytes as f64 * 8.0 / seconds as f64
}

#[test]
fn a_camera_keeps_its_bitrate_in_each_layer() {
    let bitrates = [150_000, 500_000, 1_500_000];
    let frames = frames_of(&camera(&bitrates, Some(Duration::from_secs(4))), 60);
    for (layer, bitrate) in bitrates.into_iter().enumerate() {
        let of_layer: Vec<_> = frames
            .iter()
            .filter(|frame| usize::from(frame.layer) == layer)
            .copied()
            .collect();
        assert_eq!(of_layer.len(), 1_800);
        let actual = bits_per_second(&of_layer, 60) / f64::from(bitrate);
        assert!((0.93..1.07).contains(&actual), "layer {layer}: {actual}");
        let key_frames = of_layer.iter().filter(|frame| frame.is_key_frame).count();
        assert_eq!(key_frames, 15);
        let mean = f64::from(bitrate) / 8.0 / 30.0;
        for frame in of_layer.iter().filter(|frame| frame.is_key_frame) {
            assert!((4.9..8.1).contains(&(frame.payload_bytes() as f64 / mean)));
        }
        // All layers show the same pictures.
        for (frame, lowest) in of_layer.iter().zip(frames.iter().step_by(3)) {
            assert_eq!((frame.due, frame.timestamp), (lowest.due, lowest.timestamp));
        }
    }
}

#[test]
fn packets_are_numbered_without_a_gap_and_cut_evenly() {
    let frames = frames_of(&camera(&[2_000_000], None), 20);
    let packets: Vec<Packet> = frames.iter().flat_map(Frame::packets).collect();
    for (number, pair) in (1..).zip(packets.windows(2)) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].number, number);
        assert_eq!(pair[0].marker, pair[1].starts_frame);
    }
    for frame in &frames {
        let sizes: Vec<_> = frame.packets().map(|it| it.payload_bytes).collect();
        let (last, others) = sizes.split_last().unwrap();
        assert!(others.iter().all(|size| size == &frame.packet_bytes));
        assert!(*last <= frame.packet_bytes && *last > frame.packet_bytes - frame.packets);
        assert!(usize::from(frame.packet_bytes) <= PAYLOAD_BYTES_MAX);
    }
    assert!(frames[0].is_key_frame && frames[1..].iter().all(|frame| !frame.is_key_frame));
}

#[test]
fn a_requested_key_frame_is_the_next_one_of_its_layer() {
    let mut source = Source::new(&camera(&[100_000, 200_000], None), 1_000, 96, 1).unwrap();
    for _ in 0..10 {
        source.take();
    }
    source.request_key_frame(1);
    let key_frames: Vec<_> = (0..6).map(|_| source.take().is_key_frame).collect();
    assert_eq!(key_frames, [false, true, false, false, false, false]);
}

#[test]
fn a_vp8_payload_begins_as_rfc_7741_says() {
    let mut source = Source::new(&camera(&[1_500_000], None), 1_000, 96, 1).unwrap();
    let (key, delta) = (source.take(), source.take());
    let payload = |packet: Packet| {
        let mut payload = vec![0; packet.payload_bytes.into()];
        source.write_payload(&packet, &mut payload);
        payload
    };
    let packets: Vec<_> = key.packets().map(payload).collect();
    assert!(packets.len() > 1);
    // X, S; I, L, T; a long picture id; TL0PICIDX; temporal layer 0.
    assert_eq!(packets[0][..2], [0x90, 0xE0]);
    assert_eq!(packets[0][2] & 0x80, 0x80);
    // A key frame of 640 by 360.
    assert_eq!(packets[0][6] & 1, 0);
    assert_eq!(
        packets[0][9..16],
        [0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01]
    );
    assert_eq!(packets[1][..2], [0x80, 0xE0]);
    assert_eq!(packets[0][2..5], packets[1][2..5]);
    let next = payload(delta.packets().next().unwrap());
    assert_eq!(next[6] & 1, 1);
    let id = |payload: &[u8]| u16::from_be_bytes([payload[2], payload[3]]) & 0x7fff;
    assert_eq!(id(&next), (id(&packets[0]) + 1) & 0x7fff);
    assert_eq!(next[4], packets[0][4].wrapping_add(1));
}

#[test]
fn a_microphone_without_dtx_sends_fifty_packets_a_second() {
    let spec = TrackSpec::Audio(Audio {
        bitrate_bps: 32_000,
        dtx: false,
    });
    let frames = frames_of(&spec, 100);
    assert_eq!(frames.len(), 5_000);
    let actual = bits_per_second(&frames, 100) / 32_000.0;
    assert!((0.97..1.03).contains(&actual), "{actual}");
    for pair in frames.windows(2) {
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(960));
    }
    assert!(frames[0].marker && frames[1..].iter().all(|frame| !frame.marker));
}

#[test]
fn a_microphone_with_dtx_falls_silent_and_speaks_again() {
    let spec = TrackSpec::Audio(Audio::default());
    let frames = frames_of(&spec, 1_000);
    let spurts = frames.iter().filter(|frame| frame.marker).count();
    // 1.0 s of speech and 1.6 s of silence on average.
    assert!((330..450).contains(&spurts), "{spurts}");
    let (noise, speech): (Vec<Frame>, Vec<Frame>) =
        frames.iter().partition(|frame| frame.packet_bytes < 10);
    let speaking = speech.len() as f64 / 50_000.0;
    assert!((0.33..0.45).contains(&speaking), "{speaking}");
    assert!(noise.len() > 1_000);
    for pair in frames.windows(2) {
        // Time stamps go on in silence, as time does.
        let apart = pair[1].due - pair[0].due;
        let ticks = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert_eq!(Duration::from_millis(u64::from(ticks) / 48), apart);
        assert!(apart <= Duration::from_millis(400));
    }
}

#[test]
fn fixed_frames_are_equal_packets() {
    let spec = TrackSpec::Fixed(Fixed {
        packet_bytes: 1_200,
        packets_per_frame: PacketsPerFrame { min: 8, max: 10 },
        fps: 100,
    });
    let frames = frames_of(&spec, 10);
    assert_eq!(frames.len(), 1_000);
    for count in 8..=10 {
        assert!(frames.iter().any(|frame| frame.packets == count));
    }
    for frame in &frames {
        assert!((8..=10).contains(&frame.packets));
        assert_eq!((frame.packet_bytes, frame.last_bytes), (1_188, 1_188));
    }
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let spec = camera(&[150_000, 500_000], None);
    let take = |seed| {
        let mut source = Source::new(&spec, 1_000, 96, seed).unwrap();
        (0..100).map(|_| source.take()).collect::<Vec<_>>()
    };
    assert_eq!(take(7), take(7));
    assert_ne!(take(7), take(8));
}

/// A pcap file with Ethernet, a VLAN tag, IPv4 and UDP around what is given.
fn pcap(packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for (at_us, rtp) in packets {
        let udp_bytes = u16::try_from(rtp.len()).unwrap() + 8;
        let mut frame = vec![0; 12];
        frame.extend([0x81, 0, 0, 5, 0x08, 0]);
        frame.extend([
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        frame.extend([0x13, 0x88, 0x13, 0x89]);
        frame.extend(udp_bytes.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(rtp);
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        file.extend(u32::try_from(at_us / 1_000_000).unwrap().to_le_bytes());
        file.extend(u32::try_from(at_us % 1_000_000).unwrap().to_le_bytes());
        file.extend(length);
        file.extend(length);
        file.extend(frame);
    }
    file
}

fn rtp(ssrc: u32, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    // Version 2 with a header extension of one word and padding of two bytes.
    let mut packet = vec![0xB0, 0x80 | 111, 0, 1];
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0]);
    packet.extend(payload);
    packet.extend([0, 2]);
    packet
}

#[test]
fn a_recording_is_played_in_a_loop_with_its_own_spacing() {
    let file = std::env::temp_dir().join(format!("bedside-media-{}.pcap", std::process::id()));
    let captured = [
        (5_000_000, rtp(1, 5_000, b"first")),
        (5_010_000, rtp(2, 77, b"another stream")),
        (5_015_000, vec![0x81, 200, 0, 1, 0, 0, 0, 1]),
        (5_030_000, rtp(1, 6_440, b"second")),
        (5_040_000, rtp(1, 6_920, b"third")),
    ];
    std::fs::write(&file, pcap(&captured)).unwrap();
    let spec = TrackSpec::Recorded(Recorded {
        file: file.clone(),
        kind: RecordedKind::Audio,
    });
    let mut source = Source::new(&spec, 1_000, 111, 1).unwrap();
    std::fs::remove_file(&file).unwrap();
    let played: Vec<_> = (0..6)
        .map(|_| {
            let packet = source.take().packets().next().unwrap();
            let mut payload = vec![0; packet.payload_bytes.into()];
            source.write_payload(&packet, &mut payload);
            (packet, payload)
        })
        .collect();
    let dues: Vec<_> = played.iter().map(|(it, _)| it.due.as_millis()).collect();
    assert_eq!(dues, [0, 30, 40, 60, 90, 100]);
    let first = played[0].0.timestamp;
    let ticks: Vec<_> = played
        .iter()
        .map(|(it, _)| it.timestamp.wrapping_sub(first))
        .collect();
    assert_eq!(ticks, [0, 1_440, 1_920, 2_880, 4_320, 4_800]);
    let texts: Vec<_> = played.iter().map(|(_, payload)| &payload[..]).collect();
    assert_eq!(texts[..4], [&b"first"[..], b"second", b"third", b"first"]);
}

#[test]
fn what_cannot_be_played_is_said() {
    let folder = std::env::temp_dir();
    let spec = |file| {
        TrackSpec::Recorded(Recorded {
            file,
            kind: RecordedKind::Video,
        })
    };
    let error = |file| Source::new(&spec(file), 1, 96, 1).unwrap_err();
    let missing = folder.join("bedside-media-there-is-none.pcap");
    assert!(matches!(error(missing), Error::Unreadable { .. }));
    let file = folder.join(format!("bedside-media-bad-{}.pcap", std::process::id()));
    std::fs::write(&file, "no capture at all").unwrap();
    assert!(matches!(error(file.clone()), Error::NotPcap { .. }));
    std::fs::write(&file, pcap(&[(0, rtp(1, 1, b"one"))])).unwrap();
    assert!(matches!(error(file.clone()), Error::NoRtp { .. }));
    std::fs::remove_file(&file).unwrap();
}
