//! Sections of a few settings each.

use super::refusal::Refusals;
use super::rules::Rule;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// `[policy]`: who may do what.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Cedar files on top of the built-in ones; one of the same name takes the place of its.
    pub directory: Option<PathBuf>,
    /// Patients with a link wait until somebody who treats them lets them in. As the profile
    /// says when absent: `hipaa` yes, `trial` no.
    pub waiting_room: Option<bool>,
    /// Seconds that an emergency entry lasts.
    pub break_glass_s: u32,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            directory: None,
            waiting_room: None,
            break_glass_s: 3_600,
        }
    }
}

impl PolicyConfig {
    pub(super) fn check(&self, refusals: &mut Refusals) {
        if !(60..=86_400).contains(&self.break_glass_s) {
            refusals.cannot(
                "policy.break_glass_s",
                "is not between 60 and 86400",
                "an emergency entry lasts an hour by default: break_glass_s = 3600",
            );
        }
    }
}

/// `[telemetry]`: who is told how the server does. Never whom it serves.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Where Prometheus reads `/metrics`, over HTTP; nowhere when absent.
    pub metrics_listen: Option<SocketAddr>,
    /// OpenTelemetry collector, OTLP over HTTP: `https://`; `http://` only to this machine.
    /// Nothing is sent when absent.
    pub otlp_endpoint: Option<String>,
    /// PEM of authorities that the collector's certificate is checked against instead of the
    /// public ones.
    pub otlp_ca_file: Option<PathBuf>,
    /// Take what the consult page reports of calls, and add it up. Off: `/api/statistics` answers
    /// with 404, and pages stop reporting.
    pub client_statistics: bool,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            metrics_listen: None,
            otlp_endpoint: None,
            otlp_ca_file: None,
            client_statistics: true,
        }
    }
}

impl TelemetryConfig {
    pub(super) fn check_hipaa(&self, refusals: &mut Refusals) {
        if let Some(address) = self.metrics_listen
            && !is_inside(address.ip())
        {
            refusals.forbidden(
                Rule::METRICS,
                "telemetry.metrics_listen",
                format!("is {address}, which others can reach without a log-in"),
                "use an address of this machine or of a private network",
            );
        }
    }
}

/// Loopback, or an address that the Internet does not route: RFC 1918, RFC 4193, link-local.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// `[retention]`: how long records are kept.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// The state whose rules hold, `CA`; the strictest of all when absent.
    pub state: Option<String>,
    /// Whose rules hold where a state has several.
    pub provider: Provider,
    /// TOML of rules that the operator's counsel sets in place of the built-in ones.
    pub overrides_file: Option<PathBuf>,
    /// Years that the audit log's detail is kept, at least.
    pub audit_years: u8,
}

/// Who keeps the records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// A hospital.
    #[default]
    Hospital,
    /// A physician's practice.
    Physician,
}

impl RetentionConfig {
    pub(super) fn check(&self, refusals: &mut Refusals) {
        if let Some(state) = &self.state
            && !(state.len() == 2 && state.bytes().all(|byte| byte.is_ascii_uppercase()))
        {
            refusals.cannot(
                "retention.state",
                format!("{state} is not a state"),
                "use its two letters: state = \"CA\"",
            );
        }
    }

    pub(super) fn check_hipaa(&self, refusals: &mut Refusals) {
        if self.audit_years < AUDIT_YEARS_MIN {
            refusals.forbidden(
                Rule::RETENTION,
                "retention.audit_years",
                format!("is {}, less than {AUDIT_YEARS_MIN}", self.audit_years),
                format!("set it to {AUDIT_YEARS_MIN} or more"),
            );
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            state: None,
            provider: Provider::default(),
            overrides_file: None,
            audit_years: AUDIT_YEARS_MIN,
        }
    }
}

/// 45 CFR 164.316(b)(2)(i).
const AUDIT_YEARS_MIN: u8 = 6;

/// `[recording]`: whether consults are recorded.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingConfig {
    /// Refused: this release has no recorder. The setting is there so that nobody believes that
    /// consults are recorded when they are not.
    pub enabled: bool,
    /// Who must have consented before the first second is recorded.
    pub consent: Option<ConsentRule>,
}

/// Who must have consented to a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// Everybody in the room.
    Everybody,
    /// Whoever the laws of the participants' states name; everybody where one is not known.
    ByState,
}

impl RecordingConfig {
    pub(super) fn check(&self, refusals: &mut Refusals) {
        if self.enabled {
            refusals.cannot(
                "recording.enabled",
                "is true, and this release has no recorder",
                "set it to false",
            );
        }
    }

    pub(super) fn check_hipaa(&self, refusals: &mut Refusals) {
        if self.enabled && self.consent.is_none() {
            refusals.forbidden(
                Rule::CONSENT,
                "recording.consent",
                "is missing: nobody would be asked before they are recorded",
                "set it to \"everybody\" or \"by_state\"",
            );
        }
    }
}
