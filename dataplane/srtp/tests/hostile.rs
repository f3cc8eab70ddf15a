//! Fuzz targets for what an attacker can send: nothing panics, nothing opens, nothing moves.
//!
//! Ordinary tests with a bound on their inputs; `cargo bolero test` drives the same targets with
//! coverage.

#![expect(
    clippy::unwrap_used,
    reason = "a test's own packets and keys are right or it fails"
)]

use bedside_srtp::{Blame, MasterKey, Opener, Profile, Sealer};
use bolero::check;

const PROFILES: [Profile; 3] = [
    Profile::AeadAes256Gcm,
    Profile::AeadAes128Gcm,
    Profile::AesCm128HmacSha1_80,
];
const ITERATIONS: usize = 4_000;
const SSRC: u32 = 0x0102_0304;

fn pair(profile: Profile) -> (Sealer, Opener) {
    let material = vec![0x77; profile.keying_material_bytes()];
    let (key, _) = MasterKey::from_keying_material(profile, &material).unwrap();
    (
        Sealer::new(profile, &key).unwrap(),
        Opener::new(profile, &key).unwrap(),
    )
}

fn rtp(sealer: &mut Sealer, index: u64) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    packet[2..4].copy_from_slice(&index.to_be_bytes()[6..]);
    packet.resize(12 + 50 + 16, 0);
    let total_bytes = sealer
        .seal_rtp_into(&mut packet, 12, &[9; 50], index, SSRC, 0)
        .unwrap();
    packet.truncate(total_bytes);
    packet
}

fn rtcp(sealer: &mut Sealer) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1, 1, 2, 3, 4];
    packet.resize(8 + 20, 0);
    let total_bytes = sealer.seal_rtcp(&mut packet, 8).unwrap();
    packet.truncate(total_bytes);
    packet
}

/// SSRC and sequence number as a parser would take them from a header.
fn names(packet: &[u8]) -> (u32, u16) {
    let word = |at: usize| packet.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let [_, _, high, low] = word(0).copied().unwrap_or_default();
    (
        u32::from_be_bytes(word(8).copied().unwrap_or_default()),
        u16::from_be_bytes([high, low]),
    )
}

/// The packet a fuzzer made of a sealed one: octets changed, then cut or prolonged.
fn mangle(packet: &[u8], changes: &[(u8, u8)], length: u8, tail: &[u8]) -> Vec<u8> {
    let mut mangled = packet.to_vec();
    for (place, change) in changes {
        let place = usize::from(*place) % mangled.len();
        mangled[place] ^= change;
    }
    mangled.truncate(usize::from(length));
    mangled.extend(tail);
    mangled
}

#[test]
fn garbage_never_opens_as_rtp() {
    check!()
        .with_iterations(ITERATIONS)
        .with_type::<(u8, u8, Vec<u8>)>()
        .for_each(|(profile, header_bytes, packet)| {
            let (_, mut opener) = pair(PROFILES[usize::from(profile % 3)]);
            let header_bytes = 12 + usize::from(*header_bytes);
            let (ssrc, sequence) = names(packet);
            let answer = opener.open_rtp(&mut packet.clone(), header_bytes, ssrc, sequence);
            assert_eq!(answer.unwrap_err().blame(), Blame::Peer);
        });
}

#[test]
fn garbage_never_opens_as_rtcp() {
    check!()
        .with_iterations(ITERATIONS)
        .with_type::<(u8, Vec<u8>)>()
        .for_each(|(profile, packet)| {
            let (_, mut opener) = pair(PROFILES[usize::from(profile % 3)]);
            let answer = opener.open_rtcp(&mut packet.clone());
            assert_eq!(answer.unwrap_err().blame(), Blame::Peer);
        });
}

#[test]
fn a_mangled_rtp_packet_opens_only_if_it_is_the_original() {
    check!()
        .with_iterations(ITERATIONS)
        .with_type::<(u8, Vec<(u8, u8)>, u8, Vec<u8>)>()
        .for_each(|(profile, changes, length, tail)| {
            let (mut sealer, mut opener) = pair(PROFILES[usize::from(profile % 3)]);
            let original = rtp(&mut sealer, 500);
            let mut mangled = mangle(&original, changes, *length, tail);
            let same = mangled == original;
            let (ssrc, sequence) = names(&mangled);
            let answer = opener.open_rtp(&mut mangled, 12, ssrc, sequence);
            assert_eq!(answer.is_ok(), same, "{answer:?}");
            // Whatever it was, it moved neither the window nor the roll-over counter.
            let next = rtp(&mut sealer, 501);
            assert!(opener.open_rtp(&mut next.clone(), 12, SSRC, 501).is_ok());
        });
}

#[test]
fn a_mangled_rtcp_packet_opens_only_if_it_is_the_original() {
    check!()
        .with_iterations(ITERATIONS)
        .with_type::<(u8, Vec<(u8, u8)>, u8, Vec<u8>)>()
        .for_each(|(profile, changes, length, tail)| {
            let (mut sealer, mut opener) = pair(PROFILES[usize::from(profile % 3)]);
            let original = rtcp(&mut sealer);
            let mut mangled = mangle(&original, changes, *length, tail);
            let same = mangled == original;
            let answer = opener.open_rtcp(&mut mangled);
            assert_eq!(answer.is_ok(), same, "{answer:?}");
            assert_eq!(opener.open_rtcp(&mut rtcp(&mut sealer)), Ok(8));
        });
}
