//! One published track.

use super::audio::Microphone;
use super::fixed::Metronome;
use super::frame::{Content, Frame, Numbering, Packet};
use super::random::Random;
use super::recorded::{Error, Player, Recording};
use super::video::Camera;
use crate::scenario::{RecordedKind, TrackSpec};
use bedside_protocol::{Codec, MediaKind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// One published track: says which frame is due next, for ever. The same track description and seed
/// give the same frames.
#[derive(Clone, Debug)]
pub struct Source {
    ssrc: u32,
    layers: u8,
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Microphone(Microphone),
    Camera(Camera),
    Metronome(Metronome),
    Player(Player),
}

impl Source {
    /// A track whose lowest layer is sent with `ssrc`, each higher one with the next number.
    ///
    /// # Errors
    /// A recording that cannot be played.
    pub fn new(spec: &TrackSpec, ssrc: u32, payload_type: u8, seed: u64) -> Result<Self, Error> {
        let mut random = Random::new(seed);
        let layers = Self::layers_of(spec);
        let mut numbering = |layer: u8| {
            let ssrc = ssrc.wrapping_add(layer.into());
            // RFC 3711 §3.3.1: a receiver that misses the first packets must not miss a wrap.
            let first_sequence = random.integer(0, 0x7fff);
            Numbering::new(ssrc, payload_type, first_sequence)
        };
        let inner = match spec {
            TrackSpec::Audio(audio) => {
                let numbering = numbering(0);
                Inner::Microphone(Microphone::new(*audio, numbering, random))
            }
            TrackSpec::Video(video) => {
                let numberings = (0..layers).map(numbering).collect();
                Inner::Camera(Camera::new(video, numberings, random))
            }
            TrackSpec::Fixed(fixed) => {
                let numbering = numbering(0);
                Inner::Metronome(Metronome::new(*fixed, numbering, random))
            }
            TrackSpec::Recorded(recorded) => {
                let recording = Arc::new(Recording::load(&recorded.file)?);
                let numbering = numbering(0);
                let first_timestamp = random.word();
                Inner::Player(Player::new(
                    recording,
                    recorded.kind,
                    numbering,
                    first_timestamp,
                ))
            }
        };
        Ok(Self {
            ssrc,
            layers,
            inner,
        })
    }

    /// What a track of this description is encoded with.
    #[must_use]
    pub fn codec_of(spec: &TrackSpec) -> Codec {
        match spec {
            TrackSpec::Audio(_) => Codec::Opus,
            TrackSpec::Recorded(recorded) => match recorded.kind {
                RecordedKind::Audio => Codec::Opus,
                RecordedKind::Video => Codec::Vp8,
            },
            TrackSpec::Video(_) | TrackSpec::Fixed(_) => Codec::Vp8,
        }
    }

    /// How many simulcast layers a track of this description has, at least 1.
    #[must_use]
    pub fn layers_of(spec: &TrackSpec) -> u8 {
        match spec {
            TrackSpec::Video(video) => u8::try_from(video.layers.len()).unwrap_or(u8::MAX),
            _ => 1,
        }
    }

    /// What it is encoded with.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match &self.inner {
            Inner::Microphone(_) => Codec::Opus,
            Inner::Camera(_) | Inner::Metronome(_) => Codec::Vp8,
            Inner::Player(player) => match player.kind {
                RecordedKind::Audio => Codec::Opus,
                RecordedKind::Video => Codec::Vp8,
            },
        }
    }

    /// Audio or video.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        self.codec().kind()
    }

    /// The SSRC of its lowest layer; [`Stamp::source`](super::Stamp::source) of all of them.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// How many simulcast layers it has, at least 1.
    #[must_use]
    pub fn layers(&self) -> u8 {
        self.layers
    }

    /// When the next frame is due, from the start of the source.
    #[must_use]
    pub fn next_due(&self) -> Duration {
        match &self.inner {
            Inner::Microphone(it) => it.next_due(),
            Inner::Camera(it) => it.next_due(),
            Inner::Metronome(it) => it.next_due(),
            Inner::Player(it) => it.next_due(),
        }
    }

    /// Takes the frame that is due at [`next_due`](Self::next_due).
    pub fn take(&mut self) -> Frame {
        match &mut self.inner {
            Inner::Microphone(it) => it.next(),
            Inner::Camera(it) => it.next(),
            Inner::Metronome(it) => it.next(),
            Inner::Player(it) => it.next(),
        }
    }

    /// Makes the next frame of a layer a key frame. A recording has its own.
    pub fn request_key_frame(&mut self, layer: u8) {
        match &mut self.inner {
            Inner::Camera(it) => it.request_key_frame(layer),
            Inner::Metronome(it) => it.request_key_frame(),
            Inner::Microphone(_) | Inner::Player(_) => {}
        }
    }

    /// Writes a packet's payload: `payload` has [`Packet::payload_bytes`].
    pub fn write_payload(&self, packet: &Packet, payload: &mut [u8]) {
        if let (Content::Recorded { place }, Inner::Player(player)) = (packet.content, &self.inner)
        {
            player.write(place, payload);
            return;
        }
        let bytes = payload.len().min(PATTERN.len());
        payload[..bytes].copy_from_slice(&PATTERN[..bytes]);
        if let Content::Vp8(picture) = packet.content {
            picture.write(packet.starts_frame, payload);
        }
    }
}

/// What synthetic payloads are filled with: looks like compressed data to whoever looks.
static PATTERN: LazyLock<[u8; 1_500]> = LazyLock::new(|| {
    let mut random = Random::new(0);
    std::array::from_fn(|_| random.word().to_le_bytes()[0])
});
