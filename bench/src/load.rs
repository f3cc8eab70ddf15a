//! Who sends what to whom, whatever forwards it.

use bedside_loadgen::scenario::{Audio, Fixed, PacketsPerFrame, TrackSpec};

/// Rooms of participants.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Each by itself.
    pub rooms: Vec<Vec<Member>>,
}

/// A participant of a room.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it sends.
    pub publishes: Vec<TrackSpec>,
    /// Whether it receives everything that the others in its room send.
    pub subscribes: bool,
}

/// Bytes of a benchmark's RTP packet on the wire, the tag of 16 included.
pub const PACKET_BYTES: u16 = 1_200;
const TAG_BYTES: u16 = 16;

/// Frames of 8 to 10 full packets.
#[must_use]
pub fn frames(fps: u32) -> TrackSpec {
    fixed(PACKET_BYTES, 8, 10, fps)
}

fn fixed(bytes: u16, min: u16, max: u16, fps: u32) -> TrackSpec {
    TrackSpec::Fixed(Fixed {
        packet_bytes: bytes - TAG_BYTES,
        packets_per_frame: PacketsPerFrame { min, max },
        fps,
    })
}

impl Load {
    /// One room in which `publishers` send `track` each to `subscribers` who only receive.
    #[must_use]
    pub fn one_way(publishers: usize, subscribers: usize, track: &TrackSpec) -> Self {
        let sender = Member {
            publishes: vec![track.clone()],
            subscribes: false,
        };
        let receiver = Member {
            publishes: Vec::new(),
            subscribes: true,
        };
        let mut room = vec![sender; publishers];
        room.resize(publishers + subscribers, receiver);
        Self { rooms: vec![room] }
    }

    /// Consults of two, who see and hear each other: 30 frames of 3 to 4 packets and 50 packets of
    /// audio a second each way, about 1 Mbit/s.
    #[must_use]
    pub fn consults(count: usize) -> Self {
        let audio = TrackSpec::Audio(Audio {
            dtx: false,
            ..Audio::default()
        });
        let member = Member {
            publishes: vec![audio, fixed(PACKET_BYTES, 3, 4, 30)],
            subscribes: true,
        };
        Self {
            rooms: vec![vec![member; 2]; count],
        }
    }

    /// Consults of two whose cameras alone send, `fps` frames of 3 to 4 packets a second each.
    #[must_use]
    pub fn cameras(consults: usize, fps: u32) -> Self {
        let member = Member {
            publishes: vec![fixed(PACKET_BYTES, 3, 4, fps)],
            subscribes: true,
        };
        Self {
            rooms: vec![vec![member; 2]; consults],
        }
    }

    /// Rooms of two who are connected and say nothing.
    #[must_use]
    pub fn idle(participants: usize) -> Self {
        let member = Member {
            publishes: Vec::new(),
            subscribes: true,
        };
        Self {
            rooms: vec![vec![member; 2]; participants / 2],
        }
    }

    /// Packets of one frame on average, where every track has frames of the same kind.
    #[must_use]
    pub fn packets_per_message(&self) -> Option<f64> {
        let mut tracks = self.rooms.iter().flatten().flat_map(|one| &one.publishes);
        let mean = |track: &TrackSpec| match track {
            TrackSpec::Fixed(fixed) => {
                let range = fixed.packets_per_frame;
                Some(f64::from(range.min + range.max) / 2.0)
            }
            _ => None,
        };
        let first = mean(tracks.next()?)?;
        tracks
            .all(|track| mean(track) == Some(first))
            .then_some(first)
    }

    /// For each packet that is sent, how many are to arrive, where that is the same for all.
    #[must_use]
    pub fn fan_out(&self) -> u64 {
        let room = self.rooms.first().map_or(&[][..], Vec::as_slice);
        let subscribers = room.iter().filter(|member| member.subscribes).count();
        let both = room
            .iter()
            .any(|member| member.subscribes && !member.publishes.is_empty());
        if room.iter().all(|member| member.publishes.is_empty()) {
            return 0;
        }
        (subscribers - usize::from(both)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_goes_to_everybody_but_its_sender() {
        assert_eq!(Load::one_way(3, 50, &frames(30)).fan_out(), 50);
        assert_eq!(Load::consults(7).fan_out(), 1);
        assert_eq!(Load::idle(10).fan_out(), 0);
    }
}
