//! The form of `retention.toml`, and what must be true of it.

use super::{AppliesTo, Basis, Provider, RetentionRule};
use crate::limits::{RETENTION_YEARS_MAX, RULES_MAX};
use crate::rules::{
    Confidence, Jurisdiction, Overrides, RetentionOverride, RulesError, Source, says_something,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    version: String,
    #[serde(default)]
    majority: BTreeMap<Jurisdiction, u16>,
    #[serde(default)]
    rule: Vec<RetentionRule>,
}

type Parsed = (String, BTreeMap<Jurisdiction, u16>, Vec<RetentionRule>);

pub(super) fn parse(file: &str, text: &str) -> Result<Parsed, RulesError> {
    let source = Source {
        file,
        kind: "retention",
    };
    let written: Written = source.parse(text)?;
    source.expect_kind(&written.kind)?;
    let version_day = source.version_day(&written.version)?;
    if written.rule.len() > RULES_MAX {
        return Err(source.form(format!("more than {RULES_MAX} rules")));
    }
    for (jurisdiction, age) in &written.majority {
        if !(18..=21).contains(age) {
            return Err(source.entry(jurisdiction.code(), "majority is between 18 and 21"));
        }
    }
    let mut ids = BTreeSet::new();
    for rule in &written.rule {
        if let Err(problem) = check(rule) {
            return Err(source.entry(&rule.id, problem));
        }
        if rule.as_of > version_day {
            let problem = "as_of is later than the file's version; give the file a new one";
            return Err(source.entry(&rule.id, problem));
        }
        if !ids.insert(rule.id.as_str()) {
            return Err(source.entry(&rule.id, "stands here twice; keep one"));
        }
    }
    complete(source, &written.rule)?;
    Ok((written.version, written.majority, written.rule))
}

/// What must be true of each rule alone.
fn check(rule: &RetentionRule) -> Result<(), String> {
    let place = rule.jurisdiction.code().to_ascii_lowercase();
    if rule.jurisdiction == Jurisdiction::FEDERAL {
        if !rule.id.starts_with("retention.us.") {
            return Err("the id of a federal rule begins with `retention.us.`".into());
        }
    } else {
        let provider = match rule.provider {
            None => "any",
            Some(Provider::Hospital) => "hospital",
            Some(Provider::Physician) => "physician",
        };
        let id = format!("retention.{place}.{provider}");
        if rule.id != id {
            return Err(format!("the id of this rule is `{id}`"));
        }
    }
    let terms = [Some(rule.years), rule.minor_until_age, rule.minor_years];
    if terms
        .into_iter()
        .flatten()
        .any(|years| !(1..=RETENTION_YEARS_MAX).contains(&years))
    {
        return Err(format!(
            "years and ages are between 1 and {RETENTION_YEARS_MAX}"
        ));
    }
    if !says_something(&rule.source) {
        return Err("say in source where it was read".into());
    }
    if rule
        .citation
        .as_deref()
        .is_some_and(|text| !says_something(text))
    {
        return Err("leave citation out where it is not known".into());
    }
    match rule.confidence {
        Confidence::Counsel => {
            return Err("counsel's decisions stand in a file of overrides".into());
        }
        Confidence::Primary
            if rule.citation.is_none()
                && rule.basis == Basis::Law
                && rule.jurisdiction == Jurisdiction::FEDERAL =>
        {
            return Err("cite the federal law".into());
        }
        Confidence::Assumed if rule.basis == Basis::Law => {
            return Err("what is assumed rests on no law; write basis = \"none\"".into());
        }
        _ => {}
    }
    Ok(())
}

/// Every state has a rule for every provider, and the federal floors stand.
fn complete(source: Source<'_>, rules: &[RetentionRule]) -> Result<(), RulesError> {
    for jurisdiction in Jurisdiction::states() {
        for provider in Provider::ALL {
            let covered = rules.iter().any(|rule| {
                rule.jurisdiction == jurisdiction
                    && rule.applies_to == AppliesTo::MedicalRecord
                    && rule.provider.is_none_or(|p| p == provider)
            });
            if !covered {
                let problem = format!("no rule for medical records of a {provider:?}; add one");
                return Err(source.entry(jurisdiction.code(), problem.to_lowercase()));
            }
        }
    }
    for (applies_to, years, citation) in FLOORS {
        let stands = rules.iter().any(|rule| {
            rule.jurisdiction == Jurisdiction::FEDERAL
                && rule.applies_to == applies_to
                && rule.provider.is_none()
                && rule.years >= years
        });
        if !stands {
            let problem =
                format!("no federal rule of at least {years} years; {citation} asks for it");
            return Err(source.entry("US", problem));
        }
    }
    Ok(())
}

pub(super) fn apply(rules: &mut [RetentionRule], overrides: &Overrides) -> Result<(), RulesError> {
    let source = Source {
        file: &overrides.file,
        kind: "override",
    };
    for change in &overrides.retention {
        let Some(rule) = rules.iter_mut().find(|rule| rule.id == change.rule) else {
            let problem = "there is no such rule; `bedside rules list` shows them";
            return Err(source.entry(&change.rule, problem));
        };
        let new = changed(rule, change);
        check(&RetentionRule {
            confidence: rule.confidence,
            ..new.clone()
        })
        .map_err(|problem| source.entry(&rule.id, problem))?;
        if shortens(rule, &new) {
            may_shorten(rule, &new, change).map_err(|problem| source.entry(&rule.id, problem))?;
        }
        *rule = RetentionRule {
            confidence: Confidence::Counsel,
            as_of: overrides.author().date,
            source: format!("{} of the operator", overrides.author().role),
            ..new
        };
    }
    Ok(())
}

/// `rule` with what `change` says; what it does not mention stays.
fn changed(rule: &RetentionRule, change: &RetentionOverride) -> RetentionRule {
    RetentionRule {
        years: change.years.unwrap_or(rule.years),
        permanent: change.permanent.unwrap_or(rule.permanent),
        minor_until_age: change.minor_until_age.or(rule.minor_until_age),
        minor_years: change.minor_years.or(rule.minor_years),
        citation: change.citation.clone().or_else(|| rule.citation.clone()),
        ..rule.clone()
    }
}

fn shortens(old: &RetentionRule, new: &RetentionRule) -> bool {
    new.years < old.years
        || (old.permanent && !new.permanent)
        || new.minor_until_age < old.minor_until_age
        || new.minor_years < old.minor_years
}

fn may_shorten(
    old: &RetentionRule,
    new: &RetentionRule,
    change: &RetentionOverride,
) -> Result<(), String> {
    if old.basis == Basis::Law && old.confidence.is_established() {
        let law = old.citation.as_deref().unwrap_or("a law");
        return Err(format!(
            "{law} fixes this term: counsel may extend it, not shorten it"
        ));
    }
    if !change.citation.as_deref().is_some_and(says_something) {
        return Err("shorter than the file: cite what was read".into());
    }
    let floor = FLOORS
        .into_iter()
        .find(|(applies_to, ..)| *applies_to == old.applies_to);
    match floor {
        Some((_, years, citation)) if new.years < years => {
            Err(format!("below {years} years, which {citation} asks for"))
        }
        _ => Ok(()),
    }
}

/// What federal law asks for at least, years after the last service.
const FLOORS: [(AppliesTo, u16, &str); 3] = [
    (AppliesTo::MedicalRecord, 5, "42 CFR 482.24(b)(1)"),
    (AppliesTo::MedicareAdvantage, 10, "42 CFR 422.504(d)"),
    (AppliesTo::Documentation, 6, "45 CFR 164.316(b)(2)(i)"),
];
