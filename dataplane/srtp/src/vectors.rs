//! What the tests share: how the RFCs print octets, and the three profiles with a key each.

use crate::{MasterKey, Opener, Profile, Sealer};

/// Octets from hexadecimal digits; blanks are for the eye.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).expect("a hexadecimal digit")).unwrap())
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "an odd number of digits");
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}

pub(crate) const PROFILES: [Profile; 3] = [
    Profile::AeadAes256Gcm,
    Profile::AeadAes128Gcm,
    Profile::AesCm128HmacSha1_80,
];

/// Both ends of one direction, under the same master key.
pub(crate) fn pair(profile: Profile) -> (Sealer, Opener) {
    let key: Vec<u8> = (0x5A..).take(profile.key_bytes()).collect();
    let salt: Vec<u8> = (0xA5..).take(profile.salt_bytes()).collect();
    let master = MasterKey::new(profile, &key, &salt).unwrap();
    (
        Sealer::new(profile, &master).unwrap(),
        Opener::new(profile, &master).unwrap(),
    )
}

/// An RTP header of twelve bytes: version 2, payload type 96.
pub(crate) fn rtp_header(ssrc: u32, index: u64, padded: bool) -> [u8; 12] {
    let mut header = [0x80, 96, 0, 0, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0];
    header[0] |= u8::from(padded) << 5;
    header[2..4].copy_from_slice(&index.to_be_bytes()[6..]);
    header[8..].copy_from_slice(&ssrc.to_be_bytes());
    header
}

/// A sealed packet with a header of twelve bytes.
pub(crate) fn sealed(sealer: &mut Sealer, ssrc: u32, index: u64, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12 + payload.len() + 16];
    packet[..12].copy_from_slice(&rtp_header(ssrc, index, false));
    let total_bytes = sealer
        .seal_rtp_into(&mut packet, 12, payload, index, ssrc, 0)
        .unwrap();
    packet.truncate(total_bytes);
    packet
}

/// A sealed sender report without blocks.
pub(crate) fn sealed_rtcp(sealer: &mut Sealer, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0; 28 + 20];
    packet[..4].copy_from_slice(&[0x80, 200, 0, 6]);
    packet[4..8].copy_from_slice(&ssrc.to_be_bytes());
    let total_bytes = sealer.seal_rtcp(&mut packet, 28).unwrap();
    packet.truncate(total_bytes);
    packet
}
