use super::*;
use crate::vectors::hex;
use crate::{Error, Profile};

fn counter_mode() -> Cipher {
    Cipher::new(&SessionKey::of_vector(
        Profile::AesCm128HmacSha1_80,
        &hex("2B7E151628AED2A6ABF7158809CF4F3C"),
        &[0; 20],
        &hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    ))
    .unwrap()
}

/// RFC 3711 appendix B.2: the keystream is what zeros encrypt to.
#[test]
fn counter_mode_keystream() {
    let block_count = 0xFF02;
    let position = Position { ssrc: 0, index: 0 };
    let payload = vec![0; block_count * 16];
    let mut packet = vec![0; 12 + payload.len() + 10];
    counter_mode()
        .seal_rtp(&mut packet, 12, &payload, &[], position)
        .unwrap();
    for (block, expected) in [
        (0, "E03EAD0935C95E80E166B16DD92B4EB4"),
        (1, "D23513162B02D0F72A43A2FE4A5F97AB"),
        (2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
        (0xFEFF, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
        (0xFF00, "362B7C3C6773516318A077D7FC5073AE"),
        (0xFF01, "6A2CC3787889374FBEB4C81B17BA6C44"),
    ] {
        let start = 12 + block * 16;
        assert_eq!(packet[start..start + 16], hex(expected), "block {block:#x}");
    }
}

/// RFC 3711 §4.2: the tag covers the roll-over counter, which the packet does not carry.
#[test]
fn counter_mode_authenticates_the_roll_over_counter() {
    let cipher = counter_mode();
    let mut packet = vec![0; 12 + 4 + 10];
    let sealed_at = Position {
        ssrc: 1,
        index: 0x1_0002,
    };
    cipher
        .seal_rtp(&mut packet, 12, &[1, 2, 3, 4], &[], sealed_at)
        .unwrap();
    let elsewhere = Position {
        ssrc: 1,
        index: 0x2_0002,
    };
    assert_eq!(
        cipher.open_rtp(&mut packet.clone(), 12, elsewhere),
        Err(Error::NotAuthentic)
    );
    cipher.open_rtp(&mut packet, 12, sealed_at).unwrap();
    assert_eq!(packet[12..16], [1, 2, 3, 4]);
}

/// RFC 7714 §16 and §17 name session key and salt.
fn gcm(profile: Profile) -> Cipher {
    let key: Vec<u8> = (0..).take(profile.key_bytes()).collect();
    Cipher::new(&SessionKey::of_vector(
        profile,
        &key,
        &[0; 20],
        b"Quid pro quo",
    ))
    .unwrap()
}

const GALLIA: &[u8] = b"Gallia est omnis divisa in partes tres";

fn check_rtp(profile: Profile, expected: &str) {
    let cipher = gcm(profile);
    let expected = hex(expected);
    let position = Position {
        ssrc: 0x5501_A0B2,
        index: 0xF17B,
    };

    let mut packet = vec![0; expected.len()];
    packet[..12].copy_from_slice(&hex("8040f17b 8041f8d3 5501a0b2"));
    cipher
        .seal_rtp(&mut packet, 12, GALLIA, &[], position)
        .unwrap();
    assert_eq!(packet, expected);

    cipher.open_rtp(&mut packet, 12, position).unwrap();
    assert_eq!(packet[12..12 + GALLIA.len()], *GALLIA);
}

/// RFC 7714 §16.1.1 and §16.1.2.
#[test]
fn aes_128_gcm_rtp() {
    check_rtp(
        Profile::AeadAes128Gcm,
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
         0d294e6f 42a5f47a 51c7d19b 36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce",
    );
}

/// RFC 7714 §16.2.1 and §16.2.2.
#[test]
fn aes_256_gcm_rtp() {
    check_rtp(
        Profile::AeadAes256Gcm,
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
         9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b 7aa3db36 dfffd6b0 f9bb7878 d7a76c13",
    );
}

/// The sender report of RFC 7714 §17: SSRC "Mars", NTP time "NTP1NTP2", RTP time "RTP ".
const SENDER_REPORT: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930
     4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";

fn check_rtcp(profile: Profile, expected: &str) {
    let cipher = gcm(profile);
    let expected = hex(expected);
    let plain = hex(SENDER_REPORT);
    let position = Position {
        ssrc: 0x4D61_7273,
        index: 0x5D4,
    };

    let mut packet = vec![0; expected.len()];
    packet[..plain.len()].copy_from_slice(&plain);
    cipher.seal_rtcp(&mut packet, position).unwrap();
    assert_eq!(packet, expected);

    assert_eq!(cipher.rtcp_index_word(&packet), [0x80, 0, 0x05, 0xD4]);
    cipher.open_rtcp(&mut packet, position).unwrap();
    assert_eq!(packet[..plain.len()], plain);
}

/// RFC 7714 §17.1.
#[test]
fn aes_128_gcm_rtcp() {
    check_rtcp(
        Profile::AeadAes128Gcm,
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
         c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
         45d9eade 800005d4",
    );
}

/// RFC 7714 §17.2.
#[test]
fn aes_256_gcm_rtcp() {
    check_rtcp(
        Profile::AeadAes256Gcm,
        "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
         a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c
         b26ac3be 800005d4",
    );
}

/// The index word is authenticated with its E flag (RFC 3711 §3.4, RFC 7714 §9.2).
#[test]
fn an_srtcp_index_is_authentic() {
    for cipher in [
        gcm(Profile::AeadAes256Gcm),
        gcm(Profile::AeadAes128Gcm),
        counter_mode(),
    ] {
        let mut packet = hex(SENDER_REPORT);
        packet.resize(packet.len() + 20, 0);
        cipher
            .seal_rtcp(
                &mut packet,
                Position {
                    ssrc: 0x4D61_7273,
                    index: 7,
                },
            )
            .unwrap();
        let elsewhere = Position {
            ssrc: 0x4D61_7273,
            index: 8,
        };
        match cipher {
            // The index enters the nonce.
            Cipher::Gcm(_) => {
                assert_eq!(
                    cipher.open_rtcp(&mut packet, elsewhere),
                    Err(Error::NotAuthentic)
                );
            }
            // The index is authenticated where it stands.
            Cipher::CounterMode(_) => {
                let index_word = packet.len() - 10 - 4;
                packet[index_word + 3] = 8;
                assert_eq!(
                    cipher.open_rtcp(&mut packet, elsewhere),
                    Err(Error::NotAuthentic)
                );
            }
        }
    }
}
