//! What runs here, as an auditor asks for it (45 CFR 164.308(a)(1)(ii)(A), 164.310(d)(1)): looked
//! up in the kernel and in what is in use, not in the configuration.

mod host;
mod process;
mod sockets;

pub use host::Host;
pub use process::Process;
pub use sockets::Listener;

use crate::Error;
use crate::admin::Admin;
use crate::baa::{Cover, Day, Register, today};
use crate::clock::since_epoch;
use crate::dataplane::DataplaneStatus;
use crate::tls::Facts;
use serde::{Deserialize, Serialize};

/// What runs here. `bedside inventory` prints it; nothing in it is secret or about a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Inventory {
    /// Form of this report: 1.
    pub version: u32,
    /// When it was made, Unix seconds.
    pub at: u64,
    /// The machine.
    pub host: Host,
    /// `hipaa`, or `trial`: not for patients.
    pub profile: String,
    /// SHA-256 of all settings, hexadecimal.
    pub configuration: String,
    /// Our processes.
    pub processes: Vec<Process>,
    /// Sockets that wait for others.
    pub listeners: Vec<Listener>,
    /// Certificates in use.
    pub certificates: Vec<CertificateInUse>,
    /// Keys in use, by their ids.
    pub keys: Vec<KeyInUse>,
    /// How what is in motion is protected.
    pub transport: Transport,
    /// Hosts that are told something.
    pub flows: Vec<Flow>,
}

/// A certificate in use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CertificateInUse {
    /// What it protects.
    pub purpose: String,
    /// SHA-256 of its DER, hexadecimal.
    pub fingerprint: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Whole days until its end, negative after it.
    pub days_left: i64,
    /// Kind and size of its key.
    pub key: String,
}

/// A key in use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyInUse {
    /// What it is for.
    pub purpose: String,
    /// Its id; never the key.
    pub id: String,
    /// When this server first saw it, Unix seconds, where that is known.
    pub first_seen: Option<i64>,
    /// When it was last used, Unix seconds.
    pub last_used: Option<i64>,
}

/// How what is in motion is protected (45 CFR 164.312(e)(1)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Transport {
    /// Versions of TLS.
    pub tls_versions: Vec<String>,
    /// Its cipher suites.
    pub tls_cipher_suites: Vec<String>,
    /// Its key exchanges.
    pub tls_key_exchanges: Vec<String>,
    /// Session tickets a handshake.
    pub tls_tickets: usize,
    /// Versions of DTLS.
    pub dtls_versions: Vec<String>,
    /// SRTP protection profiles.
    pub srtp_profiles: Vec<String>,
}

/// A host that is told something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The setting that names it.
    pub setting: String,
    /// Its name or address.
    pub host: String,
    /// What it is told.
    pub purpose: String,
    /// Why it may be.
    pub ground: Ground,
}

/// Why a host may be told something (45 CFR 164.308(b)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Ground {
    /// It is this machine.
    ThisMachine,
    /// The operator runs it (`own_hosts`).
    OwnHost,
    /// An agreement in force.
    Agreement {
        /// Its id.
        agreement: String,
        /// The legal entity.
        entity: String,
        /// The last day on which it holds.
        expires: Day,
    },
    /// None: a trial, or an agreement that ended since the start.
    None,
}

impl Inventory {
    /// Looks everything up.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::File`] for what the kernel or the register does not show.
    pub(crate) async fn take(admin: &Admin) -> Result<Self, Error> {
        let dataplane = admin.app.dataplane.borrow().clone();
        let (dataplane_pid, media) = match &dataplane {
            DataplaneStatus::Connected { pid, workers, .. } => (*pid, workers.as_slice()),
            DataplaneStatus::Disconnected(_) => (None, [].as_slice()),
        };
        let mut processes = vec![Process::control_plane()?];
        processes.extend(dataplane_pid.and_then(Process::data_plane));
        Ok(Self {
            version: 1,
            at: since_epoch().as_secs(),
            host: Host::look(),
            profile: admin.config.profile.name().to_owned(),
            configuration: admin.config.hash(),
            processes,
            listeners: sockets::listeners(media, &admin.config.dataplane_socket)?,
            certificates: admin
                .certificate
                .facts()
                .map(CertificateInUse::of)
                .into_iter()
                .collect(),
            keys: keys(admin).await?,
            transport: Transport::of(admin),
            flows: flows(admin)?,
        })
    }
}

impl CertificateInUse {
    fn of(facts: Facts) -> Self {
        Self {
            purpose: "page, signalling and HTTP interfaces".to_owned(),
            fingerprint: facts.fingerprint,
            serial: facts.serial,
            names: facts.names,
            not_before: facts.not_before,
            not_after: facts.not_after,
            days_left: facts.days_left,
            key: facts.key,
        }
    }
}

impl Transport {
    /// Of the TLS configuration in use, and of what the data plane was told.
    fn of(admin: &Admin) -> Self {
        let tls = &admin.tls;
        let suites = tls.crypto_provider().cipher_suites.iter();
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let policy = admin.config.dataplane().policy;
        Self {
            tls_versions: texts(&["1.3"]),
            tls_cipher_suites: suites
                .filter(|suite| suite.tls13().is_some())
                .filter_map(|suite| suite.suite().as_str().map(str::to_owned))
                .collect(),
            tls_key_exchanges: tls
                .crypto_provider()
                .kx_groups
                .iter()
                .map(|group| format!("{:?}", group.name()))
                .collect(),
            tls_tickets: tls.send_tls13_tickets,
            dtls_versions: texts(if policy.dtls13_only {
                &["1.3"]
            } else {
                &["1.2", "1.3"]
            }),
            srtp_profiles: texts(if policy.aead_only { &AEAD } else { &ALL }),
        }
    }
}

/// RFC 7714 §14.2.
const AEAD: [&str; 2] = ["SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM"];

/// RFC 5764 §4.1.2 beside them.
const ALL: [&str; 3] = [
    "SRTP_AEAD_AES_256_GCM",
    "SRTP_AEAD_AES_128_GCM",
    "SRTP_AES128_CM_HMAC_SHA1_80",
];

async fn keys(admin: &Admin) -> Result<Vec<KeyInUse>, Error> {
    let known = admin
        .app
        .store
        .api_keys(&admin.app.tokens.key_names())
        .await?;
    let tokens = known.into_iter().map(|key| KeyInUse {
        purpose: "signs access tokens".to_owned(),
        id: key.name,
        first_seen: Some(key.first_seen_s),
        last_used: key.last_used_s,
    });
    let log = admin.app.ledger.archive().verifying_keys()?;
    let log = log.into_iter().map(|key| KeyInUse {
        purpose: "signs the audit log's checkpoints".to_owned(),
        id: key.to_string(),
        first_seen: None,
        last_used: None,
    });
    Ok(tokens.chain(log).collect())
}

fn flows(admin: &Admin) -> Result<Vec<Flow>, Error> {
    let register = Register::read(&admin.config.baa_file())?;
    let today = today();
    let endpoints = admin.config.endpoints().into_iter();
    Ok(endpoints
        .map(|endpoint| {
            let ground = if endpoint.this_machine {
                Ground::ThisMachine
            } else if admin.config.is_own_host(&endpoint.host) {
                Ground::OwnHost
            } else {
                match register.cover(&endpoint.host, today) {
                    Cover::InForce(agreement) => Ground::Agreement {
                        agreement: agreement.agreement.clone(),
                        entity: agreement.entity.clone(),
                        expires: agreement.expires,
                    },
                    Cover::Expired(_) | Cover::None => Ground::None,
                }
            };
            Flow {
                setting: endpoint.setting.to_owned(),
                host: endpoint.host,
                purpose: endpoint.purpose.to_owned(),
                ground,
            }
        })
        .collect())
}
