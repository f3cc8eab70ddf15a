//! The form of `consent.toml`, and what must be true of it.

use super::{Consent, ConsentRule};
use crate::limits::RULES_MAX;
use crate::rules::{Confidence, Jurisdiction, Overrides, RulesError, Source, says_something};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    version: String,
    #[serde(default)]
    rule: Vec<ConsentRule>,
}

pub(super) fn parse(
    file: &str,
    text: &str,
) -> Result<(String, BTreeMap<Jurisdiction, ConsentRule>), RulesError> {
    let source = Source {
        file,
        kind: "consent",
    };
    let written: Written = source.parse(text)?;
    source.expect_kind(&written.kind)?;
    let version_day = source.version_day(&written.version)?;
    if written.rule.len() > RULES_MAX {
        return Err(source.form(format!("more than {RULES_MAX} rules")));
    }
    let mut rules = BTreeMap::new();
    for rule in written.rule {
        let wrong = |problem: String| Err(source.entry(&rule.id, problem));
        let id = format!("consent.{}", rule.jurisdiction.code().to_ascii_lowercase());
        if rule.id != id {
            return wrong(format!("the id of this jurisdiction's rule is `{id}`"));
        }
        if !says_something(&rule.citation) || !says_something(&rule.source) {
            return wrong(
                "say in citation and source which law it is and where it was read".into(),
            );
        }
        if rule.as_of > version_day {
            return wrong("as_of is later than the file's version; give the file a new one".into());
        }
        if (rule.consent == Consent::Disputed) != (rule.confidence == Confidence::Disputed) {
            return wrong("disputed consent and disputed confidence go together".into());
        }
        if rule.confidence == Confidence::Counsel {
            return wrong("counsel's decisions stand in a file of overrides".into());
        }
        let id = rule.id.clone();
        if rules.insert(rule.jurisdiction, rule).is_some() {
            return Err(source.entry(&id, "stands here twice; keep one"));
        }
    }
    let wanted = Jurisdiction::states().chain([Jurisdiction::FEDERAL]);
    for jurisdiction in wanted {
        if !rules.contains_key(&jurisdiction) {
            let id = format!("consent.{}", jurisdiction.code().to_ascii_lowercase());
            return Err(source.entry(&id, "missing; every state, US-DC and US need a rule"));
        }
    }
    Ok((written.version, rules))
}

pub(super) fn apply(
    rules: &mut BTreeMap<Jurisdiction, ConsentRule>,
    overrides: &Overrides,
) -> Result<(), RulesError> {
    let source = Source {
        file: &overrides.file,
        kind: "override",
    };
    for change in &overrides.consent {
        let Some(rule) = rules.get_mut(&change.jurisdiction) else {
            return Err(source.entry(change.jurisdiction.code(), "there is no such rule"));
        };
        let citation = change
            .citation
            .as_deref()
            .filter(|text| says_something(text));
        if change.consent < rule.consent {
            if rule.confidence.is_established() {
                return Err(source.entry(
                    &rule.id,
                    format!(
                        "{} asks for {}: counsel may be stricter, not laxer",
                        rule.citation,
                        rule.consent.name()
                    ),
                ));
            }
            if citation.is_none() {
                return Err(source.entry(&rule.id, "laxer than the file: cite what was read"));
            }
        }
        if let Some(citation) = citation {
            citation.clone_into(&mut rule.citation);
        }
        rule.consent = change.consent;
        rule.confidence = Confidence::Counsel;
        rule.as_of = overrides.author().date;
        rule.source = format!("{} of the operator", overrides.author().role);
    }
    Ok(())
}
