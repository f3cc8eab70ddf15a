//! What a provider's claims mean here.

use crate::config::IdentityConfig;
use crate::limits::DISPLAY_NAME_CHARACTERS_MAX;
use bedside_audit::Role;
use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Claims that OpenID Connect does not name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MoreClaims {
    #[serde(flatten)]
    claims: BTreeMap<String, Value>,
}

impl AdditionalClaims for MoreClaims {}

/// What was said about an authentication.
pub(super) struct Vouched<'a> {
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    pub(super) more: &'a MoreClaims,
}

impl Vouched<'_> {
    /// Whether more than one factor was used, in the words of the configuration.
    pub(super) fn multi_factor(&self, config: &IdentityConfig) -> bool {
        let acr = |acr: &String| config.mfa_acr.contains(acr);
        self.acr.as_ref().is_some_and(acr)
            || self
                .amr
                .iter()
                .any(|method| config.mfa_amr.contains(method))
    }

    /// The roles, each once, those with more duties first.
    pub(super) fn roles(&self, config: &IdentityConfig) -> Vec<Role> {
        let Some(value) = self.more.find(&config.role_claim) else {
            return Vec::new();
        };
        let said = |name: &str| match value {
            Value::String(text) => text == name,
            Value::Array(texts) => texts.iter().any(|text| text.as_str() == Some(name)),
            _ => false,
        };
        let mut roles: Vec<_> = config
            .roles
            .iter()
            .filter(|(name, _)| said(name))
            .map(|(_, role)| *role)
            .collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The provider's session (OIDC Back-Channel Logout §2.1).
    pub(super) fn sid(&self) -> Option<String> {
        Some(self.more.find("sid")?.as_str()?.to_owned())
    }
}

impl MoreClaims {
    /// A claim by its name, or by its path: `realm_access.roles`.
    fn find(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.claims.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        rest.split('.')
            .try_fold(self.claims.get(first)?, |value, name| value.get(name))
    }
}

/// What others see: bounded, on one line.
pub(super) fn display_name(name: &str) -> String {
    name.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|character| !character.is_control())
        .take(DISPLAY_NAME_CHARACTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vouched(
        claims: &Value,
        acr: Option<&str>,
        amr: &[&str],
    ) -> (MoreClaims, Option<String>, Vec<String>) {
        (
            serde_json::from_value(claims.clone()).expect("an object"),
            acr.map(str::to_owned),
            amr.iter().map(|method| (*method).to_owned()).collect(),
        )
    }

    fn config(role_claim: &str) -> IdentityConfig {
        IdentityConfig {
            role_claim: role_claim.to_owned(),
            roles: BTreeMap::from([
                ("doctors".to_owned(), Role::Clinician),
                ("nurses".to_owned(), Role::Clinician),
                ("audit".to_owned(), Role::Auditor),
            ]),
            mfa_acr: vec!["urn:two".to_owned()],
            mfa_amr: vec!["otp".to_owned()],
            ..IdentityConfig::default()
        }
    }

    #[test]
    fn roles_are_read_from_a_claim_by_name_or_path() {
        let check = |claims: Value, role_claim: &str, expected: &[Role]| {
            let (more, acr, amr) = vouched(&claims, None, &[]);
            let vouched = Vouched {
                acr,
                amr,
                more: &more,
            };
            assert_eq!(vouched.roles(&config(role_claim)), expected, "{claims}");
        };
        check(json!({"groups": "doctors"}), "groups", &[Role::Clinician]);
        check(
            json!({"groups": ["audit", "nurses", "doctors", "cooks", 7]}),
            "groups",
            &[Role::Clinician, Role::Auditor],
        );
        check(
            json!({"realm_access": {"roles": ["audit"]}}),
            "realm_access.roles",
            &[Role::Auditor],
        );
        check(
            json!({"https://a.example/roles": ["audit"]}),
            "https://a.example/roles",
            &[Role::Auditor],
        );
        check(json!({"groups": {"doctors": true}}), "groups", &[]);
        check(json!({"groups": "doctors audit"}), "groups", &[]);
        check(json!({}), "groups", &[]);
        check(json!({"groups": "doctors"}), "other.path", &[]);
    }

    #[test]
    fn a_second_factor_is_what_the_configuration_says() {
        let check = |acr: Option<&str>, amr: &[&str], expected: bool| {
            let (more, acr, amr) = vouched(&json!({}), acr, amr);
            let vouched = Vouched {
                acr,
                amr,
                more: &more,
            };
            assert_eq!(vouched.multi_factor(&config("roles")), expected);
        };
        check(None, &[], false);
        check(None, &["pwd"], false);
        check(Some("0"), &["pwd"], false);
        check(Some("urn:two"), &[], true);
        check(None, &["pwd", "otp"], true);
    }

    #[test]
    fn a_name_is_one_bounded_line() {
        assert_eq!(display_name("  Ada\n\tLovelace\u{7} "), "Ada Lovelace");
        assert_eq!(
            display_name(&"x".repeat(500)).len(),
            DISPLAY_NAME_CHARACTERS_MAX
        );
    }
}
