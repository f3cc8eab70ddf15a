//! What a subscriber's path takes decides what it is sent.

use super::harness::*;
use crate::rtcp::{Packet, packets};
use bedside_protocol::{Command, Event, Layer, Track, TrackId, VideoContent};

const AUDIO_SSRC: u32 = 2_010;
const VIDEO_SSRC: u32 = 2_020;

/// A publisher with audio and three layers of video, and one subscriber of both.
struct Call {
    world: World,
    audio: Stream,
    video: [Stream; 3],
    track: Track,
    frame: u16,
    /// Layers whose next frame is a key frame, as after a PLI.
    key: [bool; 3],
    received: Vec<Received>,
    events: Vec<Event>,
}

/// Packets in a frame of each layer: 160, 370 and 830 kbit/s with headers.
const PARTS: [usize; 3] = [1, 2, 4];

impl Call {
    fn new(content: VideoContent) -> Self {
        let mut world = World::new();
        world.publisher(1);
        world.subscriber(2);
        let mut track = video_track(2, 1);
        track.content = content;
        for track in [audio_track(1, 1), track.clone()] {
            world.command(Command::EnsureTrack(track.clone()));
            world.command(Command::EnsureSubscription(subscription(2, &track)));
        }
        Self {
            world,
            audio: audio_stream(1),
            video: Layer::ALL.map(|layer| video_stream(1, layer)),
            track,
            frame: 0,
            key: [true; 3],
            received: Vec::new(),
            events: Vec::new(),
        }
    }

    fn takes(&mut self, bps: u64) {
        self.world
            .control(2, |out| write_receiver_estimate(out, bps));
    }

    /// Speech and thirty frames a second of each layer.
    fn runs(&mut self, ms: u64) {
        for step in 0..ms / 20 {
            self.audio.timestamp += 960;
            self.world.send(&mut self.audio, &[7; 80]);
            if step % 5 != 0 && step % 5 != 3 {
                self.one_frame();
            }
            self.world.advance(20);
            self.answer_key_frame_requests();
            self.received.extend(self.world.take(2));
        }
        self.events.extend(self.world.take_events());
    }

    fn one_frame(&mut self) {
        self.frame += 1;
        for layer in Layer::ALL {
            let index = layer.index();
            let key = std::mem::take(&mut self.key[index]);
            let stream = &mut self.video[index];
            stream.timestamp = stream.timestamp.wrapping_add(3_000);
            for part in 0..PARTS[index] {
                stream.marker = part + 1 == PARTS[index];
                let payload = vp8(key, part == 0, self.frame, 0, 600 + 100 * index);
                self.world.queue(stream, &payload);
            }
        }
        self.world.flush();
    }

    fn answer_key_frame_requests(&mut self) {
        for compound in self.world.take_compounds(1) {
            for packet in packets(&compound) {
                if let Ok(Packet::PictureLoss { media }) = packet {
                    self.key[usize::try_from(media - 0xb0).expect("one of ours")] = true;
                }
            }
        }
    }

    /// Packets of a kind since the last call, and the layers that they were of.
    fn take(&mut self) -> (usize, Vec<Layer>) {
        let received = std::mem::take(&mut self.received);
        let (audio, video): (Vec<_>, Vec<_>) = received
            .into_iter()
            .partition(|packet| packet.ssrc == AUDIO_SSRC);
        assert!(video.iter().all(|packet| packet.ssrc == VIDEO_SSRC));
        for pair in video.windows(2) {
            assert_eq!(pair[1].index, pair[0].index + 1, "numbers without a gap");
        }
        let mut layers: Vec<_> = video
            .iter()
            .map(|packet| Layer::ALL[(packet.payload.len() - 607) / 100])
            .collect();
        layers.dedup();
        (audio.len(), layers)
    }

    /// Pauses and ends of pauses since the last call.
    fn take_pauses(&mut self) -> Vec<bool> {
        std::mem::take(&mut self.events)
            .into_iter()
            .filter_map(|event| match event {
                Event::SubscriptionPaused { track, paused, .. } => {
                    assert_eq!(track, TrackId(2), "audio is never paused");
                    Some(paused)
                }
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_falling_estimate_takes_layers_then_pauses_and_never_touches_audio() {
    let mut call = Call::new(VideoContent::Camera);
    call.takes(3_000_000);
    call.runs(3_000);
    let (audio, layers) = call.take();
    assert_eq!(audio, 150);
    assert_eq!(layers.last(), Some(&Layer::High));

    call.takes(300_000);
    call.runs(1_000);
    let (audio, layers) = call.take();
    assert_eq!((audio, layers.last()), (50, Some(&Layer::Low)));
    assert!(call.take_pauses().is_empty());

    call.takes(100_000);
    call.runs(200);
    call.take();
    call.runs(2_000);
    assert_eq!(call.take(), (100, vec![]), "audio alone");
    assert_eq!(call.take_pauses(), [true]);

    call.takes(3_000_000);
    call.runs(6_000);
    let (audio, layers) = call.take();
    assert_eq!(audio, 300);
    assert_eq!(layers, [Layer::Low, Layer::Medium, Layer::High]);
    assert_eq!(call.take_pauses(), [false]);
}

#[test]
fn who_comes_later_is_seen_at_once_within_what_there_is() {
    let mut call = Call::new(VideoContent::Camera);
    call.takes(1_100_000);
    call.runs(3_000);
    assert_eq!(call.take().1.last(), Some(&Layer::High));
    // A wish for less, and back.
    let mut wanted = subscription(2, &call.track);
    wanted.layer_max = Layer::Low;
    call.world
        .command(Command::EnsureSubscription(wanted.clone()));
    call.runs(200);
    assert_eq!(call.take().1.last(), Some(&Layer::Low));
    wanted.layer_max = Layer::High;
    call.world.command(Command::EnsureSubscription(wanted));
    call.runs(200);
    assert_eq!(call.take().1.last(), Some(&Layer::High));
}

#[test]
fn a_peer_without_feedback_gets_what_it_wants() {
    let mut call = Call::new(VideoContent::Screen);
    call.runs(2_000);
    assert_eq!(call.take().1.last(), Some(&Layer::High));
    assert!(call.take_pauses().is_empty());
}

#[test]
fn an_estimate_that_wobbles_does_not_move_layers() {
    let mut call = Call::new(VideoContent::Camera);
    call.takes(600_000);
    call.runs(3_000);
    call.take();
    for step in 0..20 {
        call.takes(if step % 2 == 0 { 690_000 } else { 510_000 });
        call.runs(500);
    }
    assert_eq!(call.take().1, [Layer::Medium]);
}
