//! What has changed in the configuration and in the agreements, for the audit log
//! (45 CFR 164.312(b)).

use crate::baa::{Agreement, Register};
use crate::store::Store;
use crate::store::configuration::Settings;
use crate::tls::Certificate;
use crate::{Config, Error};
use aws_lc_rs::digest::{SHA256, digest};
use bedside_audit::{Action, Actor, ActorKind, Event, Fact, Object, Outcome, Purpose};
use bedside_ledger::Ledger;
use bedside_rooms::Time;
use std::collections::BTreeSet;

/// Records how the configuration in force differs from that of the last start.
///
/// # Errors
/// [`Error::Database`].
pub(crate) async fn record_configuration(
    ledger: &Ledger,
    store: &Store,
    config: &Config,
    now: Time,
) -> Result<(), Error> {
    let settings: Settings = config
        .settings()
        .into_iter()
        .map(|(name, value)| (name, digest(&SHA256, value.as_bytes()).as_ref().to_vec()))
        .collect();
    let Some(event) = of_configuration(&store.settings().await?, &settings, config, now) else {
        return Ok(());
    };
    // What is not in the log is found again at the next start.
    match ledger.record(event).await {
        Ok(_) => store.keep_settings(&settings).await,
        Err(unwritable) => {
            tracing::error!(%unwritable, "the change of the configuration is not in the audit log yet");
            Ok(())
        }
    }
}

/// Records how the register differs from what was known of it: one event for each agreement that
/// was added, changed or removed.
///
/// # Errors
/// [`Error::Database`], and those of the register.
pub(crate) async fn record_agreements(
    ledger: &Ledger,
    store: &Store,
    config: &Config,
    now: Time,
) -> Result<(), Error> {
    let register = Register::read(&config.baa_file())?;
    let agreements: Vec<_> = register.iter().cloned().collect();
    let events = of_agreements(&store.agreements().await?, &agreements, now);
    if events.is_empty() {
        return Ok(());
    }
    for event in events {
        if let Err(unwritable) = ledger.record(event).await {
            tracing::error!(%unwritable, "a change of the agreements is not in the audit log yet");
            return Ok(());
        }
    }
    store.keep_agreements(&agreements).await
}

/// Notes that another certificate is in use, or that a changed one is not because of `refused`.
pub(crate) fn note_certificate(
    ledger: &Ledger,
    certificate: &Certificate,
    refused: bool,
    now: Time,
) {
    let mut event = event(now, Action::CertificateChange);
    if refused {
        event.outcome = Outcome::Failed;
        event.reason = Some("certificate_refused");
    }
    // Of the one in use, whichever it is.
    if let Some(facts) = certificate.facts() {
        let number = |seconds: i64| Fact::from(u64::try_from(seconds).unwrap_or_default());
        event.facts.insert("key", Fact::from(facts.key));
        event.facts.insert("not_after_s", number(facts.not_after));
        event.object = Some(Object {
            kind: "certificate",
            id: facts.fingerprint,
        });
    }
    ledger.note(event);
}

fn of_configuration(
    last: &Settings,
    settings: &Settings,
    config: &Config,
    now: Time,
) -> Option<Event> {
    let names: BTreeSet<&String> = settings.keys().chain(last.keys()).collect();
    let changed: Vec<_> = names
        .into_iter()
        .filter(|name| settings.get(*name) != last.get(*name))
        .map(String::as_str)
        .collect();
    if changed.is_empty() {
        return None;
    }
    let mut event = event(now, Action::ConfigChange);
    event.object = Some(Object {
        kind: "configuration",
        id: config.hash(),
    });
    event
        .facts
        .insert("profile", Fact::from(config.profile.name()));
    if last.is_empty() {
        event.reason = Some("first_start");
    } else {
        event
            .facts
            .insert("settings", Fact::from(changed.join(" ")));
    }
    Some(event)
}

fn of_agreements(last: &[Agreement], agreements: &[Agreement], now: Time) -> Vec<Event> {
    let find =
        |list: &[Agreement], id: &str| list.iter().find(|known| known.agreement == id).cloned();
    let added_or_changed =
        agreements
            .iter()
            .filter_map(|agreement| match find(last, &agreement.agreement) {
                None => Some((agreement, "added")),
                Some(known) if known != *agreement => Some((agreement, "changed")),
                Some(_) => None,
            });
    let removed = last
        .iter()
        .filter(|agreement| find(agreements, &agreement.agreement).is_none())
        .map(|agreement| (agreement, "removed"));
    added_or_changed
        .chain(removed)
        .map(|(agreement, step)| agreement_event(now, agreement, step))
        .collect()
}

fn agreement_event(now: Time, agreement: &Agreement, step: &'static str) -> Event {
    let mut event = event(now, Action::BaaChange);
    event.object = Some(Object {
        kind: "agreement",
        id: agreement.agreement.clone(),
    });
    let facts = [
        ("step", step.to_owned()),
        ("entity", agreement.entity.clone()),
        ("expires", agreement.expires.to_string()),
        ("hosts", agreement.hosts.join(" ")),
    ];
    event
        .facts
        .extend(facts.map(|(name, value)| (name, Fact::from(value))));
    event
}

/// Whoever may write the files: they do not say who it was.
fn event(now: Time, action: Action) -> Event {
    let actor = Actor {
        kind: ActorKind::Operator,
        ..Actor::SYSTEM
    };
    Event {
        purpose: Purpose::Operations,
        ..Event::new(now.0, action, actor)
    }
}

#[cfg(test)]
mod tests;
