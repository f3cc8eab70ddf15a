//! From who is there and what they answered to what the recorder may do.

use super::{Answer, Consent, ConsentRules, Consult, Part2, Participant, Practice, Recorder};
use crate::rules::{Confidence, Jurisdiction};
use serde::Serialize;

/// What the recorder may do, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConsentDecision {
    /// What it may do.
    pub instruction: Instruction,
    /// The strictest of what the participants' places ask for.
    pub consent: Consent,
    /// The weakest of the entries that were asked.
    pub confidence: Confidence,
    /// Who must be asked, or asked again, before recording: sids.
    pub ask: Vec<String>,
    /// What led here; all of it, for the record.
    pub reasons: Vec<Reason>,
    /// Version of the rules.
    pub rules_version: String,
    /// SHA-256 of the rules.
    pub rules_hash: String,
}

/// What the recorder may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Instruction {
    /// Record: open a file, or go on.
    Record,
    /// Open no file.
    Wait,
    /// Keep the file, write nothing into it.
    Pause,
    /// Close the file. Another needs everybody's consent anew.
    Stop,
}

/// Something that led to the decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// A place's rule applies.
    Rule {
        /// The rule's id.
        rule: String,
        /// What it asks for.
        consent: Consent,
        /// How sure that is.
        confidence: Confidence,
    },
    /// Somebody has not said where they are: as in the strictest place.
    LocationUnknown {
        /// Who.
        participant: String,
    },
    /// Somebody has not answered.
    Pending {
        /// Who.
        participant: String,
    },
    /// Somebody consented to another text than the one in use.
    OtherText {
        /// Who.
        participant: String,
    },
    /// Somebody said no.
    Declined {
        /// Who.
        participant: String,
    },
    /// Somebody took their consent back.
    Revoked {
        /// Who.
        participant: String,
    },
    /// 42 CFR Part 2 applies and there is no written consent (42 CFR 2.31).
    Part2ConsentMissing,
    /// Nobody is there who could consent.
    NobodyPresent,
}

pub(super) fn decide(rules: &ConsentRules, consult: &Consult<'_>) -> ConsentDecision {
    let people: Vec<&Participant<'_>> = consult
        .participants
        .iter()
        .filter(|p| p.is_person)
        .collect();
    let mut reasons = Vec::new();
    let (consent, confidence) = strictest(rules, &people, &mut reasons);
    let mut ask = Vec::new();
    let mut consented = 0_usize;
    let (mut refused, mut revoked) = (false, false);
    for person in &people {
        let participant = person.id.to_owned();
        match person.answer {
            Answer::Given { text } if text == consult.text => consented += 1,
            Answer::Given { .. } => {
                ask.push(participant.clone());
                reasons.push(Reason::OtherText { participant });
            }
            Answer::Pending => {
                ask.push(participant.clone());
                reasons.push(Reason::Pending { participant });
            }
            Answer::Declined => {
                refused = true;
                reasons.push(Reason::Declined { participant });
            }
            Answer::Revoked => {
                revoked = true;
                reasons.push(Reason::Revoked { participant });
            }
        }
    }
    let one_suffices = consult.practice == Practice::Law && consent == Consent::OneParty;
    if one_suffices && consented > 0 {
        ask.clear();
    }
    let part2_missing = consult.part2 == Part2::Yes { consent: None };
    if part2_missing {
        reasons.push(Reason::Part2ConsentMissing);
    }
    if people.is_empty() {
        reasons.push(Reason::NobodyPresent);
    }
    let agreed = consented > 0 && ask.is_empty() && !refused;
    let instruction = match consult.recorder {
        Recorder::Running | Recorder::Paused if revoked || part2_missing => Instruction::Stop,
        _ if revoked || part2_missing => Instruction::Wait,
        _ if agreed => Instruction::Record,
        Recorder::Idle => Instruction::Wait,
        Recorder::Running | Recorder::Paused => Instruction::Pause,
    };
    ConsentDecision {
        instruction,
        consent,
        confidence,
        ask,
        reasons,
        rules_version: rules.version().to_owned(),
        rules_hash: rules.hash().to_owned(),
    }
}

/// The strictest of the people's places, with the federal rule below all of them.
fn strictest(
    rules: &ConsentRules,
    people: &[&Participant<'_>],
    reasons: &mut Vec<Reason>,
) -> (Consent, Confidence) {
    let federal = rules.rules.get(&Jurisdiction::FEDERAL);
    let mut consent = federal.map_or(Consent::AllParty, |rule| rule.consent);
    let mut confidence = federal.map_or(Confidence::Assumed, |rule| rule.confidence);
    for person in people {
        let Some(rule) = rules.rule(person.location) else {
            consent = Consent::AllParty;
            reasons.push(Reason::LocationUnknown {
                participant: person.id.to_owned(),
            });
            continue;
        };
        consent = consent.max(rule.consent);
        confidence = confidence.max(rule.confidence);
        let reason = Reason::Rule {
            rule: rule.id.clone(),
            consent: rule.consent,
            confidence: rule.confidence,
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    (consent, confidence)
}
