//! The control plane's configuration: one TOML file, read once at start, into types.

mod audit;
mod endpoints;
mod identity;
mod refusal;
mod rules;
mod sections;
mod unknown;

pub use audit::{AuditConfig, WitnessConfig};
pub use endpoints::Endpoint;
pub use identity::IdentityConfig;
pub use refusal::{Refusal, Refusals};
pub use rules::Rule;
pub use sections::{
    ConsentRule, PolicyConfig, Provider, RecordingConfig, RetentionConfig, TelemetryConfig,
};

use crate::Error;
use crate::baa::{self, Day, Register};
use aws_lc_rs::digest::{Context, SHA256};
use bedside_protocol::{Codec, DataplaneConfig, MediaKind, Policy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;

/// Everything that an operator can set. `docs/reference/configuration.md` says the same in words.
///
/// Unknown keys are refused, so that a mistyped setting never silently keeps its default. No
/// secret stands in it: secrets are in files of their own, named here.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is refused beyond what cannot work.
    pub profile: Profile,
    /// Where the page, signalling and the HTTP interfaces are served; all over TLS 1.3.
    pub listen: Vec<SocketAddr>,
    /// Where people's browsers reach this server: `https://`, the name in its certificate, and the
    /// port unless it is 443. Join links begin with it. Only a development server may do
    /// without: then it is `localhost`, or the first of `listen`.
    pub public_url: Option<String>,
    /// Database, development certificate, API keys. Made with mode 0700 when missing; refused
    /// when others can read it.
    pub data_directory: PathBuf,
    /// Unix socket of `bedside-dataplane`.
    pub dataplane_socket: PathBuf,
    /// Unix socket for the `bedside` command; `admin.sock` in the data directory when absent.
    pub admin_socket: Option<PathBuf>,
    /// Lines of `key: secret` that sign and verify access tokens; `api-keys` in the data
    /// directory, made with one random key when missing, when absent here.
    pub api_keys_file: Option<PathBuf>,
    /// The certificate.
    pub tls: TlsConfig,
    /// Media addresses and what transports must fulfil: handed to the data plane.
    pub media: MediaConfig,
    /// Limits and timeouts of rooms.
    pub rooms: RoomsConfig,
    /// Who is told what happens in rooms.
    pub webhooks: WebhooksConfig,
    /// Where the audit log is kept.
    pub audit: AuditConfig,
    /// How the workforce logs in.
    pub identity: IdentityConfig,
    /// Who may do what.
    pub policy: PolicyConfig,
    /// Who is told how the server does.
    pub telemetry: TelemetryConfig,
    /// How long records are kept.
    pub retention: RetentionConfig,
    /// Whether consults are recorded.
    pub recording: RecordingConfig,
    /// Origins whose pages may call the LiveKit interfaces, `https://app.example.org`; `*` means
    /// every page, which only a trial may allow. The consult page needs none of it.
    pub allowed_origins: Vec<String>,
    /// Business-associate agreements, as `bedside baa` writes them; `baa.toml` in the data
    /// directory when absent here.
    pub baa_file: Option<PathBuf>,
    /// Hosts that the operator runs: no agreement is needed with oneself.
    pub own_hosts: Vec<String>,
}

/// What is refused beyond what cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// For patients: everything in [`Rule::ALL`] is refused.
    #[default]
    Hipaa,
    /// For development and trials: only on the loopback or with a development certificate, so
    /// that no patient can mistake it for a service.
    Trial,
}

impl Profile {
    /// As it is written in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hipaa => "hipaa",
            Self::Trial => "trial",
        }
    }
}

/// Certificate, key and CA.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM, leaf first, then the intermediates. Read again when the file changes.
    pub certificate_file: Option<PathBuf>,
    /// PEM, PKCS #8, SEC 1 or PKCS #1. Read again when the file changes.
    pub key_file: Option<PathBuf>,
    /// PEM of the authority that issued the certificate, where browsers do not know it. Only
    /// handed on to whoever connects (`bedside demo --json`, `bedside doctor`).
    pub ca_file: Option<PathBuf>,
    /// Make an authority and a certificate in the data directory instead, for a trial on one
    /// machine. Browsers do not know that authority.
    pub development: bool,
}

/// What the data plane is told.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaConfig {
    /// Local addresses that receive media, each on every worker's port.
    pub listen: Vec<IpAddr>,
    /// UDP port of the first worker; worker n takes `port + n`. 0: any free ports.
    pub port: u16,
    /// Worker threads; 0 means one a core.
    pub workers: u16,
    /// Pin each worker to a core.
    pub pin: bool,
    /// Addresses that clients are told instead of the local ones, where the host is behind
    /// one-to-one NAT. The ports stay.
    pub public_addresses: Vec<IpAddr>,
    /// Refuse clients whose SRTP profile is not AEAD.
    pub aead_only: bool,
    /// Refuse clients that only speak DTLS 1.2.
    pub dtls13_only: bool,
}

/// Limits and timeouts of rooms.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomsConfig {
    /// A room is made when the first participant with a valid token joins it.
    pub auto_create: bool,
    /// Seconds until a room that nobody has joined is closed.
    pub empty_timeout_s: u32,
    /// Seconds until a room that everybody has left is closed.
    pub departure_timeout_s: u32,
    /// Participants in a room; 0 means no limit but the protocol's (1,000).
    pub max_participants: u32,
    /// Participants of one room on one worker, at least 1; whoever comes then is placed on
    /// another one, and the room spans both.
    pub participants_per_worker: u32,
    /// Video codecs that may be published, the preferred one first: `vp8`, `h264`, `vp9`, `av1`.
    pub video_codecs: Vec<Codec>,
    /// Seconds that a participant is kept whose signalling connection was lost, 15 to 300:
    /// LiveKit's clients need up to 15 to come back.
    pub signal_lost_timeout_s: u32,
}

/// Who is told what happens in rooms.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// `https://` addresses; `http://` only to this machine.
    pub urls: Vec<String>,
    /// The API key that signs the deliveries; the first one in the file when absent.
    pub api_key: Option<String>,
    /// PEM of authorities that the receivers' certificates are checked against instead of the
    /// public ones.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// Reads a configuration file's text into types. [`check`](Self::check) says whether the
    /// values can be used.
    ///
    /// # Errors
    /// [`Error::Config`]: not TOML, an unknown key or a value of another type, with what to do.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::Config(unknown::explain(&error)))
    }

    /// A trial on one machine: development certificate, everything below `data_directory`,
    /// media on `listen`'s address and any free ports. What `bedside demo` starts.
    #[must_use]
    pub fn development(data_directory: &Path, listen: SocketAddr) -> Self {
        Self {
            profile: Profile::Trial,
            listen: vec![listen],
            data_directory: data_directory.to_owned(),
            dataplane_socket: data_directory.join("dataplane.sock"),
            allowed_origins: vec!["*".to_owned()],
            tls: TlsConfig {
                development: true,
                ..TlsConfig::default()
            },
            media: MediaConfig {
                listen: vec![listen.ip()],
                port: 0,
                ..MediaConfig::default()
            },
            ..Self::default()
        }
    }

    /// Refuses what cannot work and what the profile does not allow.
    /// [`start`](crate::start) calls it before any port is opened.
    ///
    /// # Errors
    /// [`Error::Refused`] with everything that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let refusals = self.refusals();
        if refusals.is_empty() {
            return Ok(());
        }
        Err(Error::Refused(refusals))
    }

    /// Refuses a log that is more verbose than the profile allows: libraries write what passes
    /// through them at their `debug` and `trace` levels.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn check_log(&self, most_verbose: LevelFilter) -> Result<(), Error> {
        let mut refusals = Refusals::default();
        if self.profile == Profile::Hipaa && most_verbose > LevelFilter::INFO {
            refusals.forbidden(
                Rule::DEBUG,
                "--log",
                format!("lets {most_verbose} pass, which may hold what people said"),
                "use info or less, or look for it in a trial",
            );
            return Err(Error::Refused(refusals));
        }
        Ok(())
    }

    /// Everything that is refused about it, with the register and the files that it names, today.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        let mut refusals = Refusals::default();
        let path = self.baa_file();
        let register = Register::read(&path).unwrap_or_else(|error| {
            refusals.cannot("baa_file", format!("cannot be used: {error}"), "mend it");
            Register::default()
        });
        self.judge(&register, baa::today(), &mut refusals);
        self.check_files(&mut refusals);
        refusals
    }

    /// What is refused about the values themselves.
    fn judge(&self, register: &Register, today: Day, refusals: &mut Refusals) {
        self.check_top(refusals);
        self.tls.check(refusals);
        self.media.check(refusals);
        self.rooms.check(refusals);
        self.audit.check(refusals);
        self.identity.check(refusals);
        self.policy.check(refusals);
        self.retention.check(refusals);
        self.recording.check(refusals);
        self.check_transport(refusals);
        match self.profile {
            Profile::Hipaa => {
                self.check_hipaa(refusals);
                self.identity.check_hipaa(refusals);
                self.telemetry.check_hipaa(refusals);
                self.retention.check_hipaa(refusals);
                self.recording.check_hipaa(refusals);
                self.check_agreements(register, today, refusals);
            }
            Profile::Trial => self.check_trial(refusals),
        }
    }

    fn check_hipaa(&self, refusals: &mut Refusals) {
        if self.tls.development {
            refusals.forbidden(
                Rule::TLS,
                "tls.development",
                "makes a certificate that no browser knows",
                "set `tls.certificate_file` and `tls.key_file`, or profile = \"trial\"",
            );
        }
        if self.allowed_origins.iter().any(|origin| origin == "*") {
            refusals.forbidden(
                Rule::ORIGINS,
                "allowed_origins",
                "lets every page on the Internet call the interfaces",
                "name the origins of your own pages",
            );
        }
    }

    fn check_top(&self, refusals: &mut Refusals) {
        if self.listen.is_empty() {
            refusals.cannot(
                "listen",
                "names no address",
                "say for example listen = [\"0.0.0.0:443\"]",
            );
        }
        match &self.public_url {
            Some(url) if !is_public_url(url) => refusals.cannot(
                "public_url",
                "is not https:// and a name, with a port where it is not 443",
                "say for example public_url = \"https://consult.example.org\"",
            ),
            None if !self.tls.development => refusals.cannot(
                "public_url",
                "is missing: join links begin with it",
                "say where browsers reach this server, for example \
                 public_url = \"https://consult.example.org\"",
            ),
            _ => {}
        }
        for origin in self
            .allowed_origins
            .iter()
            .filter(|origin| !is_origin(origin))
        {
            refusals.cannot(
                "allowed_origins",
                format!("holds {origin}, which is no origin"),
                "write scheme and host, with a port where it is not the usual one: \
                 https://app.example.org",
            );
        }
    }

    /// Nobody outside must take it for a service.
    fn check_trial(&self, refusals: &mut Refusals) {
        let outside = self
            .listen
            .iter()
            .any(|address| !address.ip().is_loopback());
        if outside && !self.tls.development {
            refusals.cannot(
                "profile",
                "is trial, with a certificate of its own and an address that others can reach",
                "set profile = \"hipaa\", or listen on 127.0.0.1 only",
            );
        }
    }

    /// Every setting by its name in the file, with its value in JSON. No secret is among them,
    /// but what stands in `webhooks.urls` may be one.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let value = serde_json::to_value(self).expect("the configuration's types are JSON's");
        for (name, value) in value.as_object().into_iter().flatten() {
            match value.as_object() {
                Some(section) => settings.extend(
                    section
                        .iter()
                        .map(|(key, value)| (format!("{name}.{key}"), value.to_string())),
                ),
                None => {
                    settings.insert(name.clone(), value.to_string());
                }
            }
        }
        settings
    }

    /// SHA-256 of all settings, hexadecimal: what the audit log and the evidence name it by.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut context = Context::new(&SHA256);
        for (name, value) in self.settings() {
            context.update(format!("{name}={value}\n").as_bytes());
        }
        hexadecimal(context.finish().as_ref())
    }

    /// What the data plane is told in its first frame.
    #[must_use]
    pub fn dataplane(&self) -> DataplaneConfig {
        DataplaneConfig {
            workers: self.media.workers,
            listen: self.media.listen.clone(),
            port: self.media.port,
            pin: self.media.pin,
            policy: Policy {
                aead_only: self.media.aead_only,
                dtls13_only: self.media.dtls13_only,
            },
        }
    }

    /// Whether patients wait until they are let in.
    #[must_use]
    pub fn waiting_room(&self) -> bool {
        self.policy
            .waiting_room
            .unwrap_or(self.profile == Profile::Hipaa)
    }

    /// The name or address in `public_url`, without brackets.
    pub(crate) fn public_host(&self) -> Option<String> {
        let authority = self.public_url.as_deref()?.strip_prefix("https://")?;
        let authority: http::uri::Authority = authority.parse().ok()?;
        Some(authority.host().trim_matches(['[', ']']).to_owned())
    }

    /// Where the `bedside` command connects.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        let default = || self.data_directory.join("admin.sock");
        self.admin_socket.clone().unwrap_or_else(default)
    }

    /// Where the business-associate agreements are.
    #[must_use]
    pub fn baa_file(&self) -> PathBuf {
        let default = || self.data_directory.join("baa.toml");
        self.baa_file.clone().unwrap_or_else(default)
    }

    /// Longest lifetime of an access token, seconds.
    pub(crate) fn token_lifetime_s_max(&self) -> Option<u64> {
        match self.profile {
            Profile::Hipaa => Some(TOKEN_LIFETIME_S_MAX),
            Profile::Trial => None,
        }
    }

    /// Where the API keys are.
    #[must_use]
    pub fn api_keys_file(&self) -> PathBuf {
        let default = || self.data_directory.join("api-keys");
        self.api_keys_file.clone().unwrap_or_else(default)
    }
}

impl TlsConfig {
    fn check(&self, refusals: &mut Refusals) {
        match (self.development, &self.certificate_file, &self.key_file) {
            (false, Some(_), Some(_)) => {}
            (true, None, None) if self.ca_file.is_none() => {}
            (true, ..) => refusals.cannot(
                "tls.development",
                "makes its own certificate, and files are named as well",
                "remove the tls files or set it to false",
            ),
            (false, ..) => refusals.cannot(
                "tls.certificate_file",
                "or `tls.key_file` is missing",
                "set both, or profile = \"trial\" and `tls.development = true` for a trial on \
                 one machine",
            ),
        }
    }
}

impl MediaConfig {
    fn check(&self, refusals: &mut Refusals) {
        if self.listen.is_empty() {
            refusals.cannot(
                "media.listen",
                "names no address to receive media on",
                "name the host's addresses",
            );
        }
        let unspecified = self.listen.iter().any(IpAddr::is_unspecified);
        if unspecified && self.public_addresses.is_empty() {
            refusals.cannot(
                "media.listen",
                "is a wildcard, which clients cannot send to",
                "name the host's addresses, or set `media.public_addresses`",
            );
        }
        if self.public_addresses.iter().any(IpAddr::is_unspecified) {
            refusals.cannot(
                "media.public_addresses",
                "holds a wildcard, which clients cannot send to",
                "name the addresses that clients reach",
            );
        }
    }
}

impl RoomsConfig {
    fn check(&self, refusals: &mut Refusals) {
        if !(15..=300).contains(&self.signal_lost_timeout_s) {
            refusals.cannot(
                "rooms.signal_lost_timeout_s",
                "is not within 15 to 300",
                "use 20, or more where networks are slow to come back",
            );
        }
        if self.participants_per_worker == 0 {
            refusals.cannot("rooms.participants_per_worker", "is 0", "use at least 1");
        }
        let video = |codec: &Codec| codec.kind() == MediaKind::Video;
        if self.video_codecs.is_empty() || !self.video_codecs.iter().all(video) {
            refusals.cannot(
                "rooms.video_codecs",
                "does not name video codecs",
                "name at least one of vp8, h264, vp9, av1",
            );
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::Hipaa,
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 7880))],
            public_url: None,
            data_directory: PathBuf::from("/var/lib/bedside"),
            dataplane_socket: PathBuf::from("/run/bedside/dataplane.sock"),
            admin_socket: None,
            api_keys_file: None,
            tls: TlsConfig::default(),
            media: MediaConfig::default(),
            rooms: RoomsConfig::default(),
            webhooks: WebhooksConfig::default(),
            audit: AuditConfig::default(),
            identity: IdentityConfig::default(),
            policy: PolicyConfig::default(),
            telemetry: TelemetryConfig::default(),
            retention: RetentionConfig::default(),
            recording: RecordingConfig::default(),
            allowed_origins: Vec::new(),
            baa_file: None,
            own_hosts: Vec::new(),
        }
    }
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            listen: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            port: 7882,
            workers: 0,
            pin: true,
            public_addresses: Vec::new(),
            aead_only: false,
            dtls13_only: false,
        }
    }
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            auto_create: true,
            empty_timeout_s: 300,
            departure_timeout_s: 20,
            max_participants: 0,
            participants_per_worker: bedside_rooms::Config::default().participants_per_worker,
            video_codecs: bedside_rooms::Config::default().video_codecs,
            signal_lost_timeout_s: 20,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `url` may be told about people: it leaves the machine under TLS or not at all
/// (45 CFR 164.312(e)(1)).
fn is_safe_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_this_machine(host),
        _ => false,
    }
}

/// Whether `host`, a name or an address with or without brackets, is this machine.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `*`, or what a browser sends in `Origin`.
fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| {
        origin.strip_prefix("http://").filter(|host| {
            let name = host.split(':').next().unwrap_or_default();
            is_this_machine(name)
        })
    });
    origin == "*"
        || host.is_some_and(|host| {
            !host.contains(['/', '@']) && host.parse::<http::uri::Authority>().is_ok()
        })
}

/// Only what a link can be made of by adding a path.
fn is_public_url(url: &str) -> bool {
    let Some(authority) = url.strip_prefix("https://") else {
        return false;
    };
    !authority.contains('@')
        && authority
            .parse::<http::uri::Authority>()
            .is_ok_and(|authority| !authority.host().is_empty())
}

/// In the `hipaa` profile: an agent's working day.
const TOKEN_LIFETIME_S_MAX: u64 = 86_400;

#[cfg(test)]
mod tests;
