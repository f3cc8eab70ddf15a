//! Where somebody is, as far as the law is concerned.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The United States, one of the states, or the District of Columbia (ISO 3166-2: `US-CA`).
/// `US` alone stands for what is federal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Jurisdiction(&'static str);

impl Jurisdiction {
    /// What is federal.
    pub const FEDERAL: Self = Self("US");

    /// The fifty states and the District of Columbia.
    pub fn states() -> impl Iterator<Item = Self> {
        STATES.into_iter().map(Self)
    }

    /// As in ISO 3166-2.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What was written is no place that there are rules for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a state of the United States or the District of Columbia; write it as in CA or US-CA")]
pub struct NoJurisdiction;

/// `US-CA`, `CA`, in capitals or not.
impl FromStr for Jurisdiction {
    type Err = NoJurisdiction;

    fn from_str(text: &str) -> Result<Self, NoJurisdiction> {
        if text.eq_ignore_ascii_case("US") {
            return Ok(Self::FEDERAL);
        }
        STATES
            .into_iter()
            .find(|code| {
                code.eq_ignore_ascii_case(text)
                    || code.trim_start_matches("US-").eq_ignore_ascii_case(text)
            })
            .map(Self)
            .ok_or(NoJurisdiction)
    }
}

impl Serialize for Jurisdiction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Jurisdiction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

const STATES: [&str; 51] = [
    "US-AK", "US-AL", "US-AR", "US-AZ", "US-CA", "US-CO", "US-CT", "US-DC", "US-DE", "US-FL",
    "US-GA", "US-HI", "US-IA", "US-ID", "US-IL", "US-IN", "US-KS", "US-KY", "US-LA", "US-MA",
    "US-MD", "US-ME", "US-MI", "US-MN", "US-MO", "US-MS", "US-MT", "US-NC", "US-ND", "US-NE",
    "US-NH", "US-NJ", "US-NM", "US-NV", "US-NY", "US-OH", "US-OK", "US-OR", "US-PA", "US-RI",
    "US-SC", "US-SD", "US-TN", "US-TX", "US-UT", "US-VA", "US-VT", "US-WA", "US-WI", "US-WV",
    "US-WY",
];
