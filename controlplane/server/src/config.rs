//! The control plane's configuration: one TOML file, read once at start, into types.

use crate::Error;
use bedside_protocol::{Codec, DataplaneConfig, MediaKind, Policy};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Everything that an operator can set. `docs/reference/configuration.md` says the same in words.
///
/// Unknown keys are refused, so that a mistyped setting never silently keeps its default. No
/// secret stands in it: secrets are in files of their own, named here.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
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
}

/// Certificate, key and CA.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
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
    /// Reads a configuration file's text.
    ///
    /// # Errors
    /// [`Error::Config`]: not TOML, an unknown key, or a value that cannot work, with what to do.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let config: Self =
            toml::from_str(text).map_err(|error| Error::Config(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// A trial on one machine: development certificate, everything below `data_directory`,
    /// media on `listen`'s address and any free ports. What `bedside demo` starts.
    #[must_use]
    pub fn development(data_directory: &Path, listen: SocketAddr) -> Self {
        Self {
            listen: vec![listen],
            data_directory: data_directory.to_owned(),
            dataplane_socket: data_directory.join("dataplane.sock"),
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

    /// Refuses what cannot work. [`start`](crate::start) calls it too, for a configuration that
    /// was made in code.
    ///
    /// # Errors
    /// [`Error::Config`] with what to do.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |words: &str| Err(Error::Config(words.to_owned()));
        if self.listen.is_empty() {
            return refuse("`listen` names no address; say for example listen = [\"0.0.0.0:443\"]");
        }
        let tls = &self.tls;
        match (tls.development, &tls.certificate_file, &tls.key_file) {
            (false, Some(_), Some(_)) => {}
            (true, None, None) if tls.ca_file.is_none() => {}
            (true, ..) => {
                return refuse(
                    "`tls.development` makes its own certificate; remove the tls files or set it to false",
                );
            }
            (false, ..) => {
                return refuse(
                    "no certificate: set `tls.certificate_file` and `tls.key_file`, or \
                     `tls.development = true` for a trial on one machine",
                );
            }
        }
        match &self.public_url {
            Some(url) if !is_public_url(url) => {
                return refuse(
                    "`public_url` must be https:// and a name, with a port where it is not 443",
                );
            }
            None if !tls.development => {
                return refuse(
                    "join links need `public_url`: where browsers reach this server, for example \
                     public_url = \"https://consult.example.org\"",
                );
            }
            _ => {}
        }
        if self.media.listen.is_empty() {
            return refuse("`media.listen` names no address to receive media on");
        }
        let unspecified = self.media.listen.iter().any(IpAddr::is_unspecified);
        if unspecified && self.media.public_addresses.is_empty() {
            return refuse(
                "`media.listen` is a wildcard, which clients cannot send to: name the host's \
                 addresses, or set `media.public_addresses`",
            );
        }
        if self
            .media
            .public_addresses
            .iter()
            .any(IpAddr::is_unspecified)
        {
            return refuse(
                "`media.public_addresses` holds a wildcard, which clients cannot send to",
            );
        }
        if !(15..=300).contains(&self.rooms.signal_lost_timeout_s) {
            return refuse("`rooms.signal_lost_timeout_s` must be 15 to 300");
        }
        if self.rooms.participants_per_worker == 0 {
            return refuse("`rooms.participants_per_worker` must be at least 1");
        }
        let video = |codec: &Codec| codec.kind() == MediaKind::Video;
        if self.rooms.video_codecs.is_empty() || !self.rooms.video_codecs.iter().all(video) {
            return refuse("`rooms.video_codecs` must name at least one of vp8, h264, vp9, av1");
        }
        if let Some(url) = self.webhooks.urls.iter().find(|url| !is_webhook_url(url)) {
            return Err(Error::Config(format!(
                "`webhooks.urls`: {url} is neither https:// nor http:// to this machine"
            )));
        }
        Ok(())
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

    /// Where the API keys are.
    #[must_use]
    pub fn api_keys_file(&self) -> PathBuf {
        let default = || self.data_directory.join("api-keys");
        self.api_keys_file.clone().unwrap_or_else(default)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
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

/// Rooms' news is personal: it leaves the machine under TLS or not at all
/// (45 CFR 164.312(e)(1)).
fn is_webhook_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let local = |host: &str| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => local(host),
        _ => false,
    }
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

#[cfg(test)]
mod tests;
