//! DTLS as str0m uses it, with the SRTP keys kept for ourselves.
//!
//! str0m asks a provider for DTLS. Ours makes dimpl's instances and takes the exported keys out of
//! what they say, so that str0m never makes SRTP contexts of its own: one key, one writer.

use super::srtp::{Keys, MasterKey, Profile};
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use str0m::config::DtlsCert;
use str0m_proto::DATAGRAM_MTU_TARGET;
use str0m_proto::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};
use str0m_proto::crypto::{CryptoError, CryptoProvider, DtlsVersion};
use zeroize::Zeroizing;

/// What a handshake exported.
pub(super) enum Exported {
    /// Keys of a profile that light participants speak.
    Keys(Keys),
    /// Another profile, or material of the wrong length.
    Unusable,
}

/// What the instance exported that ran on this thread since the last call.
pub(super) fn take_exported() -> Option<Exported> {
    EXPORTED.take()
}

thread_local! {
    // str0m owns the instances and hands nothing back. One `Rtc` runs at a time on a thread, and
    // whoever runs it takes what it left here before the next one runs.
    static EXPORTED: Cell<Option<Exported>> = const { Cell::new(None) };
}

/// A certificate and its SHA-256 fingerprint. One serves every participant of a fleet: what a
/// handshake costs a server does not depend on it, and making one costs as much as a handshake.
#[derive(Clone)]
pub(super) struct Certificate {
    pub(super) dtls: DtlsCert,
    pub(super) fingerprint_sha256: [u8; 32],
}

impl Certificate {
    /// `None` if the cryptographic module refuses.
    pub(super) fn generate() -> Option<Self> {
        let stock = str0m_aws_lc_rs::default_provider();
        let dtls = stock.dtls_provider.generate_certificate()?;
        let fingerprint_sha256 = stock.sha256_provider.sha256(&dtls.certificate);
        Some(Self {
            dtls,
            fingerprint_sha256,
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(..)")
    }
}

/// Everything stock but DTLS.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            dtls_provider: &Tap,
            ..str0m_aws_lc_rs::default_provider()
        })
    });
    Arc::clone(&PROVIDER)
}

/// How dimpl runs. Made once: making it tries out every primitive of the cryptographic module, which
/// takes longer than a handshake.
static CONFIG: LazyLock<Option<Arc<dimpl::Config>>> = LazyLock::new(|| {
    dimpl::Config::builder()
        .with_crypto_provider(str0m_aws_lc_rs::dimpl_crypto_provider())
        .mtu(DATAGRAM_MTU_TARGET)
        .build()
        .ok()
        .map(Arc::new)
});

#[derive(Debug)]
struct Tap;

impl DtlsProvider for Tap {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m_aws_lc_rs::default_provider()
            .dtls_provider
            .generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = CONFIG.as_ref().map(Arc::clone).ok_or_else(|| {
            CryptoError::Other("the cryptographic module failed its trial".to_owned())
        })?;
        let certificate = certificate.clone();
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            _ => dimpl::Dtls::new_12(config, certificate, now),
        };
        Ok(Box::new(Client(Box::new(dtls))))
    }
}

/// A DTLS client. The keys that it exports are the client's own and the server's.
struct Client(Box<dimpl::Dtls>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

impl DtlsInstance for Client {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        match self.0.poll_output(buffer) {
            DtlsOutput::KeyingMaterial(material, profile) => {
                let material = Zeroizing::new(material.to_vec());
                EXPORTED.set(Some(exported(profile, &material)));
                // str0m passes over a repetition and goes on polling.
                DtlsOutput::Connected
            }
            other => other,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

fn exported(profile: SrtpProfile, material: &[u8]) -> Exported {
    let profile = match profile {
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        _ => return Exported::Unusable,
    };
    match MasterKey::from_keying_material(profile, material) {
        Ok((send, receive)) => Exported::Keys(Keys {
            profile,
            send,
            receive,
        }),
        Err(_) => Exported::Unusable,
    }
}
