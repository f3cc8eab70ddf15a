//! Sender and receiver reports, goodbyes, statistics and speakers.

use super::harness::*;
use crate::rtcp::{
    Packet, ReportBlock, SenderInfo, packets, write_receiver_report, write_sender_report,
};
use crate::rtp::Timestamp;
use bedside_protocol::{Command, Event, Layer, PeerStatistics, TrackId, TrackStatistics};

fn call() -> (World, Stream, Stream) {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    for track in [audio_track(1, 1), video_track(2, 1)] {
        world.command(Command::EnsureTrack(track.clone()));
        world.command(Command::EnsureSubscription(subscription(2, &track)));
    }
    (world, audio_stream(1), video_stream(1, Layer::Low))
}

fn report_of(stream: &Stream, ntp: u64) -> SenderInfo {
    SenderInfo {
        ssrc: stream.ssrc,
        ntp,
        timestamp: Timestamp(stream.timestamp),
        packets: 0,
        bytes: 0,
    }
}

/// (SSRC, NTP, timestamp) of each sender report that a client got.
fn sender_reports(world: &mut World, id: u64) -> Vec<(u32, u64, u32)> {
    let mut found = Vec::new();
    for compound in world.take_compounds(id) {
        for packet in packets(&compound) {
            if let Ok(Packet::SenderReport {
                ssrc,
                ntp,
                timestamp,
                ..
            }) = packet
            {
                found.push((ssrc, ntp, timestamp.0));
            }
        }
    }
    found
}

#[test]
fn publishers_are_told_how_they_arrive() {
    let (mut world, mut sound, _) = call();
    world.send(&mut sound, &[1; 50]);
    world.advance(200);
    world.control(1, |out| {
        write_sender_report(out, &report_of(&sound, 0x1111_2222_3333_4444));
    });
    world.lose(&mut sound, &[1; 50]);
    for _ in 0..6 {
        world.send(&mut sound, &[1; 50]);
    }
    world.advance(800);
    let mut blocks = Vec::new();
    for compound in world.take_compounds(1) {
        for packet in packets(&compound) {
            if let Ok(Packet::ReceiverReport { blocks: found }) = packet {
                blocks.extend(found);
            }
        }
    }
    assert_eq!(blocks.len(), 1);
    let block = blocks[0];
    assert_eq!(block.ssrc, sound.ssrc);
    assert_eq!(block.cumulative_lost, 1);
    assert_eq!(block.fraction_lost, 32, "one of eight");
    assert_eq!(u64::from(block.highest_sequence), sound.next - 1);
    assert_eq!(block.last_sender_report, 0x2222_3333);
    assert_eq!(block.delay_since_last, 800 * 65_536 / 1_000);
}

/// The report block that a publisher was last sent about a stream.
fn last_block(world: &mut World, id: u64, ssrc: u32) -> ReportBlock {
    let mut found = None;
    for compound in world.take_compounds(id) {
        for packet in packets(&compound) {
            if let Ok(Packet::ReceiverReport { blocks }) = packet {
                found = blocks.filter(|block| block.ssrc == ssrc).last().or(found);
            }
        }
    }
    found.expect("a report")
}

fn report_loss(world: &mut World, id: u64, ssrc: u32, fraction_lost: u8) {
    let block = ReportBlock {
        ssrc,
        fraction_lost,
        ..ReportBlock::default()
    };
    world.control(id, |out| write_receiver_report(out, 1, &[block]));
}

#[test]
fn an_audio_publisher_is_told_what_its_subscribers_lose() {
    let (mut world, mut sound, mut picture) = call();
    let audio = audio_track(1, 1);
    for id in 3..22 {
        world.subscriber(id);
        world.command(Command::EnsureSubscription(subscription(id, &audio)));
    }
    let mut second = |world: &mut World| {
        for _ in 0..50 {
            world.send(&mut sound, &[1; 50]);
            world.send(&mut picture, &vp8(true, true, 0, 0, 100));
            world.advance(20);
        }
        last_block(world, 1, 0xa0)
    };
    // Two of twenty are left out; the third one counts.
    for (id, fraction) in [(2, 90), (3, 80), (4, 25), (5, 10)] {
        report_loss(
            &mut world,
            id,
            u32::try_from(1_000 * id + 10).expect("small"),
            fraction,
        );
    }
    report_loss(&mut world, 2, 2_020, 200);
    let block = second(&mut world);
    assert_eq!(block.fraction_lost, 25);
    assert_eq!(block.cumulative_lost, 0, "for the bandwidth estimator");
    for id in 6..22 {
        world.command(Command::RemovePeer {
            peer: bedside_protocol::PeerId(id),
        });
    }
    assert_eq!(second(&mut world).fraction_lost, 90, "the worst of four");
    for _ in 0..12 {
        second(&mut world);
    }
    assert_eq!(second(&mut world).fraction_lost, 0, "said too long ago");
}

#[test]
fn a_publisher_of_video_is_told_its_own_loss_alone() {
    let (mut world, _, mut picture) = call();
    world.send(&mut picture, &vp8(true, true, 0, 0, 100));
    report_loss(&mut world, 2, 2_020, 200);
    world.advance(1_000);
    assert_eq!(last_block(&mut world, 1, 0xb0).fraction_lost, 0);
}

#[test]
fn subscribers_are_told_the_publishers_time() {
    let (mut world, mut sound, mut picture) = call();
    world.send(&mut sound, &[1; 50]);
    world.send(&mut picture, &vp8(true, true, 0, 0, 400));
    world.advance(500);
    assert_eq!(sender_reports(&mut world, 2), []);
    // One instant on the publisher's clock, on both of its streams.
    let ntp = 0xe000_0000_8000_0000;
    world.control(1, |out| write_sender_report(out, &report_of(&sound, ntp)));
    world.control(1, |out| write_sender_report(out, &report_of(&picture, ntp)));
    world.advance(500);
    let reports = sender_reports(&mut world, 2);
    let half_a_second = 1 << 31;
    assert_eq!(
        reports,
        [
            (2_010, ntp + half_a_second, sound.timestamp + 24_000),
            (2_020, ntp + half_a_second, picture.timestamp + 45_000),
        ]
    );
    // After a switch the relation is that of the other layer.
    let mut high = video_stream(1, Layer::High);
    world.control(1, |out| {
        write_sender_report(out, &report_of(&picture, ntp + half_a_second));
    });
    picture.timestamp += 45_000;
    world.send(&mut high, &vp8(true, true, 0, 0, 400));
    world.control(1, |out| {
        write_sender_report(out, &report_of(&high, ntp + 2 * half_a_second));
    });
    let switched = world.take(2).last().expect("switched").timestamp;
    world.advance(1_000);
    let (_, ntp_of_report, timestamp) = sender_reports(&mut world, 2)[1];
    let since_ntp = ntp_of_report - (ntp + 2 * half_a_second);
    let since_units = timestamp.wrapping_sub(switched);
    assert_eq!(u64::from(since_units), (since_ntp * 90_000) >> 32);
}

#[test]
fn both_tracks_of_a_publisher_share_a_name_that_says_nothing() {
    let (mut world, mut sound, mut picture) = call();
    world.send(&mut sound, &[1; 50]);
    world.send(&mut picture, &vp8(true, true, 0, 0, 400));
    for stream in [&sound, &picture] {
        world.control(1, |out| {
            write_sender_report(out, &report_of(stream, 1 << 40))
        });
    }
    world.advance(1_000);
    let mut names = Vec::new();
    for compound in world.take_compounds(2) {
        let mut rest = &compound[..];
        while let [_, packet_type, l0, l1, ..] = rest {
            let bytes = 4 + 4 * usize::from(u16::from_be_bytes([*l0, *l1]));
            if *packet_type == 202 {
                names.push(rest[10..10 + usize::from(rest[9])].to_vec());
            }
            rest = &rest[bytes..];
        }
    }
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1]);
    assert!(names[0].len() == 16 && names[0].iter().all(u8::is_ascii_hexdigit));
}

#[test]
fn a_round_trip_is_measured_from_the_subscribers_reports() {
    let (mut world, mut sound, _) = call();
    world.send(&mut sound, &[1; 50]);
    world.control(1, |out| {
        write_sender_report(out, &report_of(&sound, 5 << 32))
    });
    world.advance(1_000);
    let (_, ntp, _) = sender_reports(&mut world, 2)[0];
    let [_, _, m0, m1, m2, m3, _, _] = ntp.to_be_bytes();
    world.advance(130);
    let mut block = ReportBlock {
        ssrc: 2_010,
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_sequence: 1_000,
        jitter: 480,
        last_sender_report: u32::from_be_bytes([m0, m1, m2, m3]),
        delay_since_last: 90 * 65_536 / 1_000,
    };
    world.control(2, |out| write_receiver_report(out, 1, &[block]));
    block.highest_sequence += 100;
    block.cumulative_lost = 25;
    block.last_sender_report = 0;
    world.control(2, |out| write_receiver_report(out, 1, &[block]));
    world.take_events();
    world.advance(1_000);
    let (peers, _) = statistics(&mut world);
    let subscriber = peers[1];
    let round_trip = subscriber.rtt_ms.expect("measured");
    assert!((round_trip - 40.0).abs() < 0.1, "{round_trip}");
    assert!((subscriber.downlink_loss - 0.25).abs() < 1e-6);
    assert!((subscriber.downlink_jitter_ms - 10.0).abs() < 1e-4);
}

fn statistics(world: &mut World) -> (Vec<PeerStatistics>, Vec<TrackStatistics>) {
    world
        .take_events()
        .into_iter()
        .find_map(|event| match event {
            Event::Statistics { peers, tracks } => Some((peers, tracks)),
            _ => None,
        })
        .expect("statistics")
}

#[test]
fn statistics_say_what_flowed() {
    let (mut world, mut sound, mut picture) = call();
    for index in 0..100_u16 {
        world.queue(&mut sound, &[1; 100]);
        if index % 10 == 5 {
            world.lose(&mut picture, &vp8(false, true, index, 0, 993));
        } else {
            world.queue(&mut picture, &vp8(index == 0, true, index, 0, 993));
        }
        sound.timestamp += 960;
        picture.timestamp += 1_800;
        world.flush();
        world.advance(20);
    }
    let (peers, tracks) = statistics(&mut world);
    assert_eq!(peers.len(), 2);
    assert_eq!(tracks[0].track, Some(TrackId(1)));
    assert_eq!(tracks[0].bitrate_bps, 100 * 100 * 8 / 2);
    assert_eq!(tracks[1].bitrate_bps, 90 * 1_000 * 8 / 2);
    assert!((tracks[1].uplink_loss - 0.1).abs() < 0.011);
    assert!(tracks[1].nacked >= 10);
    assert!((tracks[0].uplink_loss).abs() < 1e-6);
    assert!(tracks[0].uplink_jitter_ms.abs() < 1e-6);
    let media_bps = tracks[0].bitrate_bps + tracks[1].bitrate_bps;
    for bps in [peers[0].received_bps, peers[1].sent_bps] {
        assert!(bps > media_bps && bps < media_bps * 5 / 4, "{bps}");
    }
    assert_eq!(peers[0].rejected, 0);
    world.advance(2_000);
    let (peers, tracks) = statistics(&mut world);
    assert_eq!((tracks[1].bitrate_bps, peers[0].received_bps), (0, 0));
}

#[test]
fn a_pause_in_speech_is_no_loss() {
    let (mut world, mut sound, _) = call();
    // DTX: a packet every 400 ms, numbered on.
    for _ in 0..20 {
        world.send(&mut sound, &[1; 3]);
        sound.timestamp += 19_200;
        world.advance(400);
    }
    assert_eq!(last_block(&mut world, 1, 0xa0).fraction_lost, 0);
    let losses: Vec<_> = world
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Statistics { tracks, .. } => Some(tracks[0].uplink_loss),
            Event::TrackLayers { active, .. } => {
                assert!(!active.is_empty(), "not silent");
                None
            }
            _ => None,
        })
        .collect();
    assert_eq!(losses, [0.0; 4]);
}

#[test]
fn a_stream_that_ends_says_goodbye() {
    let (mut world, mut sound, _) = call();
    world.send(&mut sound, &[1; 50]);
    world.command(Command::RemoveTrack { track: TrackId(1) });
    world.command(Command::RemoveTrack { track: TrackId(2) });
    world.advance(0);
    let mut goodbyes = Vec::new();
    for compound in world.take_compounds(2) {
        for packet in packets(&compound) {
            if let Ok(Packet::Bye(ssrcs)) = packet {
                goodbyes.extend(ssrcs);
            }
        }
    }
    assert_eq!(goodbyes, [2_010], "of what was sent, not of what never was");
    world.send(&mut sound, &[1; 50]);
    assert_eq!(world.take(2).len(), 1, "the one before");
}

#[test]
fn a_goodbye_ends_a_layer() {
    let (mut world, _, mut picture) = call();
    let mut high = video_stream(1, Layer::High);
    world.send(&mut picture, &vp8(true, true, 0, 0, 400));
    world.send(&mut high, &vp8(true, true, 0, 0, 400));
    world.take_events();
    world.control(1, |out| crate::rtcp::write_bye(out, &[0xb2]));
    let active = world
        .take_events()
        .into_iter()
        .find_map(|event| match event {
            Event::TrackLayers { active, .. } => Some(active),
            _ => None,
        });
    let active: Vec<_> = active
        .expect("a change")
        .iter()
        .map(|it| it.layer)
        .collect();
    assert_eq!(active, [Layer::Low]);
    world.take(2);
    world.send(&mut picture, &vp8(true, true, 1, 0, 400));
    assert_eq!(world.take(2).len(), 1);
}

#[test]
fn speakers_come_and_go() {
    let (mut world, mut sound, _) = call();
    let mut speakers = Vec::new();
    for window in 0..12_u32 {
        sound.level = Some(if (2..6).contains(&window) { 15 } else { 90 });
        for _ in 0..20 {
            world.send(&mut sound, &[1; 50]);
            sound.timestamp += 960;
            world.advance(20);
        }
        for event in world.take_events() {
            if let Event::Speakers { levels } = event {
                speakers.push((window, levels));
            }
        }
    }
    let (first, levels) = &speakers[0];
    assert_eq!(*first, 2);
    assert_eq!((levels[0].track, levels[0].active), (TrackId(1), true));
    let (_, levels) = speakers.last().expect("changes");
    assert_eq!((levels[0].active, levels[0].level), (false, 0.0));
    assert!(
        (2..=5).contains(&speakers.len()),
        "only changes: {}",
        speakers.len()
    );
}
