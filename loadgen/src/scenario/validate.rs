//! What the types alone do not say: bounds, and names that refer to something.

use crate::scenario::error::{Broken, Step};
use crate::scenario::text::write_duration;
use crate::scenario::{
    Join, ParticipantGroup, RoomGroup, Scenario, Subscribe, TrackSpec, Video, limits,
};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) fn validate(scenario: &Scenario) -> Result<(), Broken> {
    let mut at = Place::default();
    at.key("name", |at| at.name(&scenario.name))?;
    at.key("duration", |at| {
        at.duration(scenario.duration, &limits::DURATION)
    })?;
    at.key("warm_up", |at| {
        at.duration(scenario.warm_up, &(Duration::ZERO..=limits::WARM_UP_MAX))
    })?;
    at.key("rooms", |at| {
        at.check(!scenario.rooms.is_empty(), || "at least one".to_owned())?;
        at.each(&scenario.rooms, room_group)
    })?;
    let participants = scenario.participant_count();
    at.key("rooms", |at| {
        at.check(participants <= u64::from(limits::PARTICIPANTS_MAX), || {
            format!(
                "{participants} participants in all rooms; at most {}",
                limits::PARTICIPANTS_MAX
            )
        })
    })
}

fn room_group(at: &mut Place, group: &RoomGroup) -> Result<(), Broken> {
    at.key("count", |at| {
        at.within(group.count, &(1..=limits::PARTICIPANTS_MAX), "rooms")
    })?;
    at.key("join", |at| match group.join {
        Join::AtOnce => Ok(()),
        Join::RatePerSecond(rate) => at.within(rate, &limits::JOINS_PER_SECOND, "joins per second"),
        Join::Over(time) => at.duration(time, &(Duration::ZERO..=limits::WARM_UP_MAX)),
    })?;
    at.key("participants", |at| {
        at.check(!group.participants.is_empty(), || "at least one".to_owned())?;
        let count = group.participants_per_room();
        at.check(count <= limits::PARTICIPANTS_PER_ROOM_MAX, || {
            format!(
                "{count} participants in one room; at most {}",
                limits::PARTICIPANTS_PER_ROOM_MAX
            )
        })?;
        at.each(&group.participants, |at, participants| {
            participant_group(at, participants, group)
        })
    })
}

fn participant_group(
    at: &mut Place,
    group: &ParticipantGroup,
    room: &RoomGroup,
) -> Result<(), Broken> {
    at.key("name", |at| {
        at.name(&group.name)?;
        let same = |other: &&ParticipantGroup| other.name == group.name;
        at.check(room.participants.iter().filter(same).count() == 1, || {
            format!(
                "\"{}\" is the name of two groups of this room; give each its own",
                group.name
            )
        })
    })?;
    at.key("count", |at| {
        at.within(group.count, &(1..=limits::PARTICIPANTS_MAX), "participants")
    })?;
    at.key("publish", |at| {
        let most = limits::TRACKS_PER_PARTICIPANT_MAX;
        at.check(group.publish.len() <= most, || {
            format!("{} tracks; at most {most}", group.publish.len())
        })?;
        at.each(&group.publish, track)
    })?;
    at.key("subscribe", |at| subscribe(at, &group.subscribe, room))?;
    if let Some(churn) = group.churn {
        at.key("churn", |at| {
            at.key("stay", |at| at.duration(churn.stay, &limits::INTERVAL))?;
            at.key("away", |at| at.duration(churn.away, &limits::INTERVAL))
        })?;
    }
    if let Some(layers) = group.layers {
        at.key("layers", |at| {
            at.key("every", |at| at.duration(layers.every, &limits::INTERVAL))
        })?;
    }
    at.key("network", |at| {
        let delays = Duration::ZERO..=limits::DELAY_MAX;
        at.key("delay", |at| at.duration(group.network.delay, &delays))?;
        at.key("jitter", |at| at.duration(group.network.jitter, &delays))
    })
}

fn subscribe(at: &mut Place, subscribe: &Subscribe, room: &RoomGroup) -> Result<(), Broken> {
    let Subscribe::Named(names) = subscribe else {
        return Ok(());
    };
    at.key("named", |at| {
        at.each(names, |at, name| {
            let known: Vec<_> = room.participants.iter().map(|group| &*group.name).collect();
            at.check(known.contains(&name.as_str()), || {
                format!(
                    "no group of this room is called \"{name}\"; there are: {}",
                    known.join(", ")
                )
            })
        })
    })
}

fn track(at: &mut Place, track: &TrackSpec) -> Result<(), Broken> {
    match track {
        TrackSpec::Audio(audio) => at.key("audio", |at| {
            at.key("bitrate", |at| {
                at.within(
                    audio.bitrate_bps,
                    &limits::AUDIO_BITRATE_BPS,
                    "bits per second",
                )
            })
        }),
        TrackSpec::Video(spec) => at.key("video", |at| video(at, spec)),
        TrackSpec::Fixed(fixed) => at.key("fixed", |at| {
            at.key("packet_bytes", |at| {
                at.within(fixed.packet_bytes, &limits::PACKET_BYTES, "bytes")
            })?;
            at.key("packets_per_frame", |at| {
                let range = fixed.packets_per_frame;
                at.within(range.min, &limits::PACKETS_PER_FRAME, "packets")?;
                at.within(range.max, &limits::PACKETS_PER_FRAME, "packets")
            })?;
            at.key("fps", |at| {
                at.within(fixed.fps, &limits::FRAMES_PER_SECOND, "frames per second")
            })
        }),
        TrackSpec::Recorded(_) => Ok(()),
    }
}

fn video(at: &mut Place, video: &Video) -> Result<(), Broken> {
    at.key("fps", |at| {
        at.within(video.fps, &limits::FRAMES_PER_SECOND, "frames per second")
    })?;
    at.key("layers", |at| {
        let most = limits::LAYERS_MAX;
        at.check((1..=most).contains(&video.layers.len()), || {
            format!("{} layers; 1 to {most}", video.layers.len())
        })?;
        at.each(&video.layers, |at, layer| {
            at.key("width", |at| {
                at.within(layer.width, &limits::PIXELS, "pixels")
            })?;
            at.key("height", |at| {
                at.within(layer.height, &limits::PIXELS, "pixels")
            })?;
            at.key("bitrate", |at| {
                at.within(
                    layer.bitrate_bps,
                    &limits::VIDEO_BITRATE_BPS,
                    "bits per second",
                )
            })
        })?;
        let rising = video.layers.is_sorted_by_key(|layer| layer.bitrate_bps);
        at.check(rising, || {
            "must be in order, lowest bitrate first".to_owned()
        })
    })?;
    if let Some(every) = video.key_frame_every {
        at.key("key_frame_every", |at| {
            at.duration(every, &limits::INTERVAL)
        })?;
    }
    Ok(())
}

/// Where in the scenario one is; what is found wrong is wrong there.
#[derive(Default)]
struct Place {
    path: Vec<Step>,
}

impl Place {
    fn key(
        &mut self,
        name: &'static str,
        inner: impl FnOnce(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.path.push(Step::Key(name));
        inner(self)?;
        self.path.pop();
        Ok(())
    }

    fn each<T>(
        &mut self,
        elements: &[T],
        mut inner: impl FnMut(&mut Self, &T) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        for (index, element) in elements.iter().enumerate() {
            self.path.push(Step::Index(index));
            inner(self, element)?;
            self.path.pop();
        }
        Ok(())
    }

    fn check(&self, holds: bool, message: impl FnOnce() -> String) -> Result<(), Broken> {
        if holds {
            return Ok(());
        }
        Err(Broken {
            path: self.path.clone(),
            message: message(),
        })
    }

    fn within<T: PartialOrd + Display>(
        &self,
        value: T,
        allowed: &RangeInclusive<T>,
        unit: &str,
    ) -> Result<(), Broken> {
        self.check(allowed.contains(&value), || {
            format!(
                "{value} {unit}; {} to {} are allowed",
                allowed.start(),
                allowed.end()
            )
        })
    }

    fn duration(&self, value: Duration, allowed: &RangeInclusive<Duration>) -> Result<(), Broken> {
        self.check(allowed.contains(&value), || {
            format!(
                "{}; {} to {} are allowed",
                write_duration(value),
                write_duration(*allowed.start()),
                write_duration(*allowed.end())
            )
        })
    }

    fn name(&self, name: &str) -> Result<(), Broken> {
        let letters = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let length = (1..=limits::NAME_BYTES_MAX).contains(&name.len());
        self.check(letters && length, || {
            format!(
                "\"{name}\" is no name; up to {} lower-case letters, digits and hyphens are allowed",
                limits::NAME_BYTES_MAX
            )
        })
    }
}
