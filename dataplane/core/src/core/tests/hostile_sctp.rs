//! A client that is let in and then damages its own SCTP packets before DTLS seals them: what an
//! authenticated participant can send to the SCTP stack of the worker.

use super::*;
use std::cell::Cell;
use std::sync::Arc;
use str0m::RtcConfig;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m_proto::crypto::CryptoError;
use str0m_proto::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion,
};

thread_local! {
    /// Which damage is done; 0 for none.
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Damages one packet in four, with a checksum that is right again, so that the damage is read.
fn damage(packet: &[u8]) -> Vec<u8> {
    let seed = SEED.get();
    let mut packet = packet.to_vec();
    if seed == 0 || packet.len() < CHUNKS {
        return packet;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    SEED.set(random.next_u64().max(1));
    let mut below = |bound: usize| usize::try_from(random.next_u32()).unwrap_or(0) % bound.max(1);
    if below(4) != 0 {
        return packet;
    }
    for _ in 0..=below(3) {
        let place = CHUNKS + below(packet.len() - CHUNKS);
        match below(5) {
            0 if place < packet.len() => packet[place] ^= 1 << below(8),
            1 if place < packet.len() => packet[place] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            2 => packet.truncate(place.max(CHUNKS)),
            3 => {
                let copied = packet[CHUNKS..].to_vec();
                packet.extend_from_slice(&copied[..copied.len().min(600)]);
            }
            // The type and length of the first chunk lead to the most code.
            _ if packet.len() > CHUNKS + 4 => {
                packet[CHUNKS] = u8::try_from(below(256)).unwrap_or(0);
                packet[CHUNKS + 3] = u8::try_from(below(256)).unwrap_or(0);
            }
            _ => {}
        }
    }
    packet[CHECKSUM..CHUNKS].fill(0);
    let checksum = crc32c(&packet).to_le_bytes();
    packet[CHECKSUM..CHUNKS].copy_from_slice(&checksum);
    packet
}

/// RFC 9260 appendix A.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

/// Where the checksum and the first chunk are (RFC 9260 §3.1).
const CHECKSUM: usize = 8;
const CHUNKS: usize = 12;

#[derive(Debug)]
struct Damaging;

#[derive(Debug)]
struct DamagingInstance(Box<dyn DtlsInstance>);

impl DtlsProvider for Damaging {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        stock().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: str0m_proto::crypto::DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = stock()
            .dtls_provider
            .new_dtls(certificate, now, version, mtu)?;
        Ok(Box::new(DamagingInstance(inner)))
    }
}

impl DtlsInstance for DamagingInstance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buffer)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        let damaged = damage(data);
        let taken = self.0.send_application_data(&damaged)?;
        Ok(if taken == damaged.len() {
            data.len()
        } else {
            0
        })
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

fn stock() -> CryptoProvider {
    str0m_aws_lc_rs::default_provider()
}

/// A client of this kind that has connected, undamaged unless `from_the_start`, and the server's
/// fingerprint.
fn connected_client(seed: u64, from_the_start: bool) -> (World<Core>, [u8; 32]) {
    static DAMAGING: Damaging = Damaging;
    SEED.set(if from_the_start { seed } else { 0 });
    let (mut world, fingerprint) = world(Policy::default());
    let kind = Kind::default();
    let config = RtcConfig::new().set_crypto_provider(Arc::new(CryptoProvider {
        dtls_provider: &DAMAGING,
        ..stock()
    }));
    let mut client = support::Client::with_config(1, kind, world.now, config);
    let wanted = client.wanted(kind);
    client.start(kind, fingerprint);
    world.clients.push(client);
    world.command(frame(Command::EnsurePeer(Box::new(wanted))));
    if from_the_start {
        world.run(Duration::from_secs(3));
    } else {
        assert!(world.run_until(Duration::from_secs(5), are_connected));
        SEED.set(seed);
    }
    (world, fingerprint)
}

#[test]
fn the_checksum_is_the_right_one() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn damaged_packets_hurt_nobody_else() {
    for seed in 1..=60 {
        let (mut world, fingerprint) = connected_client(seed, seed % 2 == 0);
        let peer = world.clients[0].peer;
        for turn in 0..40_u8 {
            let is_open = |client: &support::Client, label: &str| {
                client.channels.contains_key(label) && !client.is_closed && !client.failed
            };
            world.with_client(0, |client| {
                for label in ["_reliable", "_lossy"] {
                    if is_open(client, label)
                        && let Some(mut channel) = client.rtc.channel(client.channels[label])
                    {
                        let message = vec![turn; 1 + usize::from(turn) * 100];
                        // What becomes of it is the client's own affair.
                        drop(channel.write(true, &message));
                    }
                }
                if turn % 8 == 0 {
                    client.open_channel("another", turn % 16 == 0);
                }
            });
            world.command(send(&[peer], DataChannelKind::Reliable, &[turn; 3_000]));
            world.run(Duration::from_millis(300));
        }
        SEED.set(0);

        // Its neighbour connects and talks.
        let neighbour = world.join(Kind::default(), fingerprint);
        let is_up = move |world: &World<Core>| world.clients[neighbour].channels.len() == 2;
        assert!(
            world.run_until(Duration::from_secs(10), is_up),
            "seed {seed}"
        );
        assert_eq!(
            world.server.statistics().transport.stalled,
            0,
            "seed {seed}"
        );
    }
}
