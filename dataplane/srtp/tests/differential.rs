//! An implementation by other people, in both roles: what we seal it opens, what it seals we open,
//! and both make the same octets of the same packet.
#![expect(
    clippy::unwrap_used,
    reason = "a test's own packets and keys are right or it fails"
)]

use bedside_srtp::{MasterKey, Opener, Profile, Sealer};
use proptest::prelude::*;
use rtc_crypto::default_provider;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;

const PROFILES: [(Profile, ProtectionProfile); 3] = [
    (Profile::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
    (Profile::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (
        Profile::AesCm128HmacSha1_80,
        ProtectionProfile::Aes128CmHmacSha1_80,
    ),
];

struct Ends {
    sealer: Sealer,
    opener: Opener,
    their_sealer: Context,
    their_opener: Context,
}

fn ends((profile, theirs): (Profile, ProtectionProfile), seed: u8) -> Ends {
    let octets = |count: usize| (seed..=255).cycle().take(count).collect::<Vec<u8>>();
    let (key, salt) = (octets(profile.key_bytes()), octets(profile.salt_bytes()));
    let master = MasterKey::new(profile, &key, &salt).unwrap();
    let provider = default_provider().unwrap();
    let context = || Context::new(&key, &salt, theirs, None, None, provider.crypto()).unwrap();
    Ends {
        sealer: Sealer::new(profile, &master).unwrap(),
        opener: Opener::new(profile, &master).unwrap(),
        their_sealer: context(),
        their_opener: context(),
    }
}

/// A header with one CSRC and an extension of one word: 24 bytes.
fn header(ssrc: u32, index: u64) -> Vec<u8> {
    let mut header = vec![0x91, 0x60];
    header.extend(&index.to_be_bytes()[6..]);
    header.extend([0x12, 0x34, 0x56, 0x78]);
    header.extend(ssrc.to_be_bytes());
    header.extend([0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0]);
    header
}

fn check_rtp(ends: &mut Ends, ssrc: u32, index: u64, payload: &[u8]) {
    let mut ours = header(ssrc, index);
    let header_bytes = ours.len();
    let plain = [&ours, payload].concat();
    ours.resize(plain.len() + 16, 0);
    let total_bytes = ends
        .sealer
        .seal_rtp_into(&mut ours, header_bytes, payload, index, ssrc, 0)
        .unwrap();
    ours.truncate(total_bytes);

    let theirs = ends.their_sealer.encrypt_rtp(&plain).unwrap();
    assert_eq!(ours, theirs, "index {index:#x}");
    assert_eq!(
        ends.their_opener.decrypt_rtp(&ours).unwrap(),
        plain,
        "index {index:#x}"
    );

    let sequence = u16::from_be_bytes([plain[2], plain[3]]);
    let mut theirs = theirs.to_vec();
    let opened = ends
        .opener
        .open_rtp(&mut theirs, header_bytes, ssrc, sequence)
        .unwrap();
    assert_eq!(opened.index, index);
    assert_eq!(theirs[..opened.plain_bytes], plain);
}

fn check_rtcp(ends: &mut Ends, compound: &[u8]) {
    let mut ours = compound.to_vec();
    ours.resize(compound.len() + 20, 0);
    let total_bytes = ends.sealer.seal_rtcp(&mut ours, compound.len()).unwrap();
    let opened = ends
        .their_opener
        .decrypt_rtcp(&ours[..total_bytes])
        .unwrap();
    assert_eq!(opened, compound);

    let mut theirs = ends.their_sealer.encrypt_rtcp(compound).unwrap().to_vec();
    let plain_bytes = ends.opener.open_rtcp(&mut theirs).unwrap();
    assert_eq!(theirs[..plain_bytes], *compound);
}

/// A receiver report without blocks and a picture loss indication.
fn report(ssrc: u32) -> Vec<u8> {
    let mut compound = vec![0x80, 201, 0, 1];
    compound.extend(ssrc.to_be_bytes());
    compound.extend([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7]);
    compound
}

#[test]
fn two_implementations_agree_across_a_roll_over() {
    for profile in PROFILES {
        let mut ends = ends(profile, 0x21);
        for index in 0xFF80..0x1_0080 {
            check_rtp(&mut ends, 0xCAFE_0001, index, &[0x6B; 333]);
            check_rtcp(&mut ends, &report(0xCAFE_0001));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_implementations_agree(
        profile in prop::sample::select(&PROFILES),
        seed: u8,
        ssrc: u32,
        start in 1u64..0x8000,
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..1_300), 1..10),
    ) {
        let mut ends = ends(profile, seed);
        for (index, payload) in (start..).step_by(0x1_001).zip(payloads) {
            check_rtp(&mut ends, ssrc, index, &payload);
            check_rtcp(&mut ends, &report(ssrc));
        }
    }
}
