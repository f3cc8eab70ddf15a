//! The audit log of this control plane: opened before anything listens, closed after everything
//! else has ended (45 CFR 164.312(b)).

use crate::config::Config;
use crate::limits::{LEDGER_HANDOVER, LEDGER_RETRY};
use crate::{Error, files};
use bedside_ledger::{Database, Ledger, LedgerConfig, WitnessConfig};
use bedside_protocol::Secret;
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
