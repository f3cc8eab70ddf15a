//! The audit log of this control plane: opened before anything listens, closed after everything
//! else has ended (45 CFR 164.312(b)).

pub(crate) mod access;
mod keeper;
mod known;
pub(crate) mod strangers;

pub(crate) use keeper::{Evidence, Item, Keeper, evidence};
pub(crate) use known::Known;

use crate::config::Config;
use crate::limits::{LEDGER_HANDOVER, LEDGER_RETRY};
use crate::{Error, files};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedside_audit::{Action, Actor, Event, Purpose};
use bedside_ledger::{Database, Ledger, LedgerConfig, WitnessConfig};
use bedside_protocol::{Generation, Secret};
use std::path::Path;
use tokio::time::{Instant, sleep};

/// Opens the log and checks it against what was signed.
///
/// # Errors
/// [`Error::Audit`] with what to do; [`Error::File`]; [`Error::Config`].
pub(crate) async fn open(config: &Config) -> Result<Ledger, Error> {
    let config = ledger_config(config)?;
    let until = Instant::now() + LEDGER_HANDOVER;
    loop {
        match Ledger::open(&config).await {
            // A control plane that is just ending still has it.
            Err(bedside_ledger::Error::Sequencer) if Instant::now() < until => {
                sleep(LEDGER_RETRY).await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Where the log of a control plane with this configuration is, and who vouches for it.
///
/// # Errors
/// [`Error::File`]; [`Error::Config`].
pub fn ledger_config(config: &Config) -> Result<LedgerConfig, Error> {
    let mut ledger = LedgerConfig::in_directory(&config.data_directory);
    ledger.accept_fork = config.audit.accept_fork;
    if let Some(path) = &config.audit.postgres_url_file {
        let url = files::read_secret(path)?;
        ledger.database = Database::Postgres(Secret::new(url.expose().trim().to_owned()));
    }
    ledger.origin = config.public_host().map(|host| format!("{host}/audit"));
    ledger.mirrors.clone_from(&config.audit.mirrors);
    ledger.witnesses = config
        .audit
        .witnesses
        .iter()
        .map(|witness| WitnessConfig {
            url: witness.url.clone(),
            vkey: witness.vkey.clone(),
            ca_file: witness.ca_file.clone(),
        })
        .collect();
    Ok(ledger)
}

/// What the data plane encrypts evidence with that nobody takes; made at the first start, the same
/// from then on.
///
/// # Errors
/// [`Error::File`], [`Error::Random`].
pub(crate) fn spool_key(data_directory: &Path) -> Result<Secret<[u8; 32]>, Error> {
    let path = data_directory.join("spool-key");
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::Random)?;
        files::write_secret(&path, &STANDARD.encode(key))?;
    }
    let text = files::read_secret(&path)?;
    let key = STANDARD.decode(text.expose().trim()).ok();
    let key = key.and_then(|key| <[u8; 32]>::try_from(key).ok());
    key.map(Secret::new).ok_or_else(|| {
        Error::file(
            &path,
            "is not a key of 32 bytes in base64; without the right one, evidence that a data \
             plane has on disk is lost: restore it, or remove the file for a new one",
        )
    })
}

/// This control plane starts or stops.
pub(crate) fn node(action: Action, config: &Config, generation: Generation) -> Event {
    let mut event = access::event(action, Actor::SYSTEM);
    event.purpose = Purpose::Operations;
    let facts = &mut event.facts;
    facts.insert("version", env!("CARGO_PKG_VERSION").into());
    facts.insert("generation", generation.0.into());
    facts.insert("profile", config.profile.name().into());
    facts.insert("webhooks", (config.webhooks.urls.len() as u64).into());
    event
}
