use super::*;
use crate::transport::tests::support::start;
use SrtpProfile::{AeadAes128Gcm, AeadAes256Gcm, Aes128CmHmacSha1_80};

const OPEN: Policy = Policy {
    aead_only: false,
    dtls13_only: false,
};

fn hello(dtls12: bool, dtls13: bool, srtp_profiles: &[SrtpProfile]) -> ClientHello {
    ClientHello {
        dtls12,
        dtls13,
        srtp_profiles: srtp_profiles.to_vec(),
    }
}

#[test]
fn the_version_that_leads_to_an_aead_profile_is_chosen() {
    let chromium = [Aes128CmHmacSha1_80, AeadAes256Gcm, AeadAes128Gcm];
    let firefox = [AeadAes256Gcm, AeadAes128Gcm, Aes128CmHmacSha1_80];
    let old = [Aes128CmHmacSha1_80];
    let aead_only = Policy {
        aead_only: true,
        ..OPEN
    };
    let dtls13_only = Policy {
        dtls13_only: true,
        ..OPEN
    };
    let both = Policy {
        aead_only: true,
        dtls13_only: true,
    };
    let (v12, v13) = (Some(DtlsVersion::Dtls12), Some(DtlsVersion::Dtls13));
    for (policy, client, expected) in [
        (OPEN, hello(true, true, &chromium), v12),
        (OPEN, hello(true, true, &firefox), v13),
        (OPEN, hello(false, true, &chromium), v13),
        (OPEN, hello(true, false, &chromium), v12),
        (OPEN, hello(true, false, &old), v12),
        (OPEN, hello(true, true, &old), v13),
        (OPEN, hello(false, false, &firefox), None),
        (OPEN, hello(true, true, &[]), None),
        (aead_only, hello(true, true, &chromium), v12),
        (aead_only, hello(true, true, &firefox), v13),
        (aead_only, hello(true, true, &old), None),
        (aead_only, hello(false, true, &chromium), None),
        (dtls13_only, hello(true, true, &chromium), v13),
        (dtls13_only, hello(true, true, &firefox), v13),
        (dtls13_only, hello(true, false, &firefox), None),
        (both, hello(true, true, &firefox), v13),
        (both, hello(true, true, &chromium), None),
    ] {
        assert_eq!(choose(&client, policy), expected, "{policy:?} {client:?}");
    }
}

/// A server instance and a client, both driven by hand.
struct Pair {
    now: Instant,
    server: Box<dyn DtlsInstance>,
    client: dimpl::Dtls,
}

impl Pair {
    fn new(
        policy: Policy,
        client: fn(Arc<dimpl::Config>, DtlsCert, Instant) -> dimpl::Dtls,
    ) -> Self {
        let now = start();
        let stock = stock_provider().dtls_provider;
        let certificate = stock.generate_certificate().unwrap();
        let tap = provider(policy);
        let version = str0m_proto::crypto::DtlsVersion::Dtls12;
        let mut server = tap
            .dtls_provider
            .new_dtls(&certificate, now, version, None)
            .unwrap();
        server.set_active(false);
        server.handle_timeout(now).unwrap();
        let certificate = stock.generate_certificate().unwrap();
        let mut client = client(Arc::new(dimpl::Config::default()), certificate, now);
        client.set_active(true);
        client.handle_timeout(now).unwrap();
        Self {
            now,
            server,
            client,
        }
    }

    fn client_flight(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 2_000];
        let mut packets = Vec::new();
        loop {
            match self.client.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => packets.push(packet.to_vec()),
                DtlsOutput::Timeout(_) => return packets,
                _ => {}
            }
        }
    }

    /// Packets, what else there was, and when the instance is due.
    fn server_flight(&mut self) -> (Vec<Vec<u8>>, Vec<&'static str>, Instant) {
        let mut buffer = vec![0; 2_000];
        let mut packets = Vec::new();
        let mut others = Vec::new();
        loop {
            match self.server.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => packets.push(packet.to_vec()),
                DtlsOutput::Timeout(due) => return (packets, others, due),
                DtlsOutput::Connected => others.push("connected"),
                DtlsOutput::PeerCert(_) => others.push("certificate"),
                DtlsOutput::KeyingMaterial(..) => others.push("keys"),
                _ => others.push("other"),
            }
        }
    }

    /// Exchanges flights until both rest. Gives what the server let str0m see.
    fn handshake(&mut self) -> Vec<&'static str> {
        let mut seen = Vec::new();
        for _ in 0..20 {
            for packet in self.client_flight() {
                self.server.handle_packet(&packet).unwrap();
            }
            let (mut packets, others, due) = self.server_flight();
            seen.extend(others);
            if due <= self.now {
                self.server.handle_timeout(self.now).unwrap();
                let (more, others, _) = self.server_flight();
                packets.extend(more);
                seen.extend(others);
            }
            for packet in packets {
                self.client.handle_packet(&packet).unwrap();
            }
        }
        seen
    }
}

#[test]
fn the_keys_are_found_and_str0m_never_sees_them() {
    for (client, version) in [
        (dimpl::Dtls::new_12 as fn(_, _, _) -> _, DtlsVersion::Dtls12),
        (dimpl::Dtls::new_13, DtlsVersion::Dtls13),
        // Its hello offers both, AEAD first.
        (dimpl::Dtls::new_auto, DtlsVersion::Dtls13),
    ] {
        let mut pair = Pair::new(OPEN, client);
        let seen = pair.handshake();
        assert!(seen.contains(&"certificate") && seen.contains(&"connected"));
        assert!(!seen.contains(&"keys"));
        let findings = Findings::take();
        let keys = findings.keys.expect("keys");
        assert_eq!((keys.version, keys.profile), (version, AeadAes256Gcm));
        assert!(findings.certificate_sha256.is_some());
        assert!(!findings.failed && !findings.refused);
        assert!(Findings::take().keys.is_none(), "taken once");
    }
}

#[test]
fn nothing_is_due_and_nothing_is_sent_before_the_hello_is_whole() {
    let mut pair = Pair::new(OPEN, dimpl::Dtls::new_12);
    let (packets, _, due) = pair.server_flight();
    assert!(packets.is_empty());
    assert!(due > pair.now + Duration::from_secs(3_600));
    assert_eq!(pair.server.send_application_data(b"early").unwrap(), 0);
    assert_eq!(pair.server.protocol_version(), None);
    assert!(!pair.server.is_closed());
}

#[test]
fn timers_count_from_when_the_hello_came() {
    let mut pair = Pair::new(OPEN, dimpl::Dtls::new_12);
    pair.now += Duration::from_secs(10);
    for packet in pair.client_flight() {
        pair.server.handle_packet(&packet).unwrap();
    }
    let (packets, _, due) = pair.server_flight();
    assert!(
        packets.is_empty() && due <= pair.now,
        "it asks for the time"
    );
    pair.server.handle_timeout(pair.now).unwrap();
    let (packets, _, due) = pair.server_flight();
    assert!(!packets.is_empty());
    assert!(due > pair.now, "nothing is sent twice at once");
}

#[test]
fn a_refused_client_is_told_by_an_alert() {
    let policy = Policy {
        dtls13_only: true,
        ..OPEN
    };
    let mut pair = Pair::new(policy, dimpl::Dtls::new_12);
    for packet in pair.client_flight() {
        pair.server.handle_packet(&packet).unwrap();
    }
    assert!(Findings::take().refused);
    let (packets, _, _) = pair.server_flight();
    assert_eq!(packets, [HANDSHAKE_FAILURE]);
    assert!(pair.server_flight().0.is_empty(), "once");
    assert!(pair.server.is_closed());
    assert!(pair.client.handle_packet(&packets[0]).is_err());
}

#[test]
fn closing_before_the_hello_leaves_nothing_to_send() {
    let mut pair = Pair::new(OPEN, dimpl::Dtls::new_12);
    pair.server.close().unwrap();
    assert!(pair.server.is_closed());
    let hello = pair.client_flight();
    pair.server.handle_packet(&hello[0]).unwrap();
    assert!(pair.server_flight().0.is_empty());
}
