//! The file of instruction counts.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// Counts by case.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baseline {
    #[serde(default)]
    case: BTreeMap<String, Count>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    /// For each operation.
    instructions: f64,
    /// How far above that a count may be.
    tolerance_percent: f64,
}

/// What a count is to the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Within,
    /// Below the tolerance: worth accepting, so that it is kept.
    Improved,
    Regressed,
    New,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Within => "",
            Self::Improved => "improved: accept it",
            Self::Regressed => "REGRESSED",
            Self::New => "new: accept it",
        })
    }
}

impl Baseline {
    /// What is in the file at `path`; nothing if there is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{HEAD}\n{}", toml::to_string(self)?);
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// The count before, and what `count` is to it.
    pub(super) fn judge(&self, name: &str, count: f64) -> (Option<f64>, Verdict) {
        let Some(before) = self.case.get(name) else {
            return (None, Verdict::New);
        };
        let tolerance = before.instructions * before.tolerance_percent / 100.0;
        let verdict = if count > before.instructions + tolerance {
            Verdict::Regressed
        } else if count < before.instructions - tolerance {
            Verdict::Improved
        } else {
            Verdict::Within
        };
        (Some(before.instructions), verdict)
    }

    /// Takes `count` for what is right from now on; the tolerance stays as it is.
    pub(super) fn accept(&mut self, name: &str, count: f64) {
        let new = Count {
            instructions: 0.0,
            tolerance_percent: TOLERANCE_PERCENT,
        };
        let entry = self.case.entry(name.to_owned()).or_insert(new);
        entry.instructions = (count * 10.0).round() / 10.0;
    }
}

const HEAD: &str = "# Instructions of one operation of each micro-benchmark, ciphers and hashes aside.
# `cargo xtask test --only instructions` compares; `bedside-bench instructions --accept` writes this.
";

/// Repeated runs differ by less than a tenth of a percent; compilers and C libraries by more.
const TOLERANCE_PERCENT: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_judged_by_its_tolerance() {
        let mut baseline = Baseline::default();
        assert_eq!(baseline.judge("one", 100.0), (None, Verdict::New));
        baseline.accept("one", 1_000.0);
        for (count, verdict) in [
            (1_021.0, Verdict::Regressed),
            (1_019.0, Verdict::Within),
            (981.0, Verdict::Within),
            (979.0, Verdict::Improved),
        ] {
            assert_eq!(baseline.judge("one", count), (Some(1_000.0), verdict));
        }
    }

    #[test]
    fn what_is_written_is_read_and_tolerances_stay() {
        let text = format!("{HEAD}\n[case.one]\ninstructions = 5.0\ntolerance_percent = 9.0\n");
        let mut baseline: Baseline = toml::from_str(&text).expect("well formed");
        baseline.accept("one", 7.04);
        let text = toml::to_string(&baseline).expect("serialisable");
        let again: Baseline = toml::from_str(&text).expect("well formed");
        assert_eq!(again.judge("one", 7.6), (Some(7.0), Verdict::Within));
    }
}
