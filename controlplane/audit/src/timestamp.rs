//! Time as it stands in an entry: RFC 3339, UTC, six digits of the second.

use crate::AuditError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// Microseconds since the Unix epoch, until the end of the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last one that RFC 3339 can say: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Microseconds since the Unix epoch; what is later than [`MAX`](Self::MAX) becomes it, so that
    /// a mad clock costs no record.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The year, as in 2026.
    #[must_use]
    pub const fn year(self) -> u16 {
        let (year, ..) = date(self.0 / DAY_US);
        year
    }
}

const DAY_US: u64 = 86_400_000_000;

/// Year, month and day of a count of days since 1970-01-01, by the proleptic Gregorian calendar:
/// years begin in March, so that the leap day is the last of its year.
const fn date(days: u64) -> (u16, u8, u8) {
    let days = days + DAYS_TO_EPOCH;
    let era = days / DAYS_PER_ERA;
    let day_of_era = days % DAYS_PER_ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a Timestamp ends with the year 9999"
    )]
    (
        (era * 400 + year_of_era + carry) as u16,
        month as u8,
        day as u8,
    )
}

/// Days of 400 years.
const DAYS_PER_ERA: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: u64 = 719_468;

/// Days since 1970-01-01 of a date from 1970 on; the inverse of [`date`].
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let year_of_era = year % 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    year / 400 * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0 / DAY_US);
        let micros = self.0 % DAY_US;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}Z"
        )
    }
}

impl FromStr for Timestamp {
    type Err = AuditError;

    /// Reads exactly what [`Display`](fmt::Display) writes, and the two shorter forms that people
    /// type: `2026-11-24` and `2026-11-24T12:00:00Z`.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let malformed = AuditError::Malformed("time (2026-11-24T12:00:00Z)");
        let full = match text.len() {
            10 => format!("{text}T00:00:00.000000Z"),
            20 => format!("{}.000000Z", text.strip_suffix('Z').unwrap_or_default()),
            _ => text.to_owned(),
        };
        let number = |range: std::ops::Range<usize>| {
            let digits = full
                .get(range)
                .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse::<u64>().ok())
                .ok_or_else(|| malformed.clone())
        };
        if full.len() != 27 {
            return Err(malformed);
        }
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hours, minutes, seconds) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let micros = number(20..26)?;
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(malformed);
        }
        let seconds = days(year, month, day) * 86_400 + hours * 3_600 + minutes * 60 + seconds;
        let time = Self(seconds * 1_000_000 + micros);
        // What is no date (30 February), no time (25:00) or otherwise written does not come back.
        if time <= Self::MAX && time.to_string() == full {
            Ok(time)
        } else {
            Err(malformed)
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
