//! A client as far as a worker can tell: ICE, DTLS, and its half of the keys.

use super::Discard;
use bedside_core::{Core, Datagram, Path};
use bedside_protocol::{ExtensionIds, IceCredentials, Peer, PeerId, RoomId, Secret};
use bedside_srtp::{MasterKey, Profile, Sealer};
use dimpl::{Dtls, DtlsCertificate, Output};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use str0m::ice::{StunMessage, TransId};

pub(super) struct Client {
    pub(super) peer: PeerId,
    pub(super) room: RoomId,
    pub(super) path: Path,
    /// Its association, kept for as long as it is connected; its keys.
    connected: Option<(Dtls, Sealer)>,
    /// Transport-wide sequence number of the next packet it sends.
    pub(super) transport_sequence: u16,
    number: usize,
}

impl Client {
    pub(super) fn new(number: usize, room: RoomId) -> Self {
        let port = 1_024 + u16::try_from(number % 60_000).expect("a remainder");
        let host = u8::try_from(number / 60_000).expect("few clients");
        Self {
            peer: PeerId(u64::try_from(number + 1).expect("few clients")),
            room,
            path: Path {
                local: SERVER,
                remote: SocketAddr::from(([203, 0, 113, host], port)),
            },
            connected: None,
            transport_sequence: 0,
            number,
        }
    }

    pub(super) fn wanted(&self, extensions: ExtensionIds) -> Peer {
        Peer {
            peer: self.peer,
            local: self.credentials("server"),
            remote: self.credentials("client"),
            remote_fingerprint_sha256: IDENTITY.fingerprint_sha256,
            extensions,
            transport_cc: true,
            data_channels: false,
            open_data_channels: false,
        }
    }

    fn credentials(&self, side: &str) -> IceCredentials {
        IceCredentials {
            ufrag: format!("{side}{}", self.number),
            password: Secret::new(format!("{side}-password-{:016}", self.number)),
        }
    }

    /// A connectivity check that nominates its path.
    pub(super) fn check(&self) -> Vec<u8> {
        let server = self.credentials("server");
        let name = format!("{}:{}", server.ufrag, self.credentials("client").ufrag);
        let check = StunMessage::binding_request(&name, TransId::new(), true, 1, 1, true);
        let mut datagram = vec![0; 256];
        let hmac = str0m_aws_lc_rs::default_provider().sha1_hmac_provider;
        let bytes = check
            .to_bytes(
                Some(server.password.expose().as_bytes()),
                &mut datagram,
                |key, parts| hmac.sha1_hmac(key, parts),
            )
            .expect("it fits");
        datagram.truncate(bytes);
        datagram
    }

    /// Connects to the worker, whose certificate is known to it as every client's is.
    pub(super) fn connect(&mut self, now: Instant, core: &mut Core, sink: &mut Discard) {
        let mut check = self.check();
        self.send(now, core, sink, &mut check);
        let config = Arc::clone(&IDENTITY.config);
        let mut dtls = Dtls::new_12(config, IDENTITY.certificate.clone(), now);
        dtls.set_active(true);
        dtls.handle_timeout(now).expect("a new association");
        let mut keys = None;
        for _ in 0..FLIGHTS_MAX {
            let mut flight = Vec::new();
            let mut buffer = vec![0; 2_048];
            loop {
                match dtls.poll_output(&mut buffer) {
                    Output::Packet(packet) => flight.push(packet.to_vec()),
                    Output::KeyingMaterial(material, profile) => {
                        keys = Some((material.to_vec(), profile));
                    }
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
            for mut packet in flight {
                self.send(now, core, sink, &mut packet);
            }
            core.handle_timeout(now, sink);
            let answers = sink.kept.replace(Vec::new()).unwrap_or_default();
            if answers.is_empty() && keys.is_some() {
                break;
            }
            for (_, answer) in answers {
                // The first byte of DTLS is above that of STUN.
                if answer[0] >= 20 {
                    dtls.handle_packet(&answer).expect("the worker's DTLS");
                }
            }
        }
        let (material, profile) = keys.expect("the handshake ends in a few flights");
        let profile = match profile {
            dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
            dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
            _ => Profile::AesCm128HmacSha1_80,
        };
        let (own, _) = MasterKey::from_keying_material(profile, &material).expect("its length");
        let sealer = Sealer::new(profile, &own).expect("a key of the profile");
        self.connected = Some((dtls, sealer));
    }

    fn send(&self, now: Instant, core: &mut Core, sink: &mut Discard, payload: &mut [u8]) {
        let path = self.path;
        core.handle_batch(now, &mut [Datagram { path, payload }], sink);
    }

    pub(super) fn sealer(&mut self) -> &mut Sealer {
        let (_, sealer) = self.connected.as_mut().expect("it is connected");
        sealer
    }

    /// Seals a compound of RTCP.
    pub(super) fn seal_rtcp(&mut self, compound: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; compound.len() + 64];
        sealed[..compound.len()].copy_from_slice(compound);
        let bytes = self
            .sealer()
            .seal_rtcp(&mut sealed, compound.len())
            .expect("sealable");
        sealed.truncate(bytes);
        sealed
    }
}

/// Which client has that address; out of range for an address of none.
pub(super) fn number_of(remote: SocketAddr) -> usize {
    let host = match remote.ip() {
        IpAddr::V4(ip) => usize::from(ip.octets()[3]),
        IpAddr::V6(_) => return usize::MAX,
    };
    (host * 60_000 + usize::from(remote.port())).wrapping_sub(1_024)
}

/// What all clients have in common: to make a certificate or a configuration takes longer than to
/// connect.
struct Identity {
    certificate: DtlsCertificate,
    fingerprint_sha256: [u8; 32],
    config: Arc<dimpl::Config>,
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let provider = str0m_aws_lc_rs::default_provider();
    let made = provider.dtls_provider.generate_certificate();
    let made = made.expect("the module works");
    let config = dimpl::Config::builder()
        .with_crypto_provider(str0m_aws_lc_rs::dimpl_crypto_provider())
        .flight_start_rto(Duration::from_secs(1))
        .build()
        .expect("the module works");
    Identity {
        fingerprint_sha256: provider.sha256_provider.sha256(&made.certificate),
        certificate: DtlsCertificate {
            certificate: made.certificate,
            private_key: made.private_key,
        },
        config: Arc::new(config),
    }
});

pub(super) const SERVER: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 40_000);

/// Turns that a handshake may take.
const FLIGHTS_MAX: usize = 16;
