use super::*;
use proptest::prelude::*;

/// The body of a hello as browsers make it: a key share large enough for two datagrams, unknown
/// extensions around the ones that are read.
fn body(versions: &[u16], profiles: &[u16]) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, data: &[u8]| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        extensions.extend_from_slice(data);
    };
    extension(0x0a0a, &[]);
    extension(51, &[0x5a; 1_216 + 4]);
    if !versions.is_empty() {
        let mut data = vec![u8::try_from(2 * versions.len()).unwrap()];
        data.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
        extension(SUPPORTED_VERSIONS, &data);
    }
    if !profiles.is_empty() {
        let mut data = u16::try_from(2 * profiles.len())
            .unwrap()
            .to_be_bytes()
            .to_vec();
        data.extend(profiles.iter().flat_map(|profile| profile.to_be_bytes()));
        data.push(0);
        extension(USE_SRTP, &data);
    }
    extension(0xfafa, &[0]);

    let mut body = DTLS_1_2.to_be_bytes().to_vec();
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&[0, 4, 0x13, 0x01, 0xc0, 0x2b]);
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&extensions);
    body
}

/// One record with the bytes from `start` to `end` of a hello.
fn fragment(body: &[u8], start: usize, end: usize, record_sequence: u64) -> Vec<u8> {
    let mut handshake = vec![CLIENT_HELLO];
    handshake.extend_from_slice(&u24(body.len()));
    handshake.extend_from_slice(&[0, 0]);
    handshake.extend_from_slice(&u24(start));
    handshake.extend_from_slice(&u24(end - start));
    handshake.extend_from_slice(&body[start..end]);
    record(HANDSHAKE, 0, record_sequence, &handshake)
}

fn record(kind: u8, epoch: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 0xfe, 0xfd];
    record.extend_from_slice(&epoch.to_be_bytes());
    record.extend_from_slice(&sequence.to_be_bytes()[2..]);
    record.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    record.extend_from_slice(payload);
    record
}

fn u24(value: usize) -> [u8; 3] {
    u32::try_from(value).unwrap().to_be_bytes()[1..]
        .try_into()
        .unwrap()
}

const CHROMIUM: [u16; 3] = [
    SRTP_AES128_CM_HMAC_SHA1_80,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AEAD_AES_128_GCM,
];

#[test]
fn chromium_offers_both_versions_and_the_old_profile_first() {
    let hello = ClientHello::parse(&body(&[0x1a1a, DTLS_1_3, DTLS_1_2], &CHROMIUM)).unwrap();
    assert_eq!(
        hello,
        ClientHello {
            dtls12: true,
            dtls13: true,
            srtp_profiles: vec![
                SrtpProfile::Aes128CmHmacSha1_80,
                SrtpProfile::AeadAes256Gcm,
                SrtpProfile::AeadAes128Gcm,
            ],
        }
    );
}

#[test]
fn without_supported_versions_the_legacy_version_counts() {
    let hello = ClientHello::parse(&body(&[], &CHROMIUM[..1])).unwrap();
    assert!(hello.dtls12 && !hello.dtls13);

    let mut old = body(&[], &CHROMIUM[..1]);
    old[..2].copy_from_slice(&[0xfe, 0xff]);
    let hello = ClientHello::parse(&old).unwrap();
    assert!(
        !hello.dtls12 && !hello.dtls13,
        "DTLS 1.0 alone is nothing that we speak"
    );
}

#[test]
fn supported_versions_overrule_the_legacy_version() {
    let hello = ClientHello::parse(&body(&[DTLS_1_3], &CHROMIUM)).unwrap();
    assert!(!hello.dtls12 && hello.dtls13);
}

#[test]
fn unknown_and_repeated_profiles_are_passed_over() {
    let offered = [2, SRTP_AEAD_AES_128_GCM, 5, SRTP_AEAD_AES_128_GCM];
    let hello = ClientHello::parse(&body(&[DTLS_1_2], &offered)).unwrap();
    assert_eq!(hello.srtp_profiles, [SrtpProfile::AeadAes128Gcm]);
}

#[test]
fn a_hello_without_extensions_is_a_hello() {
    let mut short = body(&[], &[]);
    short.truncate(2 + 32 + 2 + 6 + 2);
    let hello = ClientHello::parse(&short).unwrap();
    assert_eq!(
        hello,
        ClientHello {
            dtls12: true,
            ..ClientHello::default()
        }
    );
}

#[test]
fn every_truncation_is_refused() {
    let whole = body(&[DTLS_1_3, DTLS_1_2], &CHROMIUM);
    let without_extensions = 2 + 32 + 2 + 6 + 2;
    for bytes in (0..whole.len()).filter(|bytes| *bytes != without_extensions) {
        assert_eq!(ClientHello::parse(&whole[..bytes]), None, "{bytes} bytes");
    }
}

#[test]
fn two_datagrams_in_either_order_make_one_hello() {
    let body = body(&[DTLS_1_3, DTLS_1_2], &CHROMIUM);
    let (first, second) = (
        fragment(&body, 0, 1_100, 0),
        fragment(&body, 1_100, body.len(), 1),
    );
    for order in [[&first, &second], [&second, &first]] {
        let mut assembly = Assembly::default();
        assert!(assembly.push(order[0]).is_none());
        assert!(
            assembly.push(order[0]).is_none(),
            "the same again changes nothing"
        );
        let whole = assembly.push(order[1]).expect("whole");
        assert_eq!(whole.body, body);
        assert!(whole.offer().is_some_and(|hello| hello.dtls13));
    }
}

#[test]
fn fragments_may_share_a_datagram_and_other_records_are_passed_over() {
    let body = body(&[DTLS_1_2], &CHROMIUM);
    let mut datagram = record(21, 0, 0, &[1, 0]);
    datagram.extend(record(HANDSHAKE, 1, 0, &[0; 40]));
    datagram.extend(fragment(&body, 700, body.len(), 1));
    datagram.extend(fragment(&body, 0, 700, 2));
    let whole = Assembly::default().push(&datagram).expect("whole");
    assert_eq!((whole.body, whole.record_sequence), (body, 2));
}

#[test]
fn a_hello_of_another_length_starts_over() {
    let (old, new) = (
        body(&[DTLS_1_2], &CHROMIUM),
        body(&[DTLS_1_3, DTLS_1_2], &CHROMIUM),
    );
    let mut assembly = Assembly::default();
    assert!(assembly.push(&fragment(&old, 0, 900, 0)).is_none());
    assert!(assembly.push(&fragment(&new, 900, new.len(), 1)).is_none());
    let whole = assembly.push(&fragment(&new, 0, 900, 2)).expect("whole");
    assert_eq!(whole.body, new);
}

#[test]
fn an_oversized_or_contradictory_hello_holds_no_memory() {
    let mut assembly = Assembly::default();
    let huge = vec![0; CLIENT_HELLO_BYTES_MAX + 1];
    assert!(assembly.push(&fragment(&huge, 0, 1_000, 0)).is_none());
    let mut beyond = fragment(&huge[..1_000], 0, 1_000, 0);
    beyond[14..17].copy_from_slice(&u24(999));
    assert!(assembly.push(&beyond).is_none());
    assert_eq!(assembly.body.capacity(), 0);
}

#[test]
fn the_whole_record_reads_back_as_the_same_message() {
    let body = body(&[DTLS_1_3, DTLS_1_2], &CHROMIUM);
    let whole = Assembly::default()
        .push(&fragment(&body, 0, body.len(), 5))
        .unwrap();
    let again = Assembly::default()
        .push(&whole.to_datagram())
        .expect("whole");
    assert_eq!((again.body, again.record_sequence), (body, 5));
}

proptest! {
    #[test]
    fn any_cut_in_any_order_assembles(
        pieces in prop::collection::vec((0_usize..1_400, 1_usize..1_400), 0..24)
    ) {
        let body = body(&[DTLS_1_3, DTLS_1_2], &CHROMIUM);
        let mut assembly = Assembly::default();
        let mut whole = None;
        let cuts = pieces.into_iter().chain([(0, 700), (700, 1_400)]);
        for (sequence, (start, length)) in (0..).zip(cuts) {
            let end = (start + length).min(body.len());
            let start = start.min(end);
            let pushed = assembly.push(&fragment(&body, start, end, sequence));
            whole = whole.or(pushed);
            prop_assert!(assembly.arrived.len() <= CLIENT_HELLO_FRAGMENTS_MAX);
        }
        prop_assert_eq!(whole.map(|whole| whole.body), Some(body));
    }
}

#[test]
fn any_bytes_are_taken() {
    bolero::check!()
        .with_type::<Vec<Vec<u8>>>()
        .for_each(|datagrams| {
            let mut assembly = Assembly::default();
            for datagram in datagrams {
                drop(ClientHello::parse(datagram));
                if let Some(whole) = assembly.push(datagram) {
                    assert!(whole.body.len() <= CLIENT_HELLO_BYTES_MAX);
                    drop(whole.offer());
                }
            }
        });
}

/// Random bytes seldom pass a length check, so this one starts from a valid hello.
#[test]
fn any_damage_to_a_hello_is_taken() {
    let datagram = {
        let body = body(&[DTLS_1_3, DTLS_1_2], &CHROMIUM);
        fragment(&body, 0, body.len(), 0)
    };
    bolero::check!()
        .with_type::<Vec<(u16, u8)>>()
        .for_each(|damage| {
            let mut datagram = datagram.clone();
            for (place, value) in damage {
                let place = usize::from(*place) % datagram.len();
                datagram[place] = *value;
            }
            if let Some(whole) = Assembly::default().push(&datagram) {
                drop(whole.offer());
            }
        });
}
