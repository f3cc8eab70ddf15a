//! `bedside audit search`, and what entries are chosen by.

use super::{PAGE, log::Log, people};
use crate::print::{Format, line};
use anyhow::Result;
use bedside_audit::{Action, Timestamp};
use bedside_ledger::{EntryReport, Question, Wanted};
use clap::Args;

#[derive(Args, Clone)]
pub(crate) struct SearchOptions {
    /// Not before: 2026-11-24 or 2026-11-24T13:00:00Z
    #[arg(long, value_parser = moment)]
    from: Option<u64>,
    /// Before
    #[arg(long, value_parser = moment)]
    until: Option<u64>,
    /// An action such as room.join, or its first part
    #[arg(long, value_parser = action)]
    action: Option<String>,
    /// success, denied or failed
    #[arg(long, value_parser = ["success", "denied", "failed"])]
    outcome: Option<String>,
    /// Who did it: a name as the records have it, or a pseudonym
    #[arg(long)]
    actor: Option<String>,
    /// Whom it concerns
    #[arg(long)]
    patient: Option<String>,
    /// In which room
    #[arg(long)]
    room: Option<String>,
    /// In which consult: RM_...
    #[arg(long)]
    encounter: Option<String>,
}

impl SearchOptions {
    /// Up to `limit` entries, the last first, in pages.
    pub(super) fn each(
        &self,
        log: &Log,
        limit: Option<u32>,
        mut take: impl FnMut(&EntryReport) -> Result<()>,
    ) -> Result<()> {
        let mut left = limit.unwrap_or(u32::MAX);
        let mut before = None;
        while left > 0 {
            let count = left.min(PAGE);
            let found = log.entries(Question::Search {
                wanted: self.wanted(),
                before,
                count,
            })?;
            for entry in &found {
                take(entry)?;
            }
            let Some(last) = found.last() else {
                break;
            };
            before = Some(last.sequence);
            left = left.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            if found.len() < usize::try_from(count).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(())
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            from_us: self.from,
            until_us: self.until,
            action: self.action.clone(),
            outcome: self.outcome.clone(),
            actor: self.actor.clone(),
            patient: self.patient.clone(),
            room: self.room.clone(),
            encounter: self.encounter.clone(),
        }
    }
}

pub(super) fn run(log: &Log, options: &SearchOptions, limit: u32, format: Format) -> Result<()> {
    let mut found = false;
    options.each(log, Some(limit), |entry| {
        found = true;
        line(&people::entry_line(entry, format)?)
    })?;
    if !found && !format.json {
        line("no entry matches")?;
    }
    Ok(())
}

/// Microseconds since the Unix epoch of a day or a moment, UTC.
fn moment(text: &str) -> Result<u64, String> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00.000000Z"),
        20 => format!("{}.000000Z", &text[..19]),
        _ => text.to_owned(),
    };
    whole
        .parse::<Timestamp>()
        .map(Timestamp::micros)
        .map_err(|_| "use a day as 2026-11-24 or a moment as 2026-11-24T13:00:00Z".to_owned())
}

fn action(text: &str) -> Result<String, String> {
    let known =
        |action: &&Action| action.name() == text || action.name().split('.').next() == Some(text);
    if Action::ALL.iter().any(|action| known(&action)) {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
    Err(format!("there are {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{action, moment};

    #[test]
    fn days_and_moments_are_utc() {
        assert_eq!(moment("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert_eq!(moment("1970-01-01T00:00:01.500000Z"), Ok(1_500_000));
        for wrong in ["", "yesterday", "1970-13-01", "1970-01-01T00:00:0\u{e9}Z"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn actions_are_known_whole_or_by_their_first_part() {
        assert_eq!(action("room.join"), Ok("room.join".to_owned()));
        assert_eq!(action("room"), Ok("room".to_owned()));
        assert!(action("roo").is_err());
    }
}
