//! A camera and its encoder: simulcast layers, key frames, frames around a bitrate.

use super::frame::{Content, Frame, Numbering, cut};
use super::random::Random;
use super::vp8::Picture;
use crate::scenario::{Video, VideoLayer};
use std::time::Duration;

/// A camera behind an encoder for each layer.
#[derive(Clone, Debug)]
pub(super) struct Camera {
    fps: u32,
    key_frame_every: Option<Duration>,
    random: Random,
    first_due: Duration,
    first_timestamp: u32,
    /// Pictures taken.
    picture: u64,
    /// The layer whose frame of the current picture is next.
    layer: usize,
    encoders: Vec<Encoder>,
}

#[derive(Clone, Debug)]
struct Encoder {
    spec: VideoLayer,
    numbering: Numbering,
    picture_id: u16,
    tl0_index: u8,
    wants_key_frame: bool,
    last_key_frame: Duration,
    /// Bytes by which it is ahead of its bitrate.
    ahead_bytes: f64,
}

/// A key frame has so many times the bytes of a mean frame.
const KEY_FRAME_TIMES: (f64, f64) = (5.0, 8.0);

/// Standard deviation of the logarithm of a frame's size, around what rate control asks for.
const SIGMA: f64 = 0.25;

/// Rate control makes up for a large frame within about this time, but leaves each frame some
/// share of the mean.
const RECOVERY_S: f64 = 0.5;
const FRAME_SHARE_MIN: f64 = 0.3;

/// Clock rate of video (RFC 7741 §4.1).
const CLOCK_HZ: u64 = 90_000;

/// A frame of any size holds at least descriptor, frame header and stamp.
const FRAME_BYTES_MIN: f64 = 64.0;

impl Camera {
    pub(super) fn new(spec: &Video, numberings: Vec<Numbering>, mut random: Random) -> Self {
        let interval = Duration::from_secs(1) / spec.fps.max(1);
        let first_due = interval.mul_f64(random.share());
        let first_timestamp = random.word();
        let picture_id = random.integer(0, 0x7fff);
        let encoders = spec
            .layers
            .iter()
            .zip(numberings)
            .map(|(layer, numbering)| Encoder {
                spec: *layer,
                numbering,
                picture_id,
                tl0_index: 0,
                wants_key_frame: true,
                last_key_frame: Duration::ZERO,
                ahead_bytes: 0.0,
            })
            .collect();
        Self {
            fps: spec.fps.max(1),
            key_frame_every: spec.key_frame_every,
            random,
            first_due,
            first_timestamp,
            picture: 0,
            layer: 0,
            encoders,
        }
    }

    pub(super) fn next_due(&self) -> Duration {
        let nanoseconds = self.picture * 1_000_000_000 / u64::from(self.fps);
        self.first_due + Duration::from_nanos(nanoseconds)
    }

    pub(super) fn request_key_frame(&mut self, layer: u8) {
        if let Some(encoder) = self.encoders.get_mut(usize::from(layer)) {
            encoder.wants_key_frame = true;
        }
    }

    pub(super) fn next(&mut self) -> Frame {
        let due = self.next_due();
        let ticks = self.picture * CLOCK_HZ / u64::from(self.fps);
        #[expect(clippy::cast_possible_truncation, reason = "time stamps wrap")]
        let timestamp = self.first_timestamp.wrapping_add(ticks as u32);
        let layer = self.layer;
        let frame = self.encoders[layer].encode(
            due,
            timestamp,
            layer,
            f64::from(self.fps),
            self.key_frame_every,
            &mut self.random,
        );
        self.layer += 1;
        if self.layer == self.encoders.len() {
            self.layer = 0;
            self.picture += 1;
        }
        frame
    }
}

impl Encoder {
    fn encode(
        &mut self,
        due: Duration,
        timestamp: u32,
        layer: usize,
        fps: f64,
        key_frame_every: Option<Duration>,
        random: &mut Random,
    ) -> Frame {
        let is_due = key_frame_every.is_some_and(|every| due >= self.last_key_frame + every);
        let is_key_frame = std::mem::take(&mut self.wants_key_frame) || is_due;
        if is_key_frame {
            self.last_key_frame = due;
        }
        let mean = f64::from(self.spec.bitrate_bps) / 8.0 / fps;
        let bytes = if is_key_frame {
            mean * random.between(KEY_FRAME_TIMES.0, KEY_FRAME_TIMES.1)
        } else {
            let wanted = mean - self.ahead_bytes / (RECOVERY_S * fps);
            random.log_normal(wanted.max(mean * FRAME_SHARE_MIN), SIGMA)
        }
        .max(FRAME_BYTES_MIN);
        self.ahead_bytes += bytes - mean;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and far below 4 GiB"
        )]
        let (packets, packet_bytes, last_bytes) = cut(bytes as usize);
        let (first_sequence, first_number) = self.numbering.take(packets);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.tl0_index = self.tl0_index.wrapping_add(1);
        #[expect(clippy::cast_possible_truncation, reason = "at most 3 layers")]
        let layer = layer as u8;
        Frame {
            due,
            layer,
            ssrc: self.numbering.ssrc,
            payload_type: self.numbering.payload_type,
            timestamp,
            is_key_frame,
            first_sequence,
            first_number,
            packets,
            packet_bytes,
            last_bytes,
            marker: true,
            content: Content::Vp8(Picture {
                id: self.picture_id,
                tl0_index: self.tl0_index,
                is_key_frame,
                width: self.spec.width,
                height: self.spec.height,
            }),
        }
    }
}
