//! Evidence bundles, and the end of what the audit log keeps of people (45 CFR 164.308(a)(6)(ii),
//! 164.316(b)(2)(i)).

mod purge;
mod routes;

pub(crate) use routes::routes;

use crate::Error;
use crate::config::{AuditConfig, Config, RetentionConfig};
use bedside_audit::VerifyingKey;
use bedside_policy::retention::RetentionRules;
use bedside_policy::rules::Overrides;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What bundles and purges need of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    configuration: Value,
    agreements_file: Option<PathBuf>,
    witness_keys: Vec<VerifyingKey>,
    retention: RetentionConfig,
}

impl Records {
    /// # Errors
    /// [`Error::Config`] for a witness whose key does not read, and for rules that do not.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let keys = config.audit.witnesses.iter().map(|witness| {
            let wrong = |error| Error::Config(format!("`audit.witnesses`, `vkey`: {error}"));
            witness.vkey.parse().map_err(wrong)
        });
        let records = Self {
            configuration: settings(config),
            agreements_file: config.baa_file.clone(),
            witness_keys: keys.collect::<Result<_, _>>()?,
            retention: config.retention.clone(),
        };
        records.rules()?;
        Ok(records)
    }

    /// The rules of retention with what counsel decided, and counsel's file.
    fn rules(&self) -> Result<(RetentionRules, Option<Overrides>), Error> {
        let rules = RetentionRules::built_in();
        let Some(path) = &self.retention.overrides_file else {
            return Ok((rules, None));
        };
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let wrong = |error: bedside_policy::rules::RulesError| Error::Config(error.to_string());
        let overrides = Overrides::parse(&path.display().to_string(), &text).map_err(wrong)?;
        let rules = rules.overridden(&overrides).map_err(wrong)?;
        Ok((rules, Some(overrides)))
    }

    /// The agreements on record, as they are written.
    fn agreements(&self) -> Result<Value, Error> {
        let Some(path) = &self.agreements_file else {
            return Ok(json!([]));
        };
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let register: Value =
            toml::from_str(&text).map_err(|error| Error::file(path, error.message()))?;
        Ok(match register.get("baa") {
            Some(agreements) => agreements.clone(),
            None => register,
        })
    }
}

/// What of the configuration an auditor asks for. No secret and no path to one.
fn settings(config: &Config) -> Value {
    let AuditConfig {
        postgres_url_file,
        witnesses,
        mirrors,
        // Of one start alone, and recorded there.
        accept_fork: _,
    } = &config.audit;
    let witnesses: Vec<&str> = witnesses
        .iter()
        .map(|witness| witness.url.as_str())
        .collect();
    json!({
        "profile": format!("{:?}", config.profile).to_lowercase(),
        "listen": config.listen,
        "public_url": config.public_url,
        "tls": { "versions": "1.3", "session_tickets": false, "development": config.tls.development },
        "media": {
            "addresses": config.media.listen,
            "port": config.media.port,
            "aead_only": config.media.aead_only,
            "dtls13_only": config.media.dtls13_only,
        },
        "audit": {
            "database": if postgres_url_file.is_some() { "postgresql" } else { "sqlite" },
            "witnesses": witnesses,
            "mirrors": mirrors.len(),
        },
        "identity": {
            "issuer": config.identity.issuer,
            "mfa_acr": config.identity.mfa_acr,
            "mfa_amr": config.identity.mfa_amr,
            "clinician_idle_s": config.identity.clinician_idle_s,
            "administrator_idle_s": config.identity.administrator_idle_s,
            "session_s": config.identity.session_s,
        },
        "retention": {
            "state": config.retention.state,
            "audit_years": config.retention.audit_years,
        },
        "webhooks": config.webhooks.urls,
        "telemetry": {
            "metrics_listen": config.telemetry.metrics_listen,
            "otlp_endpoint": config.telemetry.otlp_endpoint,
        },
    })
}

/// A bundle that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRequest {
    /// A consult, by the room's sid.
    pub consult: Option<String>,
    /// Start of a period, microseconds since the Unix epoch.
    pub from_us: Option<u64>,
    /// End of the period, not in it, microseconds since the Unix epoch.
    pub until_us: Option<u64>,
    /// Whether names and addresses are opened.
    pub clear_text: bool,
}

/// A purge that is asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// Years that detail is kept; as configured when absent.
    pub years: Option<u16>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What a purge did, or would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PurgeReport {
    /// Details of years before this one cannot be read any more.
    pub before_year: u16,
    /// Years that detail is kept.
    pub years: u16,
    /// Keys that were destroyed; none when it was only asked.
    pub keys: Option<u64>,
    /// Version of the rules that allowed it.
    pub rules_version: String,
}

#[cfg(test)]
mod tests;
