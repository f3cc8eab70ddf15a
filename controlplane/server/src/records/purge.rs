//! The end of what the audit log keeps of people: the keys of old details are destroyed. Every
//! record stays, under its pseudonyms, and every proof holds.

use super::{PurgeReport, PurgeRequest, Records};
use crate::Error;
use bedside_audit::{Action, Actor, Event, Object, Purpose};
use bedside_ledger::Ledger;
use bedside_policy::retention::audit_detail_ends_before;
use bedside_policy::rules::Day;

/// Destroys the keys of details whose term has passed on the day of `now_us`.
///
/// # Errors
/// [`Error::Request`] for a term that the rules do not allow, and while a legal hold is in force;
/// [`Error::Unwritable`]: what is destroyed has to be recorded first.
pub(super) async fn purge(
    records: &Records,
    ledger: &Ledger,
    request: PurgeRequest,
    actor: Actor,
    now_us: u64,
) -> Result<PurgeReport, Error> {
    let (rules, overrides) = records.rules()?;
    if let Some(hold) = overrides
        .as_ref()
        .and_then(|overrides| overrides.holds().first())
    {
        return Err(Error::Request(format!(
            "the legal hold {} of {} is in force: nothing is destroyed until counsel takes it out \
             of the overrides file",
            hold.id, hold.date
        )));
    }
    let years = request
        .years
        .unwrap_or_else(|| records.retention.audit_years.into());
    let today = Day::of_unix_us(now_us)
        .ok_or_else(|| Error::Request("the clock of this host is wrong: set it".to_owned()))?;
    let before_year = audit_detail_ends_before(&rules, today, years)
        .map_err(|error| Error::Request(error.to_string()))?;
    let report = |keys| PurgeReport {
        before_year,
        years,
        keys,
        rules_version: rules.version().to_owned(),
    };
    if request.dry_run {
        return Ok(report(None));
    }
    let event = |step: &'static str| {
        let mut event = Event::new(now_us, Action::KeyDestroy, actor.clone());
        event.purpose = Purpose::SystemAdministration;
        event.object = Some(Object {
            kind: "detail_keys",
            id: format!("before {before_year}"),
        });
        event.facts.insert("step", step.into());
        event.facts.insert("years", u64::from(years).into());
        event.facts.insert("rules_sha256", rules.hash().into());
        event
    };
    ledger.record(event("ordered")).await?;
    let keys = ledger.destroy_detail_keys(None, before_year).await?;
    let mut done = event("done");
    done.facts.insert("keys", keys.into());
    ledger.record(done).await?;
    Ok(report(Some(keys)))
}
