//! Searching the log.

use crate::{Action, Entry, Fact, Outcome, Pseudonym, Timestamp};

/// Which entries are asked for: those that match every member that is set. Names are asked for by
/// their pseudonyms ([`PseudonymKey::search`](crate::PseudonymKey::search)); several where the key
/// of the pseudonyms was replaced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// One of these actions.
    pub actions: Vec<Action>,
    /// That outcome.
    pub outcome: Option<Outcome>,
    /// By one of these.
    pub actors: Vec<Pseudonym>,
    /// Concerning one of these.
    pub patients: Vec<Pseudonym>,
    /// In one of these.
    pub rooms: Vec<Pseudonym>,
    /// In that consult.
    pub encounter: Option<String>,
    /// A text that occurs in a fact, its name, the reason, or the object's kind or id; upper and
    /// lower case are the same. What is sealed is not searched.
    pub text: Option<String>,
}

impl Filter {
    /// Whether `entry` is asked for.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let patient = entry.patient.as_ref().map(|patient| &patient.pid);
        self.from.is_none_or(|from| entry.ts >= from)
            && self.until.is_none_or(|until| entry.ts < until)
            && (self.actions.is_empty() || self.actions.contains(&entry.action))
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && is_among(&self.actors, entry.actor.pid.as_ref())
            && is_among(&self.patients, patient)
            && is_among(&self.rooms, entry.room.as_ref())
            && (self.encounter.is_none() || self.encounter == entry.encounter)
            && self
                .text
                .as_ref()
                .is_none_or(|text| says(entry, &text.to_lowercase()))
    }
}

fn is_among(wanted: &[Pseudonym], found: Option<&Pseudonym>) -> bool {
    wanted.is_empty() || found.is_some_and(|found| wanted.contains(found))
}

fn says(entry: &Entry, text: &str) -> bool {
    let holds = |other: &str| other.to_lowercase().contains(text);
    let object = entry.object.as_ref();
    entry.reason.as_deref().is_some_and(holds)
        || object.is_some_and(|object| holds(&object.kind) || holds(&object.id))
        || entry.facts.iter().any(|(name, fact)| {
            holds(name)
                || match fact {
                    Fact::Text(value) => holds(value),
                    Fact::Number(number) => number.to_string() == text,
                    Fact::Flag(flag) => flag.to_string() == text,
                }
        })
}

#[cfg(test)]
mod tests;
