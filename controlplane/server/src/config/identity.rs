//! `[identity]`: how the workforce logs in (45 CFR 164.312(d)).

use super::refusal::Refusals;
use super::rules::Rule;
use bedside_audit::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How the workforce logs in: OpenID Connect, authorisation code with PKCE.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// The provider's issuer: `https://`; `http://` only to this machine. Nobody logs in when
    /// absent.
    pub issuer: Option<String>,
    /// This server's id at the provider; needed with `issuer`.
    pub client_id: Option<String>,
    /// File with this server's secret at the provider; a public client when absent.
    pub client_secret_file: Option<PathBuf>,
    /// PEM of authorities that the provider's certificate is checked against instead of the
    /// public ones.
    pub ca_file: Option<PathBuf>,
    /// Asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that says what somebody is; a text or a list of texts.
    pub role_claim: String,
    /// What the claim's values mean here: `"doctors" = "clinician"`. Others mean nothing.
    pub roles: BTreeMap<String, Role>,
    /// Values of `acr` that mean a second factor.
    pub mfa_acr: Vec<String>,
    /// Values of `amr` (RFC 8176) that mean a second factor; one of them is enough.
    pub mfa_amr: Vec<String>,
    /// Seconds unused until a clinician's screen is locked.
    pub clinician_idle_s: u32,
    /// Seconds unused until anybody else's is.
    pub administrator_idle_s: u32,
    /// Seconds until everybody must log in again.
    pub session_s: u32,
    /// Access tokens count for one join each, by their `jti`.
    pub single_use_tokens: bool,
}

impl IdentityConfig {
    pub(super) fn check(&self, refusals: &mut Refusals) {
        if self.issuer.is_some() && self.client_id.as_deref().unwrap_or_default().is_empty() {
            refusals.cannot(
                "identity.client_id",
                "is missing",
                "name this server as the provider does",
            );
        }
        if self.issuer.is_none() && self.client_id.is_some() {
            refusals.cannot(
                "identity.issuer",
                "is missing",
                "name the provider: issuer = \"https://id.example.org\"",
            );
        }
        if self.issuer.is_some() && self.roles.is_empty() {
            refusals.cannot(
                "identity.roles",
                "maps no claim to a role, so that nobody could do anything",
                "say for example roles = { doctors = \"clinician\" }",
            );
        }
        for (value, role) in &self.roles {
            if matches!(role, Role::Patient | Role::Agent | Role::Service) {
                refusals.cannot(
                    "identity.roles",
                    format!("maps {value} to {}, who does not log in", role.name()),
                    "use clinician, administrator, security_officer or auditor",
                );
            }
        }
        for (setting, seconds) in [
            ("identity.clinician_idle_s", self.clinician_idle_s),
            ("identity.administrator_idle_s", self.administrator_idle_s),
            ("identity.session_s", self.session_s),
        ] {
            if seconds < 60 {
                refusals.cannot(setting, "is less than 60", "give people a minute");
            }
        }
    }

    /// What the `hipaa` profile asks beyond.
    pub(super) fn check_hipaa(&self, refusals: &mut Refusals) {
        if self.issuer.is_some() && self.mfa_acr.is_empty() && self.mfa_amr.is_empty() {
            refusals.forbidden(
                Rule::WORKFORCE,
                "identity.mfa_amr",
                "and `identity.mfa_acr` are empty: nobody would need a second factor",
                "name the values by which the provider says that one was used",
            );
        }
        for (setting, seconds, longest) in [
            (
                "identity.clinician_idle_s",
                self.clinician_idle_s,
                IDLE_S_MAX,
            ),
            (
                "identity.administrator_idle_s",
                self.administrator_idle_s,
                IDLE_S_MAX,
            ),
            ("identity.session_s", self.session_s, SESSION_S_MAX),
        ] {
            if seconds > longest {
                refusals.forbidden(
                    Rule::LOGOFF,
                    setting,
                    format!("is more than {longest}"),
                    "set it to that or less; a consult goes on behind a locked screen",
                );
            }
        }
    }
}

impl Default for IdentityConfig {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            issuer: None,
            client_id: None,
            client_secret_file: None,
            ca_file: None,
            scopes: Vec::new(),
            role_claim: "roles".to_owned(),
            roles: BTreeMap::new(),
            mfa_acr: Vec::new(),
            mfa_amr: texts(&["mfa", "otp", "hwk", "swk", "fpt", "face"]),
            clinician_idle_s: IDLE_S_MAX,
            administrator_idle_s: 600,
            session_s: SESSION_S_MAX,
            single_use_tokens: false,
        }
    }
}

/// A quarter of an hour: what a clinic's own workstations do.
const IDLE_S_MAX: u32 = 900;

/// A long shift.
const SESSION_S_MAX: u32 = 43_200;
