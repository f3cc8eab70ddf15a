//! DTLS as str0m uses it, with three things of our own around each instance: the SRTP keys are
//! taken out, the version is chosen from the ClientHello, and the policy is enforced.
//!
//! str0m owns the instance behind a trait and hands nothing back, so what an instance has to say
//! goes into its thread's [`Findings`], which the transport empties after each turn of the same
//! str0m instance: nothing of one peer is ever seen by another.

use super::client_hello::{Assembly, ClientHello, WholeHello};
use super::limits::{DTLS_RETRANSMISSIONS, DTLS_RETRANSMIT_AFTER};
use bedside_protocol::{DtlsVersion, Policy, SrtpProfile};
use bedside_srtp::{MasterKey, Profile};
use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use str0m::config::DtlsCert;
use str0m_proto::DATAGRAM_MTU_TARGET;
use str0m_proto::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, KeyingMaterial, ProtocolVersion,
};
use str0m_proto::crypto::{CryptoError, CryptoProvider};
use zeroize::Zeroizing;

/// What everything here rests on: aws-lc-rs, through str0m's adapter.
pub(super) fn stock_provider() -> CryptoProvider {
    str0m_aws_lc_rs::default_provider()
}

/// SHA-256 by the same module that DTLS uses.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    stock_provider().sha256_provider.sha256(bytes)
}

/// The provider for transports under `policy`: everything stock but DTLS.
pub(super) fn provider(policy: Policy) -> Arc<CryptoProvider> {
    let dtls_provider: &'static Tap = match (policy.aead_only, policy.dtls13_only) {
        (false, false) => &TAP,
        (true, false) => &TAP_AEAD_ONLY,
        (false, true) => &TAP_DTLS13_ONLY,
        (true, true) => &TAP_STRICT,
    };
    Arc::new(CryptoProvider {
        dtls_provider,
        ..stock_provider()
    })
}

/// What the instance that has just run found out.
#[derive(Default)]
pub(super) struct Findings {
    /// SHA-256 of the certificate that the client proved to hold, if it just did.
    pub(super) certificate_sha256: Option<[u8; 32]>,
    /// The keys, once in the life of an instance.
    pub(super) keys: Option<Keys>,
    /// The handshake cannot be finished under the policy.
    pub(super) refused: bool,
    /// The instance can no longer be used.
    pub(super) failed: bool,
}

impl Findings {
    /// Takes what was found since the last call on this thread.
    pub(super) fn take() -> Self {
        FINDINGS.take()
    }

    fn note(add: impl FnOnce(&mut Self)) {
        FINDINGS.with_borrow_mut(add);
    }
}

thread_local! {
    static FINDINGS: RefCell<Findings> = RefCell::default();
}

/// Exported keys and what they are for (RFC 5764 §4.2).
pub(super) struct Keys {
    pub(super) version: DtlsVersion,
    pub(super) profile: SrtpProfile,
    /// What the client, as the DTLS client, seals with.
    pub(super) client: MasterKey,
    /// What we seal with.
    pub(super) server: MasterKey,
}

impl Keys {
    fn new(version: ProtocolVersion, profile: dimpl::SrtpProfile, material: &[u8]) -> Option<Self> {
        let version = match version {
            ProtocolVersion::DTLS1_2 => DtlsVersion::Dtls12,
            ProtocolVersion::DTLS1_3 => DtlsVersion::Dtls13,
            _ => return None,
        };
        let (profile, protection) = match profile {
            dimpl::SrtpProfile::AEAD_AES_256_GCM => {
                (SrtpProfile::AeadAes256Gcm, Profile::AeadAes256Gcm)
            }
            dimpl::SrtpProfile::AEAD_AES_128_GCM => {
                (SrtpProfile::AeadAes128Gcm, Profile::AeadAes128Gcm)
            }
            dimpl::SrtpProfile::AES128_CM_SHA1_80 => (
                SrtpProfile::Aes128CmHmacSha1_80,
                Profile::AesCm128HmacSha1_80,
            ),
            _ => return None,
        };
        let (client, server) = MasterKey::from_keying_material(protection, material).ok()?;
        Some(Self {
            version,
            profile,
            client,
            server,
        })
    }
}

/// Which version to answer a hello with; `None` if the policy leaves none.
///
/// dimpl's DTLS 1.2 server prefers AES-256-GCM whatever the client's order; its 1.3 server takes
/// the client's first profile that it knows. Chromium lists AES-CM first, and AES-CM with its
/// HMAC costs four times an AES-GCM seal (1,070 against 276 ns, measured 2026-11 on an AMD EPYC
/// virtual machine). So: DTLS 1.3 where it leads to an AEAD profile, else 1.2.
fn choose(hello: &ClientHello, policy: Policy) -> Option<DtlsVersion> {
    let is_aead = |profile: &SrtpProfile| *profile != SrtpProfile::Aes128CmHmacSha1_80;
    let first_is_aead = is_aead(hello.srtp_profiles.first()?);
    let dtls12 = hello.dtls12 && !policy.dtls13_only;
    if hello.dtls13 && first_is_aead {
        Some(DtlsVersion::Dtls13)
    } else if dtls12 && hello.srtp_profiles.iter().any(is_aead) {
        Some(DtlsVersion::Dtls12)
    } else if policy.aead_only {
        None
    } else if hello.dtls13 {
        Some(DtlsVersion::Dtls13)
    } else if dtls12 {
        Some(DtlsVersion::Dtls12)
    } else {
        None
    }
}

/// How dimpl is to run. Made once: making one tries out every primitive of the cryptographic
/// module, which takes longer than a handshake.
static CONFIG: LazyLock<Option<Arc<dimpl::Config>>> = LazyLock::new(|| {
    dimpl::Config::builder()
        .with_crypto_provider(str0m_aws_lc_rs::dimpl_crypto_provider())
        .mtu(DATAGRAM_MTU_TARGET)
        // A cookie proves the client's address; ICE has done that.
        .use_server_cookie(false)
        .flight_start_rto(DTLS_RETRANSMIT_AFTER)
        .flight_retries(DTLS_RETRANSMISSIONS)
        .build()
        .ok()
        .map(Arc::new)
});

/// Makes instances that report to [`Findings`].
#[derive(Debug)]
struct Tap {
    policy: Policy,
}

static TAP: Tap = Tap {
    policy: Policy {
        aead_only: false,
        dtls13_only: false,
    },
};
static TAP_AEAD_ONLY: Tap = Tap {
    policy: Policy {
        aead_only: true,
        dtls13_only: false,
    },
};
static TAP_DTLS13_ONLY: Tap = Tap {
    policy: Policy {
        aead_only: false,
        dtls13_only: true,
    },
};
static TAP_STRICT: Tap = Tap {
    policy: Policy {
        aead_only: true,
        dtls13_only: true,
    },
};

impl DtlsProvider for Tap {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        stock_provider().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _version: str0m_proto::crypto::DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = CONFIG.as_ref().ok_or_else(|| {
            CryptoError::Other("the cryptographic module failed its trial".to_owned())
        })?;
        Ok(Box::new(Instance {
            policy: self.policy,
            config: Arc::clone(config),
            now,
            state: State::AwaitHello {
                assembly: Assembly::default(),
                certificate: certificate.clone(),
            },
        }))
    }
}

/// A DTLS server whose version is open until the ClientHello is whole.
struct Instance {
    policy: Policy,
    config: Arc<dimpl::Config>,
    /// The latest time that str0m passed in.
    now: Instant,
    state: State,
}

enum State {
    /// No instance yet: there is nothing to answer and nothing to send again.
    AwaitHello {
        assembly: Assembly,
        certificate: DtlsCert,
    },
    /// The version is chosen. A datagram brings no time with it and the instance's timers count
    /// from its making, so it is made at the time-out that is asked for at once.
    AwaitTime {
        hello: WholeHello,
        version: DtlsVersion,
        certificate: DtlsCert,
    },
    /// The handshake and what follows.
    Running(Box<dimpl::Dtls>),
    /// Refused by policy; the client is told once.
    Refused { alert_due: bool },
    /// Closed before there was an instance.
    Closed,
}

impl Instance {
    fn running(&self) -> Option<&dimpl::Dtls> {
        match &self.state {
            State::Running(inner) => Some(inner),
            _ => None,
        }
    }

    /// Takes a datagram of the first flight.
    fn await_hello(&mut self, packet: &[u8]) {
        let State::AwaitHello {
            assembly,
            certificate,
        } = &mut self.state
        else {
            return;
        };
        let Some(hello) = assembly.push(packet) else {
            return;
        };
        // A message that cannot be read is passed over: the client sends its hello again, a
        // forger does not.
        let Some(offer) = hello.offer() else {
            return;
        };
        self.state = match choose(&offer, self.policy) {
            Some(version) => State::AwaitTime {
                hello,
                version,
                certificate: certificate.clone(),
            },
            None => {
                Findings::note(|findings| findings.refused = true);
                State::Refused { alert_due: true }
            }
        };
    }

    /// Makes the instance for a chosen version and gives it the hello.
    fn start(&mut self) -> Result<(), DtlsImplError> {
        let State::AwaitTime {
            hello,
            version,
            certificate,
        } = &self.state
        else {
            return Ok(());
        };
        let (config, certificate) = (Arc::clone(&self.config), certificate.clone());
        let mut inner = Box::new(match version {
            DtlsVersion::Dtls12 => dimpl::Dtls::new_12(config, certificate, self.now),
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, self.now),
        });
        inner.set_active(false);
        let result = inner
            .handle_timeout(self.now)
            .and_then(|()| inner.handle_packet(&hello.to_datagram()));
        self.state = State::Running(inner);
        note_failure(result)
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        debug_assert!(!active, "transports are always the DTLS server");
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        match &mut self.state {
            State::Running(inner) => note_failure(inner.handle_packet(packet)),
            _ => {
                self.await_hello(packet);
                Ok(())
            }
        }
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        match &mut self.state {
            State::Running(inner) => match inner.poll_output(buffer) {
                DtlsOutput::KeyingMaterial(material, profile) => {
                    let version = inner.protocol_version();
                    keep(material, version, profile);
                    // str0m must not see the keys. It takes "connected" once and passes over
                    // every repetition, and goes on polling.
                    DtlsOutput::Connected
                }
                DtlsOutput::PeerCert(der) => {
                    let fingerprint = sha256(der);
                    Findings::note(|findings| findings.certificate_sha256 = Some(fingerprint));
                    DtlsOutput::PeerCert(der)
                }
                other => other,
            },
            State::AwaitTime { .. } => DtlsOutput::Timeout(self.now),
            State::Refused { alert_due } => {
                if std::mem::take(alert_due)
                    && let Some(alert) = buffer.get_mut(..HANDSHAKE_FAILURE.len())
                {
                    alert.copy_from_slice(&HANDSHAKE_FAILURE);
                    return DtlsOutput::Packet(alert);
                }
                DtlsOutput::Timeout(self.now + NOTHING_DUE)
            }
            State::AwaitHello { .. } | State::Closed => DtlsOutput::Timeout(self.now + NOTHING_DUE),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        match &mut self.state {
            State::Running(inner) => note_failure(inner.handle_timeout(now)),
            _ => self.start(),
        }
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        match &mut self.state {
            State::Running(inner) => inner.send_application_data(data),
            _ => Ok(0),
        }
    }

    fn is_active(&self) -> bool {
        false
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.running()?.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.running().is_some_and(dimpl::Dtls::is_closing)
    }

    fn is_closed(&self) -> bool {
        match &self.state {
            State::Running(inner) => inner.is_closed(),
            State::Refused { alert_due } => !alert_due,
            State::Closed => true,
            State::AwaitHello { .. } | State::AwaitTime { .. } => false,
        }
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        match &mut self.state {
            State::Running(inner) => inner.close(),
            State::Refused { .. } => Ok(()),
            _ => {
                self.state = State::Closed;
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

/// Keeps exported keys and wipes the copy that they came in.
fn keep(material: KeyingMaterial, version: Option<ProtocolVersion>, profile: dimpl::SrtpProfile) {
    let copy = Zeroizing::new(material.to_vec());
    drop(material);
    let keys = version.and_then(|version| Keys::new(version, profile, &copy));
    Findings::note(|findings| {
        findings.failed |= keys.is_none();
        findings.keys = keys;
    });
}

/// Reports an error that ends the handshake or the association. A full queue ends neither: what
/// did not fit is sent again by the client.
fn note_failure(result: Result<(), DtlsImplError>) -> Result<(), DtlsImplError> {
    match result {
        Ok(()) | Err(DtlsImplError::ReceiveQueueFull) => Ok(()),
        Err(error) => {
            Findings::note(|findings| findings.failed = true);
            Err(error)
        }
    }
}

/// A fatal `handshake_failure` in a plaintext DTLS 1.2 record, number 0 of epoch 0 (RFC 6347
/// §4.1, RFC 5246 §7.2): nothing else was sent.
const HANDSHAKE_FAILURE: [u8; 15] = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];

/// How far ahead a time-out lies that nobody waits for.
const NOTHING_DUE: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests;
