//! The hosts outside that a configuration tells something, and whether it may.

use super::refusal::Refusals;
use super::rules::Rule;
use super::{Config, Profile, is_safe_url, is_this_machine};
use crate::baa::{Cover, Day, Register};
use crate::{files, tls};
use serde::Serialize;
use std::path::Path;

/// A host that is told something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Endpoint {
    /// The setting that names it.
    pub setting: &'static str,
    /// Its name or address, without brackets.
    pub host: String,
    /// What it is told.
    pub purpose: &'static str,
    /// It is this machine.
    pub this_machine: bool,
}

impl Endpoint {
    fn new(setting: &'static str, host: &str, purpose: &'static str) -> Self {
        Self {
            setting,
            host: host.trim_matches(['[', ']']).to_owned(),
            purpose,
            this_machine: is_this_machine(host),
        }
    }
}

impl Config {
    /// Every host that is told something, in the file's order. A PostgreSQL host is known once
    /// the file with its URL can be read.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = Vec::new();
        let mut add = |setting, url: &str, purpose| {
            let host = url.parse::<http::Uri>().ok();
            if let Some(host) = host.as_ref().and_then(http::Uri::host) {
                endpoints.push(Endpoint::new(setting, host, purpose));
            }
        };
        for url in &self.webhooks.urls {
            add("webhooks.urls", url, "what happens in rooms, with names");
        }
        if let Some(issuer) = &self.identity.issuer {
            add("identity.issuer", issuer, "who of the workforce logs in");
        }
        for witness in &self.audit.witnesses {
            add(
                "audit.witnesses",
                &witness.url,
                "checkpoints of the audit log: hashes",
            );
        }
        if let Some(url) = &self.telemetry.otlp_endpoint {
            add(
                "telemetry.otlp_endpoint",
                url,
                "how the server does: no identities",
            );
        }
        if let Some(Ok(postgres)) = self.audit.postgres_url_file.as_deref().map(Postgres::read)
            && let Some(host) = &postgres.host
        {
            let purpose = "the audit log: pseudonyms, encrypted detail";
            endpoints.push(Endpoint::new("audit.postgres_url_file", host, purpose));
        }
        endpoints
    }

    /// Refuses hosts that are told something without an agreement in force (45 CFR 164.308(b)(1)).
    pub(super) fn check_agreements(
        &self,
        register: &Register,
        today: Day,
        refusals: &mut Refusals,
    ) {
        for endpoint in self.endpoints() {
            let Endpoint { setting, host, .. } = &endpoint;
            if endpoint.this_machine || self.is_own_host(host) {
                continue;
            }
            match register.cover(host, today) {
                Cover::InForce(_) => {}
                Cover::Expired(agreement) => refusals.forbidden(
                    Rule::AGREEMENT,
                    setting,
                    format!(
                        "names {host}, whose agreement {} with {} ended on {}",
                        agreement.agreement, agreement.entity, agreement.expires
                    ),
                    format!(
                        "renew it and type: bedside baa add --agreement {} --entity '{}' \
                         --host {host} --expires YYYY-MM-DD",
                        agreement.agreement, agreement.entity
                    ),
                ),
                Cover::None => refusals.forbidden(
                    Rule::AGREEMENT,
                    setting,
                    format!("names {host}, an outside host without an agreement"),
                    format!(
                        "type: bedside baa add --host {host} --entity NAME --agreement ID \
                         --expires YYYY-MM-DD; or put it into `own_hosts` if you run it yourself"
                    ),
                ),
            }
        }
    }

    /// Whether the operator says that they run `host` themselves.
    pub(crate) fn is_own_host(&self, host: &str) -> bool {
        self.own_hosts
            .iter()
            .any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Refuses addresses that would be told something in the clear (45 CFR 164.312(e)(1)), in
    /// whatever profile.
    pub(super) fn check_transport(&self, refusals: &mut Refusals) {
        let issuer = self.identity.issuer.iter();
        let witnesses = self.audit.witnesses.iter().map(|witness| &witness.url);
        let urls = self.webhooks.urls.iter().map(|url| ("webhooks.urls", url));
        let urls = urls
            .chain(issuer.map(|url| ("identity.issuer", url)))
            .chain(witnesses.map(|url| ("audit.witnesses", url)))
            .chain(
                self.telemetry
                    .otlp_endpoint
                    .iter()
                    .map(|url| ("telemetry.otlp_endpoint", url)),
            );
        for (setting, url) in urls.filter(|(_, url)| !is_safe_url(url)) {
            refusals.forbidden(
                Rule::TRANSPORT,
                setting,
                format!(
                    "is neither https:// nor http:// to this machine: {}",
                    place(url)
                ),
                "use https://",
            );
        }
    }

    /// Refuses files that cannot be read and what is wrong in them (45 CFR 164.312(a)(1),
    /// (e)(1)), in whatever profile.
    pub(super) fn check_files(&self, refusals: &mut Refusals) {
        self.check_secret_files(refusals);
        self.check_certificate(refusals);
        let Some(path) = &self.audit.postgres_url_file else {
            return;
        };
        let setting = "audit.postgres_url_file";
        match Postgres::read(path) {
            // Said of the file already.
            Err(Unread::File) => {}
            Err(Unread::Form) => refusals.cannot(
                setting,
                format!("names {}, which holds no PostgreSQL URL", path.display()),
                "write one line: postgres://user:password@host/database?sslmode=verify-full",
            ),
            Ok(Postgres {
                host: Some(host),
                verified: false,
            }) if !is_this_machine(&host) => refusals.forbidden(
                Rule::TRANSPORT,
                setting,
                format!("connects to {host} without checking its certificate"),
                "end the URL with ?sslmode=verify-full",
            ),
            Ok(_) => {}
        }
    }

    fn check_certificate(&self, refusals: &mut Refusals) {
        let Some(path) = &self.tls.certificate_file else {
            return;
        };
        let setting = "tls.certificate_file";
        match tls::weakness(path) {
            Ok(Some(weakness)) if self.profile == Profile::Hipaa => refusals.forbidden(
                Rule::TLS,
                setting,
                format!("names {}, which {weakness}", path.display()),
                "have it issued anew, for an EC P-256 or RSA 2048 key at least",
            ),
            Ok(_) => {}
            Err(error) => refusals.cannot(
                setting,
                format!("cannot be used: {error}"),
                "put the PEM file there, leaf first",
            ),
        }
    }

    /// Refuses files with keys and secrets that others can read (45 CFR 164.312(a)(1)).
    fn check_secret_files(&self, refusals: &mut Refusals) {
        for (setting, path) in [
            ("tls.key_file", &self.tls.key_file),
            ("api_keys_file", &self.api_keys_file),
            (
                "identity.client_secret_file",
                &self.identity.client_secret_file,
            ),
            ("audit.postgres_url_file", &self.audit.postgres_url_file),
        ] {
            let Some(path) = path else { continue };
            match files::mode(path) {
                Ok(mode) if mode & files::OTHERS == 0 => {}
                Ok(mode) => refusals.forbidden(
                    Rule::KEY_FILES,
                    setting,
                    format!(
                        "names {}, which others can read or change (mode {mode:03o})",
                        path.display()
                    ),
                    format!("type: chmod 600 {}", path.display()),
                ),
                Err(error) => refusals.cannot(
                    setting,
                    format!(
                        "names {}, which cannot be looked at: {error}",
                        path.display()
                    ),
                    "put the file there, readable by this user",
                ),
            }
        }
    }
}

/// What a PostgreSQL URL says about who is connected to, and how.
struct Postgres {
    /// None for a Unix socket.
    host: Option<String>,
    /// The server's certificate is checked, with its name.
    verified: bool,
}

impl Postgres {
    fn read(path: &Path) -> Result<Self, Unread> {
        let text = files::read_secret(path).map_err(|_| Unread::File)?;
        Self::parse(text.expose().trim()).ok_or(Unread::Form)
    }

    fn parse(url: &str) -> Option<Self> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, _database) = rest.split_once('/').unwrap_or((rest, ""));
        let (_user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let named = if place.starts_with('[') {
            place.split_inclusive(']').next()
        } else {
            place.split(':').next()
        };
        let mut host = named.unwrap_or_default().to_owned();
        let mut verified = false;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "host" | "hostaddr" => host = value.into_owned(),
                "sslmode" | "ssl-mode" => verified = value == "verify-full",
                _ => {}
            }
        }
        let socket = host.is_empty() || host.starts_with('/');
        Some(Self {
            host: (!socket).then_some(host),
            verified,
        })
    }
}

/// Why a PostgreSQL URL is not known.
enum Unread {
    File,
    Form,
}

/// An address without what may be secret in it: user, password, path, query.
fn place(url: &str) -> String {
    let uri = url.parse::<http::Uri>().ok();
    match uri.as_ref().map(|uri| (uri.scheme_str(), uri.host())) {
        Some((Some(scheme), Some(host))) => format!("{scheme}://{host}"),
        Some((None, Some(host))) => host.to_owned(),
        _ => "not an address".to_owned(),
    }
}

#[cfg(test)]
mod tests;
