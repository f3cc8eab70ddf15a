//! Days of the calendar.

use crate::limits::{YEAR_MAX, YEAR_MIN};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use time::{Date, Month};

/// A day in the proleptic Gregorian calendar, between the years [`YEAR_MIN`] and [`YEAR_MAX`].
/// Written as in ISO 8601: `2026-11-24`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day(Date);

impl Day {
    /// The day of that number; `None` if there is no such day.
    #[must_use]
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let month = Month::try_from(month).ok()?;
        let date = Date::from_calendar_date(year, month, day).ok()?;
        (YEAR_MIN..=YEAR_MAX).contains(&year).then_some(Self(date))
    }

    /// The day, in UTC, of a time in microseconds since the Unix epoch.
    #[must_use]
    pub fn of_unix_us(at_us: u64) -> Option<Self> {
        let seconds = i64::try_from(at_us / 1_000_000).ok()?;
        let date = time::OffsetDateTime::from_unix_timestamp(seconds)
            .ok()?
            .date();
        Self::new(date.year(), date.month().into(), date.day())
    }

    /// Its year.
    #[must_use]
    pub fn year(self) -> u16 {
        u16::try_from(self.0.year()).unwrap_or(0)
    }

    /// Microseconds since the Unix epoch at the start of the day in UTC; 0 for days before 1970.
    #[must_use]
    pub fn unix_us(self) -> u64 {
        let seconds = self.0.midnight().assume_utc().unix_timestamp();
        u64::try_from(seconds).unwrap_or(0) * 1_000_000
    }

    /// The same day `years` later. From 29 February to a year without one it is 1 March: a term
    /// never ends a day early. Beyond the calendar's end it is the calendar's last day.
    #[must_use]
    pub fn plus_years(self, years: u16) -> Self {
        let year = self.0.year().saturating_add(i32::from(years)).min(YEAR_MAX);
        let (month, day) = (self.0.month(), self.0.day());
        Date::from_calendar_date(year, month, day)
            .or_else(|_| Date::from_calendar_date(year, Month::March, 1))
            .map_or(self, Self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.0.year(), u8::from(self.0.month()), self.0.day());
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What was written is no day.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a day of the calendar; write it as in 2026-11-24")]
pub struct NoDay;

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(part)
        };
        let (Some(year), Some(month), Some(day)) = (number(4), number(2), number(2)) else {
            return Err(NoDay);
        };
        if parts.next().is_some() {
            return Err(NoDay);
        }
        let parsed = (year.parse(), month.parse(), day.parse());
        let (Ok(year), Ok(month), Ok(day)) = parsed else {
            return Err(NoDay);
        };
        Self::new(year, month, day).ok_or(NoDay)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a TOML date or from text.
impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Date(toml::value::Datetime),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Date(date) => date.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}
