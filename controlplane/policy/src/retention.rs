//! How long a record of a consult is kept.
//!
//! The latest of all rules that apply counts: the states', for the provider and the patient's age;
//! the federal floors; a legal hold; what was promised before. What is not known is taken to be
//! what makes the record last longest. Later visits extend a term; nothing shortens one that runs.

mod audit_detail;
mod file;
mod term;
#[cfg(test)]
mod tests;

pub use audit_detail::{TermTooShort, audit_detail_ends_before};
pub use term::{Applied, RetentionDecision, Until};

use crate::rules::{Confidence, Day, Edition, Jurisdiction, Overrides, RulesError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who keeps the record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// A hospital or its clinic.
    Hospital,
    /// A physician's practice.
    Physician,
}

impl Provider {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hospital, Self::Physician];
}

/// What a rule applies to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// Records of a patient's care.
    MedicalRecord,
    /// Records of the care of a member of a Medicare Advantage plan (42 CFR 422.504(d)).
    MedicareAdvantage,
    /// Documentation of what was done, audit logs among it (45 CFR 164.316(b)(2)(i)).
    Documentation,
}

/// On what a rule rests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A statute or a regulation.
    Law,
    /// A guideline of the profession.
    Guideline,
    /// What providers answered when they were asked.
    Survey,
    /// Nothing was found for this case.
    None,
}

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// Name of the rule, such as `retention.us-tx.hospital`: part of records, never reused.
    pub id: String,
    /// Where it applies.
    pub jurisdiction: Jurisdiction,
    /// To what it applies.
    pub applies_to: AppliesTo,
    /// To whom; to all of them if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Years after the last service.
    pub years: u16,
    /// For ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub permanent: bool,
    /// For somebody who was a minor at the last service: until they are this old, years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_until_age: Option<u16>,
    /// For somebody who was a minor at the last service: years after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_years: Option<u16>,
    /// On what it rests.
    pub basis: Basis,
    /// The law, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
    /// Where it was read.
    pub source: String,
    /// When it was read.
    pub as_of: Day,
    /// How sure that is.
    pub confidence: Confidence,
    /// What else should be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// All rules.
#[derive(Clone, Debug)]
pub struct RetentionRules {
    edition: Edition,
    rules: Vec<RetentionRule>,
    majority: BTreeMap<Jurisdiction, u16>,
}

impl RetentionRules {
    /// The rules that this release comes with.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse("retention.toml", include_str!("../rules/retention.toml"))
            .expect("the file was checked when this was built")
    }

    /// Reads `text`, the contents of `file`.
    ///
    /// # Errors
    /// Names the file and the entry that is wrong. A file must hold a rule for medical records for
    /// every state and the District of Columbia, for hospitals and for physicians, and the federal
    /// floors.
    pub fn parse(file: &str, text: &str) -> Result<Self, RulesError> {
        let (version, majority, rules) = file::parse(file, text)?;
        Ok(Self {
            edition: Edition::of(version, text),
            rules,
            majority,
        })
    }

    /// These rules with counsel's decisions in place of those they concern.
    ///
    /// # Errors
    /// Counsel may extend any term. They may shorten one only where no law is known to fix it,
    /// citing what they read, and never below the federal floor for what the rule applies to.
    pub fn overridden(mut self, overrides: &Overrides) -> Result<Self, RulesError> {
        overrides.expect_first(&self.edition.version)?;
        file::apply(&mut self.rules, overrides)?;
        self.edition = self.edition.overridden(overrides);
        Ok(self)
    }

    /// Version of the file, and of the overrides after a `+`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.edition.version
    }

    /// SHA-256 of the rules and overrides in force, hexadecimal: goes into the records of every
    /// decision.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.edition.hash
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &RetentionRule> {
        self.rules.iter()
    }

    /// Until when `record` is kept.
    ///
    /// # Errors
    /// When its dates contradict one another.
    pub fn decide(&self, record: &Record) -> Result<RetentionDecision, Contradiction> {
        term::decide(self, record)
    }

    fn majority(&self, jurisdiction: Jurisdiction) -> u16 {
        self.majority
            .get(&jurisdiction)
            .copied()
            .unwrap_or(MAJORITY)
    }
}

/// A record to be kept. What is not known about it makes it last longer.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is.
    pub class: Class,
    /// Where the patient and the provider were. Empty if that is not known: then the rules of all
    /// states apply.
    pub states: Vec<Jurisdiction>,
    /// Who keeps it; if it is not known, both kinds' rules apply.
    pub provider: Option<Provider>,
    /// When the patient was born; if it is not known, they count as born on the day of the service.
    pub born: Option<Day>,
    /// Day of the last service; for documentation, when it was last in effect.
    pub last_service: Day,
    /// Whether the patient is a member of a Medicare Advantage plan; if it is not known, they count
    /// as one.
    pub medicare_advantage: Option<bool>,
    /// Whether a legal hold is on it.
    pub legal_hold: bool,
    /// What was promised before, if anything: is never shortened.
    pub running: Option<Until>,
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Part of the patient's medical record.
    MedicalRecord,
    /// Documentation: audit logs, agreements, policies.
    Documentation,
}

/// Dates that contradict one another.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the patient was born after the last service; check both dates")]
pub struct Contradiction;

/// Age of majority where the file says nothing else, years.
const MAJORITY: u16 = 18;
