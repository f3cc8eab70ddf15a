use super::*;
use crate::forwarder::tests::start;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const FACTS: PacketFacts = PacketFacts {
    timestamp: Timestamp(1),
    marker: false,
    descriptor: None,
    ends: None,
    red_primary_start: None,
};

const NONE: [Option<&[u8]>; PassedExtension::ALL.len()] = [None; PassedExtension::ALL.len()];

fn payload(cache: &mut PacketCache, sequence: u64) -> Option<Vec<u8>> {
    cache
        .find(sequence)
        .map(|packet| packet.prefixed_payload[PREFIX_BYTES..].to_vec())
}

#[test]
fn extensions_and_payload_come_back() {
    let mut cache = PacketCache::default();
    let mut passed = NONE;
    passed[PassedExtension::VideoOrientation as usize] = Some(&[1]);
    passed[PassedExtension::DependencyDescriptor as usize] = Some(&[9; 40]);
    let now = start();
    assert_eq!(
        cache.insert(now, 7, FACTS, &passed, b"payload"),
        Inserted::New
    );
    let packet = cache.find(7).expect("just inserted");
    let found: Vec<_> = passed_extensions(packet.extensions).collect();
    assert_eq!(
        found,
        [
            (PassedExtension::VideoOrientation, &[1][..]),
            (PassedExtension::DependencyDescriptor, &[9; 40][..])
        ]
    );
    assert_eq!(&packet.prefixed_payload[PREFIX_BYTES..], b"payload");
    assert!(cache.find(6).is_none());
    assert_eq!(cache.highest(), Some(7));
}

#[test]
fn a_number_is_taken_once() {
    let mut cache = PacketCache::default();
    let now = start();
    assert_eq!(cache.insert(now, 7, FACTS, &NONE, b"first"), Inserted::New);
    assert_eq!(
        cache.insert(now, 7, FACTS, &NONE, b"second"),
        Inserted::Duplicate
    );
    assert_eq!(payload(&mut cache, 7), Some(b"first".to_vec()));
    let later = now + Duration::from_secs(2);
    for sequence in 8..8 + 64 {
        cache.insert(later, sequence, FACTS, &NONE, &[0; 1_000]);
        assert_ne!(
            cache.insert(later, 7, FACTS, &NONE, b"second"),
            Inserted::New
        );
    }
    assert_eq!(payload(&mut cache, 7), None, "its bytes were overwritten");
}

#[test]
fn a_second_of_fast_video_stays() {
    let mut cache = PacketCache::default();
    let start = start();
    for sequence in 0..2_000_u64 {
        let now = start + Duration::from_millis(2 * sequence);
        cache.insert(
            now,
            sequence,
            FACTS,
            &NONE,
            &[sequence.to_be_bytes()[7]; 1_100],
        );
        for back in [0, 1, 250, 499] {
            let Some(earlier) = sequence.checked_sub(back) else {
                continue;
            };
            let found = payload(&mut cache, earlier).expect("younger than a second");
            assert_eq!(found, [earlier.to_be_bytes()[7]; 1_100]);
        }
    }
    assert!(cache.bytes.len() <= CACHE_BYTES_MAX);
}

#[test]
fn slow_audio_stays_small() {
    let mut cache = PacketCache::default();
    let start = start();
    for sequence in 0..5_000_u64 {
        let now = start + Duration::from_millis(20 * sequence);
        cache.insert(now, sequence, FACTS, &NONE, &[1; 100]);
    }
    assert_eq!(cache.entries.len(), CACHE_PACKETS_MIN);
    assert_eq!(cache.bytes.len(), CACHE_BYTES_MIN);
}

#[test]
fn a_packet_longer_than_the_cache_is_not_taken() {
    let mut cache = PacketCache::default();
    let payload = [0; CACHE_BYTES_MIN];
    assert_eq!(
        cache.insert(start(), 1, FACTS, &NONE, &payload),
        Inserted::Unusable
    );
}

proptest! {
    /// Against a map that forgets nothing: what is found is what was put in first.
    #[test]
    fn what_is_found_is_what_was_put_in(
        packets in proptest::collection::vec((0_u64..60, 0_u64..30, 0_usize..1_500), 1..800),
    ) {
        let mut cache = PacketCache::default();
        let mut model = BTreeMap::new();
        let start = start();
        let mut base = 1_000_u64;
        let mut elapsed_ms = 0;
        for (index, (back, step_ms, bytes)) in packets.into_iter().enumerate() {
            base += 1;
            elapsed_ms += step_ms;
            let sequence = base - back.saturating_sub(40);
            let fill = index.to_be_bytes()[7];
            let now = start + Duration::from_millis(elapsed_ms);
            let inserted = cache.insert(now, sequence, FACTS, &NONE, &vec![fill; bytes]);
            if inserted == Inserted::New {
                prop_assert!(model.insert(sequence, vec![fill; bytes]).is_none());
            }
            if inserted == Inserted::New {
                prop_assert!(payload(&mut cache, sequence).is_some());
            }
            for (sequence, expected) in model.iter().rev().take(80) {
                if let Some(found) = payload(&mut cache, *sequence) {
                    prop_assert_eq!(&found, expected);
                }
            }
        }
    }
}
