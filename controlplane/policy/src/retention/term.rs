//! From what is known of a record to the day until which it is kept.

use super::{AppliesTo, Basis, Class, Contradiction, Record, RetentionRule, RetentionRules};
use crate::rules::{Confidence, Day, Jurisdiction};
use serde::{Serialize, Serializer};
use std::fmt;

/// Until when a record is kept, the earliest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Until {
    /// Through this day.
    Day(Day),
    /// For ever.
    Permanent,
    /// While the legal hold lasts, and then as the rules say.
    Held,
}

impl Until {
    /// Whether the record may be destroyed on `today`.
    #[must_use]
    pub fn has_passed(self, today: Day) -> bool {
        matches!(self, Self::Day(day) if day < today)
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Permanent => f.write_str("permanent"),
            Self::Held => f.write_str("held"),
        }
    }
}

impl Serialize for Until {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Until when a record is kept, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RetentionDecision {
    /// Until when.
    pub until: Until,
    /// The weakest of the entries that applied.
    pub confidence: Confidence,
    /// What applied, the longest first: the first is what decided.
    pub applied: Vec<Applied>,
    /// What was not known, and was taken to be what makes the record last longest.
    pub assumed: Vec<&'static str>,
    /// Version of the rules.
    pub rules_version: String,
    /// SHA-256 of the rules.
    pub rules_hash: String,
}

/// A rule that applied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Applied {
    /// The rule's id; `legal_hold` and `running` for what is not a rule.
    pub rule: String,
    /// Until when by this rule.
    pub until: Until,
    /// On what it rests.
    pub basis: Basis,
    /// The law, where it is known.
    pub citation: Option<String>,
    /// Where it was read.
    pub source: String,
    /// How sure that is.
    pub confidence: Confidence,
}

pub(super) fn decide(
    rules: &RetentionRules,
    record: &Record,
) -> Result<RetentionDecision, Contradiction> {
    if record.born.is_some_and(|born| born > record.last_service) {
        return Err(Contradiction);
    }
    let mut applied: Vec<Applied> = rules
        .iter()
        .filter(|rule| applies(rule, record))
        .map(|rule| Applied {
            rule: rule.id.clone(),
            until: until(rule, rules.majority(rule.jurisdiction), record),
            basis: rule.basis,
            citation: rule.citation.clone(),
            source: rule.source.clone(),
            confidence: rule.confidence,
        })
        .collect();
    let confidence = applied
        .iter()
        .map(|a| a.confidence)
        .max()
        .unwrap_or(Confidence::Assumed);
    let held = record.legal_hold.then_some(("legal_hold", Until::Held));
    let running = record.running.map(|until| ("running", until));
    applied.extend(
        held.into_iter()
            .chain(running)
            .map(|(rule, until)| Applied {
                rule: rule.to_owned(),
                until,
                basis: Basis::None,
                citation: None,
                source: "the operator".to_owned(),
                confidence: Confidence::Counsel,
            }),
    );
    applied.sort_by(|a, b| b.until.cmp(&a.until).then_with(|| a.rule.cmp(&b.rule)));
    let least = Until::Day(record.last_service);
    Ok(RetentionDecision {
        until: applied.first().map_or(least, |first| first.until),
        confidence,
        applied,
        assumed: assumed(record),
        rules_version: rules.version().to_owned(),
        rules_hash: rules.hash().to_owned(),
    })
}

fn applies(rule: &RetentionRule, record: &Record) -> bool {
    let place = rule.jurisdiction == Jurisdiction::FEDERAL
        || record.states.is_empty()
        || record.states.contains(&rule.jurisdiction);
    let provider = match (rule.provider, record.provider) {
        (Some(rule), Some(record)) => rule == record,
        _ => true,
    };
    let class = match record.class {
        Class::Documentation => rule.applies_to == AppliesTo::Documentation,
        Class::MedicalRecord => match rule.applies_to {
            AppliesTo::MedicalRecord => true,
            AppliesTo::MedicareAdvantage => record.medicare_advantage != Some(false),
            AppliesTo::Documentation => false,
        },
    };
    place && provider && class
}

/// Until when `rule` keeps `record`, in a place whose majority is at `majority` years.
fn until(rule: &RetentionRule, majority: u16, record: &Record) -> Until {
    if rule.permanent {
        return Until::Permanent;
    }
    let service = record.last_service;
    let mut latest = service.plus_years(rule.years);
    let born = record.born.unwrap_or(service);
    if service < born.plus_years(majority) {
        let by_age = rule.minor_until_age.map(|age| born.plus_years(age));
        let by_service = rule.minor_years.map(|years| service.plus_years(years));
        latest = by_age.into_iter().chain(by_service).fold(latest, Day::max);
    }
    Until::Day(latest)
}

fn assumed(record: &Record) -> Vec<&'static str> {
    if record.class == Class::Documentation {
        return Vec::new();
    }
    let unknown = [
        (
            record.states.is_empty(),
            "state unknown: all states' rules apply",
        ),
        (
            record.provider.is_none(),
            "provider unknown: hospitals' and physicians' rules apply",
        ),
        (
            record.born.is_none(),
            "date of birth unknown: as if born on the day of the last service",
        ),
        (
            record.medicare_advantage.is_none(),
            "payer unknown: as if Medicare Advantage",
        ),
    ];
    unknown
        .into_iter()
        .filter_map(|(is, text)| is.then_some(text))
        .collect()
}
