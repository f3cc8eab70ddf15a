//! Who must consent before a consult is recorded, and what the recorder may do meanwhile.
//!
//! Participants may be in different places; the strictest of their places' rules counts for all of
//! them, and a place that nobody declared counts as the strictest there is. Turning speech into
//! text is recording: a transcriber asks here as a recorder does.
//!
//! Consent is asked for in the consult itself, before the recorder opens a file. Somebody who comes
//! later pauses the recorder until they have answered. Whoever takes their consent back stops it.

mod decision;
mod file;
#[cfg(test)]
mod tests;

pub use decision::{ConsentDecision, Instruction, Reason};

use crate::rules::{Confidence, Day, Edition, Jurisdiction, Overrides, RulesError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a jurisdiction asks for, the laxest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// One participant's consent suffices.
    OneParty,
    /// Everybody must be told.
    Notice,
    /// Sources contradict one another; treated as [`Self::AllParty`].
    Disputed,
    /// Everybody must consent.
    AllParty,
}

impl Consent {
    /// As it stands in files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneParty => "one_party",
            Self::Notice => "notice",
            Self::Disputed => "disputed",
            Self::AllParty => "all_party",
        }
    }
}

/// The rule of one jurisdiction.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentRule {
    /// Name of the rule, such as `consent.us-ca`: part of records, never reused.
    pub id: String,
    /// Where it applies.
    pub jurisdiction: Jurisdiction,
    /// What it asks for.
    pub consent: Consent,
    /// The law that says so; `none` where there is none.
    pub citation: String,
    /// Where that was read.
    pub source: String,
    /// When it was read.
    pub as_of: Day,
    /// How sure that is.
    pub confidence: Confidence,
    /// What else should be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The rules of all jurisdictions.
#[derive(Clone, Debug)]
pub struct ConsentRules {
    edition: Edition,
    rules: BTreeMap<Jurisdiction, ConsentRule>,
}

impl ConsentRules {
    /// The rules that this release comes with.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse("consent.toml", include_str!("../rules/consent.toml"))
            .expect("the file was checked when this was built")
    }

    /// Reads `text`, the contents of `file`.
    ///
    /// # Errors
    /// Names the file and the entry that is wrong. A file must hold every state, the District of
    /// Columbia and the federal rule, each once.
    pub fn parse(file: &str, text: &str) -> Result<Self, RulesError> {
        let (version, rules) = file::parse(file, text)?;
        Ok(Self {
            edition: Edition::of(version, text),
            rules,
        })
    }

    /// These rules with counsel's decisions in place of those they concern.
    ///
    /// # Errors
    /// Counsel may not be laxer than a law that is known to ask for more; where they are laxer than
    /// an entry that is not, they must cite what they read.
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

    /// All of them, by jurisdiction.
    pub fn iter(&self) -> impl Iterator<Item = &ConsentRule> {
        self.rules.values()
    }

    /// What the recorder may do now. Asked whenever somebody comes, goes or answers.
    #[must_use]
    pub fn decide(&self, consult: &Consult<'_>) -> ConsentDecision {
        decision::decide(self, consult)
    }

    /// The rule for somebody at `place`, or nowhere known.
    fn rule(&self, place: Option<Jurisdiction>) -> Option<&ConsentRule> {
        place
            .filter(|&place| place != Jurisdiction::FEDERAL)
            .and_then(|place| self.rules.get(&place))
    }
}

/// Whose consent the operator asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Practice {
    /// Everybody's, wherever they are. What this software does unless it is told otherwise.
    #[default]
    Everybody,
    /// Those whom the law asks for. Whoever says no is never recorded all the same.
    Law,
}

/// A consult, as far as recording is concerned.
#[derive(Clone, Debug)]
pub struct Consult<'a> {
    /// Who is there now.
    pub participants: &'a [Participant<'a>],
    /// Whose consent the operator asks for.
    pub practice: Practice,
    /// SHA-256 of the text that people are asked to consent to, hexadecimal: consent to an older
    /// text does not count.
    pub text: &'a str,
    /// Whether records of treatment for substance use are concerned (42 CFR Part 2).
    pub part2: Part2<'a>,
    /// What the recorder is doing.
    pub recorder: Recorder,
}

/// Somebody in a consult.
#[derive(Clone, Debug)]
pub struct Participant<'a> {
    /// Their sid (`PA_...`), which is nobody's name.
    pub id: &'a str,
    /// Whether it is a person; only persons are asked.
    pub is_person: bool,
    /// Where they said they are.
    pub location: Option<Jurisdiction>,
    /// What they answered.
    pub answer: Answer<'a>,
}

/// What somebody answered when they were asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// Nothing yet.
    Pending,
    /// Yes, to the text with this SHA-256, in the consult itself.
    Given {
        /// Which text they saw, hexadecimal.
        text: &'a str,
    },
    /// No.
    Declined,
    /// Yes, and then no.
    Revoked,
}

/// Whether 42 CFR Part 2 applies, and the written consent that it asks for (42 CFR 2.31).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part2<'a> {
    /// It does not.
    No,
    /// It does; `consent` is the id of the patient's written consent, if there is one.
    Yes {
        /// Id of the consent.
        consent: Option<&'a str>,
    },
}

/// What the recorder is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorder {
    /// It has opened no file.
    Idle,
    /// It records.
    Running,
    /// It has opened a file and waits.
    Paused,
}
