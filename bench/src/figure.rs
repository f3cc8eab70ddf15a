//! What was measured, beside what was to be reached.

use serde::Serialize;

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The run that it comes from: `bedside-bench NAME` measures it again.
    pub run: &'static str,
    /// What it is of.
    pub what: String,
    /// What it counts.
    pub unit: Unit,
    /// What was to be reached; none where the figure only explains another.
    pub goal: Option<Goal>,
    /// What came out; none where nothing could be measured.
    pub measured: Option<Measured>,
    /// How it came about, or why it did not; may be empty.
    pub note: String,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Packets in each second of a processor's time.
    PacketsPerCpuSecond,
    /// Nanoseconds of a processor's time for each packet.
    NanosecondsPerPacket,
    /// One cost over another.
    Ratio,
    /// Time.
    Nanoseconds,
    /// Memory.
    Bytes,
    /// A count of packets.
    Packets,
    /// Joins in each second.
    JoinsPerSecond,
}

/// A bound that the value has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// A value and how sure it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// The middle of the repeats.
    pub value: f64,
    /// How far the repeats lie apart, as a share of the value.
    pub spread: f64,
    /// What each repeat gave.
    pub repeats: Vec<f64>,
    /// Repeats that were thrown away because their neighbours contradicted them.
    pub discarded: usize,
    /// Whether the repeats agree: if not, the machine was too busy with other things.
    pub usable: bool,
}

/// Repeats that differ by more than this share contradict each other.
pub const SPREAD_MAX: f64 = 0.05;

impl Measured {
    /// A value that was counted and has no repeats.
    #[must_use]
    pub fn counted(value: f64) -> Self {
        Self {
            value,
            spread: 0.0,
            repeats: vec![value],
            discarded: 0,
            usable: true,
        }
    }

    /// What repeats say: the closest `wanted` of them count, the others are discarded; usable if
    /// those lie no farther apart than [`SPREAD_MAX`].
    ///
    /// # Panics
    /// Without repeats.
    #[must_use]
    pub fn of(mut repeats: Vec<f64>, wanted: usize) -> Self {
        assert!(!repeats.is_empty(), "there is something to judge");
        let all = repeats.len();
        repeats.sort_by(f64::total_cmp);
        let wanted = wanted.clamp(1, all);
        let closest = (0..=all - wanted)
            .min_by(|a, b| {
                let width = |start: usize| repeats[start + wanted - 1] - repeats[start];
                width(*a).total_cmp(&width(*b))
            })
            .unwrap_or_default();
        let kept = repeats[closest..closest + wanted].to_vec();
        let value = (kept[(wanted - 1) / 2] + kept[wanted / 2]) / 2.0;
        let spread = if value == 0.0 {
            0.0
        } else {
            (kept[wanted - 1] - kept[0]) / value.abs()
        };
        Self {
            value,
            spread,
            repeats: kept,
            discarded: all - wanted,
            // One that stands alone is contradicted by nobody and confirmed by nobody.
            usable: wanted > 1 && spread <= SPREAD_MAX,
        }
    }

    /// This over `other`, with what both are unsure of.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        Self {
            value: self.value / other.value,
            spread: self.spread + other.spread,
            repeats: self.repeats.iter().map(|one| one / other.value).collect(),
            discarded: self.discarded + other.discarded,
            usable: self.usable && other.usable,
        }
    }
}

impl Goal {
    /// Whether the value keeps it.
    #[must_use]
    pub fn is_kept(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl Figure {
    /// Whether the goal is reached; none without a goal or a usable value.
    #[must_use]
    pub fn reached(&self) -> Option<bool> {
        let measured = self.measured.as_ref().filter(|measured| measured.usable)?;
        Some(self.goal?.is_kept(measured.value))
    }

    /// The goal in words.
    #[must_use]
    pub fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::AtLeast(bound)) => format!(">= {}", self.unit.text(bound)),
            Some(Goal::AtMost(bound)) => format!("<= {}", self.unit.text(bound)),
        }
    }

    /// The value in words, with its spread where there is one.
    #[must_use]
    pub fn measured_text(&self) -> String {
        let Some(measured) = &self.measured else {
            return "not measured".to_owned();
        };
        let value = self.unit.text(measured.value);
        let spread = if measured.spread > 0.0 {
            format!(" ±{:.1} %", measured.spread * 50.0)
        } else {
            String::new()
        };
        let noise = if measured.usable { "" } else { " (noise)" };
        format!("{value}{spread}{noise}")
    }

    /// The note, with what was thrown away.
    #[must_use]
    pub fn note_text(&self) -> String {
        let discarded = self.measured.as_ref().map_or(0, |one| one.discarded);
        let mut note = self.note.clone();
        if discarded > 0 {
            if !note.is_empty() {
                note.push_str("; ");
            }
            note.push_str(&format!("{discarded} repeats discarded"));
        }
        note
    }
}

impl Unit {
    /// A value of this unit, short enough for a table.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::PacketsPerCpuSecond => format!("{:.2} M/CPU-s", value / 1e6),
            Self::NanosecondsPerPacket => format!("{value:.0} ns"),
            Self::Ratio => format!("{value:.2}"),
            Self::Nanoseconds if value >= 1e6 => format!("{:.2} ms", value / 1e6),
            Self::Nanoseconds => format!("{:.0} us", value / 1e3),
            Self::Bytes => format!("{:.1} KiB", value / 1024.0),
            Self::Packets => format!("{value:.0}"),
            Self::JoinsPerSecond => format!("{value:.0}/s"),
        }
    }
}

#[cfg(test)]
mod tests;
