//! How quantities are written in a scenario: "10s", "1.5M", "2%", "8-10".

use crate::scenario::PacketsPerFrame;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serializer};
use std::time::Duration;

/// A number that may also be a text with a unit.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a number, or a text with a unit such as \"10s\", \"1.5M\" or \"2%\""
)]
enum Quantity {
    Integer(i64),
    Number(f64),
    Text(String),
}

pub(super) mod duration {
    use super::{Deserializer, Duration, Serializer, parse_duration, write_duration, wrong};
    use serde::Deserialize;

    pub(in crate::scenario) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write_duration(*value))
    }

    pub(in crate::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).ok_or_else(|| wrong(&text, super::DURATIONS))
    }
}

pub(super) mod optional_duration {
    use super::{Deserializer, Duration, Serializer, duration};

    pub(in crate::scenario) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => duration::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }
}

pub(super) mod bitrate {
    use super::{Deserializer, Quantity, Serializer, parse_bitrate, wrong};
    use serde::Deserialize;

    pub(in crate::scenario) fn serialize<S: Serializer>(
        value: &u32,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(*value)
    }

    pub(in crate::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u32, D::Error> {
        let (bitrate, text) = match Quantity::deserialize(deserializer)? {
            Quantity::Integer(value) => (u32::try_from(value).ok(), value.to_string()),
            Quantity::Number(value) => (None, value.to_string()),
            Quantity::Text(text) => (parse_bitrate(&text), text),
        };
        bitrate.ok_or_else(|| wrong(&text, super::BITRATES))
    }
}

pub(super) mod share {
    use super::{Deserializer, Quantity, Serializer, parse_share, wrong};
    use serde::Deserialize;

    pub(in crate::scenario) fn serialize<S: Serializer>(
        value: &f64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(*value)
    }

    pub(in crate::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<f64, D::Error> {
        let (share, text) = match Quantity::deserialize(deserializer)? {
            Quantity::Integer(value) => (parse_share(&value.to_string()), value.to_string()),
            Quantity::Number(value) => (Some(value), value.to_string()),
            Quantity::Text(text) => (parse_share(&text), text),
        };
        share
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| wrong(&text, super::SHARES))
    }
}

pub(super) mod packets_per_frame {
    use super::{Deserializer, PacketsPerFrame, Quantity, Serializer, parse_packets, wrong};
    use serde::Deserialize;

    pub(in crate::scenario) fn serialize<S: Serializer>(
        value: &PacketsPerFrame,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if value.min == value.max {
            return serializer.serialize_u16(value.min);
        }
        serializer.serialize_str(&format!("{}-{}", value.min, value.max))
    }

    pub(in crate::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PacketsPerFrame, D::Error> {
        let text = match Quantity::deserialize(deserializer)? {
            Quantity::Integer(value) => value.to_string(),
            Quantity::Number(value) => value.to_string(),
            Quantity::Text(text) => text,
        };
        parse_packets(&text).ok_or_else(|| wrong(&text, super::PACKETS))
    }
}

/// A duration as people write it: a number and one of `us`, `ms`, `s`, `m`, `h`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3_600.0,
        _ if number == 0.0 && unit.is_empty() => 0.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The shortest way to write a duration that [`parse_duration`] reads back.
#[must_use]
pub fn write_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds.is_multiple_of(1_000_000_000) {
        format!("{}s", duration.as_secs())
    } else if nanoseconds.is_multiple_of(1_000_000) {
        format!("{}ms", duration.as_millis())
    } else {
        format!("{}us", nanoseconds as f64 / 1e3)
    }
}

/// A share: "2%" or "0.02".
#[must_use]
pub fn parse_share(text: &str) -> Option<f64> {
    let (number, unit) = split_unit(text)?;
    match unit {
        "%" => Some(number / 100.0),
        "" => Some(number),
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held to u32's range in the line above"
)]
fn parse_bitrate(text: &str) -> Option<u32> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => return None,
    };
    let bitrate = (number * factor).round();
    (0.0..=f64::from(u32::MAX))
        .contains(&bitrate)
        .then_some(bitrate as u32)
}

fn parse_packets(text: &str) -> Option<PacketsPerFrame> {
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    let (min, max) = (min.trim().parse().ok()?, max.trim().parse().ok()?);
    (min <= max).then_some(PacketsPerFrame { min, max })
}

/// A number that is not negative, and what follows it.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

fn wrong<E: Error>(text: &str, expected: &str) -> E {
    E::invalid_value(Unexpected::Str(text), &expected)
}

pub(crate) const DURATIONS: &str =
    "a duration: a number with us, ms, s, m or h, such as \"10s\" or \"1.5m\"";
const BITRATES: &str = "bits per second: a number, or one with k, M or G, such as \"1.5M\"";
pub(crate) const SHARES: &str = "a share from 0 to 1, or a percentage such as \"2%\"";
const PACKETS: &str = "a number of packets, or a range such as \"8-10\"";
